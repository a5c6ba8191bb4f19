"""Durable deliveries a second, from commit to arrival, beside the same posts by nothing but aiohttp."""

from __future__ import annotations

import asyncio
import time
from statistics import median
from typing import TYPE_CHECKING

import aiohttp

from distant_shop import listening
from harness import Report, percentile
from outbox_db import SECRET
from outgoing import event, now, running
from watcher import lanes, signing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from distant_shop import DistantShop
    from harness import Scale
    from outgoing import Outgoing
    from watcher.model import Event

_TURNS = 7


async def run(scale: Scale, folder: Path) -> Report:
    ours: list[float] = []
    bare: list[float] = []
    async with listening() as shop, running(folder) as outgoing:
        await outgoing.db.endpoint(shop.url())
        invoices = [f"inv_{number}" for number in range(scale.deliveries)]
        await outgoing.db.invoices(*invoices)
        for turn in range(_TURNS + 1):
            events = [event(each, turn) for each in invoices]
            bare.append(len(events) / await _bare(shop, events))
            ours.append(len(events) / await _ours(shop, outgoing, events))
        alone = [await _ours(shop, outgoing, [event(each, _TURNS + 1)]) for each in invoices[:100]]
    return _report(scale, median(ours[1:]), median(bare[1:]), alone)


async def _ours(shop: DistantShop, outgoing: Outgoing, events: Sequence[Event]) -> float:
    """Commit events; return the seconds from there to the last arrival."""
    committed = await outgoing.publish(events)
    return max(each.at for each in await shop.taken(len(events))) - committed


async def _bare(shop: DistantShop, events: Sequence[Event]) -> float:
    """Sign and post events, as many at once as the notifier does; return the seconds to the last arrival."""
    began, left = time.monotonic(), iter(events)
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        for _ in range(lanes.MOST):
            group.create_task(_post(session, shop.url(), left))
    return max(each.at for each in await shop.taken(len(events))) - began


async def _post(session: aiohttp.ClientSession, url: str, events: Iterator[Event]) -> None:
    for one in events:
        headers = signing.headers("standard", [SECRET], one.id, now(), one.body)
        async with session.post(url, data=one.body, headers=headers) as answer:
            await answer.read()


def _report(scale: Scale, ours: float, bare: float, alone: Sequence[float]) -> Report:
    report = Report(f"Deliveries to a local receiver: {scale.deliveries:,} at once, {lanes.MOST} under way")
    report.add("ours_per_s", "committed, sent, and the answers committed", ours, "deliveries/s")
    report.add("bare_per_s", "signed and posted by nothing but aiohttp", bare, "deliveries/s")
    report.add("share", "the first of the second", 100 * ours / bare, "%")
    for percent in (50, 99):
        label = f"one event alone, from its commit to its arrival, p{percent}"
        report.add(f"alone_p{percent}_ms", label, percentile(alone, percent) * 1000, "ms")
    report.notes.append(
        f"In turns, the middle of {_TURNS}; the receiver is a process of its own, the database on the disk "
        "with synchronous = FULL. Both sign, and post bodies of 1.5 kB; bare posts keep nothing."
    )
    return report
