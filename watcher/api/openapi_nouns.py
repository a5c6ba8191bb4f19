"""One invoice and what belongs to it, as the API shows them, for the examples of the OpenAPI document."""

from __future__ import annotations

from typing import Any

INVOICE = "inv_01kb2m8v7r3w5x9yqz4n6t8p0d"
REFUND = "ref_01kb2m9x2a4c6e8g0j1k3m5n7p"
LINK = "lnk_01kb2m7w1q3r5t7v9x0y2z4b6c"
STANDING = "adr_01kb2m6z9y7x5w3v1t0s2r4q6p"
WEBHOOK = "whk_01kb2m5a3b5c7d9e1f2g4h6j8k"
EVENT = "evt_01kb2m9c3f5g7h9j1k2m4n6p8q"
DELIVERY = "dlv_01kb2m9d4e6f8g0h2j3k5m7n9p"
KEY = "key_01kb2m4c6d8e0f2g3h5j7k9m1n"
ADDRESS = "0x9858EfFD232B4033E47d90003D41EC34EcaEda94"
TXID = "0x5c504ed432cb51138bcf09aa5e8a410dd4a1e204ef84bfed1be16dfba1b22060"
BLOCK = "0x88e96d4537bea4d9c05d12549907b32561d3bf31f45aae734cdc119f13406cb6"
USDT = "eip155:1/erc20:0xdac17f958d2ee523a2206206994597c13d831ec7"
NOON, BEFORE, HOUR = "2026-11-22T12:00:00Z", "2026-11-22T11:58:00Z", "2026-11-22T12:58:00Z"
WAY = {"chain": "ethereum", "asset": "USDT"}

PAYMENT: dict[str, Any] = {
    **WAY,
    "id": "pay_01kb2m9c3e5g7j1k2m4n6p8q0r",
    "txid": TXID,
    "slot": "log:0",
    "address": ADDRESS,
    "amount": "10",
    "net": "10",
    "status": "pending",
    "confirmations": 1,
    "required_confirmations": 2,
    "block_height": 21_000_000,
    "block_hash": BLOCK,
    "first_seen_at": NOON,
    "late": False,
}
OPTION: dict[str, Any] = {
    **WAY,
    "asset_id": USDT,
    "address": ADDRESS,
    "amount": "25.5",
    "expected": "25.5",
    "minimum": "25.245",
    "seen": "10",
    "confirmed": "0",
    "fees": "0",
    "net": "10",
    "missing": "15.5",
    "excess": "0",
    "uri": f"ethereum:0xdAC17F958D2ee523a2206206994597C13D831ec7/transfer?address={ADDRESS}&uint256=15500000",
    "refund_address": None,
}
INVOICE_SHOWN: dict[str, Any] = {
    "id": INVOICE,
    "sequence": 2,
    "status": "partial",
    "exceptions": [],
    "needs_action": False,
    "order_id": "A-1001",
    "description": "Two books",
    "metadata": {"cart": 17},
    "options": [OPTION],
    "payments": [PAYMENT],
    "refunds": [],
    "created_at": BEFORE,
    "expires_at": HOUR,
    "monitor_until": "2026-11-23T12:58:00Z",
    "paid_at": None,
    "closed_at": None,
    "late": "hold",
    "policy": {
        "accept_percent": None,
        "extend": 0,
        "underpaid": "hold",
        "overpaid": "keep",
        "wrong_asset": "hold",
    },
    "reminder_before": 0,
    "language": "en",
    "link_id": None,
    "return_url": "https://shop.example/thanks",
    "checkout_url": f"http://127.0.0.1:8080/i/{INVOICE}",
}
REFUND_SHOWN: dict[str, Any] = {
    **WAY,
    "id": REFUND,
    "address": ADDRESS,
    "amount": "10",
    "arrives": "10",
    "state": "requested",
    "reason": "out of stock",
    "by": "till",
    "requested_at": NOON,
    "sent_at": None,
    "confirmed_at": None,
    "cancelled_at": None,
    "txid": None,
}
STANDING_SHOWN: dict[str, Any] = {
    "id": STANDING,
    "sequence": 1,
    "chain": "ethereum",
    "address": ADDRESS,
    "label": "customer-17",
    "metadata": {},
    "confirmations": 2,
    "confirmations_by_amount": [],
    "created_at": BEFORE,
    "archived_at": None,
}
WEBHOOK_SHOWN: dict[str, Any] = {
    "id": WEBHOOK,
    "url": "https://shop.example/hooks",
    "events": ["*"],
    "chains": [],
    "format": "standard",
    "signature": "hmac",
    "public_key": None,
    "description": None,
    "success_body": None,
    "managed": "api",
    "state": "active",
    "disabled_reason": None,
    "deliveries_pending": 0,
    "deliveries_dead": 0,
    "created_at": BEFORE,
}
KEY_SHOWN = {"id": KEY, "name": "till", "scope": "write", "created_at": BEFORE, "revoked_at": None}
AUDIT: dict[str, Any] = {
    "id": 12,
    "at": NOON,
    "actor": "till",
    "action": "invoice.accept",
    "subject": INVOICE,
    "reason": "close enough",
    "detail": {},
}
DELIVERY_SHOWN: dict[str, Any] = {
    "id": DELIVERY,
    "event_id": EVENT,
    "event_type": "invoice.paid",
    "webhook_id": WEBHOOK,
    "invoice_id": INVOICE,
    "address_id": None,
    "state": "delivered",
    "attempts": 1,
    "created_at": NOON,
    "next_at": None,
    "delivered_at": NOON,
    "history": [{"number": 1, "at": NOON, "duration_ms": 48, "status": 200, "error": None, "answer": "ok"}],
}
PERCENTILES = {"of": 2, "p50": 75, "p75": 240, "p90": 240, "p95": 240, "p99": 240}
TALLY: dict[str, Any] = {
    "created": 3,
    "open": 0,
    "paid": 2,
    "underpaid": 0,
    "expired": 1,
    "refunded": 0,
    "cancelled": 0,
    "late": 0,
    "shares": {
        "open": "0",
        "paid": "66.67",
        "underpaid": "0",
        "expired": "33.33",
        "refunded": "0",
        "cancelled": "0",
    },
    "first_payment": PERCENTILES,
    "full_payment": PERCENTILES,
    "distribution": [
        {"up_to": 300, "count": 1, "share": "50"},
        {"up_to": 600, "count": 1, "share": "100"},
    ],
    "suggested_expires_in": None,
    "no_suggestion": "too few invoices were paid in full",
    "default_expires_in": {"seconds": 3600, "caught": 2, "of": 2, "share": "100"},
}
SERIES: dict[str, Any] = {
    "bucket": "day",
    "invoices": [
        {
            "start": "2026-11-22T00:00:00Z",
            **{name: TALLY[name] for name in ("created", "open", "paid", "underpaid", "expired")},
            **{name: TALLY[name] for name in ("refunded", "cancelled", "late")},
        }
    ],
    "volume": [
        {
            **WAY,
            "amount": "35.5",
            "points": [
                {"start": "2026-11-22T00:00:00Z", "amount": "35.5", "invoices": "25.5", "addresses": "10"}
            ],
        }
    ],
}
DEPOSIT = {
    **PAYMENT,
    "amount": "25.5",
    "net": "25.5",
    "status": "confirmed",
    "confirmations": 3,
    "rule": "confirmed",
}
