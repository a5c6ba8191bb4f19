"""What to sign elsewhere to refund on an EVM chain: a link for wallets, and a transaction's fields. Pure.

Nonce, gas and fees are the wallet's affair, and so is the account: what was received lies on `from`, and any
other account may pay. Source: the ERC-20 ABI.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from chains.base import AddressError, Unsigned

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from chains.base import Asset, Coin
    from chains.keys import EvmPublicKey, Origin

_TRANSFER = "a9059cbb"
"""The selector of transfer(address,uint256)."""
_NOBODY = 0


def check_destination(address: str, assets: Sequence[Asset]) -> None:
    """Raise AddressError for an address from which nobody gets anything back."""
    if int(address, 16) == _NOBODY:
        raise AddressError("this is the zero address, which belongs to nobody: give the payer's own")
    for asset in assets:
        if asset.contract == address:
            raise AddressError(f"this is the contract of {asset.symbol} itself: give the payer's own address")


def transaction(chain: int, asset: Asset, address: str, amount: int) -> dict[str, Any]:
    """Return the fields that say what is paid to whom; the value is decimal text, as JSON needs it."""
    if asset.contract is None:
        return {"chain_id": chain, "to": address, "value": str(amount), "data": "0x"}
    data = f"0x{_TRANSFER}{address[2:].lower():0>64}{amount:064x}"
    return {"chain_id": chain, "to": asset.contract, "value": "0", "data": data}


def sources(coins: Iterable[Coin], key: EvmPublicKey | None, origin: Origin | None) -> list[dict[str, Any]]:
    """Return the accounts that received these coins, each with its path below the wallet's key."""
    sums: defaultdict[tuple[str, int | None], int] = defaultdict(int)
    for coin in coins:
        sums[coin.address, coin.index] += coin.amount
    found = []
    for (address, index), amount in sums.items():
        ours = key is not None and index is not None and key.address(index) == address
        path = origin.path(0, index) if ours and origin is not None and index is not None else None
        found.append({"address": address, "path": path, "amount": amount})
    return found


def unsigned(uri: str, fields: dict[str, Any], senders: list[dict[str, Any]], amount: int) -> Unsigned:
    """Put them together: the sender pays the gas, so all of the amount arrives."""
    return Unsigned(amount, {"kind": "evm", "uri": uri, "transaction": fields, "from": senders})
