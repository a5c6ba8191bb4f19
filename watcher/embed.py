"""The watcher inside another asyncio program: what `from watcher import Watcher` gives.

Signals, logging and the supervisor are the host's: nothing here touches them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from watcher import app as composition
from watcher import embed_names
from watcher import settings as configuration
from watcher.embed_events import EventStream
from watcher.embed_requests import Requests
from watcher.embed_running import OUTSIDE, Running
from watcher.model import ChainState
from watcher.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from watcher.model import ChainStatus


class Watcher(Requests):
    """The whole daemon, run by your own program for as long as the `async with` block lasts.

    It owns its database meanwhile, sends webhooks and mails where they are configured, and answers the
    `watcher` commands. Whatever it does not expect ends it: the block is cancelled, and raises WatcherFailed.
    """

    def __init__(
        self,
        settings: Settings | Mapping[str, Any] | str | os.PathLike[str] | None = None,
        *,
        http: bool = False,
    ) -> None:
        """Take the configuration: a file, what one would hold as a mapping, or Settings. Opens nothing yet.

        None looks in the places where the commands do. WATCHER_… variables go before a file's keys, and are
        not looked at otherwise. `http`: also serve the API at `[server] host` and `port`.
        """
        self._source, self._http = settings, http
        self._running: Running | None = None

    async def __aenter__(self) -> Self:
        """Start. Raises SettingsError, Locked (who has the database), MigrationError or OSError."""
        if self._running is not None:
            raise RuntimeError("this watcher runs already; make another one for another database")
        running = Running(composition.build(await asyncio.to_thread(_settings, self._source)))
        await running.start(http=self._http)
        self._running = running
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End: the sends under way get 10 seconds. Raises WatcherFailed if it died of something."""
        running, self._running = self._inside(), None
        await running.end()
        failed = running.failure()
        if failed and not isinstance(error, type(failed) | KeyboardInterrupt | SystemExit):
            raise failed

    @property
    def settings(self) -> Settings:
        """The configuration that it runs with."""
        return self._inside().app.settings

    @property
    def port(self) -> int:
        """The port of the HTTP API, 0 where it is not served."""
        return self._inside().port

    def chains(self) -> dict[str, ChainStatus]:
        """Return how well each chain is followed: `state`, `head`, `scanned`, `lag_blocks`, `reason`."""
        with self._inside().call() as app:
            return {name: app.chain_status(name) for name in app.chains}

    async def ready(self, *chains: str) -> None:
        """Wait until these chains, or all, are live: read up to two blocks below the head, or nearer.

        On a new database invoices can be made from then on. Waits for as long as a node is away: set a limit
        with `asyncio.timeout`. Raises Refused for an unknown chain.
        """
        running = self._inside()
        wanted = chains or tuple(running.app.chains)
        embed_names.check_chains(wanted, running.app.chains)
        while True:
            woken = running.app.bus.chains.next()
            with running.call() as app:
                if all(app.chain_status(name).state is ChainState.LIVE for name in wanted):
                    return
            await running.app.bus.chains.wait(None, woken)

    def events(
        self,
        name: str,
        *,
        types: Sequence[str] = ("*",),
        start: Literal["beginning", "now"] = "beginning",
        in_flight: int = 100,
    ) -> EventStream:
        """Return the events for a reader of this name, in order, from an async iterator.

        Its place is kept in the database. Each event comes at least once: until `await event.ack()`, it comes
        again after a restart, under the same `id`. Acknowledge in any order; the place is the last event
        before which all are acknowledged, and at most `in_flight` events are given beyond it.
        `types`: names such as "invoice.paid", families such as "invoice.*", or "*". `start` is for a new name
        only: "now" passes over what has happened, which a reader that is to miss nothing does not do.
        Raises Refused (409) while another iterator reads under this name, and 422 for a wrong argument.
        """
        running = self._inside()
        wanted = embed_names.check_reader(name, types, start, in_flight)
        return EventStream(
            running, running.consumer(name), wanted, beginning=start == "beginning", in_flight=in_flight
        )

    def _inside(self) -> Running:
        if self._running is None:
            raise RuntimeError(OUTSIDE)
        return self._running


def _settings(source: Settings | Mapping[str, Any] | str | os.PathLike[str] | None) -> Settings:
    """Read and check the configuration: blocking, since kinds of chains are loaded for it."""
    if isinstance(source, Settings):
        return source
    if isinstance(source, Mapping):
        return configuration.of_mapping(source)
    return configuration.load(None if source is None else Path(source), os.environ)
