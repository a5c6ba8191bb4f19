"""Everything that can happen in a step, each with how often it is tried. Returns whether it did happen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from happenings_chain import CHAIN
from happenings_customers import CUSTOMERS
from happenings_merchant import MERCHANT
from happenings_node import NODE
from happenings_refunds import REFUNDS
from happenings_shop import SHOP
from happenings_shopper import PAYMENTS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from run import Run

    Operation = Callable[[Run], Awaitable[bool]]

OPERATIONS: dict[str, tuple[float, Operation]] = {
    **PAYMENTS,
    **MERCHANT,
    **REFUNDS,
    **CUSTOMERS,
    **CHAIN,
    **NODE,
    **SHOP,
}

FAMILIES: dict[str, dict[str, tuple[float, Operation]]] = {
    "none": {},
    "merchant": MERCHANT,
    "refunds": {**REFUNDS, "pay, and many blocks": OPERATIONS["pay, and many blocks"]},
    "customers": CUSTOMERS,
    "policies": {
        name: OPERATIONS[name]
        for name in (
            "pay short",
            "pay over",
            "pay late",
            "pay by the deadline",
            "pay a part at the deadline",
            "pay what nobody asked for",
        )
    },
}
OFTEN = ("none", "none", "merchant", "refunds", "refunds", "customers", "policies")
"""What a seed may have more of than others."""
