"""The test bed of a running sandbox: pays, mines and reorganises on its chains, one thing at a time on each.

Knows wallets; knows no invoice. What a node refuses becomes one line for the user.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from watcher.errors import Refused
from watcher.money import format_amount, parse_amount
from watcher.sandbox import wallet
from watcher.sandbox.rpc import CallError
from watcher.testbed import MOST_BLOCKS, MOST_PARTS, Coin, Note, Sum, TriedChain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from watcher.sandbox.testchains import PrivateChain
    from watcher.sandbox.wallet import Wallet

_NOTES = 20
_NAMED = 3
"""Transactions of one payment that are told by name."""


@dataclass(frozen=True, slots=True)
class _Order:
    """A sum that was understood: base units for each transaction."""

    chain: _Chain
    coin: Coin
    address: str
    units: tuple[int, ...]

    def __str__(self) -> str:
        """Return it in words: "25.5 USDT on ethereum to 0x…"."""
        name = self.coin.symbol if self.coin.known else f"fake {self.coin.symbol}"
        parts = f" in {len(self.units)} parts" if len(self.units) > 1 else ""
        amount = format_amount(sum(self.units), self.coin.decimals)
        return f"{amount} {name} on {self.chain.private.name} to {self.address}{parts}"


@dataclass(slots=True)
class _Chain:
    private: PrivateChain
    wallet: Wallet
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def depth(self, height: int) -> int:
        """Return how many blocks can be replaced."""
        return min(MOST_BLOCKS, height - self.private.born)


class PrivateBed:
    """A Bed over private chains that run. `close` it before they end."""

    def __init__(self, chains: Sequence[PrivateChain], clock: Callable[[], datetime]) -> None:
        self._chains = {chain.name: _Chain(chain, wallet.connect(chain.record)) for chain in chains}
        self._clock = clock
        self._notes: deque[Note] = deque(maxlen=_NOTES)
        self._waiting: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Forget the payments that were to be sent later."""
        waiting = list(self._waiting)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    async def tick(self, name: str) -> None:
        """Let time pass on a chain by a block; CallError or OSError where its node fails."""
        chain = self._chains[name]
        async with chain.lock:
            await asyncio.to_thread(chain.private.mine)

    async def chains(self) -> Sequence[TriedChain]:
        """Return the chains as they stand."""
        with _refused("the node"):
            return [await asyncio.to_thread(_look, chain) for chain in self._chains.values()]

    async def pay(self, money: Sum) -> Sequence[str]:
        """Put payments into the mempool; the ids of their transactions."""
        return await self._pay(self._order(money))

    async def pay_later(self, money: Sum, at: datetime) -> None:
        """Pay at a later moment; a note says what came of it."""
        order = self._order(money)
        self._note(f"will pay {order} at {at:%Y-%m-%d %H:%M:%S} UTC")
        task = asyncio.create_task(self._wait_and_pay(order, at))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def mine(self, chain: str, blocks: int) -> int:
        """Mine blocks now; the new height."""
        if not 1 <= blocks <= MOST_BLOCKS:
            raise Refused("invalid", f"is not between 1 and {MOST_BLOCKS}", field="blocks")
        found = self._find(chain)
        async with found.lock:
            with _refused("the blocks"):
                await asyncio.to_thread(found.wallet.mine, blocks)
                height = await asyncio.to_thread(found.wallet.height)
        self._note(f"mined {_blocks(blocks)} on {chain}: the head is {height}")
        return height

    async def reorganise(self, chain: str, depth: int, *, keep: bool) -> int:
        """Replace the last blocks by as many and one more; the new height."""
        found = self._find(chain)
        async with found.lock:
            with _refused("the reorganisation"):
                most = found.depth(await asyncio.to_thread(found.wallet.height))
                _check_depth(depth, most)
                await asyncio.to_thread(found.wallet.reorganise, depth, keep=keep)
                height = await asyncio.to_thread(found.wallet.height)
        what = "their transactions came again" if keep else "their transactions are gone"
        self._note(f"replaced the last {_blocks(depth)} of {chain}; {what}: the head is {height}")
        return height

    def notes(self) -> Sequence[Note]:
        """Return what was done lately, newest first."""
        return list(self._notes)

    async def _wait_and_pay(self, order: _Order, at: datetime) -> None:
        await asyncio.sleep((at - self._clock()).total_seconds())
        try:
            await self._pay(order)
        except Refused as refused:
            self._note(f"did not pay {order}: {refused.message}", failed=True)

    async def _pay(self, order: _Order) -> Sequence[str]:
        sent: list[str] = []
        async with order.chain.lock:
            with _refused("the payment"):
                await asyncio.to_thread(_afford, order)
                for units in order.units:
                    sent.append(await asyncio.to_thread(_send, order, units))  # noqa: PERF401 - what was sent before a failure stays
        more = f" and {len(sent) - _NAMED} more" if len(sent) > _NAMED else ""
        self._note(f"paid {order}: {', '.join(sent[:_NAMED])}{more}")
        return sent

    def _order(self, money: Sum) -> _Order:
        """Understand a sum; Refused where it cannot be."""
        chain = self._find(money.chain)
        coin = next((coin for coin in chain.private.coins if coin.id == money.coin), None)
        if coin is None:
            names = ", ".join(coin.id for coin in chain.private.coins)
            raise Refused(
                "invalid", f"there is no {money.coin} on {money.chain}; there is: {names}", field="coin"
            )
        try:
            units = parse_amount(money.amount, coin.decimals)
        except ValueError as error:
            raise Refused("invalid", str(error), field="amount") from None
        return _Order(chain, coin, money.address, _split(units, money.parts))

    def _find(self, name: str) -> _Chain:
        if name not in self._chains:
            names = ", ".join(self._chains)
            raise Refused("invalid", f"there is no chain {name}; there is: {names}", field="chain")
        return self._chains[name]

    def _note(self, text: str, *, failed: bool = False) -> None:
        self._notes.appendleft(Note(self._clock(), text, failed))


