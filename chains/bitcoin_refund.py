"""What to sign elsewhere to refund from the outputs that were received: asks the node, plans, writes it down.

Holds no private key and sends nothing. The figures are in bitcoin_plan.py, the PSBT is in bitcoin_psbt.py.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from chains import bitcoin_calls as ask
from chains import bitcoin_plan, bitcoin_psbt, keys
from chains.base import ChainMoved, NodeUnavailable, Unsigned
from chains.bitcoin_plan import Plan, Spend
from chains.bitcoin_transaction import without_witness
from chains.bitcoin_wire import WireError
from chains.rpc import RpcError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chains.base import Coin
    from chains.bitcoin_coins import Coin as Kind
    from chains.bitcoin_psbt import Signer
    from chains.keys import Network
    from chains.rpc import Node

_FEE_TARGET = 6
"""Blocks within which a refund should be mined."""


class Refunds:
    """Those of one chain. `signer` None: every address was brought by a caller."""

    def __init__(self, kind: Kind, network: Network, signer: Signer | None) -> None:
        self._kind = kind
        self._network = network
        self._signer = signer

    async def unsigned(self, node: Node, coins: Sequence[Coin], address: str, amount: int) -> Unsigned:
        """Return the PSBT and its figures; without one, `note` says in a line why there is none."""
        left = await _unspent(node, [self._spend(each) for each in coins])
        held = sum(each.coin.amount for each in left)
        if held < min(amount, sum(each.amount for each in coins)):
            return self._elsewhere(address, amount)
        if held < amount:
            raise ValueError(f"the payments are {held} base units, and {amount} are to be refunded")
        rate = max(await ask.fee_rate(node, _FEE_TARGET), await ask.relay_rate(node), self._kind.least_rate)
        destination = keys.script_of(address, self._network)
        plan = bitcoin_plan.make(left, amount, rate, (destination, self._change_script(left)), self._kind)
        return Unsigned(plan.arrives, await self._fields(node, plan, address, rate))

    async def _fields(self, node: Node, plan: Plan, address: str, rate: int) -> dict[str, Any]:
        index = next((each.coin.index for each in plan.spends if each.ours), None)
        outputs = [{"address": address, "amount": plan.arrives, "change": False}]
        if plan.change and self._signer is not None and index is not None:
            back = self._signer.key.change(index)
            outputs.append({"address": back, "amount": plan.change, "change": True})
        psbt, note = await self._psbt(node, plan, keys.script_of(address, self._network), index)
        fields = {
            "kind": "psbt",
            "psbt": psbt,
            "inputs": [self._input(each) for each in plan.spends],
            "outputs": outputs,
            "fee": plan.fee,
            "fee_rate": f"{Decimal(rate).scaleb(-3).normalize():f}",
            "vsize": plan.vsize,
        }
        return fields if note is None else {**fields, "note": note}

    async def _psbt(
        self, node: Node, plan: Plan, destination: bytes, index: int | None
    ) -> tuple[str | None, str | None]:
        """Return the PSBT, or why there is none."""
        if plan.change and index is None:
            return None, (
                "no PSBT: the addresses are not below the chain's xpub, so that there is none for the change "
                f"of {plan.change} base units; pay from the wallet that the addresses came from"
            )
        if not bitcoin_psbt.available():
            return None, bitcoin_psbt.MISSING
        previous: dict[str, bytes] = {}
        for spend in plan.spends:
            if not spend.witness:
                found = await self._previous(node, spend.coin)
                if found is None:
                    return None, (
                        f"no PSBT: the node has thrown away transaction {spend.coin.txid}, which has to be "
                        "in it; spend the inputs from your wallet"
                    )
                previous[spend.coin.txid] = found
        return bitcoin_psbt.build(plan, destination, index, self._signer, previous), None

    async def _previous(self, node: Node, coin: Coin) -> bytes | None:
        """Return the transaction that made a coin, from its block; None where the node has pruned it."""
        try:
            found = await ask.transaction(node, coin.txid, coin.block.hash)
        except RpcError as error:
            if error.code == ask.NOT_FOUND or "pruned" in error.message:
                return None
            raise
        try:
            return without_witness(ask.unhex(found.hex, "getrawtransaction"), coin.txid, self._kind.dialect)
        except WireError as error:
            raise NodeUnavailable(f"{node.url}: {error}") from error

    def _elsewhere(self, address: str, amount: int) -> Unsigned:
        """Answer for outputs that were moved on: the merchant's wallet has the money somewhere else."""
        fields = {
            "kind": "psbt",
            "psbt": None,
            "inputs": [],
            "outputs": [{"address": address, "amount": amount, "change": False}],
            "fee": None,
            "fee_rate": None,
            "vsize": None,
            "note": "no PSBT: what was received was spent already; pay the refund from your wallet",
        }
        return Unsigned(amount, fields)

    def _spend(self, coin: Coin) -> Spend:
        key = self._signer.key if self._signer is not None else None
        ours = key is not None and coin.index is not None and key.address(coin.index) == coin.address
        script = keys.script_of(coin.address, self._network)
        return Spend(coin, int(coin.slot.removeprefix("vout:")), script, ours)

    def _change_script(self, spends: Sequence[Spend]) -> bytes:
        """Return a script of the change's length; where none can be made, any input's stands for it."""
        index = next((each.coin.index for each in spends if each.ours), None)
        if self._signer is None or index is None:
            return spends[0].script
        return keys.script_of(self._signer.key.change(index), self._network)

    def _input(self, spend: Spend) -> dict[str, Any]:
        coin, path = spend.coin, None
        if spend.ours and self._signer is not None and coin.index is not None:
            path = self._signer.origin.path(0, coin.index)
        return {
            "txid": coin.txid,
            "vout": spend.vout,
            "amount": coin.amount,
            "address": coin.address,
            "path": path,
        }


async def _unspent(node: Node, spends: Sequence[Spend]) -> list[Spend]:
    """Leave out what was spent; ChainMoved where the node has not, or no longer, the block that paid it."""
    left = []
    for spend in spends:
        if not await ask.spent(node, spend.coin.txid, spend.vout):
            left.append(spend)
        elif await ask.block_hash(node, spend.coin.block.height) != spend.coin.block.hash:
            raise ChainMoved(f"{node.url}: block {spend.coin.block.height} is another one, or not there yet")
    return left
