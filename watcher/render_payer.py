"""An invoice as its payer may see it: a choice from what the shop reads, by names that are allowed. Pure.

What is added to the shop's view stays hidden here until it is named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from watcher.model import Exceptional, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_INVOICE = ("id", "status", "description", "created_at", "expires_at", "paid_at", "checkout_url")
_OPTION = ("chain", "asset", "asset_id", "address", "seen", "confirmed", "missing", "uri")
_PAYMENT = (
    *("chain", "asset", "txid", "address", "amount", "status", "confirmations", "required_confirmations"),
    *("first_seen_at", "late"),
)
_REFUND = ("chain", "asset", "amount", "arrives", "address", "state", "txid", "confirmed_at")
_OWN_DOING = frozenset({Exceptional.OVERPAID, Exceptional.LATE, Exceptional.WRONG_ASSET})
"""What is out of the ordinary about the payer's own money."""


def invoice(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a payer may see of an invoice as `render.invoice` shows it.

    An option's `amount` is what the payer is asked for. The way back to the shop is there once it is paid.
    """
    return {
        **_only(_INVOICE, shown),
        "exceptions": [name for name in shown["exceptions"] if name in _OWN_DOING],
        "options": [{**_only(_OPTION, one), "amount": one["expected"]} for one in shown["options"]],
        "payments": [_only(_PAYMENT, one) for one in shown["payments"]],
        "refunds": [_only(_REFUND, one) for one in shown["refunds"]],
        "return_url": shown["return_url"] if shown["status"] == Status.PAID else None,
    }


def _only(names: Iterable[str], shown: Mapping[str, Any]) -> dict[str, Any]:
    return {name: shown[name] for name in names}
