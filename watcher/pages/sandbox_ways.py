"""In which ways the sandbox can pay an invoice: in what it asks for, and in what it does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from watcher.testbed import Coin, TriedChain


@dataclass(frozen=True, slots=True)
class Way:
    """One coin to the address of one option. `missing` is what the option lacks, in its own asset's unit."""

    id: str
    words: str
    chain: str
    address: str
    coin: str
    missing: str


def ways(invoice: Mapping[str, Any], chains: Sequence[TriedChain]) -> list[Way]:
    """Return every way; of each option the right one first."""
    known = {chain.name: chain for chain in chains}
    return [
        way
        for number, option in enumerate(invoice["options"])
        if option["chain"] in known
        for way in _of_option(f"{number}", option, known[option["chain"]])
    ]


def _of_option(number: str, option: Mapping[str, Any], chain: TriedChain) -> Iterator[Way]:
    for coin in sorted(chain.coins, key=lambda coin: not _is_right(coin, option)):
        yield Way(
            id=f"{number}-{coin.id}",
            words=_words(coin, option),
            chain=chain.name,
            address=option["address"],
            coin=coin.id,
            missing=option["missing"],
        )


def _is_right(coin: Coin, option: Mapping[str, Any]) -> bool:
    return coin.known and coin.symbol == option["asset"]


def _words(coin: Coin, option: Mapping[str, Any]) -> str:
    asked = f"{option['asset']} on {option['chain']}"
    if _is_right(coin, option):
        return asked
    if coin.known:
        return f"{coin.symbol} for {asked}: the wrong token"
    return f"a fake {coin.symbol} for {asked}: not the contract of the configuration"
