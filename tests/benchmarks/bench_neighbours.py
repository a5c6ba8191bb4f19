"""What a dead and a slow endpoint among a hundred do to the others, from commit to arrival."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

from distant_shop import LATE, listening
from harness import Report, percentile
from outgoing import elsewhere

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from distant_shop import DistantShop
    from harness import Scale
    from outgoing import Elsewhere

_GOOD = 98


async def run(scale: Scale, folder: Path) -> Report:
    waits: dict[str, list[float]] = {"without": [], "with": []}
    with _black_hole() as dead:
        async with listening() as shop:
            good = [shop.url(str(number), number) for number in range(1, _GOOD + 1)]
            bad = [dead, shop.url("slow", _GOOD + 1)]
            async with (
                elsewhere(folder / "without", good) as without,
                elsewhere(folder / "with", [*bad, *good]) as among,
            ):
                for turn in range(scale.neighbours + 1):
                    for name, sender in [("without", without), ("with", among)][:: 1 if turn % 2 else -1]:
                        found = await _round(shop, sender)
                        waits[name] += found if turn else []
    return _report(scale, waits)


@contextmanager
def _black_hole() -> Iterator[str]:
    """Yield the URL of a listener that takes no connection: its queue is full, and nobody serves it."""
    with socket.socket() as hole, socket.socket() as first, socket.socket() as second:
        hole.bind(("127.0.0.100", 0))
        hole.listen(0)
        for one in (first, second):
            one.setblocking(False)
            one.connect_ex(hole.getsockname())
        yield f"http://127.0.0.100:{hole.getsockname()[1]}/"


async def _round(shop: DistantShop, sender: Elsewhere) -> list[float]:
    """Tell all of one event; return the seconds from its commit to its arrival at each good endpoint."""
    committed = await sender.publish()
    return [each.at - committed for each in await shop.taken(_GOOD)]


def _report(scale: Scale, waits: dict[str, Sequence[float]]) -> Report:
    report = Report(f"A dead and a slow endpoint among {_GOOD + 2}: {scale.neighbours:,} events to each")
    for name, found in waits.items():
        for percent in (50, 99):
            label = f"commit to arrival at the {_GOOD} others, {name} the two, p{percent}"
            report.add(f"{name}_p{percent}_ms", label, percentile(found, percent) * 1000, "ms")
    for percent, target in ((50, {}), (99, {"at_most": 1.5})):
        ratio = percentile(waits["with"], percent) / percentile(waits["without"], percent)
        report.add(f"ratio_p{percent}", f"  with against without, p{percent}", ratio, "times", **target)
    report.notes.append(
        f"The dead one takes no connection, the slow one answers after {LATE:g} s; both are told of every "
        "event. Two notifiers in processes of their own take turns, one with the two and one without; the "
        f"next event follows when the {_GOOD} have theirs. The receiver is a process, too."
    )
    return report
