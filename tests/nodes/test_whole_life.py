"""What happens to an invoice that is paid too little, too late, too much or in two coins: real nodes."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from followed import ether, following, litecoin
from watcher.drafts_merchant import AcceptDraft, ExtendDraft, RefundDraft, SentDraft
from watcher.errors import Refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from followed import Followed
    from watcher.sandbox.anvil import Anvil
    from watcher.sandbox.litecoind import Litecoind
    from world import Made

ETHER = 10**18
HOUR = 3600


class Till(Protocol):
    """One chain as a payer and a merchant use it. Amounts are in coins."""

    chain: str
    asset: str

    def pay(self, address: str, amount: str) -> str: ...

    def mine(self, blocks: int = 1) -> None: ...

    def later(self, clock: Any) -> None: ...

    def stranger(self) -> str: ...

    def forget(self, depth: int) -> None: ...


class Litecoins:
    """A litecoind: what is paid is in the mempool first."""

    chain, asset = "ltc", "LTC"

    def __init__(self, node: Litecoind) -> None:
        self.node = node

    def pay(self, address: str, amount: str) -> str:
        return self.node.pay(address, amount)

    def mine(self, blocks: int = 1) -> None:
        self.node.mine(blocks)

    def later(self, clock: Any) -> None:
        self.node.rpc("setmocktime", clock.now())

    def stranger(self) -> str:
        return self.node.new_address()

    def forget(self, depth: int) -> None:
        """Replace the last blocks by emptier ones, and what they held by other transactions."""
        first = str(self.node.rpc("getblockhash", self.node.height - depth + 1))
        lost = [txid for h in range(depth) for txid in self._block(self.node.height - h)["tx"][1:]]
        self.node.rpc("invalidateblock", first)
        for txid in lost:
            self.node.rpc("abandontransaction", txid) if txid not in self.node.rpc("getrawmempool") else None
        for _ in range(depth + 1):
            self.node.mine_only()

    def _block(self, height: int) -> dict[str, Any]:
        return dict(self.node.rpc("getblock", self.node.rpc("getblockhash", height)))


class Ethers:
    """An anvil: what is paid counts from its block on, and the chain's time is that of its blocks."""

    chain, asset = "dev", "ETH"

    def __init__(self, node: Anvil) -> None:
        self.node = node
        self._strangers = 0

    def pay(self, address: str, amount: str) -> str:
        return self.node.send(address, int(Decimal(amount) * ETHER))

    def mine(self, blocks: int = 1) -> None:
        self.node.mine(blocks)

    def later(self, clock: Any) -> None:
        self.node.rpc("evm_setNextBlockTimestamp", clock.now())
        self.node.mine()

    def stranger(self) -> str:
        self._strangers += 1
        return f"0x{'52' * 19}{self._strangers:02x}"

    def forget(self, depth: int) -> None:
        self.node.rpc("anvil_reorg", depth, [])


class Story:
    """An invoice's story on one chain: short ways to let things happen, and to ask what came of them."""

    def __init__(self, till: Till, followed: Followed) -> None:
        self.till = till
        self.followed = followed
        self.merchant = followed.app.merchant
        self.refunds = followed.app.refunds

    async def invoice(self, **fields: Any) -> Made:
        asked = {"chain": self.till.chain, "asset": self.till.asset, "amount": "1", **fields}
        return await self.followed.invoice(**asked)

    async def pay(self, invoice: Made, amount: str, blocks: int = 2) -> str:
        txid = self.till.pay(invoice.address, amount)
        if blocks:
            self.till.mine(blocks)
        await self.followed.caught_up()
        return txid

    async def mine(self, blocks: int = 1) -> None:
        self.till.mine(blocks)
        await self.followed.caught_up()

    async def later(self, seconds: int = HOUR + 1) -> None:
        self.followed.clock.advance(seconds)
        self.till.later(self.followed.clock)
        await self.followed.caught_up()

    async def refund(self, invoice: Made, **fields: Any) -> dict[str, Any]:
        draft = RefundDraft.model_validate({"address": self.till.stranger(), **fields})
        return await self.refunds.refund(invoice.id, draft, "anna")

    async def sent(self, invoice: Made, refund: dict[str, Any], txid: str) -> dict[str, Any]:
        return await self.refunds.sent(invoice.id, refund["id"], SentDraft(txid=txid), "anna")


