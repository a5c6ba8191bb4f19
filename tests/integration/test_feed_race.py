"""Readers who come, go, stall and are cut off while events are told: each gets every event once, in order."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from sqlalchemy.exc import OperationalError

from event_streams import event, stream, tell, until
from watcher import feed, feed_window, told
from watcher.api import sse

if TYPE_CHECKING:
    from api_server import Api

EVENTS, READERS = 150, 12


@pytest.fixture
def tight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make everything small, so that each limit is met all the time."""
    monkeypatch.setattr(feed, "PAGE", 3)
    monkeypatch.setattr(feed, "KNOWN", 4)
    monkeypatch.setattr(feed, "GROUP", 2)
    monkeypatch.setattr(feed, "BEHIND", 1)
    monkeypatch.setattr(feed, "Window", partial(feed.Window, events=7, size=60_000))
    monkeypatch.setattr(feed_window, "PIECE", 30_000)
    monkeypatch.setattr(sse, "PATIENCE", 0.2)
    monkeypatch.setattr(sse, "KEEP_ALIVE", 0.05)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.usefixtures("tight")
async def test_every_reader_gets_every_event_once_and_in_order(api: Api, seed: int) -> None:
    chance = random.Random(seed)
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        readers = [group.create_task(_read(api, random.Random(chance.random()))) for _ in range(READERS)]
        group.create_task(_tell(api, chance))

    wrong = {r.result()[0]: r.result()[1] for r in readers if r.result()[1] != _expected(r.result()[0])}
    assert {} == wrong
    await until(lambda: not len(api.context.feed))


def _expected(start: int) -> list[int]:
    return [*range(start + 1, EVENTS + 1)]


async def _tell(api: Api, chance: random.Random) -> None:
    left = EVENTS
    while left:
        number = min(left, chance.choice([1, 1, 2, 5, 40]))
        left -= number
        await tell(api, number, chance.choice([1, 1, 5000, 19_000]))
        await asyncio.sleep(chance.choice([0, 0, 0.01, 0.1]))


async def _read(api: Api, chance: random.Random) -> tuple[int, list[int]]:
    """Read to the last event over as many connections as it takes; return where it began and what it got."""
    await asyncio.sleep(chance.random())
    async with api.context.store.read() as conn:
        start = chance.randint(0, await told.last_seq(conn))
    found: list[int] = []
    while (last := found[-1] if found else start) < EVENTS:
        with suppress(aiohttp.ClientError, ValueError):  # cut off: even in the middle of an event
            await _some(api, chance, last, found)
    return start, found


async def _some(api: Api, chance: random.Random, last: int, found: list[int]) -> None:
    """Read for a while, sometimes slowly, and go away without a word."""
    async with stream(api, headers={"Last-Event-ID": str(last)}) as reader:
        for _ in range(chance.choice([1, 10, 50, EVENTS])):
            if (found[-1] if found else last) == EVENTS:
                return
            found.append((await event(reader))[0])
            await asyncio.sleep(chance.choice([0] * 60 + [0.01, 0.3]))


async def test_what_is_told_while_the_reader_looks_does_not_wait_for_its_next_round(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, more = told.events_after, [1]

    async def look(*arguments: Any) -> Any:
        found = await real(*arguments)
        if found and more:
            await tell(api, more.pop())
        return found

    monkeypatch.setattr(feed, "POLL", 600.0)
    monkeypatch.setattr(told, "events_after", look)
    async with stream(api) as reader, asyncio.timeout(10):
        await tell(api, 1)

        assert [1, 2] == [(await event(reader))[0], (await event(reader))[0]]


async def test_where_new_events_cannot_be_read_the_streams_end_and_resume(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = told.events_after
    async with stream(api) as reader:
        for seq in (1, 2):  # the second comes from memory
            await tell(api, 1)
            assert seq == (await event(reader))[0]
        monkeypatch.setattr(told, "events_after", _broken)
        await tell(api, 1)
        async with asyncio.timeout(10):
            assert b"" == await reader.read()
    monkeypatch.setattr(told, "events_after", real)

    async with stream(api, headers={"Last-Event-ID": "2"}) as reader:
        assert 3 == (await event(reader))[0]


async def _broken(*_: object) -> None:
    raise OperationalError("SELECT", {}, Exception("disk I/O error"))


async def test_where_a_page_cannot_be_read_the_stream_breaks_off_instead_of_ending(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tell(api, 500, 20_000)
    async with stream(api, "?after=0") as reader:
        assert 1 == (await event(reader))[0]
        monkeypatch.setattr(told, "events_after", _broken)
        with pytest.raises(aiohttp.ClientPayloadError):
            await reader.read()
