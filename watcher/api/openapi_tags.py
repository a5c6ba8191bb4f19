"""How the routes are grouped in the OpenAPI document, and what stands in their paths."""

from __future__ import annotations

TAGS = {
    "invoices": "What is asked for, what came, and what its merchant decides.",
    "refunds": "Money that goes back: signed elsewhere, looked for on the chain.",
    "links": "Templates of which each opening makes an invoice.",
    "addresses": "Standing addresses: one customer's, for any amount.",
    "payers": "What whoever pays may see and do. No key is needed.",
    "webhooks": "Where events are posted.",
    "deliveries": "What was posted, and posting it again.",
    "events": "What happened: page by page, or as it happens.",
    "chains": "How each chain is followed, and what the ledger holds of it.",
    "keys": "API keys.",
    "reports": "Statistics, the export, and the audit trail.",
    "operation": "For probes and tools. No key is needed.",
}
IDENTIFIERS = {
    "invoices": "The invoice's identifier.",
    "refunds": "The invoice's identifier.",
    "links": "The payment link's identifier.",
    "addresses": "The standing address's identifier.",
    "payers": "The identifier of the payment link, or of the invoice.",
    "webhooks": "The endpoint's identifier.",
    "deliveries": "The delivery's identifier.",
    "chains": "The chain's name, as configured.",
    "keys": "The key's identifier, or its name.",
}
"""What stands in a path, by its tag."""

_ELSEWHERE = {"stats": "reports", "export": "reports", "audit": "reports", "i": "payers", "pay": "payers"}


def tag(path: str) -> str:
    """Return the tag of a path."""
    if "/refund" in path:
        return "refunds"
    first = path.removeprefix("/v1/").strip("/").partition("/")[0]
    return first if first in TAGS else _ELSEWHERE.get(first, "operation")
