"""Invoices that payers look at just now: one reader for all open pages of the process, however many.

It wakes with events, with decisions and with each look at a chain, and reads only invoices that are open on
some page and may have changed, many at once. Knows no HTTP.
"""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import contextmanager
from contextvars import Context  # of its own: the log must not name the first listener's request
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import structlog

from watcher import facts, render, render_payer, told
from watcher.bus import Signal, first_of
from watcher.model import PaymentStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection

    from watcher.bus import Bus
    from watcher.facts import Record
    from watcher.model import View
    from watcher.render import Links
    from watcher.store import Store

log = structlog.get_logger()

BATCH = 100
"""Invoices read at once; anything else gets its turn before the next."""
PAUSE = 0.2
"""Seconds between two looks, at least, whatever wakes the reader."""
POLL = 5.0
"""Seconds after which the reader looks even if nobody wakes it."""
AGAIN = 60.0
"""Seconds after which it reads every open invoice, whatever it was told."""


class Shown(NamedTuple):
    """An invoice as its payer may see it, as an event of a stream: one for all its pages."""

    version: str
    block: bytes


def version(shown: Mapping[str, Any]) -> str:
    """Return what changes when a payer's invoice does.

    Blocks on top of a payment that is confirmed are no change: they never end.
    """
    payments = [
        one if one["status"] == PaymentStatus.PENDING else {**one, "confirmations": None}
        for one in shown["payments"]
    ]
    return hashlib.sha256(msgspec.json.encode({**shown, "payments": payments})).hexdigest()[:16]


@dataclass(slots=True)
class _Open:
    """An invoice that is open on some page. `moving`: the chains on which a payment of it is unconfirmed."""

    listeners: set[Listener] = field(default_factory=set)
    shown: Shown | None = None
    moving: frozenset[str] = frozenset()
    unknown: bool = False


class Listener:
    """One page. It gets the newest state and nothing in between."""

    def __init__(self, feed: PayerFeed, invoice_id: str) -> None:
        """Start with nothing heard yet."""
        self.invoice_id = invoice_id
        self._feed = feed
        self._had: str | None = None
        self._news = Signal()

    async def next(self, patience: float) -> list[Shown] | None:
        """Return the invoice as soon as it is another than before, [] if it was none in `patience` seconds.

        None when it is over: there is no such invoice, the feed closed, or its reader failed.
        """
        news = self._news.next()  # before it looks: what happens from here on wakes it
        while not self._feed.over(self.invoice_id):
            found = self._feed.shown(self.invoice_id)
            if found is not None and found.version != self._had:
                self._had = found.version
                return [found]
            if not await self._news.wait(patience, news):
                return []
            news = self._news.next()
        return None

    def wake(self) -> None:
        """Let it look again."""
        self._news.set()


