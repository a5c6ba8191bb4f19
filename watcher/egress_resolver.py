"""Looks up the names of receivers in threads of its own: a name without an answer delays nothing else.

Judges no address: the guard does, when one is dialled.
"""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

from aiohttp.abc import AbstractResolver, ResolveResult

SECONDS = 4.0
"""Less than a connection may take altogether: what is wrong is then said by name."""
GOOD, NEW, BAD = 8, 16, 4
"""Threads for names whose last lookup was good, that are new, and that had no answer last time."""
KEPT = 10_000
"""So many names are remembered."""

Found = list[ResolveResult]


class PatientResolver(AbstractResolver):
    """Gives up waiting after SECONDS; the system's lookup, which cannot be stopped, ends in its own time."""

    def __init__(self) -> None:
        """No thread is started before it is needed."""
        self._pools = {
            last: ThreadPoolExecutor(threads, thread_name_prefix="name")
            for last, threads in ((True, GOOD), (None, NEW), (False, BAD))
        }
        self._last: dict[str, bool] = {}
        self._under_way: dict[str, asyncio.Future[Found]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a name; OSError if there are none in time."""
        lookup = self._under_way.get(host) or self._begin(host, family)
        try:
            async with asyncio.timeout(SECONDS):
                found = await asyncio.shield(lookup)
        except TimeoutError:
            self._last[host] = False
            raise OSError(f"the name has no answer after {SECONDS:g} seconds") from None
        return [ResolveResult({**one, "port": port}) for one in found]

    def _begin(self, host: str, family: socket.AddressFamily) -> asyncio.Future[Found]:
        """Look a name up, in one thread however many wait for it."""
        pool = self._pools[self._last.get(host)]
        lookup = asyncio.get_running_loop().run_in_executor(pool, _look_up, host, family)
        self._under_way[host] = lookup
        lookup.add_done_callback(lambda done: self._end(host, done))
        return lookup

    def _end(self, host: str, lookup: asyncio.Future[Found]) -> None:
        del self._under_way[host]
        if lookup.cancelled():
            return
        if len(self._last) >= KEPT:
            self._last.clear()
        self._last[host] = lookup.exception() is None

    async def close(self) -> None:
        """Wait for no lookup any more."""
        for lookup in self._under_way.values():
            lookup.cancel()
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, family: socket.AddressFamily) -> Found:
    found = socket.getaddrinfo(host, 0, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [
        ResolveResult(
            hostname=host,
            host=socket.getnameinfo(target, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0],
            port=0,
            family=kind,
            proto=proto,
            flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
        )
        for kind, _, proto, _, target in found
    ]
