"""What was seen against what is recorded, difference by difference. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from chains.base import UNATTRIBUTED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from chains.naive import Growth, Sighting
    from watcher.reconcile.claims import Known, Row

_BY_BALANCE = "coins that only the balances show"
_UNEXPLAINED = "growth of a balance that no transfer explains"
_TOO_SMALL = "below the dust floor"


class Kind(StrEnum):
    """How the ledger and the chain differ about one credit."""

    MISSING = "missing in the ledger"
    ABSENT = "not on the chain"
    AMOUNT = "other amount"
    BLOCK = "other block"
    ASSET = "other asset"
    ADDRESS = "other address"
    SLOT = "other slot"
    STANDING = "other standing"
    BALANCE = "other balance"


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference. `recorded` and `seen` are base units of `asset`, None where there is nothing."""

    kind: Kind
    address: str
    asset: str
    recorded: int | None
    seen: int | None
    txid: str | None = None
    slot: str | None = None
    height: int | None = None
    owner: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """What the configuration says: the assets with their dust floors, and how far the node can look.

    `by_balance`: the chain's own `coin` can only be compared whole, by each account's balance.
    """

    coin: str
    floors: Mapping[str, int]
    by_balance: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which blocks to compare; None for all that the ledger claims."""

    first: int | None = None
    last: int | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """Blocks that were looked at, both ends included, and `others` beside them.

    What is recorded above `head` is nowhere; None: what lies above the span is nobody's business.
    """

    first: int
    last: int
    others: frozenset[int] = frozenset()
    head: int | None = None

    def covers(self, height: int | None) -> bool:
        """Whether what is recorded at a height had to be seen."""
        if height is None:
            return False
        above = self.head is not None and height > self.head
        return self.first <= height <= self.last or height in self.others or above


@dataclass(slots=True)
class Comparison:
    """What came of it: how many credits were compared, and what was left out and why."""

    differences: list[Difference] = field(default_factory=list)
    compared: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


def compare(
    known: Known, span: Span, rules: Rules, sightings: Iterable[Sighting], rows: Iterable[Row]
) -> Comparison:
    """Compare each credit with its row. `rows` may hold others, too, where their transactions were seen."""
    found = Comparison()
    left = {(row.txid, row.slot): row for row in rows}
    strangers: list[Sighting] = []
    for sighting in sightings:
        row = left.pop((sighting.txid, sighting.slot), None)
        if row is None:
            strangers.append(sighting)
            continue
        found.compared += 1
        found.differences += _aspects(row, sighting)
    surplus = [row for row in left.values() if row.is_mined and span.covers(row.height)]
    pair = _pair_sums if rules.by_balance else _pair_slots
    strangers, surplus = pair(found, rules, strangers, surplus)
    for sighting in strangers:
        _miss(found, known, rules, sighting)
    for row in surplus:
        _doubt(found, rules, row)
    return found


def _aspects(row: Row, seen: Sighting) -> Iterator[Difference]:
    """Yield all that a row has wrong about a credit."""
    if not row.is_mined:
        yield _both(Kind.STANDING, row, seen, f"recorded as {row.standing}")
    elif (row.height, row.block) != (seen.height, seen.block):
        yield _both(Kind.BLOCK, row, seen, f"recorded in block {row.height} {row.block}, is in {seen.block}")
    if row.asset != seen.asset:
        yield _both(Kind.ASSET, row, seen, f"recorded as {row.asset}")
    if row.address != seen.address:
        yield _both(Kind.ADDRESS, row, seen, f"recorded for {row.address}")
    if row.amount != seen.amount:
        yield _both(Kind.AMOUNT, row, seen)


def _pair_slots(
    found: Comparison, _: Rules, strangers: Sequence[Sighting], surplus: Sequence[Row]
) -> tuple[list[Sighting], list[Row]]:
    """Take out the same money under another slot: read again, it would be counted twice."""
    same: dict[tuple[str, str, str, int], list[Row]] = defaultdict(list)
    for row in surplus:
        same[row.txid, row.address, row.asset, row.amount].append(row)
    unpaired = []
    for seen in strangers:
        rows = same[seen.txid, seen.address, seen.asset, seen.amount]
        if not rows:
            unpaired.append(seen)
            continue
        row = rows.pop(0)
        found.compared += 1
        found.differences.append(_both(Kind.SLOT, row, seen, f"recorded as {row.slot}"))
    return unpaired, [row for rows in same.values() for row in rows]


def _pair_sums(
    found: Comparison, rules: Rules, strangers: Sequence[Sighting], surplus: Sequence[Row]
) -> tuple[list[Sighting], list[Row]]:
    """Take out the coins whose transaction is recorded with enough: the balances show the rest."""
    sums: Counter[tuple[str, str, str]] = Counter()
    for row in surplus:
        sums[row.txid, row.address, row.asset] += row.amount
    unpaired = [
        seen
        for seen in strangers
        if seen.asset != rules.coin or sums[seen.txid, seen.address, seen.asset] < seen.amount
    ]
    found.compared += len(strangers) - len(unpaired)
    return unpaired, list(surplus)


def _miss(found: Comparison, known: Known, rules: Rules, seen: Sighting) -> None:
    excuse = known.excuse(seen.address, seen.height)
    if excuse is None and seen.amount < rules.floors.get(seen.asset, 0):
        excuse = _TOO_SMALL
    if excuse is not None:
        found.left_out[excuse] += 1
        return
    found.compared += 1
    owner = known.claims[seen.address].owner
    found.differences.append(
        Difference(
            Kind.MISSING,
            seen.address,
            seen.asset,
            None,
            seen.amount,
            seen.txid,
            seen.slot,
            seen.height,
            owner,
        )
    )


def _doubt(found: Comparison, rules: Rules, row: Row) -> None:
    excuse = _cannot_be_seen(rules, row)
    if excuse is not None:
        found.left_out[excuse] += 1
        return
    found.compared += 1
    found.differences.append(
        Difference(
            Kind.ABSENT,
            row.address,
            row.asset,
            row.amount,
            None,
            row.txid,
            row.slot,
            row.height,
            row.owner,
        )
    )


def _cannot_be_seen(rules: Rules, row: Row) -> str | None:
    if row.slot.startswith(UNATTRIBUTED):
        return _UNEXPLAINED
    if row.asset not in rules.floors:
        return f"in {row.asset}, which is not configured any more"
    return _BY_BALANCE if row.asset == rules.coin and rules.by_balance else None


@dataclass(frozen=True, slots=True)
class Accounts:
    """The comparison of each account's coins as a whole, where a node does not tell of each credit."""

    known: Known
    span: Span
    rules: Rules

    def starts(self) -> Iterator[tuple[str, int]]:
        """Yield each account with the block after which its credits are claimed and looked at."""
        for address, claim in self.known.claims.items():
            start = max(self.span.first - 1, claim.from_height or 0)
            if start < self.span.last:
                yield address, start

    def compare(self, address: str, start: int, growth: Growth, rows: Iterable[Row]) -> Difference | None:
        """Compare what is recorded above block `start` with how the balance grew since."""
        recorded = sum(row.amount for row in rows if row.address == address and self._counts(row, start))
        if growth.amount == recorded or (growth.moved and growth.amount < recorded):
            return None
        return Difference(
            Kind.BALANCE,
            address,
            self.rules.coin,
            recorded,
            growth.amount,
            owner=self.known.claims[address].owner,
            detail=f"all credits and the balance's growth since block {start}",
        )

    def _counts(self, row: Row, start: int) -> bool:
        placed = row.height is not None and start < row.height <= self.span.last
        return placed and row.is_mined and row.asset == self.rules.coin


def _both(kind: Kind, row: Row, seen: Sighting, detail: str | None = None) -> Difference:
    return Difference(
        kind,
        seen.address,
        seen.asset,
        row.amount,
        seen.amount,
        seen.txid,
        seen.slot,
        seen.height,
        row.owner,
        detail,
    )