@pytest.fixture(params=["litecoind", "anvil"])
async def story(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Story]:
    node = request.getfixturevalue(request.param)
    till: Till = Litecoins(node) if request.param == "litecoind" else Ethers(node)
    keys = litecoin(node.url) if request.param == "litecoind" else ether(node.url)
    async with following(tmp_path, **{till.chain: keys}) as followed:
        await followed.caught_up()
        yield Story(till, followed)
    if isinstance(till, Litecoins):
        node.rpc("setmocktime", 0)


async def test_too_little_is_accepted_by_the_merchant(story: Story) -> None:
    invoice = await story.invoice()
    await story.pay(invoice, "0.4")
    assert await invoice.status() == "partial"
    await story.later()
    assert await invoice.status() == "underpaid"

    shown = await story.merchant.accept(invoice.id, AcceptDraft(reason="a friend"), "anna")

    assert ("paid", ["accepted"]) == (shown["status"], shown["exceptions"])
    assert (await invoice.told())[-1] == "invoice.paid"


async def test_too_little_is_completed_at_the_same_address_after_an_extension(story: Story) -> None:
    invoice = await story.invoice()
    await story.pay(invoice, "0.4")
    await story.later()
    assert await invoice.status() == "underpaid"

    shown = await story.merchant.extend(invoice.id, ExtendDraft(), "anna")
    assert ("partial", "0.6") == (shown["status"], shown["options"][0]["missing"])
    await story.pay(invoice, "0.6")

    assert await invoice.status() == "paid"


async def test_too_little_after_an_extension_is_underpaid_again(story: Story) -> None:
    invoice = await story.invoice()
    await story.pay(invoice, "0.4")
    await story.later()
    await story.merchant.extend(invoice.id, ExtendDraft(seconds=600), "anna")
    await story.later(601)

    assert await invoice.status() == "underpaid"
    assert 2 == (await invoice.told()).count("invoice.underpaid")


async def test_too_little_is_given_back_confirmed_reorganised_away_and_confirmed_again(story: Story) -> None:
    invoice = await story.invoice()
    await story.pay(invoice, "0.4")
    await story.later()
    refund = await story.refund(invoice, amount="0.4", reason="too little")
    assert await invoice.status() == "refunding"

    txid = story.till.pay(refund["address"], "0.4")
    story.till.mine()
    await story.sent(invoice, refund, txid)
    await story.followed.caught_up()
    assert await invoice.status() == "refunding"
    await story.mine()
    assert await invoice.status() == "refunded"

    story.till.forget(2)
    await story.followed.caught_up()
    assert await invoice.status() == "refunding"
    assert "refund.reverted" in await invoice.told()

    txid = story.till.pay(refund["address"], "0.4")
    await story.sent(invoice, refund, txid)
    await story.mine(3)
    assert await invoice.status() == "refunded"


async def test_a_refund_by_a_transaction_that_pays_less_or_another_is_refused(story: Story) -> None:
    invoice = await story.invoice()
    await story.pay(invoice, "0.4")
    await story.later()
    refund = await story.refund(invoice, amount="0.4")
    less = story.till.pay(refund["address"], "0.39")
    other = story.till.pay(story.till.stranger(), "0.4")
    if isinstance(story.till, Ethers):
        story.till.mine()  # what is in no block yet cannot be judged there

    for txid in (less, other):
        with pytest.raises(Refused) as refused:
            await story.sent(invoice, refund, txid)
        assert ("refund_mismatch", 409) == (refused.value.code, refused.value.status)
    assert await invoice.status() == "refunding"


async def test_a_refund_that_pays_less_in_a_block_is_refused_and_the_right_one_confirmed(
    litecoind: Litecoind, tmp_path: Path
) -> None:
    till = Litecoins(litecoind)
    async with following(tmp_path, ltc=litecoin(litecoind.url)) as followed:
        await followed.caught_up()
        story = Story(till, followed)
        invoice = await story.invoice()
        await story.pay(invoice, "1.4")
        refund = await story.refund(invoice)
        txid = till.pay(refund["address"], "0.39")
        await story.mine(3)
        with pytest.raises(Refused, match="the refund needs"):
            await story.sent(invoice, refund, txid)
        assert ["requested"] == [r.state for r in (await invoice.record()).decision.refunds]

        txid = till.pay(refund["address"], "0.4")
        await story.mine(3)
        await story.sent(invoice, refund, txid)
        await story.followed.caught_up()
        assert ["confirmed"] == [r.state for r in (await invoice.record()).decision.refunds]


