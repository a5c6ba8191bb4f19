"""The README's receivers as processes: started from its own text, asked by HTTP, their books read."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
import pytest

from daemon import free_port
from npm_packages import node
from source_tree import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

_NODE_BOOKS = "events.jsonl"


def text(language: str) -> str:
    """Return the block of code in that language in the README's section about receiving."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.partition("\n### Receive one\n")[2].partition("\n### ")[0]
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    return str(found)


@dataclass
class Receiver:
    """One receiver in its folder, where it keeps its books through a restart."""

    language: str
    folder: Path
    keys: str
    port: int
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks"

    async def start(self) -> None:
        """Start it, and wait until it listens."""
        with (self.folder / "receiver.log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: ASYNC220 - as the daemon of the tests is started
                self._command(),
                cwd=self.folder,
                env={**os.environ, "WEBHOOK_KEYS": self.keys, "PORT": str(self.port)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        async with asyncio.timeout(30):
            while not await self._listens():
                assert self.process.poll() is None, self.log
                await asyncio.sleep(0.02)

    def kill(self) -> None:
        """End it as a power cut does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    async def post(self, headers: Mapping[str, str], body: bytes) -> int:
        """Send it what may be a webhook and return the status of its answer."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.url, data=body, headers=headers) as answer,
        ):
            return answer.status

    @property
    def log(self) -> str:
        return (self.folder / "receiver.log").read_text()

    def ids(self) -> list[str]:
        """Return the ids of the events that it keeps."""
        if self.language == "js":
            books = self.folder / _NODE_BOOKS
            return [json.loads(line)["id"] for line in books.read_text().splitlines()]
        return [id_ for (id_,) in self._rows("SELECT id FROM events ORDER BY rowid")]

    def statuses(self) -> dict[str, str]:
        """Return what it takes for the newest status of each invoice."""
        if self.language == "js":
            return dict(re.findall(r"^(inv_\S+) is (\w+)$", self.log, re.MULTILINE))
        return dict(self._rows("SELECT id, status FROM invoices"))

    def _rows(self, query: str) -> list[tuple[str, ...]]:
        books = self.folder / "shop.db"
        if not books.exists():
            return []
        with contextlib.closing(sqlite3.connect(books)) as db:
            return db.execute(query).fetchall()

    def _command(self) -> list[str]:
        match self.language:
            case "python":
                return [sys.executable, self._written("receive.py")]
            case "js":
                return [node(), self._written("receive.mjs")]
            case _:
                (self.folder / "public").mkdir(exist_ok=True)
                return [_php(), "-S", f"127.0.0.1:{self.port}", self._written("public/receive.php")]

    def _written(self, name: str) -> str:
        (self.folder / name).write_text(text(self.language), encoding="utf-8")
        return name

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True


def _php() -> str:
    found = shutil.which("php")
    if found is None:
        pytest.skip("php is not installed here: apt-get install php-cli php-sqlite3")
    return found


@contextlib.asynccontextmanager
async def receiving(language: str, folder: Path, *keys: str, port: int = 0) -> AsyncIterator[Receiver]:
    """Run the receiver of a language, which trusts these keys."""
    receiver = Receiver(language, folder, " ".join(keys), port or free_port())
    try:
        await receiver.start()
        yield receiver
    finally:
        receiver.kill()
