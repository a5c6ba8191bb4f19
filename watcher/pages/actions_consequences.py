"""What will follow from a merchant's decision, in full sentences with the invoice's own numbers. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from watcher.matcher_rules import FOR_THE_MERCHANT, HELD, Rule
from watcher.model import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Json = Mapping[str, Any]
    Title = Callable[[str], str]

NO_WAY_BACK = "This cannot be undone."

_NOTHING = "0"
_SHORT = frozenset({Status.PENDING, Status.PARTIAL, Status.UNDERPAID, Status.EXPIRED})

SPANS: tuple[tuple[int, str], ...] = (
    (900, "15 minutes"),
    (3600, "1 hour"),
    (6 * 3600, "6 hours"),
    (86_400, "1 day"),
    (3 * 86_400, "3 days"),
    (7 * 86_400, "7 days"),
    (30 * 86_400, "30 days"),
)
"""By how many seconds a deadline can be moved with one click."""
MOST_MINUTES = 30 * 24 * 60


@dataclass(frozen=True, slots=True)
class Span:
    """A later deadline to choose."""

    seconds: int
    words: str
    until: datetime


def accept(invoice: Json, payments: Sequence[Json], title: Title) -> list[str]:
    """Return what it means to take what came as the whole payment; `payments` are those of `explain`."""
    was_paid = invoice["status"] == Status.PAID
    return [
        "The invoice stays paid." if was_paid else _becomes_paid(invoice, payments, title),
        *_unconfirmed(invoice, title),
        *_waiting(payments, title),
        *(["What was given back stays given back."] if invoice["status"] == Status.REFUNDED else []),
        "The shop is told nothing new." if was_paid else "The shop is told invoice.paid: it may deliver.",
        f"{NO_WAY_BACK} What came can still be given back by a refund.",
    ]


def is_unpaid(invoice: Json) -> bool:
    """Whether it can be accepted only by saying that no payment is needed."""
    return bool(invoice["status"] == Status.PENDING)


def _becomes_paid(invoice: Json, payments: Sequence[Json], title: Title) -> str:
    asked = " or ".join(_money(o["expected"], o, title) for o in invoice["options"])
    came = [option for option in invoice["options"] if option["seen"] != _NOTHING]
    if came and invoice["status"] in _SHORT:
        return f"The invoice becomes paid although {_short(came, title)}."
    if any(one["rule"] in HELD for one in payments):
        return f"The invoice over {asked} becomes paid by what came late."
    return f"The invoice becomes paid although nothing that counts has come: {asked} is missing."


def _short(came: Sequence[Json], title: Title) -> str:
    if len(came) > 1:
        parts = ", ".join(f"{o['seen']} of {_money(o['expected'], o, title)}" for o in came)
        return f"not enough came: {parts}"
    (option,) = came
    return f"{option['missing']} of {_money(option['expected'], option, title)} is missing"


def _unconfirmed(invoice: Json, title: Title) -> Iterator[str]:
    for option in invoice["options"]:
        if option["seen"] != option["confirmed"]:
            seen = _money(option["seen"], option, title)
            yield f"Of the {seen} that was seen, {option['confirmed']} is confirmed; the rest may vanish."


def _waiting(payments: Sequence[Json], title: Title) -> Iterator[str]:
    for one in payments:
        sum_ = _money(one["amount"], one, title)
        if one["rule"] in HELD:
            yield f"{sum_} that came late counts from then on."
        elif one["rule"] in FOR_THE_MERCHANT:
            came = "came in its place" if one["rule"] == Rule.WRONG_ASSET else "came without a transfer"
            yield f"{sum_} {came}: it does not count, and waits for no decision any more."


def extend() -> list[str]:
    """Return what it means to move the deadline; each choice has its moment beside it."""
    return [
        "The payer has until the new deadline, and is shown it.",
        "What arrives, or arrived, before it is in time. If late money is enough, it is paid at once.",
        "The time for late money moves along.",
        "The shop is told invoice.extended.",
        f"{NO_WAY_BACK} A deadline never moves back.",
    ]


def spans(invoice: Json, now: datetime) -> list[Span]:
    """Return the deadlines to choose from: so long after now, or after the old one, whichever is later."""
    start = max(now, datetime.fromisoformat(invoice["expires_at"]))
    return [Span(seconds, words, start + timedelta(seconds=seconds)) for seconds, words in SPANS]


def cancel(invoice: Json, title: Title) -> list[str]:
    """Return what it means to withdraw an invoice."""
    asked = " or ".join(_money(o["expected"], o, title) for o in invoice["options"])
    return [
        f"The invoice over {asked} becomes cancelled, and its payer is told so.",
        "Its addresses stay watched: money that comes nevertheless does not count, and waits for you.",
        "The shop is told invoice.cancelled.",
        NO_WAY_BACK,
    ]


def refund(invoice: Json, planned: Json, title: Title) -> list[str]:
    """Return what it means to promise money back; `planned` is the refund as the API previews it."""
    sum_ = _money(planned["amount"], planned, title)
    goes = f"{sum_} is to go to {planned['address']}."
    if planned["arrives"] != planned["amount"]:
        goes += f" {planned['arrives']} {planned['asset']} of it arrives: the network's fee is taken from it."
    return [
        goes,
        "You will have to send it yourself, from your wallet: the daemon holds no key.",
        *_outcome(invoice, planned),
        "Until it is sent it can be withdrawn. What was sent cannot be called back.",
    ]


def _outcome(invoice: Json, planned: Json) -> Iterator[str]:
    if not planned["settles"]:
        yield f"The invoice stays {invoice['status']}. The shop is told refund.requested."
    elif invoice["status"] == Status.REFUNDING:
        yield "The invoice stays refunding. The shop is told refund.requested."
    elif invoice["status"] == Status.REFUNDED:
        yield "The invoice becomes refunding once more. The shop is told refund.requested."
    else:
        yield "The invoice becomes refunding, and refunded once all of it is confirmed on the chain."
        yield "The shop is told refund.requested and invoice.refunding."


def withdraw(one: Json, title: Title) -> list[str]:
    """Return what it means to take a refund back."""
    return [
        f"{_money(one['amount'], one, title)} is not to be given back any more: do not send it.",
        "If it was to give back the payment itself, what came counts again and decides the status.",
        "If a transaction of the refund is seen after all, it counts as sent.",
        "No policy requests it again; you may. The shop is told refund.cancelled.",
    ]


def _money(amount: str, of: Json, title: Title) -> str:
    return f"{amount} {of['asset']} on {title(of['chain'])}"
