"""`watcher reconcile` beside the real daemon, anvil and litecoind: equal is equal, and tampering is found."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

import public_keys
import vyper_contracts
from bitcoin_adapters import BURN
from chain_toml import anvil_chain
from daemon import Daemon
from node_drivers import BitcoinDriver
from shop import SECRET
from watcher.cli.reconcile import _all
from watcher.reconcile.compare import Wanted
from watcher.sandbox import token
from watcher.sandbox.rpc import call
from watcher.settings import load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from node_fixtures import AnvilFactory, LitecoindFactory
    from watcher.sandbox.anvil import Anvil
    from watcher.sandbox.litecoind import Litecoind

ETHER = 10**18
GAS = "0x100000"
NOWHERE = "http://127.0.0.1:1/hooks"
MADE = (
    "insert into deposit (id, chain, txid, slot, asset, address, amount, standing, block_height, block_hash,"
)
MADE += " block_parent, block_time, spends, maturity, arrived_at, settled) select 'pay_zz', chain, '{txid}',"
MADE += " slot, asset, address, amount, 'mined', block_height, block_hash, block_parent, block_time, spends,"
MADE += " 0, arrived_at, 1 from deposit where id = :id"

OTHER = "select max(address) from address where address <> deposit.address"

TAMPERING = {
    "deleted": ("delete from deposit where id = :id", ["missing in the ledger"]),
    "amount": ("update deposit set amount = '1' || substr(amount, 2) where id = :id", ["other amount"]),
    "invented": (MADE.format(txid="0x" + "ab" * 32), ["not on the chain"]),
    "height": ("update deposit set block_height = block_height - 1 where id = :id", ["other block"]),
    "long ago": ("update deposit set block_height = 1 where id = :id", ["other block"]),
    "in the future": ("update deposit set block_height = 999999 where id = :id", ["other block"]),
    "hash": ("update deposit set block_hash = block_parent where id = :id", ["other block"]),
    "asset": ("update deposit set asset = 'FAKE' where id = :id", ["other asset"]),
    "address": (
        f"update deposit set address = ({OTHER}) where id = :id",
        ["other address"],
    ),
    "slot": ("update deposit set slot = 'log:77' where id = :id", ["other slot"]),
    "dropped": ("update deposit set standing = 'dropped' where id = :id", ["other standing"]),
    "reorganised": (
        "update deposit set standing = 'reorganised', block_height = null, block_hash = null where id = :id",
        ["other standing"],
    ),
}
"""What somebody does to a deposit in the database, and the differences that this has to make."""


class World:
    """The daemon on one chain, with money that came in every way which that chain has."""

    def __init__(self, daemon: Daemon, chain: str, height: Callable[[], int]) -> None:
        self.daemon = daemon
        self.chain = chain
        self.height = height
        self.invoices: dict[str, dict[str, Any]] = {}
        self.database = daemon.config.with_name("watcher.db")

    async def address(self, name: str, asset: str) -> str:
        self.invoices[name] = made = await self.daemon.invoice(chain=self.chain, asset=asset, amount="1")
        return str(made["options"][0]["address"])

    async def caught_up(self) -> None:
        """Wait until the daemon has read to the head, and all that it was to read again."""
        async with asyncio.timeout(30):
            while True:
                extent = await self.daemon.call("GET", f"/v1/chains/{self.chain}/ledger")
                if extent["head"]["height"] == self.height() and not extent["gaps"]:
                    return
                await asyncio.sleep(0.05)

    async def compare(self, **wanted: int) -> dict[str, Any]:
        (report,) = await _all(load(self.daemon.config, {}), [self.chain], Wanted(**wanted))
        return report

    def sql(self, statement: str, **values: Any) -> list[Any]:
        with closing(sqlite3.connect(self.database)) as connection, connection:
            return connection.execute(statement, values).fetchall()

    def deposit(self, name: str) -> str:
        """Return a recorded deposit of an invoice."""
        address = self.invoices[name]["options"][0]["address"]
        ((id_,), *_) = self.sql("select id from deposit where address = :a order by slot", a=address)
        return str(id_)


def kinds(report: dict[str, Any]) -> list[str]:
    assert not report["error"], report
    return [each["kind"] for each in report["differences"]]


async def tampered(world: World, statement: str, of: str) -> dict[str, Any]:
    """Change the database as nobody may, compare, and put it back."""
    good = world.database.with_name("good.db")
    world.sql("pragma wal_checkpoint(truncate)")
    shutil.copyfile(world.database, good)
    world.sql(statement, id=world.deposit(of))
    report = await world.compare()
    for leftover in world.database.parent.glob("watcher.db-*"):
        leftover.unlink()
    shutil.copyfile(good, world.database)
    return report


@pytest.fixture
async def evm(tmp_path: Path, anvil_factory: AnvilFactory) -> AsyncIterator[World]:
    node = anvil_factory()
    usdt = token.create(node, name="Test Tether", symbol="USDT", decimals=6, supply=10**15)
    odd = node.deploy(vyper_contracts.bytecode("odd_token"))
    calls = node.deploy(vyper_contracts.bytecode("odd_calls"))
    payer = node.deploy(vyper_contracts.bytecode("payer"))
    daemon = Daemon(tmp_path, dev(node, usdt, odd), NOWHERE, SECRET)
    try:
        await daemon.start()
        await daemon.ready()
        world = World(daemon, "dev", lambda: node.height)
        await paid_on_anvil(world, node, usdt, odd, calls, payer)
        yield world
    finally:
        daemon.kill()


def dev(node: Anvil, usdt: str, odd: str) -> str:
    more = f"""dust = "0.000000000000000005"
