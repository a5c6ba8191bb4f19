"""The composition root: the only place that builds the store, the adapters, the loops and the servers."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

import structlog

import chains
from watcher import app_endpoints, app_links, app_unfollowed, failpoint, mail_text, migrate, pulse
from watcher.actions import Actions
from watcher.api.context import ApiContext
from watcher.app_servers import serve
from watcher.bus import Bus
from watcher.customers import Customers
from watcher.feed import Feed
from watcher.ledger import Ledger
from watcher.links import PaymentLinks
from watcher.lock import own
from watcher.mailer import Mailer, Post
from watcher.merchant import Desk, Merchant
from watcher.merchant_refunds import Refunds
from watcher.metrics import Metrics
from watcher.model import ChainState, ChainStatus
from watcher.notifier import Notifier, NotifierOptions
from watcher.pace import Pace
from watcher.payer_feed import PayerFeed
from watcher.receivers import Rules
from watcher.scanner import Scanner
from watcher.store import Store, sqlite_is_safe

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from chains.base import ChainAdapter
    from chains.naive import NaiveReader
    from watcher.model import Clock
    from watcher.render import Links
    from watcher.settings import Settings
    from watcher.testbed import Bed

log = structlog.get_logger()

DISTRIBUTION = "deposit-watcher"


def utc_now() -> datetime:
    """Return the present moment: the one clock of the daemon."""
    return datetime.now(UTC)


@dataclass(slots=True)
class App:
    """Everything one process has, not yet running."""

    settings: Settings
    clock: Clock
    store: Store
    chains: dict[str, ChainAdapter]
    bus: Bus
    links: Links
    ledger: Ledger
    actions: Actions
    customers: Customers
    payment_links: PaymentLinks
    merchant: Merchant
    refunds: Refunds
    metrics: Metrics
    feed: Feed
    payer_feed: PayerFeed
    testbed: Bed | None = None
    scanners: dict[str, Scanner] = field(default_factory=dict)
    pulse: pulse.Pulse = field(default_factory=pulse.Pulse)

    def context(self) -> ApiContext:
        """Return what the API may use."""
        return ApiContext(
            settings=self.settings,
            store=self.store,
            chains=self.chains,
            actions=self.actions,
            customers=self.customers,
            payment_links=self.payment_links,
            merchant=self.merchant,
            refunds=self.refunds,
            bus=self.bus,
            clock=self.clock,
            chain_status=self.chain_status,
            links=self.links,
            metrics=self.metrics,
            version=version(DISTRIBUTION),
            feed=self.feed,
            payer_feed=self.payer_feed,
            testbed=self.testbed,
        )

    def rules(self) -> Rules:
        """Return what a receiver of webhooks may be here."""
        return Rules(self.settings.webhooks.allow_private, tuple(self.chains))

    def looked(self, name: str, status: ChainStatus) -> None:
        """Hear of every look at a chain: show it, and wake who waits for it to be live."""
        self.metrics.chain(name, status)
        self.bus.chains.set()

    def chain_status(self, name: str) -> ChainStatus:
        """Return how a chain is followed; where no scanner runs, it is not."""
        if name in self.scanners:
            return self.scanners[name].status()
        return ChainStatus(ChainState.STALLED, None, None, None, None, "the daemon is not running")


def build(settings: Settings, clock: Clock = utc_now) -> App:
    """Put one process together. Opens nothing yet."""
    adapters = {name: _adapter(name, settings, clock) for name in settings.chains}
    store, bus = Store(settings.database.path), Bus()
    links = app_links.links(settings, adapters)
    actions = Actions(store, adapters, settings, clock, links, bus)
    desk = Desk(store, clock, links, bus)
    return App(
        settings=settings,
        clock=clock,
        store=store,
        chains=adapters,
        bus=bus,
        links=links,
        ledger=Ledger(store, clock, links, bus),
        actions=actions,
        customers=Customers(store, adapters, settings, clock),
        payment_links=PaymentLinks(store, adapters, settings, clock, actions),
        merchant=Merchant(desk),
        refunds=Refunds(desk, adapters),
        metrics=Metrics(),
        feed=Feed(store, bus),
        payer_feed=PayerFeed(store, bus, links),
    )


def _adapter(name: str, settings: Settings, clock: Clock) -> ChainAdapter:
    config = settings.chains[name]
    adapter: ChainAdapter = chains.load(config.kind).Adapter(name, config, clock)
    return adapter


@asynccontextmanager
async def prepared(app: App) -> AsyncIterator[None]:
    """Own the database, migrated and with the configured endpoints; close everything at the end.

    Raises SettingsError for endpoints that cannot be, Locked where another process owns the database,
    MigrationError where it is newer than this program.
    """
    database = app.settings.database.path
    with own(database):
        failpoint.hit("start.locked")
        await asyncio.to_thread(migrate.upgrade, database)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(app.store.close)
            for adapter in app.chains.values():
                stack.push_async_callback(adapter.close)
            await app_endpoints.sync(app)
            yield


async def run(
    app: App,
    stop: asyncio.Event,
    ready: Callable[[int], None] = lambda _port: None,
    *,
    http: bool = True,
    supervised: bool = True,
) -> None:
    """Run the daemon until `stop` is set; whatever a loop does not expect ends it (invariant 13).

    `ready` is told the port of the API once it answers: 0 without `http`, when only the operator's socket
    does. `supervised`: systemd is told how this process is; inside another program that is not ours to tell.
    Raises SettingsError for a text of a mail that cannot be used.
    """
    mailer = _mailer(app)
    async with prepared(app), AsyncExitStack() as servers:
        if not sqlite_is_safe():
            log.warning("database.old_sqlite", remedy="this SQLite has a known fault with several writers")
        async with app.store.read() as connection:
            unfollowed = await app_unfollowed.found(connection, app.chains)
        for one in unfollowed:
            log.warning("invoices.unfollowed", **one._asdict())
        app.scanners.update({name: _scanner(app, name) for name in app.chains})
        port = await serve(app.context(), servers, http=http)
        failpoint.hit("start.listening")
        tell = pulse.notify if supervised else _nobody
        await _loops(app, mailer, stop, partial(ready, port), tell)


def _nobody(_state: str) -> bool:
    """Stand for a supervisor where there is none."""
    return False


async def _loops(
    app: App,
    mailer: Mailer | None,
    stop: asyncio.Event,
    ready: Callable[[], None],
    tell: Callable[[str], bool],
) -> None:
    """Run every loop until the stop: then scanners end at once, notifier and mailer when their sends have."""
    notifier = _notifier(app)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(s.run(), name=f"scan {n}") for n, s in app.scanners.items()]
        interval = pulse.watchdog_interval()
        if interval and tell is pulse.notify:
            tasks.append(group.create_task(pulse.feed(app.pulse, interval), name="watchdog"))
        sending = [group.create_task(notifier.run(), name="notifier")]
        if mailer:
            sending.append(group.create_task(mailer.run(), name="mailer"))
        ready()
        tell("READY=1")
        log.info("daemon.ready", chains=sorted(app.chains), database=str(app.settings.database.path))
        await stop.wait()
        tell("STOPPING=1")
        log.info("daemon.stopping")
        for task in tasks:
            task.cancel()
        notifier.stop()
        if mailer:
            mailer.stop()
        await asyncio.gather(*sending)


def _notifier(app: App) -> Notifier:
    webhooks = app.settings.webhooks
    options = NotifierOptions(
        allow_private=webhooks.allow_private,
        invoice_secrets=webhooks.secrets(),
        version=version(DISTRIBUTION),
    )
    return Notifier(
        app.store,
        app.bus,
        options,
        app.metrics,
        clock=app.clock,
        random=random.random,
        heartbeat=partial(app.pulse.beat, "notifier"),
    )


def _mailer(app: App) -> Mailer | None:
    """Return the sender of mails, None where none is configured; SettingsError for a text that is broken."""
    if app.settings.mail is None:
        return None
    return Mailer(
        app.store,
        Post(app.settings.mail, mail_text.load(app.settings.mail)),
        app.links,
        app.metrics,
        clock=app.clock,
        random=random.random,
        heartbeat=partial(app.pulse.beat, "mailer"),
    )


def _scanner(app: App, name: str) -> Scanner:
    config = app.settings.chains[name]
    return Scanner(
        app.chains[name],
        app.ledger,
        app.clock,
        Pace(
            config.poll_interval,
            config.history,
            config.stalled_after,
            config.start_height,
            config.cross_check,
        ),
        app.bus.scan[name],
        partial(app.pulse.beat, f"scan {name}"),
        partial(app.looked, name),
    )


def naive_reader(app: App, name: str, mode: str | None) -> NaiveReader:
    """Build the second, simple reading of a chain. `mode`: how the chain finds coins inside contracts."""
    config = app.settings.chains[name]
    reader: NaiveReader = chains.load_naive(config.kind).Reader(name, config, mode)
    return reader


async def introduce(app: App) -> None:
    """Without a daemon: learn where chains stand that were never reached, so that invoices can be made."""
    for name in app.chains:
        if await app.ledger.view(name) is None:
            await _scanner(app, name).turn()
