"""How balances grew, held against what transactions and logs explain, block by block.

A growth that nothing explains is found by halving the blocks in which it must be. One that falls short takes
away credits, from the last one of its block backwards: a fee on transfer, a log without any movement.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from chains import evm_pruned
from chains.evm_balances import Held
from chains.evm_moves import reduced
from chains.rpc import RpcError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from chains.evm_balances import Balances
    from chains.evm_blocks import Block
    from chains.evm_moves import Credit
    from chains.rpc import Node

Found = tuple[int, str, "Credit"]
"""The place of its block among those that are read, the transaction, and what it left."""
Residues = dict[tuple[Held, int], int]
"""By holding and place of the block: what its balance grew by beyond what is explained, never 0."""


@dataclass(slots=True)
class Books:
    """What is known of some blocks: which holdings to look at, and what explains their growth.

    `swept` are looked at over all of the blocks, `checked` from their first credit to their last. `exact`:
    the blocks to be looked at one by one, because credits stand in them. `spenders`: accounts that sent a
    transaction of their own, by block.
    """

    explained: dict[Held, dict[int, int]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(int))
    )
    exact: dict[Held, set[int]] = field(default_factory=lambda: defaultdict(set))
    spenders: set[tuple[bytes, int]] = field(default_factory=set)
    swept: set[Held] = field(default_factory=set)
    checked: set[Held] = field(default_factory=set)

    def explain(self, held: Held, place: int, amount: int) -> None:
        """Add to what the block's transactions or logs say that the balance grew by."""
        self.explained[held][place] += amount

    def cuts(self, number: int) -> dict[Held, set[int]]:
        """Return by holding where, among so many blocks, its balance has to be known."""
        return {
            held: ({0, number} if held in self.swept else set()) | _around(self.exact.get(held, ()))
            for held in sorted(self.swept | self.checked)
        }


async def residues(node: Node, balances: Balances, blocks: Sequence[Block], books: Books) -> Residues:
    """Return what the balances say beyond the books; `blocks` are consecutive.

    Raises BlocksMissing where the node no longer has the balances.
    """
    hashes = [blocks[0].parent_hash, *(block.hash for block in blocks)]
    cuts = books.cuts(len(blocks))
    known: dict[tuple[str, Held], int] = {}
    while True:
        wanted = {(hashes[cut], held) for held, places in cuts.items() for cut in places} - known.keys()
        known |= await _balances(node, balances, blocks, sorted(wanted))
        grown = {held: _parts(held, sorted(places), hashes, known, books) for held, places in cuts.items()}
        wide = [(held, (a + b) // 2) for held, parts in grown.items() for a, b, _ in parts if b - a > 1]
        if not wide:
            break
        for held, cut in wide:
            cuts[held].add(cut)
    balances.remember(hashes[-1], {held: known[hashes[-1], held] for held in books.swept})
    return {(held, a): amount for held, parts in grown.items() for a, _, amount in parts}


def _around(places: Iterable[int]) -> set[int]:
    return {cut for place in places for cut in (place, place + 1)}


def _parts(
    held: Held,
    cuts: Sequence[int],
    hashes: Sequence[str],
    known: dict[tuple[str, Held], int],
    books: Books,
) -> list[tuple[int, int, int]]:
    """Return the stretches between cuts whose growth is not explained, and by how much."""
    explained = books.explained.get(held, {})
    parts = []
    for a, b in pairwise(cuts):
        growth = known[hashes[b], held] - known[hashes[a], held]
        if rest := growth - sum(amount for place, amount in explained.items() if a <= place < b):
            parts.append((a, b, rest))
    return parts


async def _balances(
    node: Node, balances: Balances, blocks: Sequence[Block], wanted: Sequence[tuple[str, Held]]
) -> dict[tuple[str, Held], int]:
    try:
        return await balances.at(node, wanted)
    except RpcError as error:
        held = wanted[0][1]
        await evm_pruned.refuse(
            node,
            error,
            blocks,
            lambda block: balances.at(node, [(block.parent_hash, held)]),
            evm_pruned.BALANCES,
        )
        raise


def borne_out(found: Sequence[Found], rest: Residues, books: Books, native: str) -> list[Found]:
    """Return the credits without what did not arrive.

    A coin's shortfall in a block in which the account itself sent a transaction proves nothing: chains
    charge fees that no receipt tells of.
    """
    kept = list(found)
    for (held, place), amount in rest.items():
        paid_fees = held.asset == native and (held.account, place) in books.spenders
        if amount < 0 and not paid_fees:
            kept = _reduced(kept, held, place, -amount)
    return kept


def _reduced(found: Sequence[Found], held: Held, place: int, excess: int) -> list[Found]:
    own = [n for n, (at, _, c) in enumerate(found) if at == place and Held(c.asset, c.account) == held]
    amounts = dict(zip(own, reduced([found[n][2].amount for n in own], excess), strict=True))
    return [
        (at, txid, credit._replace(amount=amounts.get(n, credit.amount)))
        for n, (at, txid, credit) in enumerate(found)
        if amounts.get(n, credit.amount)
    ]
