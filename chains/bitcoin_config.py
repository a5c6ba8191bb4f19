"""The keys of `[chains.NAME]` of kind "bitcoin". Knows the coins and their networks, never a node."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from chains import keys
from chains.base import AddressError
from chains.bitcoin_coins import DECIMALS, GENESIS
from chains.config import ChainConfig, Depth, base_units


class Config(ChainConfig):
    """The keys of a chain of kind "bitcoin".

    `genesis` is pinned by coin and network unless given. `rest`: fetch blocks by REST where the node offers
    it. `stale_after` seconds without a new block the node counts as stalled, and no deadline passes; 0 is
    never, and what test networks do where nothing is set. `zero_conf_fee_target`: at 0 confirmations only
    payments count whose fee gets them, by the node's estimate, into one of so many blocks.
    """

    kind: Literal["bitcoin"]
    coin: Literal["bitcoin", "litecoin", "dogecoin"]
    network: Literal["mainnet", "testnet", "testnet4", "signet", "regtest"] = "mainnet"
    genesis: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    rest: bool = True
    stale_after: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    zero_conf_fee_target: Annotated[int, Field(ge=1, le=1008)] = 3

    @model_validator(mode="after")
    def _exists(self) -> Self:
        names = [network for coin, network in GENESIS if coin == self.coin]
        if self.network not in names:
            raise ValueError(f"{self.coin} has no network {self.network}; write one of {', '.join(names)}")
        return self

    @model_validator(mode="after")
    def _has_a_public_key(self) -> Self:
        if self.xpub is None:
            return self
        try:
            key = keys.PublicKey.parse(self.xpub, keys.network(self.coin, self.network), self.script)
        except AddressError as error:
            raise ValueError(f"xpub: {error}") from None
        try:
            keys.origin(key.xpub, self.key_origin)
        except AddressError as error:
            raise ValueError(f"key_origin: {error}") from None
        return self

    @model_validator(mode="after")
    def _dust_fits(self) -> Self:
        base_units(self.dust, DECIMALS)
        return self

    @model_validator(mode="after")
    def _has_no_finality(self) -> Self:
        depths: list[Depth] = [
            self.confirmations,
            *(each.confirmations for each in self.confirmations_by_amount),
        ]
        if any(isinstance(depth, str) for depth in depths):
            raise ValueError(f"{self.coin} has no safe or finalized blocks; write confirmations as a number")
        return self
