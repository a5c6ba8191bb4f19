"""Payment links on real nodes: opened by a payer, paid on anvil and litecoind, through the real adapters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from followed import ether, following, litecoin
from watcher import facts
from watcher.drafts_link import LinkDraft, OpeningDraft
from watcher.errors import Refused
from watcher.sandbox import token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from followed import Followed
    from watcher.links import PaymentLinks
    from watcher.sandbox.anvil import Anvil
    from watcher.sandbox.litecoind import Litecoind

LTC = {"chain": "litecoin", "asset": "LTC"}
ETH = {"chain": "dev", "asset": "ETH"}
USDT = {"chain": "dev", "asset": "USDT"}


@pytest.fixture
def usdt(anvil: Anvil) -> str:
    return token.create(anvil, name="Test Tether", symbol="USDT", decimals=6, supply=10**15)


@pytest.fixture
async def both(tmp_path: Path, anvil: Anvil, litecoind: Litecoind, usdt: str) -> AsyncIterator[Followed]:
    assets = [{"symbol": "USDT", "contract": usdt, "decimals": 6}]
    tables = {"dev": ether(anvil.url, assets=assets), "litecoin": litecoin(litecoind.url)}
    async with following(tmp_path, **tables) as followed:
        await followed.scan()
        yield followed


async def link(links: PaymentLinks, **fields: Any) -> str:
    made = await links.create(LinkDraft.model_validate(fields), "a key")
    return str(made["id"])


async def opened(links: PaymentLinks, id_: str, **said: Any) -> dict[str, Any]:
    return await links.open(id_, OpeningDraft.model_validate(said))


async def status(followed: Followed, shown: dict[str, Any]) -> str:
    async with followed.store.read() as conn:
        record = (await facts.load(conn, [shown["id"]]))[shown["id"]]
    return record.decision.status.value


async def test_the_payer_chooses_amount_and_asset_and_pays_on_each_chain(
    both: Followed, anvil: Anvil, litecoind: Litecoind, usdt: str
) -> None:
    links = both.app.payment_links
    limits = {"min": "0.1", "max": "50"}
    id_ = await link(links, options=[{**one, "amount": limits} for one in (LTC, ETH, USDT)])

    coins = await opened(links, id_, asset="LTC", amount="0.25")
    ether_ = await opened(links, id_, asset="ETH", amount="1.5")
    tether = await opened(links, id_, asset="USDT", amount="12.34")
    litecoind.pay(coins["options"][0]["address"], "0.25")
    anvil.send(ether_["options"][0]["address"], 15 * 10**17)
    token.send(anvil, usdt, tether["options"][0]["address"], 12_340_000)
    litecoind.mine(2)
    anvil.mine(2)
    await both.caught_up()

    assert ["paid"] * 3 == [await status(both, one) for one in (coins, ether_, tether)]
    found = (await links.show(id_))["statistics"]
    assert (3, "100") == (found["openings"], found["paid_percent"])
    received = {(one["asset"], one["amount"]) for one in found["received"]}
    assert {("LTC", "0.25"), ("ETH", "1.5"), ("USDT", "12.34")} == received


async def test_an_invoice_of_all_assets_is_paid_partly_in_each(
    both: Followed, anvil: Anvil, litecoind: Litecoind
) -> None:
    links = both.app.payment_links
    id_ = await link(links, options=[{**LTC, "amount": "1"}, {**ETH, "amount": "2"}], max_uses=1)

    one = await opened(links, id_)
    litecoind.pay(one["options"][0]["address"], "0.5")
    litecoind.mine(2)
    await both.caught_up()
    half = await status(both, one)
    anvil.send(one["options"][1]["address"], 10**18)
    anvil.mine(2)
    await both.caught_up()

    assert ["partial", "paid"] == [half, await status(both, one)]
    received = [(each["asset"], each["amount"]) for each in (await links.show(id_))["statistics"]["received"]]
    assert [("ETH", "1"), ("LTC", "0.5")] == received
    with pytest.raises(Refused, match="as often as it may be"):
        await opened(links, id_)


async def test_each_opening_has_an_address_of_its_own_and_one_that_nobody_pays_frees_its_use(
    both: Followed, anvil: Anvil
) -> None:
    links = both.app.payment_links
    id_ = await link(links, **ETH, amount="1", max_uses=2, expires_in=60)
    first, second = [await opened(links, id_) for _ in range(2)]
    anvil.send(second["options"][0]["address"], 10**18)
    anvil.mine(2)
    await both.caught_up("dev")

    both.clock.advance(120)
    anvil.rpc("evm_setNextBlockTimestamp", both.clock.now())
    anvil.mine(1)
    await both.caught_up("dev")
    third = await opened(links, id_)

    assert ["expired", "paid"] == [await status(both, one) for one in (first, second)]
    assert 3 == len({one["options"][0]["address"] for one in (first, second, third)})
    assert 2 == (await links.show(id_))["uses"]
