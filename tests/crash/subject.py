"""A daemon of the crash test: started as the installed command or from the nursery, killed, asked by HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

from daemon import COMMAND, free_port
from shop import SECRET
from watcher.failpoint import VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

KILLED = -signal.SIGKILL
KEY = "crash-test"
"""The name of the API key."""
_SERVER = """[server]
port = {port}
[database]
url = "{database}"
[webhooks]
secret = "{secret}"
allow_private = ["127.0.0.0/8"]
{endpoint}
{chains}
"""
_ENDPOINT = """[[webhooks.endpoints]]
url = "{url}"
"""
START = 60.0
"""Seconds for a daemon to answer, on a machine that has much else to do."""


class Nursery:
    """The process that forks daemons."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def open(self) -> None:
        line = [*_tied(), sys.executable, str(Path(__file__).with_name("nursery.py"))]
        self._process = await asyncio.create_subprocess_exec(
            *line, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        assert await self._line() == "ready"

    async def close(self) -> None:
        if self._process:
            self._process.kill()
            await self._process.wait()

    async def fork(self, arguments: list[str], environment: Mapping[str, str], log: Path) -> Life:
        order = {"arguments": arguments, "environment": dict(environment), "log": str(log)}
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        pid = int(await self._line())
        return Life(pid, asyncio.create_task(self._end()))

    async def _end(self) -> int:
        return int(await self._line())

    async def _line(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        assert line, "the nursery died"
        return line.decode().strip()


class Life:
    """One process from its start to its end."""

    def __init__(self, pid: int, end: asyncio.Task[int]) -> None:
        self.pid = pid
        self.end = end

    def signal(self, number: signal.Signals) -> None:
        if not self.end.done():
            os.kill(self.pid, number)


class Subject:
    """One configuration, one database, many lives."""

    def __init__(
        self, folder: Path, name: str, chains: str, *, database: str, shop: str = "", nursery: Nursery | None
    ) -> None:
        """`database`: the URL of an empty database. `shop`: where all events go; "" for nowhere."""
        self.name = name
        self.port = free_port()
        self.config = folder / f"{name}.toml"
        self.log = folder / f"{name}.log"
        self.key = ""
        self.life: Life | None = None
        self._nursery = nursery
        endpoint = _ENDPOINT.format(url=shop) if shop else ""
        values = {"port": self.port, "database": database, "secret": SECRET, "chains": chains}
        self.config.write_text(_SERVER.format(endpoint=endpoint, **values))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self, failpoint: str = "", *, plain: bool = False) -> None:
        """Start it and return at once. `plain`: the installed command, whatever it costs."""
        words = ["--config", str(self.config), "run"]
        if self._nursery is None or plain:
            self.life = await self._command(words, {VARIABLE: failpoint})
        else:
            self.life = await self._nursery.fork(words, {VARIABLE: failpoint}, self.log)

    async def _command(self, words: list[str], environment: Mapping[str, str]) -> Life:
        with self.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *_tied(),
                str(COMMAND),
                *words,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **environment},
            )
        return Life(process.pid, asyncio.create_task(process.wait()))

    async def ends(self, within: float) -> int | None:
        """Return how it ended, None if it still lives after `within` seconds."""
        assert self.life is not None
        await asyncio.wait([self.life.end], timeout=within)
        return self.life.end.result() if self.life.end.done() else None

    async def ends_once_it_answers(self, within: float) -> int | None:
        """Return how it ended, None if it lives `within` seconds after its first answer: machines differ."""
        async with asyncio.timeout(START):
            while (status := await self.ends(0.1)) is None and (await self.ask("GET", "/healthz"))[0] == 0:
                pass
        return await self.ends(within) if status is None else status

    async def kill(self) -> None:
        if self.life:
            self.life.signal(signal.SIGKILL)
            await self.life.end

    async def answers(self, within: float = START) -> None:
        """Wait until it answers; a daemon that ended instead is a failure."""
        async with asyncio.timeout(within):
            while (await self.ask("GET", "/healthz"))[0] != 200:
                assert self.life is not None
                assert not self.life.end.done(), f"{self.name} ended: {self.log_end()}"
                await asyncio.sleep(0.03)

    async def ready(self, within: float = 60.0) -> None:
        """Wait until it follows every chain."""
        async with asyncio.timeout(within):
            while (await self.ask("GET", "/readyz"))[0] != 200:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)

    async def make_key(self) -> None:
        """Have the command make an API key, with or without the daemon."""
        words = ["--config", str(self.config), "key", "create", KEY, "--scope", "admin"]
        process = await asyncio.create_subprocess_exec(
            str(COMMAND), *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        self.key = out.decode().splitlines()[0]

    async def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Return status and JSON; (0, None) where nobody answers."""
        heads = {"Authorization": f"Bearer {self.key}", **(headers or {})}
        timeout = aiohttp.ClientTimeout(total=20)
        try:
            async with (
                aiohttp.ClientSession(headers=heads, timeout=timeout) as session,
                session.request(method, self.url + path, json=body) as answer,
            ):
                text = await answer.read()
                return answer.status, json.loads(text) if text else None
        except (aiohttp.ClientError, TimeoutError):
            return 0, None

    async def all(self, path: str) -> list[dict[str, Any]]:
        """Return every item of a list; `path` with a query."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            status, page = await self.ask("GET", path + cursor)
            assert status == 200, (self.name, path, status, page)
            found += page["data"]
            if page["next"] is None:
                return found
            cursor = f"&cursor={page['next']}"

    def log_end(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]


def _tied() -> list[str]:
    """Return the prefix with which the kernel ends a child when the test dies."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
