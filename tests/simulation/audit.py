"""What must hold at every moment, looked at after each commit and each step of a run."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from books import Books, moment
from naive import Coin, Reach, judge

if TYPE_CHECKING:
    import sqlite3
    from collections import Counter
    from collections.abc import Iterable
    from datetime import datetime

    from books import Bill
    from branching_chain import BranchingChain
    from deployment import Deployment
    from fake_chain import FakeBlock

FLOATING = ("mempool", "unplaced")
HOLDING = ("new_address", "missing", "quarantined")
"""Gaps that leave open what was paid."""


class Wrong(AssertionError):  # noqa: N818 - the name says what it is
    """The promise was broken."""


class Audit:
    """Looks over the shoulder of one deployment."""

    def __init__(self, deployment: Deployment, tally: Counter[str]) -> None:
        self._deployment = deployment
        self._tally = tally
        self._seq = 0
        self._arrivals: dict[tuple[str, str, str], datetime] = {}
        self._proven: dict[str, datetime] = {}
        self._books: Books | None = None
        self._of = deployment.path

    def books(self) -> Books:
        if self._books is None or self._of != self._deployment.path:
            self.close()
            self._of = self._deployment.path
            self._books = Books(self._of)
        return self._books

    def close(self) -> None:
        if self._books is not None:
            self._books.close()
            self._books = None

    # --- after each commit

    def committed(self) -> None:
        books = self.books()
        for name, row in books.chains().items():
            self._promise(name, row)
        events = books.rows("SELECT * FROM event WHERE seq > ? ORDER BY seq", self._seq)
        if not events:
            return
        self._seq = events[-1]["seq"]
        for event in events:
            self._tally[f"event {event['type']}"] += 1
            self._event(event)
        ids = {event["invoice_id"] for event in events if event["invoice_id"]}
        self._bills(books, books.bills(*ids) if ids else [])

    def _promise(self, name: str, row: sqlite3.Row) -> None:
        """No chain is taken to be proven further than its node said of the very head that was absorbed."""
        as_of, before = moment(row["as_of"]), self._proven.get(name)
        said = self._deployment.adapters[name].promised.get(row["hash"], moment(row["time"]))
        if as_of > max(said, before or moment(row["time"])):
            raise Wrong(f"{name} is taken to be proven until {as_of}, and the node said {said}")
        self._proven[name] = as_of

    def _event(self, event: sqlite3.Row) -> None:
        if event["invoice_id"] is None:
            return
        data = json.loads(event["body"])["data"]
        numbers = {event["sequence"], data["sequence"], data["invoice"]["sequence"]}
        if len(numbers) != 1:
            raise Wrong(f"{event['type']} has the sequences {numbers}")
        paid = data["payment"]
        if paid is not None and paid["status"] in {"replaced", "reverted"}:
            chain = self._deployment.chains[paid["chain"]]
            seen = self._deployment.adapters[paid["chain"]].has_mempool
            if seen and paid["txid"] not in chain.gone and not chain.transaction(paid["txid"]).maturity:
                raise Wrong(f"{event['type']} is told of {paid['txid']}, which was there all the time")

    # --- after each step

    def step(self) -> None:
        books = self.books()
        self._credits(books)
        bills = books.bills()
        self._bills(books, bills)
        for bill in bills:
            self._tally[f"status {bill.status}"] += 1

    def _credits(self, books: Books) -> None:
        """Every mined credit of the ledger stands in the branch that it absorbed, every one of that in it."""
        rows = books.deposits()
        recorded = {(r["chain"], r["txid"], r["slot"]): r for r in rows}
        for key, row in recorded.items():
            arrived = moment(row["arrived_at"])
            if self._arrivals.setdefault(key, arrived) != arrived:
                raise Wrong(f"the arrival of {key} changed")
        open_ = {gap["chain"] for gap in books.gaps()}
        shown = books.addresses()
        for name, chain in books.chains().items():
            branch = self._deployment.chains[name].branch(chain["hash"])
            true = dict(credits_of(name, branch))
            for key, row in recorded.items():
                if key[0] == name and row["standing"] == "mined":
                    _same(key, row, true.get(key))
            if name in open_:
                continue
            for key, coin in true.items():
                known = is_promised(shown.get((name, coin.address)), coin)
                known = known and coin.amount >= self._dust(name, coin.asset)
                if known and (key not in recorded or recorded[key]["standing"] != "mined"):
                    raise Wrong(f"{key} stands in block {coin.height} of {name} and is not recorded")

    def _dust(self, name: str, asset: str) -> int:
        return next(a.dust for a in self._deployment.adapters[name].assets() if a.symbol == asset)

    # --- statuses

    def _bills(self, books: Books, bills: Iterable[Bill]) -> None:
        chains = books.chains()
        reaches = {name: reach(row) for name, row in chains.items()}
        held = {gap["chain"] for gap in books.gaps() if gap["reason"] in HOLDING}
        coins = self._coins(books)
        now = self._deployment.clock()
        for name, each in reaches.items():
            if each.as_of > now:
                raise Wrong(f"{name} is proven beyond the present")
        for bill in bills:
            if held.isdisjoint(offer.chain for offer in bill.offers):
                compare(bill, [c for c in coins if _is_for(bill, c)], reaches)

    def _coins(self, books: Books) -> list[Coin]:
        """Return what stands according to the chains' absorbed branches and the ledger's mempool."""
        rows = {(r["chain"], r["txid"], r["slot"]): r for r in books.deposits()}
        coins = []
        for name, row in books.chains().items():
            chain: BranchingChain = self._deployment.chains[name]
            for key, coin in credits_of(name, chain.branch(row["hash"])):
                known = rows.pop(key, None)
                if coin.amount >= self._dust(name, coin.asset):
                    coins.append(coin if known is None else _arrived(coin, known))
        return coins + [floating(row) for row in rows.values() if row["standing"] in FLOATING]


def credits_of(name: str, branch: Iterable[FakeBlock]) -> Iterable[tuple[tuple[str, str, str], Coin]]:
    """Yield every credit of a branch with its identity."""
    for block in branch:
        for tx in block.transactions:
            for number, credit in enumerate(tx.credits):
                if credit.amount:
                    yield (
                        (name, tx.txid, f"vout:{number}"),
                        Coin(
                            name,
                            credit.asset,
                            credit.address,
                            credit.amount,
                            block.ref.time,
                            block.ref.height,
                            tx.maturity,
                        ),
                    )


def is_promised(address: sqlite3.Row | None, coin: Coin) -> bool:
    """Whether a mined credit is one that has to be known: it did not come before its address was made."""
    if address is None or coin.height is None:
        return False
    first = address["from_height"]
    return first is None or coin.height > first or coin.arrived >= moment(address["created_at"])


def reach(row: sqlite3.Row) -> Reach:
    return Reach(row["height"], moment(row["as_of"]), row["safe"], row["finalized"])


def floating(row: sqlite3.Row) -> Coin:
    """Return an unconfirmed deposit of the ledger."""
    amount, arrived = int(row["amount"]), moment(row["arrived_at"])
    waits = row["standing"] == "unplaced" or row["risk"] is not None
    return Coin(row["chain"], row["asset"], row["address"], amount, arrived, None, row["maturity"], waits)


REOPENED = {("expired", "pending"), ("underpaid", "partial")}
"""A deadline that was proven on a branch that is gone: told is told, until something else happens to it."""


def compare(bill: Bill, coins: list[Coin], reaches: dict[str, Reach], *, final: bool = False) -> None:
    """Raise unless the invoice's row says what the coins say."""
    verdict = judge(bill, coins, reaches)
    if not final and (bill.status, verdict.status) in REOPENED:
        verdict = replace(verdict, status=bill.status)
    seen = tuple(option["seen"] for option in json.loads(bill.decision)["options"])
    found = (bill.status, bill.exceptions - {"reverted"}, seen)
    expected = (verdict.status, verdict.exceptions, verdict.seen)
    if found != expected:
        raise Wrong(f"invoice {bill.id} is {found}, and should be {expected}")


def _arrived(coin: Coin, row: sqlite3.Row) -> Coin:
    arrived = moment(row["arrived_at"])
    return Coin(coin.chain, coin.asset, coin.address, coin.amount, arrived, coin.height, coin.maturity)


def _is_for(bill: Bill, coin: Coin) -> bool:
    return any((o.chain, o.address) == (coin.chain, coin.address) for o in bill.offers)


def _same(key: tuple[str, str, str], row: sqlite3.Row, coin: Coin | None) -> None:
    if coin is None:
        raise Wrong(f"{key} is recorded in block {row['block_height']}, which does not have it")
    found = (row["asset"], row["address"], int(row["amount"]), row["block_height"])
    if found != (coin.asset, coin.address, coin.amount, coin.height):
        raise Wrong(f"{key} is recorded as {found}, and is {coin}")
