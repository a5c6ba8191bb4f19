"""Events as a program that embeds us receives them: from an async iterator, each to be acknowledged."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import structlog

from watcher.model import EventType

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection
    from datetime import datetime
    from types import TracebackType

    from watcher.consumers import Told
    from watcher.embed_consumer import Consumer
    from watcher.embed_running import Running

log = structlog.get_logger()

POLL = 5.0
"""Seconds between two looks for events when nothing wakes the reader."""
PATIENCE = 60.0
"""Seconds without room for another event after which it is said that acknowledgements are missing."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened: what a webhook carries, too, under the same `id`.

    `seq` orders all events; `timestamp` is when it happened, in UTC; `data` is as the README shows it for
    each type, with amounts as decimal strings in the asset's unit; `body` holds the bytes of a webhook.
    """

    seq: int
    id: str
    type: EventType
    timestamp: datetime
    data: dict[str, Any]
    invoice_id: str | None
    body: bytes = field(repr=False)
    _done: Callable[[int], Awaitable[None]] = field(repr=False, compare=False)

    async def ack(self) -> None:
        """Say that the event was dealt with: it never comes again under this name.

        Returns once that is written down; where an earlier event is not acknowledged yet, with that one.
        Twice does no harm. Raises WatcherFailed, or RuntimeError once the watcher has ended: then it comes
        again.
        """
        await self._done(self.seq)


class EventStream:
    """The events for one name, in order. Ends when the watcher does; raises WatcherFailed when that fails.

    Several tasks may share one stream: each event goes to one of them. `async with` (or `aclose`) frees the
    name at once; otherwise it is free when nothing holds the stream any more.
    """

    def __init__(
        self,
        running: Running,
        consumer: Consumer,
        types: Collection[str] | None,
        *,
        beginning: bool,
        in_flight: int,
    ) -> None:
        """Made by `Watcher.events`."""
        consumer.claim(self)
        self._running, self._consumer = running, consumer
        self._types, self._beginning, self._in_flight = types, beginning, in_flight
        self._turn = asyncio.Lock()
        self._open = True

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        async with self._turn:
            told = await self._next()
        if told is None:
            raise StopAsyncIteration
        return _event(told, _Done(self._running, self._consumer))

    async def aclose(self) -> None:
        """Free the name. What was not acknowledged is given again to the next stream of this name."""
        if self._open:
            self._open = False
            self._consumer.release()
            self._consumer.room.set()
            self._running.app.bus.events.set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _next(self) -> Told | None:
        """Return the next event, waiting for it and for room; None when there will be none."""
        events = self._running.app.bus.events
        while self._goes_on():
            woken, room = events.next(), self._consumer.room.next()
            if self._consumer.ahead >= self._in_flight:
                await self._wait_for_room(room)
                continue
            with self._running.call():
                told = await self._consumer.next(self, self._types, beginning=self._beginning)
            if told is not None:
                return told
            await events.wait(POLL, woken)
        return None

    def _goes_on(self) -> bool:
        if failed := self._running.failure():
            raise failed
        return self._open and not self._running.closing

    async def _wait_for_room(self, room: asyncio.Event) -> None:
        if not await self._consumer.room.wait(PATIENCE, room):
            remedy = "await event.ack() for each event"
            log.warning("consumer.waiting", unacknowledged=self._in_flight, remedy=remedy)


@dataclass(frozen=True, slots=True)
class _Done:
    """Acknowledges: what an event needs of its reader, so that it does not hold the stream itself."""

    running: Running
    consumer: Consumer

    async def __call__(self, seq: int) -> None:
        with self.running.call():
            await self.consumer.acknowledge(seq)


def _event(told: Told, done: _Done) -> Event:
    data = json.loads(told.body).get("data", {})
    type_ = EventType(told.type)
    return Event(told.seq, told.id, type_, told.occurred_at, data, told.invoice_id, told.body, done)
