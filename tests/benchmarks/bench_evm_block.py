"""One EVM block read by the adapter, beside AsyncWeb3's get_block with get_logs: time on our processor."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from web3 import AsyncHTTPProvider, AsyncWeb3

from chains.base import Watched
from chains.evm import Adapter, Config
from evm_block_data import HEIGHT, TOKEN, Maker, Recorded
from harness import Report, race
from stub_node import serving

if TYPE_CHECKING:
    from pathlib import Path

    from harness import Scale, Work


async def run(scale: Scale, folder: Path) -> Report:
    chance = random.Random(3)
    watched = [chance.randbytes(20) for _ in range(scale.accounts)]
    recorded = Maker(scale.transactions, scale.logs, watched).make()
    report = Report(f"EVM block: {scale.transactions} transactions, {scale.logs:,} logs")
    with serving(_answers(recorded), folder) as url:
        without, traced = _adapter(url, "off"), _adapter(url, "auto")
        web3 = AsyncWeb3(AsyncHTTPProvider(url))
        works: dict[str, Work] = {
            "quiet": partial(_read, without, Watched({bytes(20)}), 0),
            "ours": partial(_read, without, Watched(set(watched)), recorded.credits),
            "traced": partial(_read, traced, Watched(set(watched)), recorded.credits),
            "web3": partial(_through_web3, web3, scale),
        }
        try:
            await without.open()
            await traced.open()
            _figures(report, await race(works, scale.rounds))
        finally:
            await web3.provider.disconnect()
            await without.close()
            await traced.close()
    _sizes(report, recorded)
    return report


def _figures(report: Report, found: dict[str, Any]) -> None:
    quiet, ours, traced, web3 = found["quiet"], found["ours"], found["traced"], found["web3"]
    report.add("quiet_cpu_ms", "adapter, nothing for us, as in most blocks: processor", quiet.cpu, "ms")
    report.add("ours_cpu_ms", "adapter, with payments, so the receipts are proven: processor", ours.cpu, "ms")
    report.add("ours_wall_ms", "  wall clock", ours.wall, "ms")
    report.add("traced_cpu_ms", "adapter, with traces: processor", traced.cpu, "ms")
    report.add("traced_wall_ms", "  wall clock", traced.wall, "ms")
    report.add("web3_cpu_ms", "AsyncWeb3: processor", web3.cpu, "ms")
    report.add("web3_wall_ms", "  wall clock", web3.wall, "ms")
    factors = [web3.cpu / each.cpu for each in (quiet, ours, traced)]
    label = "less processor time than AsyncWeb3, nothing for us"
    report.add("less_cpu_than_web3", label, factors[0], "times", at_least=20)
    report.add("less_cpu_with_payments", "  the same, with payments", factors[1], "times")
    report.add("less_cpu_traced", "  the same, with traces on our side, too", factors[2], "times")


def _sizes(report: Report, recorded: Recorded) -> None:
    block, receipts, logs, traces = (
        len(msgspec.json.encode(each)) / 1e6
        for each in (recorded.block, recorded.receipts, recorded.logs, recorded.traces)
    )
    report.notes.append(
        f"JSON in geth's shapes from a process of its own. Both read the same block ({block:.2f} MB): "
        f"AsyncWeb3 with get_block(full) and get_logs ({logs:.2f} MB), the adapter with all receipts "
        f"({receipts:.2f} MB), which prove that no log is missing and that a transaction succeeded. Traces "
        f"are {traces:.2f} MB more, and AsyncWeb3 is not asked for them."
    )


def _answers(recorded: Recorded) -> dict[str, Any]:
    return {
        "eth_chainId": "0x1",
        "eth_getBalance": "0x0",
        "eth_getBlockByNumber latest": recorded.header,
        "eth_getBlockByNumber": recorded.block,
        "eth_getBlockReceipts": recorded.receipts,
        "eth_getLogs": recorded.logs,
        "eth_call": f"0x{6:064x}",
        "debug_traceBlockByHash": recorded.traces,
    }


def _adapter(url: str, traces: str) -> Adapter:
    token = {"symbol": "USDT", "contract": TOKEN, "decimals": 6}
    keys = {
        "chain_id": 1,
        "native": "ETH",
        "rpc": [url],
        "confirmations": 1,
        "assets": [token],
        "traces": traces,
    }
    return Adapter("ethereum", Config.model_validate(keys), lambda: datetime.now(UTC))


async def _read(adapter: Adapter, watched: Watched, expected: int) -> None:
    reading = await adapter.read(HEIGHT, HEIGHT, watched)
    if len(reading.transfers) != expected:
        raise AssertionError(f"{len(reading.transfers)} credits found, {expected} made")


async def _through_web3(web3: AsyncWeb3[Any], scale: Scale) -> None:
    block = await web3.eth.get_block(HEIGHT, full_transactions=True)
    logs = await web3.eth.get_logs({"blockHash": block["hash"]})
    if (len(block["transactions"]), len(logs)) != (scale.transactions, scale.logs):
        raise AssertionError("web3 has not read the whole block")
