"""An invoice as its payer may see it: what is shown, and that nothing else ever is."""

from __future__ import annotations

from typing import Any

import pytest

from watcher import render_payer
from watcher.model import Status

SECRET = "for the merchant alone"
ALLOWED = {
    "": ["checkout_url", "created_at", "description", "exceptions", "expires_at", "id", "options", "paid_at",
         "payments", "refunds", "return_url", "status"],
    "options": ["address", "amount", "asset", "asset_id", "chain", "confirmed", "missing", "seen", "uri"],
    "payments": ["address", "amount", "asset", "chain", "confirmations", "first_seen_at", "late",
                 "required_confirmations", "status", "txid"],
    "refunds": ["address", "amount", "arrives", "asset", "chain", "confirmed_at", "state", "txid"],
}  # fmt: skip
"""What is shown of an invoice, and of each thing in its lists."""

HIDDEN = (
    "order_id",
    "metadata",
    "webhook_url",
    "needs_action",
    "customer_email",
    "link_id",
    "minimum",
    "net",
)
HIDDEN += ("fees", "by", "reason", "unsigned", "policy")


def whole(status: str = "pending") -> dict[str, Any]:
    """An invoice as the shop reads it, with everything that a payer must not see."""
    inner = {
        name: [{**dict.fromkeys(ALLOWED[name], "x"), "expected": "2", **dict.fromkeys(HIDDEN, SECRET)}]
        for name in ("options", "payments", "refunds")
    }
    plain = dict.fromkeys(ALLOWED[""], "x") | dict.fromkeys(HIDDEN, SECRET)
    exceptions = ["overpaid", "late", "reverted", "wrong_asset", "accepted"]
    return plain | inner | {"status": status, "exceptions": exceptions, "return_url": "https://back"}


def test_a_payer_sees_what_is_allowed_by_name_and_nothing_else() -> None:
    found = render_payer.invoice(whole())

    assert ALLOWED[""] == sorted(found)
    assert [ALLOWED[name] for name in ("options", "payments", "refunds")] == [
        sorted(found[name][0]) for name in ("options", "payments", "refunds")
    ]
    assert SECRET not in repr(found)


def test_a_payer_sees_what_is_asked_for_and_what_is_odd_about_their_own_money() -> None:
    found = render_payer.invoice(whole())

    assert ("2", ["overpaid", "late", "wrong_asset"]) == (found["options"][0]["amount"], found["exceptions"])


@pytest.mark.parametrize("status", [*Status])
def test_the_way_back_to_the_shop_is_shown_to_those_who_paid(status: Status) -> None:
    assert (status is Status.PAID) == bool(render_payer.invoice(whole(status))["return_url"])
