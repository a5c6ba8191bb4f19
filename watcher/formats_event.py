"""An event's own body as the formats of other systems read it: what was paid, with what, and when. Pure."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from watcher.money import format_amount

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from watcher.model import Event

    Shown = Mapping[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LIVE = frozenset({"pending", "confirmed"})


def data(event: Event) -> Shown:
    """Return the `data` of an event's body, as the event froze it."""
    found: Shown = json.loads(event.body)["data"]
    return found


def unix(moment: datetime | str) -> int:
    """Return a moment, or its RFC 3339 text, as whole seconds since 1970."""
    value = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return (value - _EPOCH) // timedelta(seconds=1)


def option_paid(invoice: Shown) -> Shown:
    """Return the way to pay of which the largest part was seen; at a tie, and unpaid, the first one."""
    chosen: Shown = max(invoice["options"], key=_part)
    return chosen


def payments_of(invoice: Shown, option: Shown) -> list[Shown]:
    """Return what came in this way and counts, late money that waits left out; at most the newest ones."""
    came = _came(invoice, option)
    more = _sum(came, "amount") > Fraction(option["seen"])
    return [one for one in came if not (more and one["late"])]


def reaches_minimum(invoice: Shown, payment: Shown) -> bool:
    """Whether what came the way that this payment did is enough, whether it counts or came too late.

    What was given back pays nothing: of a refunded invoice, this payment alone.
    """
    option = next((one for one in invoice["options"] if _same(payment, one)), None)
    if option is None:
        return False
    refunded = invoice["status"] in {"refunding", "refunded"}
    came = [payment] if refunded else _came(invoice, option)
    credited = "net" if payer_bears_fees(option) else "amount"
    return _sum(came, credited) >= Fraction(option["minimum"])


def payer_bears_fees(option: Shown) -> bool:
    """Whether more is asked for than the merchant is credited with."""
    return bool(option["expected"] != option["amount"])


def message_id(event_id: str, part: int) -> str:
    """Return what a receiver knows a body by: the event's id, and a number behind it for its further ones."""
    return f"{event_id}.{part + 1}" if part else event_id


def difference(larger: str, smaller: str) -> str:
    """Return one decimal text less another, exactly."""
    digits = max(len(one.partition(".")[2]) for one in (larger, smaller))
    return format_amount(int((Fraction(larger) - Fraction(smaller)) * 10**digits), digits)


def text(value: object) -> str:
    """Return a text, and nothing for what is none: other systems know no null there."""
    return value if isinstance(value, str) else ""


def _came(invoice: Shown, option: Shown) -> list[Shown]:
    return [one for one in invoice["payments"] if one["status"] in _LIVE and _same(one, option)]


def _sum(payments: Iterable[Shown], field: str) -> Fraction:
    return sum((Fraction(one[field]) for one in payments), Fraction(0))


def _part(option: Shown) -> Fraction:
    return Fraction(option["seen"]) / (Fraction(option["expected"]) or 1)


def _same(payment: Shown, option: Shown) -> bool:
    return all(payment[name] == option[name] for name in ("chain", "asset", "address"))