[[chains.dev.assets]]
symbol = "USDT"
contract = "{usdt}"
decimals = 6
[[chains.dev.assets]]
symbol = "ODD"
contract = "{odd}"
decimals = 6
verify_balance = true
"""
    return anvil_chain(node, poll=0.1, more=more)


async def paid_on_anvil(world: World, node: Anvil, usdt: str, odd: str, calls: str, payer: str) -> None:
    """Pay in every way: coin, token, inside contracts, by a lying token, and in ways that are no payment."""

    def contract(to: str, signature: str, *arguments: Any, value: int = 0) -> None:
        data = vyper_contracts.calldata(signature, *arguments)
        fields = {"from": node.accounts[0], "to": to, "value": hex(value), "data": data, "gas": GAS}
        node.rpc("eth_sendTransaction", fields)

    coin, tether = await world.address("coin", "ETH"), await world.address("token", "USDT")
    inside, doubted = await world.address("inside", "ETH"), await world.address("doubted", "ODD")
    node.send(coin, ETHER)
    node.send(coin, 4)  # dust
    token.send(node, usdt, tether, 10_000_000)
    node.mine()
    contract(payer, "coin(address,uint256[])", inside, [ETHER // 10] * 3, value=3 * ETHER // 10)
    contract(calls, "nested(address)", inside, value=9)
    contract(calls, "destroy(address)", inside, value=8)
    contract(calls, "attempt(address)", coin, value=7)  # h50: below a call that failed
    contract(calls, "send_then_revert(address)", coin, value=6)
    node.mine()
    contract(odd, "pay(address,uint256,uint256)", doubted, 100, 90)
    contract(odd, "boomerang(address,uint256,uint256)", doubted, 50, 50)
    contract(odd, "pay_then_revert(address,uint256)", doubted, 70)
    node.mine(2)
    await world.caught_up()


@pytest.fixture
async def litecoin(tmp_path: Path, litecoind_factory: LitecoindFactory) -> AsyncIterator[World]:
    node = litecoind_factory(mweb=True)
    chain = f"""
