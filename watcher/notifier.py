"""The only sender of webhooks: takes what is due, posts it, writes down what came of it.

Reads the outbox alone and decides no status. Each turn is one short transaction that writes the results of
the sends that ended and claims what comes next; the sends themselves run outside of it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from http import HTTPStatus
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

import structlog

from watcher import claims, failpoint, results
from watcher.lanes import Lanes, receiver
from watcher.outbox import is_own
from watcher.sending import Sender

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence
    from datetime import datetime
    from ipaddress import IPv4Network, IPv6Network

    from sqlalchemy.ext.asyncio import AsyncConnection

    from watcher.bus import Bus
    from watcher.claims import Claim, Lane
    from watcher.metrics import Metrics
    from watcher.model import Clock
    from watcher.results import Result
    from watcher.store import Store

log = structlog.get_logger()

T = TypeVar("T")

POLL = 1.0
"""Seconds between two looks at the outbox when nothing wakes it."""
COUNT_EVERY = 15.0
MANY = 500
"""Above so many endpoints for which something waits, not every turn looks at all of them."""
RARELY = 4
"""The next look then comes after so many times what this one took."""
GRACE = 10.0
"""Seconds that sends under way get to end when the notifier is stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifierOptions:
    """`invoice_secrets`, newest first, sign for an invoice's own `webhook_url`."""

    allow_private: Sequence[IPv4Network | IPv6Network] = ()
    invoice_secrets: Sequence[str] = field(default=(), repr=False)
    version: str


