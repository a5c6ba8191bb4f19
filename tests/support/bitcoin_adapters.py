"""What the tests of the Bitcoin family's adapter share: adapters of a node, and conflicting transactions."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from chains import keys
from chains.base import Transfer, Watched
from chains.bitcoin import Adapter, Config

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from watcher.sandbox.litecoind import Litecoind

    Connect = Callable[..., Adapter]

COIN = 10**8
BURN = str(keys.address_of(b"\x00\x14" + b"\x01" * 20, keys.network("litecoin", "regtest")))
"""Nobody's address: what is mined to it does not get in a test's way."""


def now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def connecting() -> AsyncIterator[Connect]:
    """Make adapters of nodes and close them afterwards; the keys are those of the configuration."""
    adapters: list[Adapter] = []

    def adapter(*nodes: Litecoind, clock: Callable[[], datetime] = now, **chosen: Any) -> Adapter:
        settings = {"kind": "bitcoin", "coin": "litecoin", "network": "regtest", "confirmations": 1} | chosen
        config = Config(rpc=tuple(node.url for node in nodes), **settings)
        adapters.append(Adapter("ltc", config, clock))
        return adapters[-1]

    yield adapter
    for each in adapters:
        await each.close()


def watch(adapter: Adapter, *addresses: str) -> Watched:
    """Watch these addresses."""
    return Watched({adapter.key(address) for address in addresses})


async def mined(adapter: Adapter, watched: Watched, blocks: int = 1) -> tuple[Transfer, ...]:
    """Return what the newest blocks pay."""
    head = (await adapter.tip()).head.height
    return (await adapter.read(head - blocks + 1, head, watched)).transfers


def inputs_of(node: Litecoind, txid: str) -> list[str]:
    """Return the outpoints that a transaction of the wallet spends."""
    decoded = node.rpc("decoderawtransaction", node.rpc("gettransaction", txid)["hex"])
    return [f"{each['txid']}:{each['vout']}" for each in decoded["vin"]]


def conflict(node: Litecoind, txid: str, pays: dict[str, str]) -> str:
    """Return a signed transaction that spends the same coins as `txid`."""
    decoded = node.rpc("decoderawtransaction", node.rpc("gettransaction", txid)["hex"])
    spends = [{"txid": each["txid"], "vout": each["vout"], "sequence": 0} for each in decoded["vin"]]
    raw = node.rpc("createrawtransaction", spends, [pays])
    return str(node.rpc("signrawtransactionwithwallet", raw)["hex"])


def all_but_fee(node: Litecoind, txid: str) -> Decimal:
    """Return what the inputs of `txid` hold, less a fee that replaces any earlier one."""
    held = Decimal(0)
    for each in inputs_of(node, txid):
        source, _, vout = each.partition(":")
        held += Decimal(str(node.rpc("gettxout", source, int(vout), False)["value"]))
    return held - Decimal("0.01")
