"""Runs the sandbox: nodes, shop and daemon in one process, until a signal or until one of them fails."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import typer

from watcher.cli import daemon, options, signals
from watcher.cli.failure import Failure
from watcher.cli.sandbox_greeting import greet
from watcher.sandbox import testchains
from watcher.sandbox.bed import PrivateBed
from watcher.sandbox.node import HOST, free_port
from watcher.sandbox.rpc import CallError
from watcher.sandbox.shop import Shop
from watcher.secret import ensure_secret

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from watcher.sandbox.place import Place
    from watcher.sandbox.testchains import PrivateChain
    from watcher.settings import Settings

_PORT = 8080
_CONFIG = """\
# Written by `watcher sandbox` at each start; its keys are known to all the world. Never use it elsewhere.
[server]
port = {port}
public_url = "http://{host}:{port}"

[database]
url = "sqlite:///watcher.db"

[webhooks]
allow_private = ["127.0.0.0/8"]
[[webhooks.endpoints]]
url = "{shop}"
secret = {{ file = "{secret}" }}
description = "the sandbox's shop"
{chains}"""


def run(place: Place, port: int | None) -> None:
    """Run until a signal; Failure where there is no node to run."""
    from watcher import log

    chains = testchains.start(place.nodes, typer.echo)
    try:
        if not chains:
            raise Failure("no test chain could be started: install one of the above, then run this again")
        with place.log.open("a", encoding="utf-8") as stream:
            log.configure("info", "json", stream)
            asyncio.run(_run(place, chains, port or _free()))
    finally:
        place.forget()
        for chain in chains:
            chain.node.stop()


def _free() -> int:
    """Return the usual port, or a free one where it is taken."""
    with socket.socket() as probe:
        try:
            probe.bind((HOST, _PORT))
        except OSError:
            return free_port()
    return _PORT


async def _run(place: Place, chains: Sequence[PrivateChain], port: int) -> None:
    from watcher.app import build, utc_now

    stop = asyncio.Event()
    signals.listen(stop, lambda: _kill(chains))
    async with AsyncExitStack() as stack:
        shop = Shop(ensure_secret(place.secret), typer.echo)
        stack.push_async_callback(shop.close)
        address = await shop.open()
        settings = _configure(place, chains, port, address)
        bed = PrivateBed(chains, utc_now)
        stack.push_async_callback(bed.close)
        sides = _Sides(stop)
        stack.push_async_callback(sides.end)
        for chain in chains:
            sides.start(_mine(bed, chain))
        app = build(settings)
        app.testbed = bed
        await daemon.serve(app, stop, lambda _port: sides.start(greet(place, settings, chains, address)))


def _kill(chains: Sequence[PrivateChain]) -> None:
    for chain in chains:
        chain.node.kill()


class _Sides:
    """What runs beside the daemon: where one of them fails, everything stops, and the failure is told."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, work: Coroutine[None, None, None]) -> None:
        """Begin a task."""
        task = asyncio.create_task(work)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception():
            self._stop.set()

    async def end(self) -> None:
        """Stop them all, and raise what one of them failed with."""
        for task in self._tasks:
            task.cancel()
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome


async def _mine(bed: PrivateBed, chain: PrivateChain) -> None:
    """Let time pass on a chain: deadlines are judged by its blocks."""
    while True:
        await asyncio.sleep(chain.every)
        try:
            await bed.tick(chain.name)
        except (OSError, CallError) as error:
            raise Failure(f"{chain.node.name} failed ({error}); its log is {chain.node.log}") from None


def _configure(place: Place, chains: Sequence[PrivateChain], port: int, shop: str) -> Settings:
    text = _CONFIG.format(
        host=HOST,
        port=port,
        shop=shop,
        secret=place.secret.name,
        chains="".join(chain.config for chain in chains),
    )
    place.write(place.config, text)
    place.remember({"chains": {chain.name: chain.record for chain in chains}})
    return options.load(place.config, {})
