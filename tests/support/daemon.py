"""The installed `watcher` command as a process, and a client of its HTTP API."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp

from watcher.lock import socket_path

COMMAND = Path(sys.executable).with_name("watcher")


_PORTS = range(20_000, 32_000)
"""Below those that Linux hands out to whoever names none, so that no other server or client is given one."""


def free_port() -> int:
    """Return a port for a process that binds it a little later, also again after its end."""
    while True:
        port = secrets.choice(_PORTS)  # another than that of a test that asks at this moment
        with socket.socket() as sock, suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port


class Daemon:
    """One configuration file and the daemon that runs on it; `kill` is SIGKILL."""

    def __init__(self, folder: Path, chains: str, shop_url: str, secret: str) -> None:
        self.port = free_port()
        self.config = folder / "watcher.toml"
        self.log = folder / "daemon.log"
        self.key = ""
        self.process: subprocess.Popen[bytes] | None = None
        self.environment: dict[str, str] = {}
        """Variables that the daemon gets besides those of the tests."""
        self.program = [str(COMMAND)]
        """What runs the daemon."""
        self.config.write_text(
            f"""[server]
port = {self.port}
public_url = "http://127.0.0.1:{self.port}"

[database]
url = "sqlite:///watcher.db"

[webhooks]
allow_private = ["127.0.0.0/8"]

[[webhooks.endpoints]]
url = "{shop_url}"
secret = "{secret}"

{chains}
"""
        )

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another command beside the daemon, or without it."""
        line = [str(COMMAND), "--config", str(self.config), *arguments]
        return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)

    async def start(self, *, key: bool = True) -> None:
        """Start it and wait until it answers; make the API key at the first time, unless told otherwise."""
        if key and not self.key:
            made = self.command("key", "create", "tests", "--scope", "admin")
            assert made.returncode == 0, made.stderr
            self.key = made.stdout.splitlines()[0]
        self.process = self._spawn()
        async with asyncio.timeout(30), aiohttp.ClientSession() as session:
            while not await self._answers(session):
                assert self.process.poll() is None, self.log.read_text()
                await asyncio.sleep(0.05)

    async def make_key(self) -> None:
        """Make the API key as the command does beside a running daemon, without the command's start."""
        connector = aiohttp.UnixConnector(path=str(socket_path(self.config.with_name("watcher.db"))))
        draft = {"name": "tests", "scope": "admin"}
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.post("http://daemon/v1/keys", json=draft) as answer,
        ):
            assert answer.status == 201, await answer.text()
            self.key = (await answer.json())["key"]

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            line = [*self.program, "--config", str(self.config), "run"]
            environment = {**os.environ, **self.environment}
            return subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)

    async def _answers(self, session: aiohttp.ClientSession) -> bool:
        try:
            async with session.get(f"http://127.0.0.1:{self.port}/healthz") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    def kill(self) -> None:
        """End it as a power cut does."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def terminate(self) -> int:
        """Ask it to end; return its exit status."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(timeout=30)

    async def call(self, method: str, path: str, body: Any = None, expect: int = 200) -> Any:
        """Call the HTTP API with the key and return the JSON."""
        headers = {"Authorization": f"Bearer {self.key}"}
        url = f"http://127.0.0.1:{self.port}{path}"
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(method, url, json=body) as answer,
        ):
            text = await answer.text()
            assert answer.status == expect, text
            return await answer.json() if text else None

    async def ready(self, within: float = 30.0) -> None:
        """Wait until every chain is followed live."""
        async with asyncio.timeout(within), aiohttp.ClientSession() as session:
            while True:
                async with session.get(f"http://127.0.0.1:{self.port}/readyz") as answer:
                    if answer.status == 200:
                        return
                await asyncio.sleep(0.1)

    async def invoice(self, **body: Any) -> dict[str, Any]:
        """Create an invoice by HTTP."""
        made: dict[str, Any] = await self.call("POST", "/v1/invoices", body, expect=201)
        return made
