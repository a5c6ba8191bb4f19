"""Movements of value within one transaction, and what they leave at the watched accounts. Pure."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence


class Move(NamedTuple):
    """`amount` base units of `asset` went from one account to another; `slot` names it in its transaction."""

    asset: str
    slot: str
    sender: bytes
    to: bytes
    amount: int


class Credit(NamedTuple):
    """What one movement left at a watched account."""

    asset: str
    slot: str
    account: bytes
    amount: int


def net_credits(moves: Iterable[Move], watched: Container[bytes]) -> list[Credit]:
    """Return what the movements of one transaction leave at each watched account, by asset.

    What an account sends on in the same transaction is taken off its credits from the last one backwards, so
    that each credit keeps its slot whatever node tells of it. What it had before is not counted against it.
    """
    received: dict[tuple[str, bytes], list[Credit]] = defaultdict(list)
    sent: dict[tuple[str, bytes], int] = defaultdict(int)
    for move in moves:
        if move.to in watched:
            received[move.asset, move.to].append(Credit(move.asset, move.slot, move.to, move.amount))
        if move.sender in watched:
            sent[move.asset, move.sender] += move.amount
    return [credit for key, each in received.items() for credit in _net(each, sent[key])]


def _net(found: Sequence[Credit], sent: int) -> list[Credit]:
    amounts = reduced([credit.amount for credit in found], sent)
    return [credit._replace(amount=amount) for credit, amount in zip(found, amounts, strict=True) if amount]


def reduced(amounts: Sequence[int], excess: int) -> list[int]:
    """Return the amounts without `excess` base units, taken off from the last one backwards, down to 0."""
    kept = list(amounts)
    for place in reversed(range(len(kept))):
        taken = min(excess, kept[place])
        kept[place] -= taken
        excess -= taken
    return kept
