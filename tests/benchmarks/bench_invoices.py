"""Invoices made a second over HTTP, beside what the disk takes and what the addresses cost."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from contextlib import closing
from statistics import median
from typing import TYPE_CHECKING
from uuid import uuid4

import aiohttp

import public_keys
from anvil_daemon import anvil, chain, tether
from chains.keys import EvmPublicKey
from daemon import Daemon
from harness import Report
from shop import SECRET

if TYPE_CHECKING:
    from pathlib import Path

    from harness import Scale

_CLIENTS = (1, 10, 50)
_TURNS = 5
_ROW = 2_000
"""Bytes that each commit of the disk's own measure writes."""


async def run(scale: Scale, folder: Path) -> Report:
    os.environ["WATCHER_SERVER__RATE"] = "0"
    key = EvmPublicKey.parse(public_keys.account("m/44'/60'/0'"))
    with anvil(folder) as node:
        daemon = Daemon(folder, chain(node, tether(node), 0.5), "http://127.0.0.1:9/", SECRET)
        await daemon.start()
        try:
            await daemon.ready()
            found: dict[str, list[float]] = {
                name: [] for name in ("commits", "addresses", *map(str, _CLIENTS))
            }
            for _ in range(_TURNS + 1):
                found["commits"].append(await asyncio.to_thread(_commits, folder, scale.invoices))
                found["addresses"].append(await asyncio.to_thread(_addresses, key, scale.invoices))
                for clients in _CLIENTS:
                    found[str(clients)].append(await _made(daemon, scale.invoices, clients))
        finally:
            daemon.terminate()
    return _report(scale, {name: median(rates[1:]) for name, rates in found.items()})


async def _made(daemon: Daemon, count: int, clients: int) -> float:
    """Make so many invoices, each client one after the other on its own connection; return those a second."""
    left = iter(range(count))
    connector = aiohttp.TCPConnector(limit=clients)
    headers = {"Authorization": f"Bearer {daemon.key}"}
    url = f"http://127.0.0.1:{daemon.port}/v1/invoices"
    draft = {
        "chain": "dev",
        "asset": "USDT",
        "amount": "25.50",
        "order_id": "A-1001",
        "metadata": {"cart": 7},
    }

    async def client(session: aiohttp.ClientSession) -> None:
        for _ in left:
            async with session.post(url, json=draft, headers={"Idempotency-Key": str(uuid4())}) as answer:
                assert answer.status == 201, await answer.text()
                await answer.read()

    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for _ in range(clients):
                group.create_task(client(session))
        return count / (time.monotonic() - began)


def _commits(folder: Path, count: int) -> float:
    """Return the commits a second of a lone SQLite connection with the daemon's settings."""
    with closing(sqlite3.connect(folder / "disk.db", isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE IF NOT EXISTS row (data BLOB)")
        began = time.monotonic()
        for _ in range(count):
            database.execute("INSERT INTO row VALUES (?)", (os.urandom(_ROW),))
        return count / (time.monotonic() - began)


def _addresses(key: EvmPublicKey, count: int) -> float:
    """Return the addresses a second that both libraries derive."""
    began = time.monotonic()
    for index in range(count):
        key.address(index)
    return count / (time.monotonic() - began)


def _report(scale: Scale, rates: dict[str, float]) -> Report:
    report = Report(
        f"Invoices over HTTP: {scale.invoices:,} at a time, each with an address and an Idempotency-Key"
    )
    for clients in _CLIENTS:
        who = "one client" if clients == 1 else f"{clients} clients at once"
        report.add(f"made_{clients}_per_s", f"made by {who}", rates[str(clients)], "invoices/s")
    report.add(
        "commits_per_s",
        "what the disk takes: commits of one row, nothing else",
        rates["commits"],
        "commits/s",
    )
    most = rates[str(_CLIENTS[-1])]
    report.add(
        "address_ms", "an address, derived by two libraries that must agree", 1000 / rates["addresses"], "ms"
    )
    report.add(
        "address_share", f"  its share with {_CLIENTS[-1]} clients", 100 * most / rates["addresses"], "%"
    )
    report.add("commit_share", "  that of its two commits", 100 * 2 * most / rates["commits"], "%")
    report.notes.append(
        f"The installed daemon, kept connections, in turns, the middle of {_TURNS}. Two commits an invoice: "
        "an address index that was taken is never given again, whatever happens next."
    )
    return report