class Notifier:
    """Runs until it is stopped; whatever it does not expect ends it, and so the process."""

    def __init__(  # noqa: PLR0913 - what the composition root has
        self,
        store: Store,
        bus: Bus,
        options: NotifierOptions,
        metrics: Metrics,
        *,
        clock: Clock,
        random: Callable[[], float],
        heartbeat: Callable[[], None],
    ) -> None:
        """`random` yields numbers from [0, 1); `heartbeat` is called at every turn."""
        self._store, self._bus, self._options, self._metrics = store, bus, options, metrics
        self._clock, self._random, self._heartbeat = clock, random, heartbeat
        self._lanes = Lanes()
        self._sends: set[asyncio.Task[None]] = set()
        self._ended: list[Result] = []
        self._counted_at = self._look_at = float("-inf")
        self._waiting: Sequence[Lane] = ()
        self._due: Mapping[str, Sequence[str]] = {}
        self._stopping = False

    def stop(self) -> None:
        """Claim nothing more; `run` ends when the sends under way have, or after GRACE seconds."""
        self._stopping = True
        self._bus.outbox.set()

    async def run(self) -> None:
        """Send until stopped. A claim left by a process that died is taken again at once."""
        async with self._store.write("release") as conn:
            await claims.release_all(conn)
        options = self._options
        async with (
            Sender(options.version, options.allow_private, options.invoice_secrets, self._clock) as sender,
            asyncio.TaskGroup() as group,
        ):
            try:
                await self._loop(sender, group)
            finally:
                await self._drain()

    async def _loop(self, sender: Sender, group: asyncio.TaskGroup) -> None:
        while not self._stopping:
            wake = self._bus.outbox.next()
            taken, wait = await _unbroken(self._turn())
            for claim in taken:
                self._start(claim, sender, group)
            self._heartbeat()
            await self._bus.outbox.wait(wait, wake)

    def _start(self, claim: Claim, sender: Sender, group: asyncio.TaskGroup) -> None:
        failpoint.hit("claim.committed")
        self._lanes.start(_receiver(claim), _send_id(claim), monotonic())
        task = group.create_task(self._send(claim, sender), name=f"send {claim.delivery_id}")
        self._sends.add(task)
        task.add_done_callback(self._sends.discard)

    async def _send(self, claim: Claim, sender: Sender) -> None:
        ok = False
        try:
            result = await sender.send(claim)
            failpoint.hit("send.answered")
            ok = result.ok or _is_well(result)
            self._ended.append(result)
            self._observe(result)
        finally:
            self._lanes.finish(_receiver(claim), _send_id(claim), monotonic(), ok=ok)
            self._bus.outbox.set()

    def _observe(self, result: Result) -> None:
        self._metrics.deliveries.labels("ok" if result.ok else "failed").inc()
        self._metrics.delivery_seconds.observe(result.duration.total_seconds())
        claim = result.claim
        log.info(
            "delivery.attempted",
            delivery=claim.delivery_id,
            event_id=claim.event_id,
            endpoint=claim.endpoint_id,
            attempt=claim.attempts + 1,
            status=result.status,
            error=result.error,
        )

    async def _turn(self) -> tuple[Sequence[Claim], float]:
        """Record what ended and claim what is due; return the claims and the seconds until the next look."""
        ended, self._ended = self._ended, []
        now, mono = self._clock(), monotonic()
        async with self._store.write() as conn:
            told = await results.record(conn, ended, now, self._random) if ended else False
            if looks := mono >= self._look_at:
                await self._look(conn, now)
            rooms = self._lanes.share(self._due, mono)
            taken = await claims.claim(conn, rooms, self._lanes.free(mono), now)
            if mono - self._counted_at > COUNT_EVERY:
                self._counted_at = mono
                self._metrics.deliveries_pending.set(await claims.pending(conn))
        if ended:
            failpoint.hit("result.committed")
        if told:
            self._bus.published()
        return taken, self._pause(self._waiting, now, mono) if looks else self._look_at - mono

    async def _look(self, conn: AsyncConnection, now: datetime) -> None:
        """See for which endpoints something waits; what is claimed is judged anew, whatever was seen here."""
        began = monotonic()
        self._waiting = await claims.lanes(conn, now)
        self._due = _longest_first(self._waiting)
        took = monotonic() - began
        self._look_at = began + (1 + RARELY) * took if len(self._waiting) > MANY else float("-inf")

    def _pause(self, waiting: Sequence[Lane], now: datetime, mono: float) -> float:
        timers = [(lane.next_at - now).total_seconds() for lane in waiting if lane.next_at]
        due = {_receiver(lane) for lane in waiting if lane.due}
        return min([POLL, *timers, *(self._lanes.wait(one, mono) for one in due)])

    async def _drain(self) -> None:
        """Let the sends under way end, give up the rest, and write down what came of them."""
        try:
            if self._sends:
                await asyncio.wait(self._sends, timeout=GRACE if self._stopping else 0)
        finally:
            for task in self._sends:
                task.cancel()
            ended, self._ended = self._ended, []
            if ended:
                await _unbroken(self._record(ended))

    async def _record(self, ended: Sequence[Result]) -> None:
        async with self._store.write("drain") as conn:
            await results.record(conn, ended, self._clock(), self._random)


def _longest_first(waiting: Sequence[Lane]) -> dict[str, list[str]]:
    """Return the endpoints of each receiver for which something may go, the longest due first."""
    due: dict[str, list[str]] = {}
    longest = sorted(
        (lane.due_since, lane.endpoint_id, _receiver(lane)) for lane in waiting if lane.due_since
    )
    for _, endpoint_id, one in longest:
        due.setdefault(one, []).append(endpoint_id)
    return due


def _receiver(one: Claim | Lane) -> str:
    return receiver(one.endpoint_id, one.url, own=is_own(one.endpoint_id))


def _send_id(claim: Claim) -> str:
    """Name one send: where the clock jumps past its lease, a delivery is claimed again while under way."""
    return f"{claim.token} {claim.delivery_id}"


def _is_well(result: Result) -> bool:
    """Whether the receiver is well although it did not take the event: it said that this one is no use."""
    status = result.status
    busy = status == HTTPStatus.TOO_MANY_REQUESTS
    return status is not None and status < HTTPStatus.INTERNAL_SERVER_ERROR and not busy


async def _unbroken(work: Coroutine[None, None, T]) -> T:
    """Await work that a cancellation may delay but never cut in two."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