[chains.ltc]
preset = "litecoin-regtest"
rpc = ["{node.url}"]
xpub = "{public_keys.account("m/84'/1'/0'", test=True)}"
confirmations = 1
poll_interval = 0.1
stalled_after = 0
"""
    daemon = Daemon(tmp_path, chain, NOWHERE, SECRET)
    try:
        await daemon.start()
        await daemon.ready()
        world = World(daemon, "ltc", lambda: node.height)
        await paid_on_litecoind(world, node)
        yield world
    finally:
        daemon.kill()


async def paid_on_litecoind(world: World, node: Litecoind) -> None:
    """Pay twice in one transaction, by a block's reward, and out of the extension block."""
    twice, reward = await world.address("twice", "LTC"), await world.address("reward", "LTC")
    pegout = await world.address("pegout", "LTC")
    driver = BitcoinDriver(node, coin="litecoin", asset="LTC", refused=(), rest=True)
    driver.pay(twice, 29_000_000, 30_000_000)
    node.mine()
    node.mine(1, reward)
    node.pay(node.new_address("mweb"), "5")
    node.mine()
    canonical = [each for each in node.rpc("listunspent", 0) if not each["address"].startswith("tmweb")]
    node.rpc("lockunspent", False, [{"txid": each["txid"], "vout": each["vout"]} for each in canonical])
    node.pay(pegout, "2")
    node.mine(1, BURN)
    node.mine(1, BURN)
    await world.caught_up()


async def test_equal_is_0_beside_the_daemon_and_without_it(evm: World) -> None:
    beside = evm.daemon.command("reconcile", "--json")
    evm.daemon.kill()
    without = evm.daemon.command("reconcile")

    report = json.loads(beside.stdout)["data"][0]
    assert (0, []) == (beside.returncode, report["differences"]), report
    assert 8 == report["compared"]  # coin, token, three and two inside contracts, and one lying token
    assert [{"what": "below the dust floor", "count": 1}] == report["not_compared"]
    assert (0, "") == (without.returncode, without.stderr)
    assert "8 credits compared: no difference" in without.stdout


async def test_equal_on_litecoind_with_extension_blocks(litecoin: World) -> None:
    report = await litecoin.compare()

    assert [] == kinds(report)
    assert 4 == report["compared"]  # two outputs to one script, a reward, a peg-out


async def test_every_tampering_is_found_and_named_on_anvil(evm: World) -> None:
    evm.daemon.kill()
    expected = {
        (of, name): kinds_
        for of in ["coin", "token", "inside", "doubted"]
        for name, (_, kinds_) in TAMPERING.items()
    }

    found = {(of, name): kinds(await tampered(evm, TAMPERING[name][0], of)) for of, name in expected}

    assert expected == found


async def test_every_tampering_is_found_and_named_on_litecoind(litecoin: World) -> None:
    litecoin.daemon.kill()
    expected = {
        (of, name): kinds_ for of in ["twice", "reward", "pegout"] for name, (_, kinds_) in TAMPERING.items()
    }

    found = {(of, name): kinds(await tampered(litecoin, TAMPERING[name][0], of)) for of, name in expected}

    assert expected == found


async def test_a_rescan_repairs_what_was_lost_and_the_command_says_so(evm: World) -> None:
    evm.daemon.kill()
    lost, moved = evm.deposit("coin"), evm.deposit("token")
    evm.sql("delete from deposit where id = :id", id=lost)
    evm.sql(
        "update deposit set block_hash = block_parent, amount = '1' || substr(amount, 2) where id = :id",
        id=moved,
    )
    await evm.daemon.start()
    await evm.daemon.ready()

    broken = evm.daemon.command("reconcile", "--chain", "dev")
    remedy = broken.stdout.splitlines()[-1].partition("to do: watcher ")[2].split()
    repaired = evm.daemon.command(*remedy)
    await evm.caught_up()
    again = evm.daemon.command("reconcile")

    said = [line for line in broken.stdout.splitlines() if evm.invoices["coin"]["id"] in line]
    address = evm.invoices["coin"]["options"][0]["address"]
    assert (1, 1) == (broken.returncode, len(said)), broken.stdout
    assert f"dev: missing in the ledger: {address}; 0x" in said[0]
    assert " value; on the chain 1 ETH; block " in said[0]
    assert "3 differences" in broken.stdout
    assert (0, 0) == (repaired.returncode, again.returncode), again.stdout


