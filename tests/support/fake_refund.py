"""What there is to sign for a refund on the fake chain, and how its transactions are named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chains.base import AddressError, Unsigned
from fake_chain import COIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chains.base import Coin

FEE = 1000
"""Base units that any transaction with the coin costs."""
_ID_DIGITS = 64


def transaction_id(text: str) -> str:
    """Accept 64 hex digits in any case, with 0x or without."""
    lower = text.strip().lower().removeprefix("0x")
    if len(lower) != _ID_DIGITS or not set(lower) <= set("0123456789abcdef"):
        raise AddressError("this is not a transaction id: it has 64 hex digits")
    return lower


def unsigned(coins: Sequence[Coin], address: str, asset: str, amount: int) -> Unsigned:
    """The coin's fee is a flat one, and taken from what arrives where the coins leave nothing for it."""
    chosen = [coin for coin in coins if coin.asset == asset]
    held = sum(coin.amount for coin in chosen)
    fee = FEE if asset == COIN else 0
    if held < amount:
        raise ValueError(f"the payments are {held} base units, and {amount} are to be refunded")
    arrives = min(amount, held - fee)
    if arrives <= 0:
        raise ValueError(f"the payments of {held} base units do not cover the fee of {fee}")
    fields = {
        "kind": "fake",
        "inputs": [{"txid": coin.txid, "slot": coin.slot, "amount": coin.amount} for coin in chosen],
        "outputs": [{"address": address, "asset": asset, "amount": arrives}],
        "fee": fee,
    }
    return Unsigned(arrives, fields)
