"""A real daemon under load, killed at every failpoint and at random, ends where one that never died ends.

KILLS and SEED come from the environment: `make crash` kills 2,000 times.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from random import Random, SystemRandom
from typing import TYPE_CHECKING

import pytest

import verdict
import verdict_clerk
import verdict_patrons
from failure_logs import failed
from killer import Killer
from mail_office import open_office
from receiver import Receiver
from sides import EvmSide, LitecoinSide
from subject import Nursery
from town import Town
from watcher.failpoint import POINTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from node_fixtures import AnvilFactory, LitecoindFactory
    from subject import Subject

KILLS = int(os.environ.get("KILLS", "150"))
SEED = int(os.environ.get("SEED", "0")) or SystemRandom().randrange(1, 10**6)
LIMIT = 600 + 6 * KILLS
"""Seconds for all: twice what two busy processors take, so that only what hangs reaches it."""


@pytest.fixture
def database() -> Callable[[str], str]:
    """Return the URL of an empty database by its name; another kind of database is another fixture."""
    return lambda name: f"sqlite:///{name}.db"


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    began = time.monotonic()

    def line(text: str) -> None:
        with capsys.disabled():
            print(f"[crash {time.monotonic() - began:4.0f} s] {text}", flush=True)  # noqa: T201 - progress

    return line


@pytest.fixture
async def town(
    tmp_path: Path,
    anvil_factory: AnvilFactory,
    litecoind_factory: LitecoindFactory,
    database: Callable[[str], str],
    request: pytest.FixtureRequest,
) -> AsyncIterator[Town]:
    random = Random(SEED)
    evm = EvmSide(anvil_factory(prune_history=20_000), random)
    litecoin = LitecoinSide(litecoind_factory(), random)
    shop, nursery = Receiver(random), Nursery()
    await shop.open()
    await nursery.open()
    async with open_office() as office:
        town = Town(tmp_path, random, evm, litecoin, shop, office, nursery, database)
        try:
            yield town
        finally:
            await _close(town, tmp_path, request)
            await nursery.close()
            await shop.close()


async def _close(town: Town, folder: Path, request: pytest.FixtureRequest) -> None:
    try:
        if failed(request):
            _keep(folder, request.config.rootpath / "test-logs" / "crash")
    finally:
        await town.end()
        for subject in (town.victim, town.witness):
            await subject.kill()


def _keep(folder: Path, target: Path) -> None:
    """Keep what the daemons wrote: logs, configurations and databases."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for file in folder.iterdir():
        if file.is_file():
            shutil.copyfile(file, target / file.name)


@pytest.mark.timeout(LIMIT + 60)
async def test_h107_h111_h112_h126_h7_h34_killed_everywhere_it_ends_where_one_that_never_died_ends(
    town: Town, say: Callable[[str], None]
) -> None:
    killer = Killer(town, KILLS, say)
    say(f"seed {SEED}, {KILLS} kills, {len(POINTS)} failpoints")
    try:
        async with asyncio.timeout(LIMIT):
            await _live_and_die(town, killer, say)
    except BaseException:
        say(f"FAILED after {killer.total} kills at {killer.point}: SEED={SEED} KILLS={KILLS} make crash")
        raise

    assert [] == killer.missing(), "failpoints that killed nobody"
    assert killer.crossed > 0, "no invoice ended while the daemon was dead"


async def _live_and_die(town: Town, killer: Killer, say: Callable[[str], None]) -> None:
    town.grow()
    await town.witness.make_key()
    await town.witness.start()
    await town.witness.ready()
    await killer.infancy()
    town.short_until = time.monotonic() + KILLS * 0.35
    town.begin()
    await killer.rampage()
    say(f"{killer.total} kills: {dict(sorted(killer.deaths.items()))}")
    await town.victim.start()
    await town.victim.answers()
    await town.calm(say)
    await _settled(town)
    await _judge(town, say)


async def _settled(town: Town) -> None:
    """Wait until both daemons have read everything and nothing waits to be sent."""
    for subject in (town.victim, town.witness):
        for side in (town.evm, town.litecoin):
            async with asyncio.timeout(60):
                while not await _has_read(subject, side):  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.2)
    async with asyncio.timeout(90):
        while await town.victim.all("/v1/deliveries?state=pending&limit=200"):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.5)


async def _has_read(subject: Subject, side: EvmSide | LitecoinSide) -> bool:
    chain = next(each for each in await subject.all("/v1/chains") if each["name"] == side.name)
    return chain["scanned"] is not None and bool(chain["scanned"]["height"] == side.node.height)


async def _judge(town: Town, say: Callable[[str], None]) -> None:
    its, other = await verdict.books(town.victim), await verdict.books(town.witness)
    orders, arrivals = town.merchant.orders, town.shop.arrivals
    verdict.sound(its)
    verdict.sound(other)
    verdict.promised(orders, its)
    compared = verdict.same(orders, its, other)
    told = verdict.heard(its, arrivals)
    own = verdict.heard_own(orders, its, arrivals)
    mails = verdict.reminded(its, town.office)
    await _on_the_chains(town, its)
    say(f"standing addresses: {dict(await verdict_patrons.patrons(town, its.events))}")
    say(f"decisions: {dict(await verdict_clerk.decisions(town))}")
    say(f"{len(orders)} orders, compared: {dict(compared)}; heard: {dict(told)}")
    say(f"{own} own receivers, {mails} mails")
    assert compared["still"] > len(orders) / 4


async def _on_the_chains(town: Town, its: verdict.Books) -> None:
    """What the chains themselves say is credited, nothing less and nothing more."""
    credited = verdict.credits_of(its.invoices.values())
    asked = [option for invoice in its.invoices.values() for option in invoice["options"]]
    coins = sorted({option["address"] for option in asked if option["chain"] == "litecoin"})
    outputs = await town.litecoin.outputs(coins)
    assert {place: (address, units) for place, (address, units, _) in outputs.items()} == {
        (txid, slot): (address, units)
        for (chain, txid, slot), (address, _, units) in credited.items()
        if chain == "litecoin"
    }
    accounts = sorted({option["address"] for option in asked if option["chain"] == "dev"})
    sums: dict[tuple[str, str], int] = {}
    for (chain, _, _), (address, asset, units) in credited.items():
        if chain == "dev":
            sums[address, asset] = sums.get((address, asset), 0) + units
    assert await town.evm.balances(accounts) == sums
