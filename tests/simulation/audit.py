"""What must hold at every moment, looked at after each commit and each step of a run."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from audit_decisions import Decisions
from audit_standings import Receipts
from books import Books, moment
from naive import Coin, Reach
from naive_refunds import Case, Verdict, state_of
from wrong import Wrong

if TYPE_CHECKING:
    import sqlite3
    from collections import Counter
    from collections.abc import Iterable
    from datetime import datetime

    from books import Bill
    from branching_chain import BranchingChain
    from deployment import Deployment
    from fake_chain import Credit, FakeBlock

FLOATING = ("mempool", "unplaced")
HOLDING = ("new_address", "missing", "quarantined")
"""Gaps that leave open what was paid."""


class Audit:
    """Looks over the shoulder of one deployment."""

    def __init__(self, deployment: Deployment, tally: Counter[str]) -> None:
        self._deployment = deployment
        self.tally = tally
        self._seq = 0
        self._arrivals: dict[tuple[str, str, str], datetime] = {}
        self._proven: dict[str, datetime] = {}
        self._books: Books | None = None
        self._of = deployment.path
        self._decisions = Decisions(self)
        self._receipts = Receipts(self)

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
        ids = {event["invoice_id"] for event in events if event["invoice_id"]}
        ids |= self._decisions.decided(books)
        if not events and not ids:
            return
        for event in events:
            self._seq = event["seq"]
            self.tally[f"event {event['type']}"] += 1
            self._event(event)
            self._receipts.event(event)
            self._decisions.event(event)
        self._bills(books, books.bills(*ids) if ids else [])

    def _promise(self, name: str, row: sqlite3.Row) -> None:
        """No chain is taken to be proven further than its node said of the very head that was absorbed."""
        as_of, before = moment(row["as_of"]), self._proven.get(name)
        said = self._deployment.adapters[name].promised.get(row["hash"], moment(row["time"]))
        if as_of > max(said, before or moment(row["time"])):
            raise Wrong(f"{name} is taken to be proven until {as_of}, and the node said {said}")
        self._proven[name] = as_of

    def _event(self, event: sqlite3.Row) -> None:
        data = json.loads(event["body"])["data"]
        subject = data.get("invoice") or data.get("address")
        if not isinstance(subject, dict):
            return
        numbers = {event["sequence"], data["sequence"], subject["sequence"]}
        if len(numbers) != 1:
            raise Wrong(f"{event['type']} has the sequences {numbers}")
        paid = data["payment"]
        if paid is not None and paid["status"] in {"replaced", "reverted"}:
            self.was_gone(event["type"], paid["chain"], paid["txid"])

    def was_gone(self, told: str, name: str, txid: str) -> None:
        """Raise if a transaction is said to be gone that was there all the time."""
        chain = self._deployment.chains[name]
        seen = self._deployment.adapters[name].has_mempool
        if seen and txid not in chain.gone and not chain.transaction(txid).maturity:
            raise Wrong(f"{told} is told of {txid}, which was there all the time")

    def credits_to(self, name: str, txid: str, address: str, asset: str) -> int:
        """Return how many base units a transaction brings to an address."""
        paid = self._deployment.chains[name].transaction(txid).credits
        return sum(c.amount for c in paid if (c.address, c.asset) == (address, asset))

    def credit(self, key: tuple[str, str, str]) -> Credit:
        """Return what a transaction's slot pays."""
        name, txid, slot = key
        return self._deployment.chains[name].transaction(txid).credits[int(slot.removeprefix("vout:"))]

    def reaches(self, books: Books) -> dict[str, Reach]:
        return {name: reach(row) for name, row in books.chains().items()}

    def now(self) -> datetime:
        return self._deployment.clock()

    # --- after each step

    def step(self) -> None:
        books = self.books()
        self._credits(books)
        bills = books.bills()
        self._bills(books, bills)
        self._receipts.step(books)
        self._decisions.alone(bills)
        for bill in bills:
            self.tally[f"status {bill.status}"] += 1

    def _credits(self, books: Books) -> None:
        """Every mined credit of the ledger stands in the branch that it absorbed, every one of that in it."""
        rows = books.deposits()
        recorded = {(r["chain"], r["txid"], r["slot"]): r for r in rows}
        self._payers(books, rows)
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
                known = self._is_promised(shown.get((name, coin.address)), coin)
                if known and (key not in recorded or recorded[key]["standing"] != "mined"):
                    raise Wrong(f"{key} stands in block {coin.height} of {name} and is not recorded")

    def _payers(self, books: Books, rows: Iterable[sqlite3.Row]) -> None:
        """What comes to a payer is only recorded where it is said to refund something."""
        payers = {place for place, row in books.addresses().items() if row["refund"]}
        for row in rows:
            place = (row["chain"], row["address"])
            if place in payers and (*place, row["txid"]) not in self._decisions.named:
                raise Wrong(f"{dict(row)} is recorded, and is the payer's own business")

    def _is_promised(self, address: sqlite3.Row | None, coin: Coin) -> bool:
        """Whether a credit has to be known by now; to a payer, only what is said to refund something."""
        if address is not None and address["refund"]:
            return self._decisions.is_promised(coin)
        return is_promised(address, coin) and coin.amount >= self._dust(coin.chain, coin.asset)

    def _dust(self, name: str, asset: str) -> int:
        return next(a.dust for a in self._deployment.adapters[name].assets() if a.symbol == asset)

    # --- statuses

    def _bills(self, books: Books, bills: Iterable[Bill]) -> None:
        reaches = self.reaches(books)
        held = {gap["chain"] for gap in books.gaps() if gap["reason"] in HOLDING}
        coins = self.coins(books)
        now = self._deployment.clock()
        for name, each in reaches.items():
            if each.as_of > now:
                raise Wrong(f"{name} is proven beyond the present")
        seen = {(r["chain"], r["txid"], r["address"], r["asset"]) for r in books.deposits()}
        for bill in bills:
            if held.isdisjoint(offer.chain for offer in bill.offers):
                mine = [c for c in coins if is_for(bill, c)]
                states = states_of(bill, coins, reaches, seen)
                proven = self._decisions.told(bill, reaches)
                self._decisions.check(bill, mine, proven, states)
                compare(bill, Case(bill, mine, proven, states))
            self._decisions.keep(bill)

    def coins(self, books: Books) -> list[Coin]:
        """Return what stands according to the chains' absorbed branches and the ledger's mempool."""
        rows = {(r["chain"], r["txid"], r["slot"]): r for r in books.deposits()}
        coins = []
        for name, row in books.chains().items():
            chain: BranchingChain = self._deployment.chains[name]
            for key, coin in credits_of(name, chain.branch(row["hash"])):
                known = rows.pop(key, None)
                if known is not None:
                    coins.append(arrived(coin, known))
                elif coin.amount >= self._dust(name, coin.asset):
                    coins.append(coin)
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
                            txid=tx.txid,
                            slot=f"vout:{number}",
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
    coin = Coin(row["chain"], row["asset"], row["address"], amount, arrived, None, row["maturity"], waits)
    return replace(coin, id=row["id"], txid=row["txid"], slot=row["slot"])