async def test_it_changes_nothing_and_can_be_repeated(evm: World) -> None:
    evm.daemon.kill()
    evm.sql("delete from deposit where id = :id", id=evm.deposit("coin"))
    before = [evm.sql(f"select * from {table}") for table in ("deposit", "chain", "block", "gap", "event")]

    reports = [await evm.compare(), await evm.compare()]

    after = [evm.sql(f"select * from {table}") for table in ("deposit", "chain", "block", "gap", "event")]
    assert (before, reports[0]) == (after, reports[1])


async def test_a_part_of_the_chain_is_compared_alone(evm: World) -> None:
    ((height,),) = evm.sql("select block_height from deposit where id = :id", id=evm.deposit("coin"))
    evm.sql("delete from deposit where id = :id", id=evm.deposit("coin"))

    within, above = await evm.compare(first=height, last=height), await evm.compare(first=height + 1)

    assert (["missing in the ledger"], []) == (kinds(within), kinds(above))
    assert (height, height) == (within["from"], within["to"])


async def test_a_node_that_is_down_is_one_line_and_never_no_difference(
    tmp_path: Path, anvil_factory: AnvilFactory
) -> None:
    node = anvil_factory()
    chain = dev(node, *(node.deploy(vyper_contracts.bytecode(each)) for each in ("odd_token", "odd_calls")))
    daemon = Daemon(tmp_path, chain.partition("[[")[0], NOWHERE, SECRET)
    try:
        await daemon.start()
        await daemon.ready()
        await daemon.invoice(chain="dev", asset="ETH", amount="1")
        node.kill()
        down = daemon.command("reconcile")
    finally:
        daemon.kill()

    assert (1, 1) == (down.returncode, len(down.stdout.splitlines()))
    assert "dev: nothing compared: " in down.stdout
    assert "no difference" not in down.stdout + down.stderr


@pytest.mark.parametrize("mode", ["traces", "balance"])
async def test_without_traces_the_balances_show_what_is_missing(
    tmp_path: Path, anvil_factory: AnvilFactory, mode: str
) -> None:
    """What the daemon found with or without traces; then it is compared with a node that has none."""
    node = anvil_factory()
    payer = node.deploy(vyper_contracts.bytecode("payer"))
    chain = dev(node, payer, payer).partition("[[")[0]
    daemon = Daemon(tmp_path, f'{chain}traces = "{mode}"', NOWHERE, SECRET)
    try:
        await daemon.start()
        await daemon.ready()
        world = World(daemon, "dev", lambda: node.height)
        plain, inside = await world.address("plain", "ETH"), await world.address("inside", "ETH")
        node.send(plain, ETHER)
        data = vyper_contracts.calldata("coin(address,uint256[])", inside, [5, 6])
        node.send(payer, 11, data)
        node.mine(2)
        await world.caught_up()
    finally:
        daemon.kill()
    daemon.config.write_text(daemon.config.read_text().replace(f'traces = "{mode}"', 'traces = "off"'))
    whole = await world.compare()
    world.sql("delete from deposit where address = :a", a=inside)

    broken = await world.compare()

    (missing,) = broken["differences"]
    assert (True, []) == (whole["by_balance"], kinds(whole))
    assert ("other balance", inside) == (missing["kind"], missing["address"])
    assert "0.000000000000000011" == missing["seen"]


async def test_a_reorganisation_before_the_daemon_followed_it_is_compared_again(
    evm: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watcher.cli.reconcile_chain._PAUSE", 0.01)
    evm.daemon.kill()
    url = load(evm.daemon.config, {}).chains["dev"].rpc[0]
    call(url, "anvil_reorg", (2, []))

    report = await evm.compare()

    assert report["error"].startswith("nothing compared: the ledger has block ")
    await evm.daemon.start()
    await evm.daemon.ready()
    await evm.caught_up()
    assert [] == kinds(await evm.compare())
