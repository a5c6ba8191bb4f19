"""One chain of `watcher reconcile`: asks the ledger, reads the chain naively, and compares the two.

Beside a running daemon the ledger goes on meanwhile: what it holds at the start fixes the last block, and
after a reorganisation it is all compared again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from chains.base import ChainMoved
from watcher.cli import client
from watcher.cli import reconcile_ledger as ledger
from watcher.cli.failure import WRONG_USAGE, Failure
from watcher.reconcile import claims, compare
from watcher.reconcile.scan import Scan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from chains.naive import NaiveReader
    from watcher.reconcile.claims import Known, Row
    from watcher.reconcile.compare import Comparison, Span, Wanted
    from watcher.settings import Settings

_TRIES = 5
_PAUSE = 1.0
"""Seconds for the daemon to follow a reorganisation."""
_FORGOTTEN = "accounts whose balance the node does not know at those blocks"


class Show(Protocol):
    """What a user sees while it takes its time."""

    def say(self, text: str) -> None:
        """Tell something that is worth a line."""

    def at(self, first: int, last: int, height: int) -> None:
        """Tell which block was read."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one chain; `empty` where no address was shown yet."""

    span: Span
    empty: bool
    by_balance: bool
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class _Job:
    """What is compared: the addresses and the first block as they were at the start."""

    reader: NaiveReader
    addresses: list[dict[str, Any]]
    scan: Scan
    span: Span
    empty: bool


class Reconciler:
    """Compares one chain. `floors`: the smallest credit of each asset that counts, in base units."""

    def __init__(self, settings: Settings, name: str, floors: Mapping[str, int], show: Show) -> None:
        self._settings = settings
        self._name = name
        self._floors = floors
        self._show = show

    async def run(self, make: Callable[[str | None], NaiveReader], wanted: Wanted) -> Result:
        """Compare until the chain holds still; ChainError where the node does not give what is needed.

        `make` builds the reader for the way in which the daemon finds coins inside contracts.
        """
        async with client.connect(self._settings) as api:
            extent = await ledger.extent(api, self._name)
            addresses = await ledger.addresses(api, self._name)
            rows = await ledger.rows(api, self._name, wanted)
            reader = make(await ledger.mode(api, self._name))
        try:
            await reader.open()
            known = claims.known(extent, addresses)
            span, empty = _span(known, rows, wanted)
            watched = {reader.key(address): address for address in known.claims}
            scan = Scan(reader, watched, span.first, span.others)
            return await self._patiently(_Job(reader, addresses, scan, span, empty), wanted)
        finally:
            await reader.close()

    async def _patiently(self, job: _Job, wanted: Wanted) -> Result:
        tries = 1
        while True:
            try:
                return await self._compare(job, wanted)
            except ChainMoved as error:
                if tries == _TRIES:
                    raise
                self._show.say(f"{self._name}: {error}; comparing again")
            tries += 1
            await asyncio.sleep(_PAUSE)

    async def _compare(self, job: _Job, wanted: Wanted) -> Result:
        async with client.connect(self._settings) as api:
            known = claims.known(await ledger.extent(api, self._name), job.addresses)
        await _same_chain(job.reader, known)
        last = max(
            job.span.first, min(job.span.last if wanted.last is not None else known.height, known.height)
        )
        await job.scan.run(last, lambda height: self._show.at(job.span.first, last, height))
        rows, head = await self._recorded(job, wanted)
        await _same_chain(job.reader, known)
        if not await job.scan.stands():
            raise ChainMoved("a reorganisation took place meanwhile")
        span = replace(job.span, last=last, head=head if wanted.last is None else None)
        rules = compare.Rules(job.reader.coin, self._floors, job.reader.by_balance)
        found = compare.compare(known, span, rules, job.scan.sightings, rows)
        if rules.by_balance:
            await _balances(job.reader, compare.Accounts(known, span, rules), rows, found)
        return Result(span, job.empty, rules.by_balance, found)

    async def _recorded(self, job: _Job, wanted: Wanted) -> tuple[list[Row], int]:
        """Return what is recorded now, but for addresses made meanwhile, and how far the ledger is."""
        async with client.connect(self._settings) as api:
            now = await ledger.extent(api, self._name)
            made = {each["address"] for each in await ledger.addresses(api, self._name)}
            rows = await ledger.rows(api, self._name, wanted)
            known = {(row.txid, row.slot) for row in rows}
            astray = [s.txid for s in job.scan.sightings if (s.txid, s.slot) not in known]
            rows += [
                row
                for row in await ledger.rows_of(api, self._name, astray)
                if (row.txid, row.slot) not in known
            ]
        made -= {each["address"] for each in job.addresses}
        return [row for row in rows if row.address not in made], now["head"]["height"]


def _span(known: Known, rows: Sequence[Row], wanted: Wanted) -> tuple[Span, bool]:
    """Return the blocks to read: all that are claimed, and those in which anything else is recorded."""
    last = known.height if wanted.last is None else min(wanted.last, known.height)
    if wanted.first is not None:
        if wanted.first > last:
            message = f"--from: block {wanted.first} is above block {last}, the last to be compared"
            raise Failure(message, WRONG_USAGE)
        return compare.Span(wanted.first, last), not known.claims
    begin = known.begins()
    first = last if begin is None else min(begin, last)
    others = frozenset(row.height for row in rows if row.height is not None and row.height < first)
    return compare.Span(first, last, others), not known.claims


async def _same_chain(reader: NaiveReader, known: Known) -> None:
    """Make sure that ledger and node are on one branch: else nothing that differs would mean anything."""
    found = await reader.hash(known.height)
    if found != known.hash:
        shown = found or "has no such block"
        raise ChainMoved(f"the ledger has block {known.height} {known.hash}, the node {shown}")


async def _balances(
    reader: NaiveReader, accounts: compare.Accounts, rows: Sequence[Row], found: Comparison
) -> None:
    """Compare each account's coins as a whole."""
    for address, start in accounts.starts():
        growth = await reader.growth(address, start, accounts.span.last)
        if growth is None:
            found.left_out[_FORGOTTEN] += 1
        elif (difference := accounts.compare(address, start, growth, rows)) is not None:
            found.differences.append(difference)