def states_of(
    bill: Bill, coins: Iterable[Coin], reaches: dict[str, Reach], seen: Iterable[tuple[str, str, str, str]]
) -> dict[str, str]:
    """Return how far each of an invoice's refunds is. `seen`: the credits that were ever recorded."""
    states = {}
    for debt in bill.debts:
        key = (debt.chain, debt.txid, debt.address, debt.asset)
        there = [c for c in coins if c.id and (c.chain, c.txid, c.address, c.asset) == key]
        states[debt.id] = state_of(debt, there if key in seen else None, reaches.get(debt.chain))
    return states


def compare(bill: Bill, case: Case) -> None:
    """Raise unless the invoice's row, and those of its refunds, say what the coins say."""
    seen = tuple(option["seen"] for option in json.loads(bill.decision)["options"])
    found = Verdict(bill.status, bill.exceptions - {"reverted"}, seen, bill.needs_action)
    expected = case.verdict()
    if found != expected:
        raise Wrong(f"invoice {bill.id} is {found}, and should be {expected}")
    states = {debt.id: debt.state for debt in bill.debts}
    if states != case.states:
        raise Wrong(f"the refunds of {bill.id} are {states}, and should be {case.states}")
    wish = case.wish()
    if wish is not None:
        raise Wrong(f"invoice {bill.id} is {found}, and its policy still has to do {wish}")


def arrived(coin: Coin, row: sqlite3.Row) -> Coin:
    """Return a coin as it was recorded: under that name, and come at that moment."""
    return replace(coin, arrived=moment(row["arrived_at"]), id=row["id"])


def is_for(bill: Bill, coin: Coin) -> bool:
    return any((o.chain, o.address) == (coin.chain, coin.address) for o in bill.offers)


def _same(key: tuple[str, str, str], row: sqlite3.Row, coin: Coin | None) -> None:
    if coin is None:
        raise Wrong(f"{key} is recorded in block {row['block_height']}, which does not have it")
    found = (row["asset"], row["address"], int(row["amount"]), row["block_height"])
    if found != (coin.asset, coin.address, coin.amount, coin.height):
        raise Wrong(f"{key} is recorded as {found}, and is {coin}")
