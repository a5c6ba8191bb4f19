"""Why a payment is counted or not: the rules by name, and what they have in common."""

from __future__ import annotations

from enum import StrEnum

from watcher.model import Standing


class Rule(StrEnum):
    """Why a payment is counted or not."""

    IN_TIME = "in_time"
    LATE_ACCEPTED = "late_accepted"
    ACCEPTED = "accepted"
    AFTER_PAID = "after_paid"
    LATE_HELD = "late_held"
    AFTER_MONITORING = "after_monitoring"
    AFTER_CANCELLED = "after_cancelled"
    AFTER_REFUNDED = "after_refunded"
    WRONG_ASSET = "wrong_asset"
    UNATTRIBUTED = "unattributed"
    BEFORE_INVOICE = "before_invoice"
    DUST = "dust"
    REPLACED = "replaced"
    DROPPED = "dropped"
    REORGANISED = "reorganised"


COUNTED = frozenset({Rule.IN_TIME, Rule.LATE_ACCEPTED, Rule.ACCEPTED, Rule.AFTER_PAID})
HELD = frozenset({Rule.LATE_HELD, Rule.AFTER_MONITORING, Rule.AFTER_CANCELLED, Rule.AFTER_REFUNDED})
"""Money that came too late and waits for the merchant."""

IGNORED = frozenset({Rule.WRONG_ASSET, Rule.UNATTRIBUTED, Rule.BEFORE_INVOICE, Rule.DUST})
FOR_THE_MERCHANT = HELD | {Rule.WRONG_ASSET, Rule.UNATTRIBUTED}
"""Money that counts only if the merchant says so: the invoice needs an action."""

GONE = {
    Standing.REPLACED: Rule.REPLACED,
    Standing.DROPPED: Rule.DROPPED,
    Standing.REORGANISED: Rule.REORGANISED,
}
NOT_RECEIVED = frozenset({Rule.BEFORE_INVOICE, *GONE.values()})
"""What is no money of the invoice's: it came before it, or is not there any more."""
