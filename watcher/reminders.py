"""When a payer is to be reminded of a deadline: once for each, while not enough is seen. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from watcher.model import Status

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from watcher.model import Decision, Invoice, Resolution

WAITING = frozenset({Status.PENDING, Status.PARTIAL})


def moment(invoice: Invoice, decision: Decision, resolutions: Sequence[Resolution]) -> datetime | None:
    """Return when to remind of the present deadline; None when not, or not any more.

    A deadline that was set later than that moment needs no reminder: its payer has just heard of it.
    """
    if not invoice.reminder_before or decision.status not in WAITING:
        return None
    if invoice.reminded_for == decision.deadline:
        return None
    at = decision.deadline - timedelta(seconds=invoice.reminder_before)
    set_at = max([invoice.created_at, *(r.at for r in resolutions if r.until == decision.deadline)])
    return at if at > set_at else None
