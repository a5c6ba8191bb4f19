"""Balances at the end of a block, of the coin and of tokens, always by the block's hash."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

from chains.base import NodeUnavailable
from chains.evm_blocks import quantity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from chains.rpc import Node

_BALANCE_OF = "0x70a08231" + "0" * 24
_REMEMBERED = 4
"""Blocks whose balances are kept: the end of one read is the beginning of the next."""


class Held(NamedTuple):
    """What an account holds of an asset."""

    asset: str
    account: bytes


class Balances:
    """Asks for balances, and remembers those at the blocks where reads ended."""

    def __init__(self, contracts: Mapping[str, str]) -> None:
        """`contracts` of the tokens, by asset; any other asset is the chain's own coin."""
        self._contracts = contracts
        self._known: OrderedDict[str, dict[Held, int]] = OrderedDict()

    async def at(self, node: Node, wanted: Iterable[tuple[str, Held]]) -> dict[tuple[str, Held], int]:
        """Return balances by block hash and holding; what is remembered is not asked for again."""
        found: dict[tuple[str, Held], int] = {}
        asked: list[tuple[str, Held]] = []
        for each in wanted:
            known = self._known.get(each[0], {}).get(each[1])
            if known is None:
                asked.append(each)
            else:
                found[each] = known
        answers = await node.calls([self._request(*each) for each in asked], of=str)
        await self._no_contract(
            node, [each for each, text in zip(asked, answers, strict=True) if text == "0x"]
        )
        return found | {each: self._amount(each[1], text) for each, text in zip(asked, answers, strict=True)}

    def remember(self, block: str, balances: Mapping[Held, int]) -> None:
        """Keep the balances at the end of a block for the next read; the oldest are forgotten."""
        self._known.setdefault(block, {}).update(balances)
        self._known.move_to_end(block)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    async def _no_contract(self, node: Node, empty: Sequence[tuple[str, Held]]) -> None:
        """Make sure that where a token gave no bytes for a balance, there is no contract in that block."""
        tokens = [(block, contract) for block, held in empty if (contract := self._contracts.get(held.asset))]
        requests = [("eth_getCode", [contract, {"blockHash": block}]) for block, contract in tokens]
        if any(code != "0x" for code in (await node.calls(requests, of=str) if requests else ())):
            raise NodeUnavailable(f"{node.url}: the node gave no balance of a token")

    def _request(self, block: str, held: Held) -> tuple[str, list[Any]]:
        contract = self._contracts.get(held.asset)
        if contract is None:
            return "eth_getBalance", ["0x" + held.account.hex(), {"blockHash": block}]
        call = {"to": contract, "data": _BALANCE_OF + held.account.hex()}
        return "eth_call", [call, {"blockHash": block}]

    def _amount(self, held: Held, answer: str) -> int:
        """Return a balance; there is none yet in the block before a token was made."""
        if held.asset not in self._contracts:
            return quantity(answer)
        if answer == "0x":
            return 0
        if len(answer) < 2 + 64:
            raise NodeUnavailable("the node gave no balance of a token")
        return quantity(answer[:66])
