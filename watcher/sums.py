"""What deposits add up to: each option's credit, what they fund together, what is missing or too much.

Pure. Knows neither deadlines nor confirmations.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING

from watcher.model import FeePayer, PaymentStatus, Status, Sums
from watcher.money import fee, gross_up

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from watcher.model import Deposit, Invoice, Option, Payment


_ASKS_FOR_NOTHING = frozenset(
    {Status.PAID, Status.CONFIRMING, Status.CANCELLED, Status.REFUNDING, Status.REFUNDED}
)


def option_of(invoice: Invoice, deposit: Deposit) -> Option | None:
    """Return the option that a deposit pays, None if it came to the wrong place or in the wrong asset."""
    wanted = (deposit.chain, deposit.asset, deposit.address)
    return next((o for o in invoice.options if (o.chain, o.asset, o.address) == wanted), None)


def fee_of(option: Option, amount: int) -> int:
    """Return what the merchant's policy deducts from one deposit, in base units."""
    return fee(amount, option.fee_percent, option.fee_fixed)


def _credit(invoice: Invoice, option: Option, amount: int) -> int:
    """Return what a deposit counts against the amount: gross, or net where the customer bears the fees."""
    return amount - fee_of(option, amount) if invoice.fee_payer is FeePayer.CUSTOMER else amount


def parts_of(invoice: Invoice, deposits: Iterable[Deposit]) -> dict[int, int]:
    """Return each paid option's credit in base units, by position."""
    parts: dict[int, int] = {}
    for deposit in deposits:
        option = option_of(invoice, deposit)
        if option is not None:
            credit = _credit(invoice, option, deposit.amount)
            parts[option.position] = parts.get(option.position, 0) + credit
    return parts


def share_of(invoice: Invoice, parts: Mapping[int, int]) -> Fraction:
    """Return how much of the invoice the options' credits fund together: 1 is all of it."""
    return sum((Fraction(c, invoice.options[p].amount) for p, c in parts.items()), Fraction(0))


def funded(invoice: Invoice, deposits: Iterable[Deposit]) -> bool:
    """Whether each option's credit, as a share of its minimum, adds up to 1 over all options.

    Where the minimums are the same share of the amounts, this is: the parts add up to 1 - tolerance. Where
    rounding makes them differ, more money still never makes an invoice less funded.
    """
    return share_of_minimum(invoice, parts_of(invoice, deposits)) >= 1


def share_of_minimum(invoice: Invoice, parts: Mapping[int, int]) -> Fraction:
    """Return how much of what counts as enough the options' credits fund together."""
    shares = (Fraction(c, max(1, invoice.options[p].minimum)) for p, c in parts.items())
    return sum(shares, Fraction(0))


def arrivals(invoice: Invoice, payments: Iterable[Payment]) -> tuple[datetime | None, datetime | None]:
    """Return when the first of these payments arrived, and the one with which they were enough."""
    ordered = sorted(payments, key=lambda p: p.deposit.arrived_at)
    share = Fraction(0)
    for payment in ordered:
        option = option_of(invoice, payment.deposit)
        if option is not None:
            share += Fraction(_credit(invoice, option, payment.deposit.amount), max(1, option.minimum))
        if share >= 1:
            return ordered[0].deposit.arrived_at, payment.deposit.arrived_at
    return (ordered[0].deposit.arrived_at if ordered else None), None


def sums_of(invoice: Invoice, payments: Sequence[Payment], status: Status) -> tuple[Sums, ...]:
    """Return each option's totals; what is too much stands with the options that were paid last."""
    counted = [p for p in payments if p.counted]
    parts = parts_of(invoice, (p.deposit for p in counted))
    share = share_of(invoice, parts)
    last_first = dict.fromkeys(p.option for p in reversed(counted) if p.option is not None)
    excess = _excess(invoice, parts, last_first, max(Fraction(0), share - 1))
    open_ = status not in _ASKS_FOR_NOTHING
    return tuple(
        _sums(
            invoice,
            option,
            [p for p in counted if p.option == option.position],
            missing=max(Fraction(0), 1 - share) if open_ else Fraction(0),
            excess=excess.get(option.position, Fraction(0)),
        )
        for option in invoice.options
    )


def _excess(
    invoice: Invoice, parts: Mapping[int, int], last_first: Iterable[int], share: Fraction
) -> dict[int, Fraction]:
    """Return how much of what is too much each option holds, none more than it was paid; as shares of all."""
    found: dict[int, Fraction] = {}
    for position in last_first:
        paid = Fraction(parts[position], invoice.options[position].amount)
        found[position] = min(share, max(Fraction(0), paid))
        share -= found[position]
    return found


def _sums(
    invoice: Invoice, option: Option, payments: Sequence[Payment], *, missing: Fraction, excess: Fraction
) -> Sums:
    """Add up one option; `missing` and `excess` are shares of the whole invoice."""
    seen = sum(p.deposit.amount for p in payments)
    fees = sum(p.deposit.amount - p.net for p in payments)
    lacking = ceil(missing * option.amount)
    if lacking and invoice.fee_payer is FeePayer.CUSTOMER:
        lacking = gross_up(lacking, option.fee_percent, option.fee_fixed)
    return Sums(
        seen=seen,
        confirmed=sum(p.deposit.amount for p in payments if p.status is PaymentStatus.CONFIRMED),
        fees=fees,
        net=seen - fees,
        missing=lacking,
        excess=floor(excess * option.amount),
    )
