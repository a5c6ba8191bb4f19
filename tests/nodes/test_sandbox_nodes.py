"""The private nodes themselves: they start on ports of their own, come back, and leave nothing behind."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from watcher.sandbox import token
from watcher.sandbox.anvil import Anvil
from watcher.sandbox.node import StartError
from watcher.sandbox.rpc import CallError, call

if TYPE_CHECKING:
    from collections.abc import Callable

    from node_fixtures import AnvilFactory, LitecoindFactory
    from watcher.sandbox.litecoind import Litecoind


def test_anvil_mines_on_demand_without_putting_its_clock_ahead(anvil: Anvil) -> None:
    anvil.mine(50)
    head = anvil.rpc("eth_getBlockByNumber", "latest", False)

    assert 50 == anvil.height
    assert int(head["timestamp"], 16) <= time.time() + 2


def test_two_anvils_do_not_meet(anvil_factory: AnvilFactory) -> None:
    first, second = anvil_factory(), anvil_factory(chain_id=4242)
    first.mine(3)

    assert (3, 0) == (first.height, second.height)
    assert hex(4242) == second.rpc("eth_chainId")


def test_an_anvil_that_keeps_its_chain_has_it_after_a_restart(anvil_factory: AnvilFactory) -> None:
    node = anvil_factory(keep=True)
    txid = node.send(node.accounts[1], 5)
    node.mine()
    before = (node.url, node.rpc("eth_getBlockByNumber", "0x1", True), node.receipt(txid))
    node.restart()

    assert before == (node.url, node.rpc("eth_getBlockByNumber", "0x1", True), node.receipt(txid))


def test_litecoind_keeps_chain_mempool_and_wallet_over_a_restart(litecoind: Litecoind) -> None:
    txid = litecoind.pay(litecoind.new_address(), "0.5")
    before = (litecoind.url, litecoind.rpc("getbestblockhash"), litecoind.rpc("getbalance"))
    litecoind.restart()

    assert before == (litecoind.url, litecoind.rpc("getbestblockhash"), litecoind.rpc("getbalance"))
    assert [txid] == litecoind.rpc("getrawmempool")


def test_amounts_of_a_node_are_exact(litecoind: Litecoind) -> None:
    address = litecoind.new_address()
    litecoind.pay(address, "0.29")

    assert Decimal("0.29") == litecoind.rpc("getreceivedbyaddress", address, 0)


def test_litecoind_mines_past_the_mweb_height_when_that_is_put_off(litecoind: Litecoind) -> None:
    litecoind.mine(432 - litecoind.height + 5)

    assert "mweb" not in litecoind.rpc("getblock", litecoind.rpc("getbestblockhash"))


def test_h30_litecoind_has_extension_blocks_when_asked(litecoind_factory: LitecoindFactory) -> None:
    node = litecoind_factory(mweb=True)
    node.pay(node.new_address("mweb"), "2")
    block = node.mine()[0]

    assert 1 <= node.rpc("getblock", block)["mweb"]["num_kernels"]


def test_a_peer_follows_the_node_that_it_was_given(litecoind_factory: LitecoindFactory) -> None:
    first = litecoind_factory(listen=True)
    second = litecoind_factory(funded=False, peer=first)
    _eventually(lambda: second.height == first.height)

    assert first.rpc("getbestblockhash") == second.rpc("getbestblockhash")


def test_rest_and_indexes_are_what_was_asked_for(litecoind_factory: LitecoindFactory) -> None:
    node = litecoind_factory(rest=False, txindex=True, filterindex=True)

    assert {"txindex", "basic block filter index"} == node.rpc("getindexinfo").keys()
    with pytest.raises(CallError, match="404"):
        call(node.url + "/rest/chaininfo.json", "anything")


def test_a_refused_call_says_which_and_why(litecoind: Litecoind) -> None:
    with pytest.raises(CallError, match=r"^getblockhash: Block height out of range \(-8\)$"):
        litecoind.rpc("getblockhash", 10**6)


def test_a_node_that_cannot_start_shows_the_end_of_its_log(tmp_path: Path, anvil_binary: Path) -> None:
    node = Anvil(anvil_binary, tmp_path, extra=["--no-such-flag"])

    with pytest.raises(StartError, match="unexpected argument '--no-such-flag'"):
        node.start()
    assert node.process is None


def test_a_killed_node_answers_no_more_and_starts_again_on_its_port(litecoind: Litecoind) -> None:
    url = litecoind.url
    litecoind.kill()
    with pytest.raises(OSError, match="refused"):
        litecoind.rpc("getblockcount")
    litecoind.start()

    assert url == litecoind.url


_PARENT = """
import sys, time
from pathlib import Path
from watcher.sandbox.anvil import Anvil
node = Anvil(Path(sys.argv[1]), Path(sys.argv[2])).start()
print(node.process.pid, flush=True)
time.sleep(60 if sys.argv[3] == "stay" else 0)
"""


@pytest.mark.parametrize("ending", ["killed", "returned"])
def test_no_node_outlives_the_program_that_started_it(
    anvil_binary: Path, tmp_path: Path, ending: str
) -> None:
    command = [sys.executable, "-c", _PARENT, str(anvil_binary), str(tmp_path)]
    with subprocess.Popen(
        [*command, "stay" if ending == "killed" else "go"], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        if ending == "killed":
            parent.send_signal(signal.SIGKILL)
    _eventually(lambda: not _runs(child))

    assert not _runs(child)


def test_the_committed_token_is_its_source_compiled() -> None:
    from vyper_contracts import compiled  # noqa: PLC0415 - the compiler takes half a second to load

    output = compiled(token.SOURCE)

    assert token.artefact() == {"abi": output["abi"], "bytecode": output["bytecode"]}


def test_the_token_moves_and_logs(anvil: Anvil) -> None:
    address = token.create(anvil, name="Test Dollar", symbol="TUSD", decimals=6, supply=10**12)
    txid = token.send(anvil, address, anvil.accounts[1], 1_500_000)
    anvil.mine()
    receipt = anvil.receipt(txid)

    assert receipt is not None
    assert [hex(1_500_000)] == [hex(int(log["data"], 16)) for log in receipt["logs"]]


def _eventually(condition: Callable[[], bool], within: float = 15.0) -> None:
    deadline = time.monotonic() + within
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    """Whether the process is there and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_nodes_listen_on_127_0_0_1_alone(litecoind: Litecoind, anvil: Anvil) -> None:
    for node in (litecoind, anvil):
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.2", node.port), timeout=5)
