"""What must be true of the decisions in the end: each is recorded once, however often it was asked for."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from subject import KEY

if TYPE_CHECKING:
    from town import Town


async def decisions(town: Town) -> Counter[str]:
    """Hold both daemons' audit trails against what the clerk was answered; return the counts."""
    decided = [order for order in town.merchant.orders if order.decided]
    for subject, side in ((town.victim, "answer"), (town.witness, "twin")):
        trail: dict[str, list[str]] = defaultdict(list)
        for entry in await subject.all(f"/v1/audit?actor={KEY}&limit=200"):
            if entry["action"] != "invoice.create":
                trail[entry["subject"]].insert(0, entry["action"])
        for order in decided:
            assert order.decided == trail[getattr(order, side)["id"]], (subject.name, order.name)
    return Counter(action for order in decided for action in order.decided)
