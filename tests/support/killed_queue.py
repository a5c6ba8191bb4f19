"""A queue of events, and the installed daemon that is killed again and again while it sends them.

The shop is a process of its own. What it saw is then held against what was queued.
"""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING
from zlib import crc32

from daemon import Daemon
from distant_shop import listening
from outbox_db import OutboxDb, event
from shop import SECRET
from watcher import app as composition
from watcher import failpoint
from watcher.settings import load

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from random import Random

    from distant_shop import Arrival, DistantShop
    from watcher.model import Event

MOMENTS = [name for name in failpoint.POINTS if name.split(".")[0] in {"release", "claim", "send", "result"}]
"""The failpoints at which the notifier dies by itself."""
_OF_ONE = 5
"""Events of each invoice."""
_PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the queue; every number but `repeated` should be 0.

    `lost` never came, `foreign` ids were never queued, `altered` came with other bytes, `disordered` came
    after a later event of their invoice, `unfinished` are not written down; `repeated` came again.
    """

    lost: int
    foreign: int
    altered: int
    disordered: int
    unfinished: int
    repeated: int


async def survived(folder: Path, queued: int, kills: int, random: Random) -> Outcome:
    """Queue events, kill the daemon so often while it sends them, also at each of MOMENTS, and let it end."""
    invoices = [f"inv_{number}" for number in range(queued // _OF_ONE)]
    events = [event(invoice, sequence + 1) for sequence in range(_OF_ONE) for invoice in invoices]
    async with listening(SECRET) as shop:
        daemon = Daemon(folder, "", shop.url("hooks"), SECRET)
        await _queue(daemon, invoices, events)
        try:
            await _kill(daemon, shop, len(events), kills, random)
            daemon.process = daemon._spawn()
            arrivals = await asyncio.wait_for(shop.taken(len(events)), _PATIENCE)
            assert daemon.terminate() == 0, daemon.log.read_text()
        finally:
            daemon.kill()
    return _judged(events, arrivals, await asyncio.to_thread(_unfinished, folder))


async def _queue(daemon: Daemon, invoices: Sequence[str], events: Sequence[Event]) -> None:
    """Have all events wait for the daemon's first start."""
    app = composition.build(load(daemon.config, {}))
    async with composition.prepared(app):
        db = OutboxDb(app.settings.database.path)
        await db.invoices(*invoices)
        await db.publish(*events, at=app.clock())
        await db.store.close()


async def _kill(daemon: Daemon, shop: DistantShop, queued: int, kills: int, random: Random) -> None:
    moments = [*MOMENTS, *[""] * (kills - len(MOMENTS))]
    for number, moment in enumerate(random.sample(moments, kills)):
        if moment:
            await _dies(daemon, moment, random.randint(1, min(5, 1 + queued // 300)))
        else:
            left = queued - await shop.counted(0)
            await _is_killed(daemon, shop, left // (kills - number + 1), random)


async def _dies(daemon: Daemon, moment: str, turn: int) -> None:
    """Let it die at a failpoint, in one of its first turns; each sends more at once than the one before."""
    times = 1 if moment.startswith("release") else turn**2 if moment.startswith("send") else turn
    daemon.environment[failpoint.VARIABLE] = f"{moment}@{times}"
    daemon.process = daemon._spawn()
    del daemon.environment[failpoint.VARIABLE]
    status = await asyncio.to_thread(daemon.process.wait, _PATIENCE)
    assert status == -signal.SIGKILL, daemon.log.read_text()


async def _is_killed(daemon: Daemon, shop: DistantShop, share: int, random: Random) -> None:
    """Kill it at any moment of its start, or while it sends its share of the queue."""
    daemon.process = daemon._spawn()
    if random.random() > 0.2:
        arrived = await shop.counted(0) + random.randint(1, max(1, share))
        await asyncio.wait_for(shop.counted(arrived), _PATIENCE)
        await asyncio.sleep(random.uniform(0, 0.02))
    else:
        await asyncio.sleep(random.uniform(0, 1))
    daemon.kill()


def _judged(events: Sequence[Event], arrivals: Sequence[Arrival], unfinished: int) -> Outcome:
    sent = {each.id: each for each in events}
    known = [each for each in arrivals if each.id in sent]
    return Outcome(
        lost=len(sent.keys() - {each.id for each in known}),
        foreign=len(arrivals) - len(known),
        altered=sum(each.checksum != crc32(sent[each.id].body) for each in known),
        disordered=sum(_falls([sent[each.id] for each in known])),
        unfinished=unfinished,
        repeated=len(known) - len({each.id for each in known}),
    )


def _falls(events: Sequence[Event]) -> Iterator[bool]:
    """Tell of each arrival whether one of its invoice had a higher sequence just before."""
    sequences = defaultdict(list)
    for each in events:
        sequences[each.invoice_id].append(each.sequence or 0)
    for own in sequences.values():
        yield from (later < earlier for earlier, later in pairwise(own))


def _unfinished(folder: Path) -> int:
    database = sqlite3.connect(folder / "watcher.db")
    try:
        query = "SELECT count(*) FROM delivery WHERE state <> 'delivered' OR claim IS NOT NULL"
        return int(database.execute(query).fetchone()[0])
    finally:
        database.close()