class PayerFeed:
    """The invoices that are open on pages of this process. It reads only while there are any."""

    def __init__(self, store: Store, bus: Bus, links: Links) -> None:
        """Nothing runs before the first listener."""
        self._store, self._bus, self._links = store, bus, links
        self._open: dict[str, _Open] = {}
        self._fresh: set[str] = set()
        self._asked = Signal()
        self._reader: asyncio.Task[None] | None = None
        self._after: int | None = None
        self._heads: dict[str, object] = {}
        self._read_all = 0.0
        self._closed = asyncio.Event()
        bus.on_decided.append(self._decided)

    def __len__(self) -> int:
        """Return how many listen."""
        return sum(len(one.listeners) for one in self._open.values())

    @contextmanager
    def listen(self, invoice_id: str) -> Iterator[Listener]:
        """Let a page hear of its invoice: at once, and whenever it changes."""
        listener = Listener(self, invoice_id)
        page = self._open.setdefault(invoice_id, _Open())
        page.listeners.add(listener)
        self._fresh.add(invoice_id)
        self._start()
        self._asked.set()
        try:
            yield listener
        finally:
            page.listeners.discard(listener)
            if not page.listeners and self._open.get(invoice_id) is page:
                del self._open[invoice_id]

    async def close(self) -> None:
        """End it for all who listen, and for good; return when nothing is read any more."""
        self._closed.set()
        self._asked.set()
        self._wake_all()
        if self._reader is not None:
            await asyncio.wait([self._reader])

    def is_unknown(self, invoice_id: str) -> bool:
        """Whether there is no such invoice."""
        page = self._open.get(invoice_id)
        return page is not None and page.unknown

    def over(self, invoice_id: str) -> bool:
        """Whether nothing more will come of an invoice."""
        reads = self._reader is not None and not self._reader.done()
        return self._closed.is_set() or not reads or self.is_unknown(invoice_id)

    def shown(self, invoice_id: str) -> Shown | None:
        """Return an open invoice, None before it was read."""
        page = self._open.get(invoice_id)
        return page.shown if page else None

    def _decided(self, subjects: Collection[str], _events: int) -> None:
        """Have the open ones of these read, though no event may tell of them."""
        found = self._open.keys() & set(subjects)
        if found:
            self._fresh |= found
            self._asked.set()

    def _start(self) -> None:
        if not self._closed.is_set() and (self._reader is None or self._reader.done()):
            self._after, self._read_all = None, monotonic()
            self._reader = asyncio.create_task(self._read(), name="payer feed", context=Context())
            self._reader.add_done_callback(self._failed)

    async def _read(self) -> None:
        """Read what may have changed until no page is open."""
        while self._open and not self._closed.is_set():
            woken = [self._asked.next(), self._bus.events.next(), self._bus.chains.next()]
            due = list(await self._due())
            for start in range(0, len(due), BATCH):
                await self._turn(due[start : start + BATCH])
                await asyncio.sleep(0)
            await first_of([self._closed], PAUSE)
            await first_of(woken, POLL)

    async def _due(self) -> set[str]:
        """Return the open invoices that may have changed since the last look."""
        async with self._store.read() as conn:
            told_of = await self._told(conn)
            views = await facts.views(conn)
        heads = {name: (view.head.hash, view.safe, view.finalized) for name, view in views.items()}
        moved = {name for name, head in heads.items() if head != self._heads.get(name)}
        self._heads = dict(heads)
        fresh, self._fresh = self._fresh, set()
        if monotonic() - self._read_all > AGAIN:
            self._read_all = monotonic()
            return set(self._open)
        moving = {id_ for id_, page in self._open.items() if not moved.isdisjoint(page.moving)}
        return (fresh | moving | told_of) & set(self._open)

    async def _told(self, conn: AsyncConnection) -> set[str]:
        """Return the invoices of all events since the last look; of none at the first one."""
        if self._after is None:
            self._after = await told.last_seq(conn)
            return set()
        self._after, found = await told.invoices_after(conn, self._after)
        return found

    async def _turn(self, ids: list[str]) -> None:
        async with self._store.read() as conn:
            records = await facts.load(conn, ids)
            views = await facts.views(conn)
        for id_ in ids:
            page = self._open.get(id_)
            if page is not None:
                self._take(page, records.get(id_), views)

    def _take(self, page: _Open, record: Record | None, views: Mapping[str, View]) -> None:
        """Keep an invoice as it was read, and wake who looks at it if it is another than before."""
        page.unknown = record is None
        before = page.shown
        if record is not None:
            content = render_payer.invoice(render.invoice(record, views, self._links))
            page.shown = _shown(content)
            page.moving = frozenset(_moving(content["payments"]))
        if page.unknown or before is None or page.shown is None or before.version != page.shown.version:
            for listener in page.listeners:
                listener.wake()

    def _failed(self, reader: asyncio.Task[None]) -> None:
        """End it for all who listen where the reader could not go on: they come again."""
        error = None if reader.cancelled() else reader.exception()
        if error is not None:
            log.error("payer_feed.failed", exc_info=error)
        self._wake_all()

    def _wake_all(self) -> None:
        for page in self._open.values():
            for listener in page.listeners:
                listener.wake()


def _shown(content: Mapping[str, Any]) -> Shown:
    new = version(content)
    return Shown(new, b"id: %b\ndata: %b\n\n" % (new.encode(), msgspec.json.encode(content)))


def _moving(payments: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    return (one["chain"] for one in payments if one["status"] == PaymentStatus.PENDING)
