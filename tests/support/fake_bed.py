"""A test bed over the fake chain: what the sandbox's panel asks for happens there, and is remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api_server import NAME
from fake_chain import COIN, TOKEN, FakeChain
from watcher.money import parse_amount
from watcher.testbed import Coin, Note, Sum, TriedChain

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from fake_clock import FakeClock
    from watcher.errors import Refused

COINS = (
    Coin(COIN, COIN, 8),
    Coin(TOKEN, TOKEN, 6, "0xaa"),
    Coin("fake-TOKEN", TOKEN, 6, "0xbb", known=False),
)


class FakeBed:
    """A Bed without a node. `paid` and `later`: what was asked for; `refused`: what the next act meets."""

    def __init__(self, chain: FakeChain, clock: FakeClock) -> None:
        self._chain = chain
        self._clock = clock
        self._notes: list[Note] = []
        self.paid: list[Sum] = []
        self.later: list[tuple[Sum, datetime]] = []
        self.refused: Refused | None = None

    async def chains(self) -> Sequence[TriedChain]:
        height = self._chain.head.height
        return [TriedChain(NAME, "fake", height, height, COINS, {coin.id: "50" for coin in COINS})]

    async def pay(self, money: Sum) -> Sequence[str]:
        self._meet()
        coin = next(coin for coin in COINS if coin.id == money.coin)
        units = parse_amount(money.amount, coin.decimals)
        self.paid.append(money)
        self._note(f"paid {money.amount} {coin.id}")
        if not coin.known:
            return []
        return [self._chain.pay(money.address, units // money.parts, asset=coin.symbol)] * money.parts

    async def pay_later(self, money: Sum, at: datetime) -> None:
        self._meet()
        self.later.append((money, at))
        self._note(f"will pay {money.amount} {money.coin}")

    async def mine(self, chain: str, blocks: int) -> int:
        assert chain == NAME
        self._meet()
        self._note(f"mined {blocks}")
        return self._chain.mine(blocks).height

    async def reorganise(self, chain: str, depth: int, *, keep: bool) -> int:
        assert chain == NAME
        self._meet()
        self._chain.reorg(depth, to_pool=keep)
        self._note(f"replaced {depth}")
        return self._chain.head.height

    def notes(self) -> Sequence[Note]:
        return self._notes[::-1]

    def _note(self, text: str) -> None:
        self._notes.append(Note(self._clock(), text))

    def _meet(self) -> None:
        if self.refused:
            raise self.refused
