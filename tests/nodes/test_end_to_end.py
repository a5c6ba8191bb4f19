"""The main job with real things only: the installed command, anvil, litecoind, an HTTP shop, and kill -9."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import public_keys
import vyper_contracts
from chain_toml import anvil_chain
from daemon import Daemon
from shop import SECRET, Shop
from watcher.sandbox import token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from watcher.sandbox.anvil import Anvil
    from watcher.sandbox.litecoind import Litecoind

ETHER = 10**18
STEPS = ["invoice.created", "payment.detected", "payment.confirmed", "invoice.paid"]
"""What is told of a payment; between two blocks of it a look may fall, and tell `invoice.confirming`."""


@pytest.fixture
def usdt(anvil: Anvil) -> str:
    return token.create(anvil, name="Test Tether", symbol="USDT", decimals=6, supply=10**15)


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    shop = Shop()
    await shop.start()
    yield shop
    await shop.stop()


@pytest.fixture
async def daemon(
    tmp_path: Path, anvil: Anvil, litecoind: Litecoind, usdt: str, shop: Shop
) -> AsyncIterator[Daemon]:
    more = f"""[[chains.dev.assets]]
symbol = "USDT"
contract = "{usdt}"
decimals = 6

[chains.litecoin]
preset = "litecoin-regtest"
rpc = ["{litecoind.url}"]
xpub = "{public_keys.account("m/84'/1'/0'", test=True)}"
confirmations = 1
poll_interval = 0.2
"""
    chains = anvil_chain(anvil, confirmations=2, more=more)
    daemon = Daemon(tmp_path, chains, shop.url, SECRET)
    await daemon.start()
    await daemon.ready()
    yield daemon
    daemon.kill()


def _address(invoice: dict[str, Any]) -> str:
    return str(invoice["options"][0]["address"])


async def test_coin_is_paid_and_the_shop_hears_of_it(daemon: Daemon, anvil: Anvil, shop: Shop) -> None:
    invoice = await daemon.invoice(chain="dev", asset="ETH", amount="1.5", order_id="A-1001")

    anvil.send(_address(invoice), 15 * ETHER // 10, data="0xc0ffee")
    anvil.mine(2)
    paid = await shop.heard(invoice["id"], "invoice.paid")

    assert "A-1001" == paid["data"]["invoice"]["order_id"]
    assert "1.5" == paid["data"]["invoice"]["options"][0]["confirmed"]
    assert STEPS == _steps(shop, invoice["id"])
    shop.assert_sound(invoice["id"])


async def test_token_paid_in_two_parts(daemon: Daemon, anvil: Anvil, usdt: str, shop: Shop) -> None:
    invoice = await daemon.invoice(chain="dev", asset="USDT", amount="25.5")

    token.send(anvil, usdt, _address(invoice), 10_000_000)
    anvil.mine()
    partly = await shop.heard(invoice["id"], "invoice.partially_paid")
    token.send(anvil, usdt, _address(invoice), 15_500_000)
    anvil.mine(2)
    paid = await shop.heard(invoice["id"], "invoice.paid")

    assert "15.5" == partly["data"]["invoice"]["options"][0]["missing"]
    assert ["log:0", "log:0"] == [p["slot"] for p in paid["data"]["invoice"]["payments"]]
    shop.assert_sound(invoice["id"])


async def test_value_moved_inside_a_contract_counts_each_time(
    daemon: Daemon, anvil: Anvil, shop: Shop
) -> None:
    invoice = await daemon.invoice(chain="dev", asset="ETH", amount="0.3")
    payer = anvil.deploy(vyper_contracts.bytecode("payer"))

    parts = [ETHER // 10] * 3
    call = vyper_contracts.calldata("coin(address,uint256[])", _address(invoice), parts)
    anvil.send(payer, sum(parts), data=call)
    anvil.mine(2)
    paid = await shop.heard(invoice["id"], "invoice.paid")

    payments = paid["data"]["invoice"]["payments"]
    assert ["call:0", "call:1", "call:2"] == sorted(p["slot"] for p in payments)
    assert ["0.1"] * 3 == [p["amount"] for p in payments]


async def test_litecoin_from_the_mempool_to_a_block(daemon: Daemon, litecoind: Litecoind, shop: Shop) -> None:
    invoice = await daemon.invoice(chain="litecoin", asset="LTC", amount="0.29")

    litecoind.pay(_address(invoice), "0.29")
    confirming = await shop.heard(invoice["id"], "invoice.confirming")
    litecoind.mine()
    paid = await shop.heard(invoice["id"], "invoice.paid")

    assert None is confirming["data"]["invoice"]["payments"][0]["block_height"]
    assert "0.29" == paid["data"]["invoice"]["options"][0]["confirmed"]
    shop.assert_sound(invoice["id"])


async def test_kill_between_every_step_loses_and_repeats_nothing(
    daemon: Daemon, anvil: Anvil, litecoind: Litecoind, shop: Shop
) -> None:
    invoice = await daemon.invoice(
        options=[
            {"chain": "dev", "asset": "ETH", "amount": "2"},
            {"chain": "litecoin", "asset": "LTC", "amount": "4"},
        ]
    )
    ether, litecoin = (option["address"] for option in invoice["options"])

    daemon.kill()
    anvil.send(ether, ETHER)
    anvil.mine(5)
    litecoind.pay(litecoin, "2")
    await daemon.start()
    await shop.heard(invoice["id"], "invoice.confirming")
    daemon.kill()
    litecoind.mine(3)
    await daemon.start()
    await shop.heard(invoice["id"], "invoice.paid")
    daemon.kill()
    await daemon.start()
    await daemon.ready()
    shown = await daemon.call("GET", f"/v1/invoices/{invoice['id']}")

    assert "paid" == shown["status"]
    assert 1 == shop.types(invoice["id"]).count("invoice.paid")
    assert 2 == shop.types(invoice["id"]).count("payment.detected")
    shop.assert_sound(invoice["id"])


async def test_what_a_dead_shop_missed_arrives_after_a_restart_in_order(
    daemon: Daemon, anvil: Anvil, shop: Shop
) -> None:
    invoice = await daemon.invoice(chain="dev", asset="ETH", amount="1")
    await shop.heard(invoice["id"], "invoice.created")

    await shop.stop()
    anvil.send(_address(invoice), ETHER)
    anvil.mine(2)
    await _status(daemon, invoice["id"], "paid")
    daemon.kill()
    await shop.start()
    await daemon.start()
    await shop.heard(invoice["id"], "invoice.paid", within=60)

    assert STEPS == _steps(shop, invoice["id"])
    shop.assert_sound(invoice["id"])


async def test_reorganisation_after_paid_is_told_and_healed(daemon: Daemon, anvil: Anvil, shop: Shop) -> None:
    invoice = await daemon.invoice(chain="dev", asset="ETH", amount="1")
    anvil.send(_address(invoice), ETHER)
    anvil.mine(3)
    await shop.heard(invoice["id"], "invoice.paid")

    anvil.rpc("anvil_reorg", 3, [])
    reverted = await shop.heard(invoice["id"], "invoice.reverted")
    anvil.send(_address(invoice), ETHER)
    anvil.mine(2)
    shown = await _status(daemon, invoice["id"], "paid")

    assert "reorganised" == reverted["data"]["reason"]
    assert "paid" == reverted["data"]["previous_status"]
    assert ["reverted"] == shown["exceptions"]
    await _delivered(daemon)
    assert 2 == shop.types(invoice["id"]).count("invoice.paid")
    shop.assert_sound(invoice["id"])


async def test_invoice_expires_by_the_chains_time_and_never_while_the_node_is_down(
    daemon: Daemon, anvil: Anvil, shop: Shop
) -> None:
    invoice = await daemon.invoice(chain="dev", asset="ETH", amount="1", expires_in=60)
    seen = await daemon.invoice(chain="dev", asset="ETH", amount="1", expires_in=60)
    anvil.send(_address(seen), ETHER // 2)
    anvil.mine()
    await shop.heard(seen["id"], "invoice.partially_paid")

    before = (await daemon.call("GET", f"/v1/invoices/{invoice['id']}"))["status"]
    await asyncio.sleep(61)
    anvil.rpc("evm_mine")
    expired = await shop.heard(invoice["id"], "invoice.expired")
    underpaid = await shop.heard(seen["id"], "invoice.underpaid")

    assert "pending" == before
    assert "expired" == expired["data"]["invoice"]["status"]
    assert "0.5" == underpaid["data"]["invoice"]["options"][0]["missing"]


async def test_commands_reach_the_running_daemon(daemon: Daemon, anvil: Anvil, shop: Shop) -> None:
    invoice = await daemon.invoice(chain="dev", asset="ETH", amount="1")
    anvil.send(_address(invoice), ETHER)
    anvil.mine(2)
    await shop.heard(invoice["id"], "invoice.paid")

    listed = daemon.command("invoice", "list", "--json")
    explained = daemon.command("explain", invoice["id"])
    second = daemon.command("run")

    assert invoice["id"] in listed.stdout
    assert "paid" in explained.stdout
    assert (1, True) == (second.returncode, str(daemon.process and daemon.process.pid) in second.stderr)
    assert 0 == daemon.terminate()


def _steps(shop: Shop, id_: str) -> list[str]:
    return [type_ for type_ in shop.types(id_) if type_ != "invoice.confirming"]


async def _status(daemon: Daemon, id_: str, status: str) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while True:
            shown: dict[str, Any] = await daemon.call("GET", f"/v1/invoices/{id_}")
            if shown["status"] == status:
                return shown
            await asyncio.sleep(0.05)


async def _delivered(daemon: Daemon) -> None:
    """Wait until nothing waits to be sent."""
    async with asyncio.timeout(30):
        while True:
            if not (await daemon.call("GET", "/v1/deliveries?state=pending"))["data"]:
                return
            await asyncio.sleep(0.05)
