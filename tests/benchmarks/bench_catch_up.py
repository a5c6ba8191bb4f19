"""Catching up after downtime: scanner, adapter and ledger on a SQLite file, beside a plain web3.py loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select
from web3 import HTTPProvider, Web3

from anvil_daemon import DECIMALS, anvil, chain, tether
from harness import Report, Timing, timed
from watcher import app as composition
from watcher.drafts import InvoiceDraft
from watcher.pace import Pace
from watcher.sandbox import token
from watcher.scanner import Scanner
from watcher.settings import load
from watcher.tables import DEPOSIT

if TYPE_CHECKING:
    from pathlib import Path

    from harness import Scale
    from watcher.app import App
    from watcher.sandbox.anvil import Anvil

_INVOICES = 20
_EVERY = 10
"""Blocks of which one has payments: a coin and a token each."""
_ETHER = 10**18


async def run(scale: Scale, folder: Path) -> Report:
    with anvil(folder) as node:
        usdt = tether(node)
        app = _app(folder, chain(node, usdt, poll_interval=1))
        async with composition.prepared(app):
            await composition.introduce(app)
            addresses = [await _invoice(app) for _ in range(_INVOICES)]
            first = node.height + 1
            paid = _mine(node, usdt, addresses, scale.blocks)
            ours = await timed(lambda: _catch_up(app))
            seen = await _seen(app)
            if seen != paid:
                raise AssertionError(f"{seen} payments found, {paid} made")
        web3 = Web3(HTTPProvider(node.url))
        theirs = await timed(lambda: _plain_loop(web3, first, node.height))
    return _report(scale.blocks, paid, ours, theirs)


def _report(blocks: int, paid: int, ours: Timing, theirs: Timing) -> Report:
    report = Report(f"Catch-up: {blocks:,} anvil blocks, {paid} payments to {_INVOICES} invoices")
    report.add("ours_per_s", "scanner and ledger", blocks / ours.wall * 1000, "blocks/s")
    report.add("ours_cpu_ms", "  our processor, a block", ours.cpu / blocks, "ms")
    report.add("web3_per_s", "web3.py, get_block(full) and get_logs", blocks / theirs.wall * 1000, "blocks/s")
    report.add("web3_cpu_ms", "  its processor, a block", theirs.cpu / blocks, "ms")
    report.add("faster_than_web3", "faster than the loop", theirs.wall / ours.wall, "times")
    report.notes.append(
        "The scanner also traces each block with transactions, proves receipts, and decides, records and "
        "publishes in SQLite (synchronous=FULL); the loop only fetches. The node's own time is in both."
    )
    return report


def _app(folder: Path, chains: str) -> App:
    config = folder / "watcher.toml"
    config.write_text(f'[database]\nurl = "sqlite:///watcher.db"\n\n{chains}')
    return composition.build(load(config, {}))


async def _invoice(app: App) -> str:
    options = [{"chain": "dev", "asset": asset, "amount": "1000"} for asset in ("ETH", "USDT")]
    invoice = await app.actions.create(InvoiceDraft.model_validate({"options": options}))
    address: str = invoice["options"][0]["address"]
    return address


def _mine(node: Anvil, usdt: str, addresses: list[str], blocks: int) -> int:
    """Mine so many blocks and return the number of payments in them."""
    rounds = blocks // _EVERY
    sender = node.accounts[1]
    for number in range(rounds):
        address = addresses[number % len(addresses)]
        node.send(address, _ETHER, sender=sender)
        token.send(node, usdt, address, 10**DECIMALS)
        node.mine()
        node.mine(_EVERY - 1)
    return rounds * 2


async def _catch_up(app: App) -> None:
    """Run the scanner until it would wait for the next poll."""
    pace = Pace(poll_interval=1, history=500, stalled_after=0)
    name = "dev"
    scanner = Scanner(app.chains[name], app.ledger, app.clock, pace, app.bus.scan[name], lambda _pause: None)
    while not await scanner.turn():
        continue


async def _seen(app: App) -> int:
    async with app.store.read() as connection:
        return int(await connection.scalar(select(func.count()).select_from(DEPOSIT)) or 0)


async def _plain_loop(web3: Web3, first: int, last: int) -> None:
    for height in range(first, last + 1):
        web3.eth.get_block(height, full_transactions=True)
        web3.eth.get_logs({"fromBlock": height, "toBlock": height})
