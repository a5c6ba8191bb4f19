"""A standing address as the shop reads it, and what it received: one JSON for answers and bodies. Pure."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from watcher.model import Finality
from watcher.money import format_amount
from watcher.receipts import Last, belief
from watcher.render import moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from fractions import Fraction

    from watcher.model import Confirmations, Payment
    from watcher.receipts import StandingAddress
    from watcher.render import Links

_FIELDS = {Last.CONFIRMED: "confirmed", Last.PENDING: "pending", Last.ASIDE: "aside"}


def standing(mine: StandingAddress) -> dict[str, Any]:
    """Return an address with its terms; both confirmation rules are those of when it was made."""
    return {
        "id": mine.id,
        "sequence": mine.sequence,
        "chain": mine.chain,
        "address": mine.address,
        "label": mine.label,
        "metadata": dict(mine.metadata),
        "confirmations": _rule(mine.depths.above),
        "confirmations_by_amount": [
            {"up_to": decimal(limit), "confirmations": _rule(rule)} for limit, rule in mine.depths.steps
        ],
        "created_at": moment(mine.created_at),
        "archived_at": moment(mine.archived_at),
    }


def totals(payments: Iterable[Payment], links: Links) -> list[dict[str, Any]]:
    """Return what is there, per chain and asset: confirmed, pending, and aside (nobody's)."""
    none = dict.fromkeys(_FIELDS.values(), 0)
    sums: defaultdict[tuple[str, str], dict[str, int]] = defaultdict(none.copy)
    for payment in payments:
        field = _FIELDS.get(belief(payment) or Last.GONE)
        if field is not None:
            sums[payment.deposit.chain, payment.deposit.asset][field] += payment.deposit.amount
    return [
        {"chain": chain, "asset": asset} | _texts(found, links.decimals(chain, asset))
        for (chain, asset), found in sorted(sums.items())
    ]


def _texts(amounts: Mapping[str, int], decimals: int) -> dict[str, str]:
    return {name: format_amount(units, decimals) for name, units in amounts.items()}


def decimal(limit: Fraction) -> str:
    """Return a step's limit as it was written: a decimal number, which every one of them is."""
    digits = 0
    while limit.denominator != 1:
        limit, digits = limit * 10, digits + 1
    return format_amount(limit.numerator, digits)


def _rule(confirmations: Confirmations) -> int | str:
    return confirmations.value if isinstance(confirmations, Finality) else confirmations
