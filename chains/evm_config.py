"""The keys of `[chains.NAME]` for `kind = "evm"`, checked, and the assets that they name."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from chains.base import AddressError, Asset
from chains.config import AssetConfig, ChainConfig, base_units
from chains.evm_native_logs import EMITTER
from chains.keys import EvmPublicKey, checksum, origin

ETHER = 60
"""SLIP-44's number of Ether, by which CAIP-19 names the native coin of a chain without one of its own."""

_Address = Annotated[str, AfterValidator(checksum)]
_Hash = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{64}$"), AfterValidator(str.lower)]


class Token(AssetConfig):
    """A token of the allow-list; `contract` becomes its EIP-55 form."""

    contract: _Address

    @model_validator(mode="after")
    def _dust_fits(self) -> Self:
        base_units(self.dust, self.decimals)
        return self


class Config(ChainConfig):
    """A chain of the Ethereum family.

    `genesis`: the hash of block 0, compared if given. `native`: the symbol of the chain's own coin, `slip44`
    its registered number. `native_emitters`: contracts whose Transfer logs repeat movements of the native
    coin (Polygon's 0x…1010). `traces`: how value moved inside contracts is found; auto takes the best that an
    endpoint offers, in this order; off: it is not looked for. `logs_bloom` off: the chain fills the field
    with something else, so it proves nothing; `receipts_root` off: the same of that field.
    """

    kind: Literal["evm"] = "evm"
    chain_id: Annotated[int, Field(gt=0)]
    genesis: _Hash | None = None
    native: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,15}$")]
    native_decimals: Annotated[int, Field(ge=0, le=77)] = 18
    slip44: Annotated[int, Field(ge=0, lt=2**31)] = ETHER
    assets: tuple[Token, ...] = ()
    native_emitters: tuple[_Address, ...] = ()
    traces: Literal["auto", "traces", "parity", "logs", "balance", "off"] = "auto"
    logs_bloom: bool = True
    receipts_root: bool = True
    clock_skew: Annotated[float, Field(ge=0, le=86400, allow_inf_nan=False)] = 60.0

    @model_validator(mode="after")
    def _native_dust_fits(self) -> Self:
        base_units(self.dust, self.native_decimals)
        return self

    @field_validator("xpub")
    @classmethod
    def _public_key(cls, text: str | None) -> str | None:
        if text is not None:
            EvmPublicKey.parse(text)
        return text

    @model_validator(mode="after")
    def _origin_fits(self) -> Self:
        if self.xpub is not None:
            try:
                origin(EvmPublicKey.parse(self.xpub).xpub, self.key_origin)
            except AddressError as error:
                raise ValueError(f"key_origin: {error}") from None
        return self

    @field_validator("script")
    @classmethod
    def _no_script(cls, script: str | None) -> None:
        if script is not None:
            raise ValueError("addresses of this kind of chain have no script type; remove the key")

    @model_validator(mode="after")
    def _confirmations_are_mined(self) -> Self:
        depths = [self.confirmations, *(step.confirmations for step in self.confirmations_by_amount)]
        if 0 in depths:
            raise ValueError(
                "confirmations = 0 asks for a public mempool, which proves nothing here; at least 1"
            )
        return self

    @model_validator(mode="after")
    def _assets_differ(self) -> Self:
        symbols, contracts = {self.native.casefold()}, set(self.native_emitters)
        for asset in self.assets:
            if asset.symbol.casefold() == self.native.casefold():
                raise ValueError(
                    f"assets: {asset.symbol} is the chain's own coin, which needs no entry; remove it"
                )
            if asset.symbol.casefold() in symbols:
                raise ValueError(f"assets: {asset.symbol} stands there twice; give each token its own symbol")
            if asset.contract.lower() == EMITTER:
                raise ValueError(
                    f"assets: the contract of {asset.symbol} is the one in whose name the chain logs its own "
                    "coin; remove it"
                )
            if asset.contract in self.native_emitters:
                raise ValueError(
                    f"assets: the contract of {asset.symbol} is in native_emitters too; remove one of the two"
                )
            if asset.contract in contracts:
                raise ValueError(
                    f"assets: the contract of {asset.symbol} stands there twice; remove one entry"
                )
            symbols.add(asset.symbol.casefold())
            contracts.add(asset.contract)
        return self


def assets(config: Config) -> tuple[Asset, ...]:
    """Return the native coin, then the tokens, with their CAIP-19 names (ERC-20 ones in lower case)."""
    chain = f"eip155:{config.chain_id}"
    floor = base_units(config.dust, config.native_decimals)
    native = Asset(config.native, f"{chain}/slip44:{config.slip44}", config.native_decimals, dust=floor)
    return (native, *(_token(chain, each) for each in config.assets))


def _token(chain: str, token: Token) -> Asset:
    return Asset(
        token.symbol,
        f"{chain}/erc20:{token.contract.lower()}",
        token.decimals,
        contract=token.contract,
        verify_balance=token.verify_balance,
        dust=base_units(token.dust, token.decimals),
    )
