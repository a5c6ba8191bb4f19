"""What the page of an invoice says: its state, what is remarkable, whether money may be sent. Pure.

Reads nothing but what a payer may see (render_payer), and returns keys of texts with their values.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from watcher.model import Exceptional, PaymentStatus, RefundState, Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PAYMENTS = 20
"""Payments on the page, at most: the newest. Anybody may send thousands."""

_WALLETS = frozenset({"bitcoin", "litecoin", "dogecoin", "ethereum"})
"""Schemes of links that open a wallet: those that our chains make, and no other."""
_BACK = frozenset({"http", "https"})
_GONE = frozenset({PaymentStatus.REPLACED, PaymentStatus.REVERTED})


class State(StrEnum):
    """What the page says above all; each has a headline and a text: `invoice_STATE`, `invoice_STATE_text`."""

    WAITING = "waiting"
    PARTIAL = "partial"
    CLOSING = "closing"
    """The deadline has passed, but the chain is not read up to it yet."""
    SEEN = "seen"
    CONFIRMING = "confirming"
    FINALISING = "finalising"
    """It is confirmed when the chain itself calls it final."""
    PAID = "paid"
    UNDERPAID = "underpaid"
    EXPIRED = "expired"
    LATE = "late"
    """Nothing arrived in time, but something did later."""
    RETURNING = "returning"
    """Money goes back, but it is not known where to."""
    REFUNDING = "refunding"
    REFUNDED = "refunded"
    CANCELLED = "cancelled"
    UNPAYABLE = "unpayable"
    """Money would be asked for, but in nothing that is configured any more: it would not be seen."""


_STATES = {
    Status.PENDING: State.WAITING,
    Status.PARTIAL: State.PARTIAL,
    Status.CONFIRMING: State.CONFIRMING,
    Status.PAID: State.PAID,
    Status.UNDERPAID: State.UNDERPAID,
    Status.EXPIRED: State.EXPIRED,
    Status.REFUNDING: State.REFUNDING,
    Status.REFUNDED: State.REFUNDED,
    Status.CANCELLED: State.CANCELLED,
}
"""Where nothing else decides."""
_ASKING = frozenset({State.WAITING, State.PARTIAL})
_SETTLED = frozenset({State.PAID, State.EXPIRED, State.REFUNDED, State.CANCELLED})
_UP_TO_THE_SHOP = frozenset(
    {
        *(State.UNDERPAID, State.LATE, State.RETURNING, State.EXPIRED, State.CANCELLED),
        State.UNPAYABLE,
    }
)


@dataclass(frozen=True, slots=True)
class Depth:
    """How deep a payment is that the page counts for its reader."""

    confirmations: int
    required: int


@dataclass(frozen=True, slots=True)
class View:
    """The state, and what stands beside it. `chosen` is the place of the way to pay that is shown.

    `ways` are the places of those that can be chosen.
    `remarks` are keys of texts. `wallet` and `back` are links that are safe to follow.
    """

    state: State
    ways: Sequence[int]
    chosen: int
    option: Mapping[str, Any]
    remarks: tuple[str, ...]
    unasked: str
    depth: Depth | None
    payments: Sequence[Mapping[str, Any]]
    more_payments: int
    refunds: Sequence[Mapping[str, Any]]
    wallet: str | None
    back: str | None

    @property
    def headline(self) -> str:
        """The key of the headline."""
        return f"invoice_{self.state}"

    @property
    def asks(self) -> bool:
        """Whether money may be sent now."""
        return self.state in _ASKING

    @property
    def is_up_to_the_shop(self) -> bool:
        """Whether the payer may want to talk to the shop about it."""
        return self.state in _UP_TO_THE_SHOP or bool(self.remarks)

    @property
    def moves(self) -> bool:
        """Whether something may soon change by itself."""
        return self.state not in _SETTLED


def view(invoice: Mapping[str, Any], now: datetime, wanted: str | None) -> View:
    """Return what to say of an invoice at a moment. `wanted`: the number of the way that the payer chose."""
    options, payments = invoice["options"], invoice["payments"]
    pending = [one for one in payments if one["status"] == PaymentStatus.PENDING]
    state = _state(invoice, pending, now)
    ways = _ways(options) if state in _ASKING else range(len(options))
    chosen = _chosen(options, ways, wanted)
    return View(
        state=state,
        ways=ways,
        chosen=chosen,
        option=options[chosen],
        remarks=tuple(_remarks(invoice, state)),
        unasked=", ".join(dict.fromkeys(one["asset"] for one in payments if _is_unasked(one, options))),
        depth=_depth(pending) if state is State.CONFIRMING else None,
        payments=payments[: -PAYMENTS - 1 : -1],
        more_payments=max(0, len(payments) - PAYMENTS),
        refunds=_given_back(invoice),
        wallet=_safe(options[chosen]["uri"], _WALLETS),
        back=_safe(invoice["return_url"], _BACK),
    )


def _ways(options: Sequence[Mapping[str, Any]]) -> Sequence[int]:
    """Return the places of the ways in which money would be seen: what is not configured has no link."""
    return [place for place, one in enumerate(options) if one["uri"] is not None]


def _chosen(options: Sequence[Mapping[str, Any]], ways: Sequence[int], wanted: str | None) -> int:
    """Return the place of the way that was chosen, else of the first that was paid, else the first."""
    numbers = {str(place + 1): place for place in ways}
    if wanted in numbers:
        return numbers[wanted]
    return next((place for place in ways if options[place]["seen"] != "0"), ways[0])


def _state(invoice: Mapping[str, Any], pending: Sequence[Mapping[str, Any]], now: datetime) -> State:
    state = _STATES[Status(invoice["status"])]
    if state in _ASKING and now >= datetime.fromisoformat(invoice["expires_at"]):
        return State.CLOSING
    if state in _ASKING and not _ways(invoice["options"]):
        return State.UNPAYABLE
    if state is State.CONFIRMING:
        return _confirming(pending)
    if state is State.EXPIRED and Exceptional.LATE in invoice["exceptions"]:
        return State.LATE
    if state is State.REFUNDING and not _destination_known(invoice):
        return State.RETURNING
    return state


def _confirming(pending: Sequence[Mapping[str, Any]]) -> State:
    if any(one["confirmations"] == 0 for one in pending):
        return State.SEEN
    return State.CONFIRMING if _depth(pending) else State.FINALISING


def _depth(pending: Sequence[Mapping[str, Any]]) -> Depth | None:
    """Return how deep the payment is that needs most; None where it takes no number of blocks."""
    found = [(one["confirmations"], one["required_confirmations"]) for one in pending]
    if not found or any(isinstance(required, str) for _, required in found):
        return None
    confirmations, required = max(found, key=lambda each: each[1] - each[0])
    return Depth(min(confirmations, required), required)


def _destination_known(invoice: Mapping[str, Any]) -> bool:
    open_ = [one for one in invoice["refunds"] if one["state"] == RefundState.REQUESTED]
    return all(one["address"] for one in open_)


def _remarks(invoice: Mapping[str, Any], state: State) -> Iterator[str]:
    """Yield the keys of what is out of the ordinary, where the state does not say it.

    What goes back already (`_back`) is not said to be undecided, nor to be asked for.
    """
    exceptions = invoice["exceptions"]
    unasked = [_is_unasked(one, invoice["options"]) for one in _given_back(invoice)]
    if Exceptional.OVERPAID in exceptions:
        yield "invoice_overpaid_back" if False in unasked else "invoice_overpaid"
    if Exceptional.LATE in exceptions and state is not State.LATE:
        yield "invoice_late_too_back" if unasked else "invoice_late_too"
    if Exceptional.WRONG_ASSET in exceptions:
        yield "invoice_wrong_asset_back" if True in unasked else "invoice_wrong_asset"
    if state is not State.PAID and any(one["status"] in _GONE for one in invoice["payments"]):
        yield "invoice_gone_again" if state in _ASKING else "invoice_gone"


def _given_back(invoice: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the refunds that the payer sees: all but those that were withdrawn."""
    return [one for one in invoice["refunds"] if one["state"] != RefundState.CANCELLED]


def _is_unasked(money: Mapping[str, Any], options: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether a payment or a refund is in nothing that was asked for."""
    ways = {(one["chain"], one["asset"]) for one in options}
    return (money["chain"], money["asset"]) not in ways


def _safe(link: str | None, schemes: frozenset[str]) -> str | None:
    """Return a link that a page may offer; None for any other, which a browser might even execute."""
    return link if link and link.partition(":")[0] in schemes else None
