"""An invoice as the shop reads it: the same JSON in the API's answers and in the webhooks' bodies. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from watcher.finality import depth
from watcher.model import Finality, PaymentStatus
from watcher.money import format_amount, format_percent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from watcher.facts import Record
    from watcher.model import Happening, Option, Payment, Policy, Refund, Sums, View

BODY_LIMIT = 20_000
"""Bytes of an event's body, at most (CONTRACT, Events)."""

PAYMENTS_LIMIT = 50
"""Payments in an event's body, at most: the newest ones."""


@dataclass(frozen=True, slots=True)
class Links:
    """What only the configuration knows: where the pages are, wallet links, and each asset's decimals.

    `payment_uri(option, missing base units)` is None for what is no longer configured.
    `mail`: whether reminders are also sent to payers.
    """

    public_url: str
    payment_uri: Callable[[Option, int], str | None]
    decimals: Callable[[str, str], int]
    mail: bool = False


def moment(value: datetime | None) -> str | None:
    """Return a moment as RFC 3339 in UTC, with no more digits of the second than it has."""
    if value is None:
        return None
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def invoice(record: Record, views: Mapping[str, View], links: Links) -> dict[str, Any]:
    """Return the invoice of CONTRACT, every payment included; amounts are decimal strings."""
    terms, decision = record.invoice, record.decision
    return {
        "id": terms.id,
        "sequence": terms.sequence,
        "status": decision.status.value,
        "exceptions": [e.value for e in decision.exceptions],
        "needs_action": decision.needs_action,
        "order_id": terms.order_id,
        "description": terms.description,
        "metadata": dict(terms.metadata),
        "options": [
            _option(option, sums, links) for option, sums in zip(terms.options, decision.options, strict=True)
        ],
        "payments": [payment(p, views.get(p.deposit.chain), links, terms.options) for p in decision.payments],
        "refunds": [refund(one) for one in decision.refunds],
        "created_at": moment(terms.created_at),
        "expires_at": moment(decision.deadline),
        "monitor_until": moment(terms.monitor_until + (decision.deadline - terms.expires_at)),
        "paid_at": moment(record.paid_at),
        "closed_at": moment(record.closed_at),
        "late": terms.late.value,
        "policy": _policy(terms.policy),
        "reminder_before": terms.reminder_before,
        "language": terms.language,
        "link_id": terms.link_id,
        "return_url": terms.return_url,
        "checkout_url": f"{links.public_url}/i/{terms.id}",
    }


def _policy(policy: Policy) -> dict[str, Any]:
    share = policy.accept_share
    return {
        "accept_percent": None if share is None else format_percent(share),
        "extend": policy.extend,
        "underpaid": policy.underpaid.value,
        "overpaid": policy.overpaid.value,
        "wrong_asset": policy.wrong_asset.value,
    }


def _option(option: Option, sums: Sums, links: Links) -> dict[str, Any]:
    def text(units: int) -> str:
        return format_amount(units, option.decimals)

    return {
        "chain": option.chain,
        "asset": option.asset,
        "asset_id": option.asset_id,
        "address": option.address,
        "amount": text(option.amount),
        "expected": text(option.expected),
        "minimum": text(option.minimum),
        "seen": text(sums.seen),
        "confirmed": text(sums.confirmed),
        "fees": text(sums.fees),
        "net": text(sums.net),
        "missing": text(sums.missing),
        "excess": text(sums.excess),
        "uri": links.payment_uri(option, sums.missing),
        "refund_address": option.refund_address,
    }


def payment(one: Payment, view: View | None, links: Links, options: Sequence[Option] = ()) -> dict[str, Any]:
    """Return one payment of CONTRACT, its confirmations counted up to the view.

    `options` are its invoice's: they know their assets' decimals even when nothing else does any more.
    """
    deposit = one.deposit
    paid = None if one.option is None else next((o for o in options if o.position == one.option), None)
    decimals = paid.decimals if paid else links.decimals(deposit.chain, deposit.asset)
    block = deposit.block
    return {
        "id": deposit.id,
        "chain": deposit.chain,
        "asset": deposit.asset,
        "txid": deposit.txid,
        "slot": deposit.slot,
        "address": deposit.address,
        "amount": format_amount(deposit.amount, decimals),
        "net": format_amount(one.net, decimals),
        "status": PaymentStatus(one.status).value,
        "confirmations": max(one.confirmations, depth(deposit, view)),
        "required_confirmations": one.required.value if isinstance(one.required, Finality) else one.required,
        "block_height": block.height if block else None,
        "block_hash": block.hash if block else None,
        "first_seen_at": moment(deposit.arrived_at),
        "late": one.late,
    }


def refund(one: Refund) -> dict[str, Any]:
    """Return a refund as invoices and events carry it."""
    return {
        "id": one.id,
        "chain": one.chain,
        "asset": one.asset,
        "address": one.address,
        "amount": format_amount(one.amount, one.decimals),
        "arrives": format_amount(one.arrives, one.decimals),
        "state": one.state.value,
        "reason": one.reason,
        "by": one.by,
        "requested_at": moment(one.at),
        "sent_at": moment(one.sent_at),
        "confirmed_at": moment(one.confirmed_at),
        "cancelled_at": moment(one.cancelled_at),
        "txid": one.txid,
    }


def event_data(
    happening: Happening, previous: str | None, shown: Mapping[str, Any], paid: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return an invoice event's `data`: the invoice and the payment as rendered, and what it was before."""
    data = {
        "invoice": dict(shown),
        "previous_status": previous,
        "sequence": shown["sequence"],
        "payment": dict(paid) if paid else None,
    }
    if happening.refund:
        data["refund"] = refund(happening.refund)
    return data | {"reason": happening.reason} if happening.reason else data


def body(type_: str, at: datetime, data: Mapping[str, Any]) -> bytes:
    """Return an event's bytes (Standard Webhooks), its invoice's oldest payments left out above the limit."""
    whole = {"type": type_, "timestamp": moment(at), "data": dict(data)}
    shown = whole["data"].get("invoice")  # type: ignore[union-attr]
    if shown is None:
        return _dump(whole)
    return _fitted(whole, shown)


def _fitted(whole: dict[str, Any], shown: Mapping[str, Any]) -> bytes:
    payments = shown["payments"]
    kept = min(len(payments), PAYMENTS_LIMIT)
    while True:
        newest = payments[len(payments) - kept :]
        whole["data"]["invoice"] = {**shown, "payments": newest, "payments_total": len(payments)}
        text = _dump(whole)
        if len(text) <= BODY_LIMIT or kept == 0:
            return text
        kept = kept * 3 // 4


def _dump(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