def _look(chain: _Chain) -> TriedChain:
    private, height = chain.private, chain.wallet.height()
    held = {c.id: format_amount(chain.wallet.held(c.contract), c.decimals) for c in private.coins}
    return TriedChain(private.name, private.node.name, height, chain.depth(height), private.coins, held)


def _split(units: int, parts: int) -> tuple[int, ...]:
    """Split base units as evenly as they can be; the first part has the rest."""
    if not 1 <= parts <= MOST_PARTS:
        raise Refused("invalid", f"is not between 1 and {MOST_PARTS}", field="parts")
    if units < parts:
        message = "is nothing; name a sum above 0" if units == 0 else f"cannot be split in {parts} parts"
        raise Refused("invalid", message, field="amount")
    each, rest = divmod(units, parts)
    return (each + rest, *[each] * (parts - 1))


def _check_depth(depth: int, most: int) -> None:
    if most < 1:
        raise Refused("invalid", "no block can be replaced yet; mine some first", field="depth")
    if not 1 <= depth <= most:
        raise Refused(
            "invalid", f"is not between 1 and {most}, the blocks that can be replaced", field="depth"
        )


def _afford(order: _Order) -> None:
    held = order.chain.wallet.held(order.coin.contract)
    if sum(order.units) > held:
        most = f"{format_amount(held, order.coin.decimals)} {order.coin.symbol}"
        raise Refused("invalid", f"is more than the test wallet holds, which is {most}", field="amount")


def _send(order: _Order, units: int) -> str:
    return order.chain.wallet.pay(order.address, order.coin.contract, units)


def _blocks(number: int) -> str:
    return "1 block" if number == 1 else f"{number} blocks"


@contextmanager
def _refused(what: str) -> Iterator[None]:
    """Turn a node's error into a line for the user."""
    try:
        yield
    except CallError as error:
        raise Refused("not_possible", f"the node refused {what}: {error.message}", status=409) from None
    except OSError as error:
        raise Refused("unavailable", f"the node does not answer ({error})", status=503) from None
