"""Everything that can happen in a step, each with how often it is tried. Returns whether it did happen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from happenings_chain import CHAIN
from happenings_node import NODE
from happenings_shop import SHOP
from happenings_shopper import PAYMENTS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from run import Run

    Operation = Callable[[Run], Awaitable[bool]]

OPERATIONS: dict[str, tuple[float, Operation]] = {**PAYMENTS, **CHAIN, **NODE, **SHOP}
