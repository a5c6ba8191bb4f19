"""Value moved inside contracts, in every mode that a node can offer: told, counted once, and not lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import vyper_contracts as contracts
from chains.base import UNATTRIBUTED, BlocksMissing, NodeUnavailable
from evm_chain import MODES, OTHER, OURS, TELLING, Chain, found, looking_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from chains.evm import Adapter
    from node_fixtures import AnvilFactory
    from watcher.sandbox.anvil import Anvil


@pytest.fixture
async def chain(anvil: Anvil) -> AsyncIterator[Chain]:
    chain = Chain(anvil)
    yield chain
    await chain.close()


def amounts(transfers: Any) -> list[tuple[int, bool]]:
    """Return each amount, and whether it is attributed to a transaction."""
    return [(each.amount, not each.slot.startswith(UNATTRIBUTED)) for each in transfers]


# --- which mode an endpoint has


@pytest.mark.parametrize(
    ("offers", "wanted", "expected"),
    [
        pytest.param("traces", "auto", "traces", id="the-best"),
        pytest.param("parity", "auto", "parity", id="parity"),
        pytest.param("logs", "auto", "logs", id="logs"),
        pytest.param("balance", "auto", "balance", id="balance"),
        pytest.param("none", "auto", "none", id="none"),
        pytest.param("traces", "parity", "parity", id="parity-although-it-has-more"),
        pytest.param("traces", "logs", "logs", id="logs-before-any-was-seen"),
        pytest.param("traces", "balance", "balance", id="balance-although-it-has-more"),
        pytest.param("traces", "off", "none", id="off"),
    ],
)
async def test_the_mode_is_found_by_asking_or_as_configured(
    chain: Chain, offers: str, wanted: str, expected: str
) -> None:
    chain.send(OTHER, 1)
    chain.node.mine()
    adapter = await chain.adapter(rpc=[await chain.proxy(offers)], traces=wanted)

    assert expected == adapter.contract_transfers == adapter.health()[0].contract_transfers


@pytest.mark.parametrize("wanted", ["traces", "parity", "balance"])
async def test_a_mode_that_is_demanded_and_not_offered_is_an_error_that_says_so(
    chain: Chain, wanted: str
) -> None:
    url = await chain.proxy("none")

    with pytest.raises(NodeUnavailable, match=f'does not offer what traces = "{wanted}" demands'):
        await chain.adapter(rpc=[url], traces=wanted)


async def test_a_node_shows_that_it_logs_its_coin_only_by_a_payment(chain: Chain) -> None:
    adapter = await chain.adapter(rpc=[await chain.proxy("logs")])
    before = adapter.contract_transfers
    chain.send(OTHER, 1)
    chain.node.mine()
    await adapter.open()

    assert ("balance", "logs") == (before, adapter.contract_transfers)


@pytest.mark.parametrize("mode", [*MODES, "none"])
async def test_the_check_says_what_a_mode_does_not_see(chain: Chain, mode: str) -> None:
    adapter = await chain.of_mode(mode)
    rows = {each.name: each for each in await adapter.check()}

    assert rows["traces"].detail.startswith(mode)
    assert (True if mode in {"traces", "parity"} else None) == rows["traces"].ok
    assert (None if mode == "none" else True) == rows["balances"].ok


async def test_an_endpoint_that_sees_less_does_not_take_over_when_the_better_one_fails(chain: Chain) -> None:
    best, lesser = await chain.proxy("parity"), await chain.proxy("balance")
    adapter = await chain.adapter(rpc=[best, lesser])
    await chain.proxies[0].close()
    chain.call("forward(address)", OURS, value=9)
    chain.node.mine()
    with pytest.raises(NodeUnavailable):
        await adapter.tip()
    await adapter.open()

    assert "parity" == adapter.contract_transfers
    with pytest.raises(NodeUnavailable, match="found by balance here, by parity at another"):
        await chain.read(adapter, chain.node.height)


# --- native-transfer logs


async def test_h56_value_that_is_logged_too_counts_once(chain: Chain) -> None:
    adapter = await chain.of_mode("logs")
    chain.send(OURS, 9)
    chain.call("forward(address)", OURS, value=5)

    assert [("ETH", "value", 9), ("ETH", "log:1", 5)] == found(await chain.mined(adapter))


@pytest.mark.parametrize("mode", MODES)
async def test_h56_h57_what_repeats_the_coin_is_no_token(chain: Chain, mode: str) -> None:
    """A node that logs its coin, read through each of the modes: one native source at a time."""
    chain.send(OTHER, 1)
    chain.node.mine()
    adapter = await chain.adapter(
        rpc=[await chain.proxy("logs" if mode == "logs" else "traces")], traces=mode
    )
    chain.send(OURS, 9)

    assert [(9, True)] == amounts(await chain.mined(adapter))


async def test_blocks_from_before_the_coin_was_logged_are_read_by_their_balances(chain: Chain) -> None:
    """The chain begins to log its coin at a block: what was moved before it is found all the same."""
    first = chain.node.height + 1
    for value in (5, 6, 7):
        chain.call("forward(address)", OURS, value=value)
        chain.node.mine()
    adapter = await chain.adapter(rpc=[await chain.proxy("logs", logs_from=first + 1)])
    transfers = await chain.read(adapter, first)

    assert "logs" == adapter.contract_transfers
    assert [(5, False), (6, True), (7, True)] == amounts(transfers)


# --- balances


async def test_h55_coin_without_a_transaction_is_unattributed(chain: Chain) -> None:
    adapter = await chain.of_mode("balance")
    chain.node.mine()
    first = chain.node.height
    chain.node.rpc("anvil_setBalance", OURS, "0x7")
    chain.node.mine(2)
    (transfer,) = await chain.read(adapter, first)

    assert transfer.block is not None
    assert (7, transfer.block.hash) == (transfer.amount, transfer.txid)
    assert f"{UNATTRIBUTED}ETH:{adapter.canonical(OURS.lower())}" == transfer.slot


async def test_each_growth_of_a_balance_is_found_in_its_block(chain: Chain) -> None:
    adapter = await chain.of_mode("balance")
    first = chain.node.height + 1
    expected = []
    for number in range(120):
        if number % 17 == 3:
            chain.call("forward(address)", OURS, value=number)
            chain.send(OURS, 1000 + number)
            expected += [(first + number, 1000 + number, True), (first + number, number, False)]
        chain.node.mine()
    transfers = await chain.read(adapter, first)

    assert expected == [
        (each.block.height if each.block else None, *amounts([each])[0]) for each in transfers
    ]


@pytest.mark.parametrize("mode", MODES)
async def test_what_an_account_pays_itself_hides_nothing(chain: Chain, mode: str) -> None:
    """It receives from a contract while it pays, with fees, and fails: only what came is told."""
    adapter = await chain.of_mode(mode)
    account = chain.node.accounts[1]
    chain.call("forward(address)", account, value=9)
    chain.send(OTHER, 5, **{"from": account})
    chain.send(chain.token, 4, **{"from": account})
    chain.send(account, 3, **{"from": account})

    assert [(9, mode != "balance")] == amounts(await chain.mined(adapter, account))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kept", [0, 4])
async def test_h66_h77_an_account_that_sends_on_is_credited_net_in_every_mode(
    chain: Chain, mode: str, kept: int
) -> None:
    adapter = await chain.of_mode(mode)
    relay = chain.node.deploy(contracts.bytecode("relay") + f"{kept:064x}")
    chain.send(relay, 9)

    assert ([(4, True)] if kept else []) == amounts(await chain.mined(adapter, relay))


@pytest.mark.parametrize("mode", MODES)
async def test_h77_an_account_delegated_by_eip_7702_is_credited_net_and_warned_of(
    chain: Chain, mode: str, capsys: pytest.CaptureFixture[str]
) -> None:
    adapter = await chain.of_mode(mode)
    relay = chain.node.deploy(contracts.bytecode("relay") + f"{4:064x}")
    first = await adapter.block(chain.node.height)
    chain.node.rpc("anvil_setCode", OURS, "0xef0100" + relay[2:])
    chain.send(OURS, 9)
    transfers = await chain.mined(adapter, OURS)
    last = await adapter.block(chain.node.height)
    assert first is not None
    assert last is not None
    (coin, _) = await adapter.holdings(first, last, [adapter.canonical(OURS.lower())])

    assert [("ETH", "value", 4)] == found(transfers)
    assert (0, 4, True) == (coin.before, coin.after, coin.moved)
    assert "account.has_code" in capsys.readouterr().out


async def test_the_cost_of_balances_is_one_question_an_account_and_read(chain: Chain) -> None:
    """What was read at the end of one read is the beginning of the next."""
    adapter = await chain.of_mode("balance")
    asked = chain.proxies[0].asked
    others = [f"0x{number:040x}" for number in range(0x1000, 0x1020)]
    await chain.mined(adapter, *others)
    asked.clear()
    for _ in range(5):
        await chain.mined(adapter, *others)

    assert 5 * len(others) == asked["eth_getBalance"]


async def test_a_new_account_is_compared_with_what_it_held_before(chain: Chain) -> None:
    adapter = await chain.of_mode("balance")
    chain.send(OTHER, 100)
    await chain.mined(adapter, OURS)
    chain.call("forward(address)", OTHER, value=9)

    assert [(9, False)] == amounts(await chain.mined(adapter, OURS, OTHER))


async def test_the_first_blocks_of_a_chain_are_read_although_nothing_precedes_them(chain: Chain) -> None:
    adapter = await chain.of_mode("balance")
    chain.call("forward(address)", OURS, value=9)
    chain.node.mine()

    assert [(9, False)] == amounts(await chain.read(adapter, 0))


# --- in every mode


@pytest.mark.parametrize("mode", MODES)
async def test_h70_a_replaced_or_dropped_transaction_is_not_credited(chain: Chain, mode: str) -> None:
    adapter = await chain.of_mode(mode)
    chain.node.mine()
    nonce = chain.node.rpc("eth_getTransactionCount", chain.node.accounts[0], "latest")
    chain.send(OURS, 5, nonce=nonce, gasPrice=hex(10**10))
    assert () == (await adapter.mempool(looking_for(OURS))).transfers
    chain.send(OURS, 6, nonce=nonce, gasPrice=hex(10**11))
    dropped = chain.send(OURS, 7)
    chain.node.rpc("anvil_dropTransaction", dropped)

    assert [("ETH", "value", 6)] == found(await chain.mined(adapter))


@pytest.mark.parametrize("mode", MODES)
async def test_h67_the_largest_sums_keep_every_digit(chain: Chain, mode: str) -> None:
    adapter = await chain.of_mode(mode)
    await chain.mined(adapter)
    chain.node.rpc("anvil_setBalance", chain.calls, hex(2**256 - 1))
    chain.call("pay_out(address,uint256)", OURS, 2**255 + 1)

    assert [(2**255 + 1, mode != "balance")] == amounts(await chain.mined(adapter))


@pytest.mark.parametrize("mode", MODES)
async def test_h76_accounts_are_compared_by_their_bytes(chain: Chain, mode: str) -> None:
    """Whatever the case of the letters on its way; told in the one form of EIP-55."""
    adapter = await chain.of_mode(mode)
    chain.send(OURS.upper().replace("X", "x"), 5)
    chain.call("forward(address)", OURS.lower(), value=6)
    transfers = await chain.mined(adapter, OURS.lower())

    assert ([5, 6], {adapter.canonical(OURS.lower())}) == (
        [each.amount for each in transfers],
        {each.address for each in transfers},
    )


@pytest.mark.parametrize(
    ("mode", "what"),
    [
        pytest.param("traces", "the traces", id="traces"),
        pytest.param("balance", "the balances", id="balance"),
    ],
)
async def test_h74_what_was_pruned_is_named_and_never_skipped(
    anvil_factory: AnvilFactory, mode: str, what: str
) -> None:
    chain = Chain(anvil_factory(prune_history=100))
    chain.call("forward(address)", OURS, value=9)
    chain.node.mine()
    paid = chain.node.height
    chain.node.mine(250)
    adapter: Adapter = await chain.of_mode(mode)
    try:
        await adapter.tip()
        with pytest.raises(BlocksMissing, match=f"no longer has {what}") as caught:
            await adapter.read(paid - 1, paid + 20, looking_for(OURS))
    finally:
        await chain.close()

    assert caught.value.first <= paid <= caught.value.last <= paid + 20


PRUNED = [
    ("traces", "debug_traceBlockByHash", "required historical state unavailable (reexec=128)", "traces"),
    ("parity", "trace_block", "state at block #7 is pruned", "traces"),
    ("logs", "eth_getBlockReceipts", "pruned history unavailable", "receipts"),
    ("balance", "eth_getBalance", "missing trie node 0a1b (path ) state 0x2c is not available", "balances"),
]


@pytest.mark.parametrize(("mode", "method", "message", "what"), PRUNED, ids=[row[0] for row in PRUNED])
async def test_h74_the_limit_of_a_pruned_node_is_learnt_in_every_mode(
    chain: Chain, mode: str, method: str, message: str, what: str
) -> None:
    adapter = await chain.of_mode(mode)
    first = chain.node.height + 1
    for _ in range(10):
        chain.call("forward(address)", OURS, value=9)
        chain.node.mine()
    chain.node.mine(70)
    await adapter.tip()
    chain.proxies[0].pruned = (method, first + 5, message)
    with pytest.raises(BlocksMissing, match=f"no longer has the {what}") as caught:
        await adapter.read(first, first + 9, looking_for(OURS))
    rest = (await adapter.read(caught.value.last + 1, first + 9, looking_for(OURS))).transfers

    after = 1 if mode == "balance" else 0
    assert (first, first + 5 + after) == (caught.value.first, caught.value.last)
    assert 4 - after == len(rest)


@pytest.mark.parametrize("mode", TELLING)
async def test_the_modes_that_tell_agree_on_every_amount(chain: Chain, mode: str) -> None:
    """One block with everything in it, read by all of them."""
    reference, adapter = await chain.of_mode("traces"), await chain.of_mode(mode)
    for value in (3, 6):
        chain.send(OURS, value)
        chain.call("nested(address)", OURS, value=value)
        chain.call("attempt(address)", OURS, value=value)
        chain.call("destroy(address)", OURS, value=value)
        chain.call("thrice(address)", OURS, value=value)
        chain.tell("pay(address,uint256,uint256)", OURS, value, value)
    expected = await chain.mined(reference)

    assert 14 == len(expected)
    assert [(t.txid, t.asset, t.amount) for t in expected] == [
        (t.txid, t.asset, t.amount) for t in await chain.read(adapter, chain.node.height)
    ]
