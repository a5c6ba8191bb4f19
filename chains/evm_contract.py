"""What a token's contract says of itself, through web3's ABI machinery over our own connection."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from web3 import AsyncWeb3
from web3.exceptions import BadFunctionCallOutput, ContractLogicError, Web3Exception
from web3.providers.async_base import AsyncBaseProvider

from chains.base import NodeMisbehaved, NodeUnavailable
from chains.rpc import RpcError

if TYPE_CHECKING:
    from chains.base import Asset
    from chains.rpc import Node

logging.getLogger("web3").setLevel(logging.INFO)  # at DEBUG it prints bodies

_ABI = [
    {
        "type": "function",
        "name": "decimals",
        "stateMutability": "view",
        "inputs": [],
        "outputs": [{"name": "", "type": "uint8"}],
    }
]


class Provider(AsyncBaseProvider):
    """Lends one of our endpoints to web3."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self._node = node

    async def make_request(self, method: Any, params: Any) -> Any:
        """Return web3's form of an answer; what is no answer raises as it does everywhere."""
        try:
            return {"jsonrpc": "2.0", "id": 1, "result": await self._node.call(method, params, of=str)}
        except RpcError as error:
            return {"jsonrpc": "2.0", "id": 1, "error": {"code": error.code, "message": error.message}}


async def check_decimals(node: Node, token: Asset, address: str) -> None:
    """Compare the pinned decimals with the contract's; NodeMisbehaved if they differ or it has none."""
    web3 = AsyncWeb3(Provider(node), middleware=[])
    contract = web3.eth.contract(web3.to_checksum_address(address), abi=_ABI)
    where = f"{token.symbol} at {address}"
    try:
        decimals = await contract.functions.decimals().call()
    except (BadFunctionCallOutput, ContractLogicError):
        raise NodeMisbehaved(f"{where} is no token: the contract does not answer decimals()") from None
    except Web3Exception as error:
        raise NodeUnavailable(f"{where}: decimals() could not be asked: {type(error).__name__}") from None
    if decimals != token.decimals:
        raise NodeMisbehaved(
            f"{where} has {decimals} decimals, the configuration says {token.decimals}; correct `decimals`"
        )
