"""Listeners inside the fence that no send may reach, and a receiver outside of it that points at them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

OUTSIDE = "127.0.0.2"
"""Stands for a public address: the only one that the guard is told to allow."""
_PRIVATE = [ip_network(one) for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")]


@dataclass(slots=True)
class Canary:
    """A listening socket; `accepted` counts every connection that it got."""

    listener: socket.socket
    accepted: int = 0

    @property
    def address(self) -> str:
        host: str = self.listener.getsockname()[0]
        return host

    @property
    def port(self) -> int:
        port: int = self.listener.getsockname()[1]
        return port

    def take(self) -> None:
        """Accept and close all that is there."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self.listener.accept()[0].close()
                self.accepted += 1


@contextlib.asynccontextmanager
async def canaries(*hosts: str) -> AsyncIterator[list[Canary]]:
    """Listen on the same free port of every host."""
    loop, port = asyncio.get_running_loop(), 0
    with contextlib.ExitStack() as stack:
        found = []
        for host in hosts:
            canary = Canary(stack.enter_context(_listen(host, port)))
            port = canary.port
            loop.add_reader(canary.listener, canary.take)
            stack.callback(loop.remove_reader, canary.listener)
            found.append(canary)
        yield found


def _listen(host: str, port: int) -> socket.socket:
    (family, kind, proto, _, target), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    listener = socket.socket(family, kind, proto)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind(target)
    listener.listen(1000)
    listener.setblocking(False)
    return listener


def private_address() -> str | None:
    """Return an address of this machine that is private, and not its loopback; None if it has none."""
    found = (one for one in _own_addresses() if any(ip_address(one) in network for network in _PRIVATE))
    return next(found, None)


def _own_addresses() -> Iterator[str]:
    """Yield this machine's addresses as the kernel lists them (Linux)."""
    trie = Path("/proc/net/fib_trie").read_text().splitlines()
    for line, following in pairwise(trie):
        if "/32 host LOCAL" in following:
            yield line.split()[-1]
    with contextlib.suppress(FileNotFoundError):
        for line in Path("/proc/net/if_inet6").read_text().splitlines():
            yield str(ip_address(bytes.fromhex(line.split()[0])))


@dataclass(slots=True)
class Signpost:
    """A receiver at OUTSIDE: `/STATUS/N` answers that status and names target N in each header it can.

    `heads` are the requests as they came; `alternative` is the host and port that it tells to use instead.
    """

    targets: list[str]
    heads: list[str] = field(default_factory=list)
    alternative: str = "127.0.0.1:80"
    connections: int = 0
    port: int = 0
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def asked(self) -> list[str]:
        return [head.split(" ")[1] for head in self.heads]

    def url(self, status: int, number: int) -> str:
        return f"http://{OUTSIDE}:{self.port}/{status}/{number}"

    def close_all(self) -> None:
        """End every connection."""
        for writer in self._writers:
            writer.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests on one connection until the other side ends it."""
        self.connections += 1
        self._writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                self.heads.append(head)
                lines = head.lower().split("\r\n")
                await reader.readexactly(next(int(x[15:]) for x in lines if x.startswith("content-length:")))
                writer.write(self._answer(self.asked[-1]))
                await writer.drain()
        writer.close()

    def _answer(self, path: str) -> bytes:
        _, status, number = path.split("/")
        target = self.targets[int(number)].replace("\t", "%09").replace("\x00", "%00")
        fields = {
            "Location": target,
            "Content-Location": target,
            "Refresh": f"0; url={target}",
            "Link": f"<{target}>; rel=preload",
            "Alt-Svc": f'http/1.1="{self.alternative}"; ma=3600, h2="{self.alternative}"; persist=1',
            "Content-Length": "0",
        }
        lines = [f"HTTP/1.1 {status} Elsewhere", *(f"{name}: {value}" for name, value in fields.items())]
        return "\r\n".join([*lines, "", ""]).encode()


@contextlib.asynccontextmanager
async def signpost(targets: list[str]) -> AsyncIterator[Signpost]:
    """Run a signpost to these targets."""
    post = Signpost(targets)
    async with await asyncio.start_server(post.serve, OUTSIDE, 0, backlog=1000) as server:
        post.port = server.sockets[0].getsockname()[1]
        try:
            yield post
        finally:
            post.close_all()