async def test_late_money_waits_for_the_merchant_who_accepts_it(story: Story) -> None:
    invoice = await story.invoice()
    await story.later()
    assert await invoice.status() == "expired"
    await story.pay(invoice, "1")
    assert await invoice.status() == "expired late"
    assert (await invoice.record()).decision.needs_action

    shown = await story.merchant.accept(invoice.id, AcceptDraft(), "anna")

    assert ("paid", False) == (shown["status"], shown["needs_action"])


@pytest.mark.parametrize(("amount", "status"), [("1", "paid late"), ("0.9", "underpaid late")])
async def test_late_money_is_taken_by_policy_when_the_amount_is_right(
    story: Story, amount: str, status: str
) -> None:
    invoice = await story.invoice(late="accept")
    await story.later()
    await story.pay(invoice, amount)

    assert await invoice.status() == status


async def test_the_deadline_is_judged_by_what_arrived_not_by_when_a_process_woke_up(story: Story) -> None:
    """Paid in time while the daemon is down, and looked at only after the deadline."""
    invoice = await story.invoice()
    story.till.pay(invoice.address, "1")
    story.till.mine(2)
    await story.followed.restart()
    await story.later()

    assert await invoice.status() == "paid"
    assert not {"invoice.expired", "invoice.late_payment"} & set(await invoice.told())


async def test_too_much_is_told_and_the_excess_given_back_leaves_it_paid(story: Story) -> None:
    invoice = await story.invoice()
    await story.pay(invoice, "1.5")
    assert await invoice.status() == "paid overpaid"

    refund = await story.refund(invoice)
    assert "0.5" == refund["amount"]
    txid = story.till.pay(refund["address"], "0.5")
    await story.sent(invoice, refund, txid)
    await story.mine(2)

    record = await invoice.record()
    assert ("paid", ["confirmed"]) == (record.decision.status, [r.state for r in record.decision.refunds])
    assert "invoice.refunding" not in await invoice.told()


async def test_a_policy_accepts_97_percent_once_it_is_confirmed(story: Story) -> None:
    invoice = await story.invoice(policy={"accept_percent": "97"})
    await story.pay(invoice, "0.97", blocks=1)
    await story.later()
    await story.mine(2)

    assert await invoice.status() == "paid accepted"
    record = await invoice.record()
    assert [("policy", "at least 97 % is confirmed")] == [(r.by, r.reason) for r in record.resolutions]


async def test_a_policy_extends_while_enough_is_in_the_mempool(litecoind: Litecoind, tmp_path: Path) -> None:
    till = Litecoins(litecoind)
    async with following(tmp_path, ltc=litecoin(litecoind.url)) as followed:
        await followed.caught_up()
        story = Story(till, followed)
        invoice = await story.invoice(policy={"extend": 1800})
        before = (await invoice.record()).decision.deadline
        await story.pay(invoice, "1", blocks=0)
        followed.clock.advance(HOUR + 1)
        await followed.caught_up()
        assert await invoice.status() == "confirming"
        assert 1800 == ((await invoice.record()).decision.deadline - before).total_seconds()
        await story.mine(2)

        assert await invoice.status() == "paid"
        assert "invoice.extended" in await invoice.told()


async def test_half_in_one_coin_and_half_in_another_is_paid(
    litecoind: Litecoind, anvil: Anvil, tmp_path: Path
) -> None:
    tables = {"ltc": litecoin(litecoind.url), "dev": ether(anvil.url)}
    async with following(tmp_path, **tables) as followed:
        await followed.caught_up()
        options = [
            {"chain": "ltc", "asset": "LTC", "amount": "1"},
            {"chain": "dev", "asset": "ETH", "amount": "0.03"},
        ]
        invoice = await followed.invoice(options=options)
        litecoind.pay(invoice.addresses[0], "0.5")
        litecoind.mine(2)
        await followed.caught_up()
        assert await invoice.status() == "partial"
        anvil.send(invoice.addresses[1], 15 * 10**15)
        anvil.mine(2)
        await followed.caught_up()

        assert await invoice.status() == "paid"
