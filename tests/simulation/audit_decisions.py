"""What merchants and policies decide: each allowed by the facts of its moment, each told once, in order."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from naive import OPEN, deadline_of
from naive_refunds import Case, Wish
from wrong import Wrong

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from audit import Audit
    from books import Bill, Books, Debt, Word
    from naive import Coin, Reach

UNITS = {"COIN": 10**8, "TOKEN": 10**6}
POLICY = "policy"
EXTENSIONS = (60, 300)
"""Seconds for which merchants ask."""
EARLIER = timedelta(hours=3)
"""A refund's transaction is looked for in the kept blocks that are not older than its request, less this."""

_THERE = {"mempool", "mined", "unplaced"}
_BY_TYPE = {
    "refund.requested": {"requested"},
    "refund.sent": {"sent"},
    "refund.confirmed": {"confirmed"},
    "refund.cancelled": {"cancelled"},
    "refund.reverted": {"requested", "sent"},
}


class Decisions:
    """What was decided and told so far. `named`: the transactions that were ever said to refund something."""

    def __init__(self, audit: Audit) -> None:
        self.named: dict[tuple[str, str, str], int] = {}
        """With the height from which each has to be found."""
        self._audit = audit
        self._kept: dict[str, Bill] = {}
        self._word = 0
        self._debts: dict[str, tuple[Any, ...]] = {}
        self._believed: dict[str, tuple[str, str | None]] = {}
        self._reminded: defaultdict[str, set[str]] = defaultdict(set)
        self._just: set[str] = set()
        """Who was reminded in the commit that is looked at."""

    # --- what is new

    def decided(self, books: Books) -> set[str]:
        """Return the invoices about which something was decided since the last look."""
        words = books.rows("SELECT id, invoice_id FROM resolution WHERE id > ?", self._word)
        self._word = max([self._word, *(row["id"] for row in words)])
        found = {row["invoice_id"] for row in words}
        for row in books.rows("SELECT * FROM refund"):
            now = (row["txid"], row["cancelled_at"], row["address"])
            old = self._debts.get(row["id"], (None, None, None))
            if row["id"] not in self._debts or old != now:
                found.add(row["invoice_id"])
                self._debts[row["id"]] = now
                self._changed(books, row, *old[:2])
        return found

    def _changed(self, books: Books, row: sqlite3.Row, txid: str | None, cancelled: int | None) -> None:
        key = (row["chain"], row["address"], row["txid"])
        if row["txid"] is not None and row["txid"] != txid:
            first = books.rows(
                "SELECT min(height) AS first FROM block WHERE chain = ? AND time >= ?",
                row["chain"],
                row["at"] - EARLIER // timedelta(microseconds=1),
            )[0]["first"]
            height = books.chains()[row["chain"]]["height"]
            self.named[key] = min(self.named.get(key, height + 1), height + 1 if first is None else first)
        if row["cancelled_at"] is not None and cancelled is None:
            sql = "SELECT * FROM deposit WHERE chain = ? AND address = ? AND txid = ? AND asset = ?"
            there = [d for d in books.rows(sql, *key, row["asset"]) if d["standing"] in _THERE]
            if sum(int(d["amount"]) for d in there) >= int(row["arrives"]):  # less is no refund
                raise Wrong(f"refund {row['id']} is withdrawn, and {row['txid']} pays it")

    def alone(self, bills: Sequence[Bill]) -> None:
        """One transaction is no two refunds of the same kind to one address."""
        found: set[tuple[Any, ...]] = set()
        for debt in (d for bill in bills for d in bill.debts if d.txid and d.state in {"sent", "confirmed"}):
            key = (debt.chain, debt.address, debt.asset, debt.txid)
            if key in found:
                raise Wrong(f"{debt.txid} is taken for {debt.id} and for another refund")
            found.add(key)

    def is_promised(self, coin: Coin) -> bool:
        """Whether a mined credit to a payer has to be known: it is said to refund something now."""
        first = self.named.get((coin.chain, coin.address, coin.txid))
        rows = self._audit.books().rows(
            "SELECT id FROM refund WHERE chain = ? AND address = ? AND txid = ?",
            coin.chain,
            coin.address,
            coin.txid,
        )
        return bool(rows) and first is not None and coin.height is not None and coin.height >= first

    # --- what was told

    def event(self, event: sqlite3.Row) -> None:
        if event["invoice_id"] is None:
            return
        if event["type"].startswith("refund."):
            self._refund(event["type"], json.loads(event["body"])["data"]["refund"])
        elif event["type"] == "invoice.reminder":
            self._reminder(event)

    def _refund(self, told: str, refund: dict[str, Any]) -> None:
        believed, now = self._believed.get(refund["id"]), (refund["state"], refund["txid"])
        if refund["state"] not in _BY_TYPE[told] or (believed is None) is not (told == "refund.requested"):
            raise Wrong(f"{told} is told of {refund}, after {believed}")
        if believed == now or (believed is not None and believed[0] == now[0] != "sent"):
            raise Wrong(f"{told} is told twice of {refund}")
        self._believed[refund["id"]] = now
        if told == "refund.reverted" and refund["state"] == "requested" and not self._is_short(refund):
            self._audit.was_gone(told, refund["chain"], refund["txid"])

    def _is_short(self, refund: dict[str, Any]) -> bool:
        sent = self._audit.credits_to(refund["chain"], refund["txid"], refund["address"], refund["asset"])
        return sent < Decimal(refund["arrives"]) * UNITS[refund["asset"]]

    def _reminder(self, event: sqlite3.Row) -> None:
        shown = json.loads(event["body"])["data"]["invoice"]
        deadline, told = shown["expires_at"], self._reminded[event["invoice_id"]]
        if deadline in told:
            raise Wrong(f"{event['invoice_id']} is reminded twice of {deadline}")
        told.add(deadline)
        self._just.add(event["invoice_id"])
        if shown["status"] not in {"pending", "partial"}:
            raise Wrong(f"{event['invoice_id']} is {shown['status']}, and its payer is reminded")

    # --- whether it was right

    def keep(self, bill: Bill) -> None:
        """Remember an invoice as it is: what is not in it at the next look is new."""
        self._just.discard(bill.id)
        self._kept[bill.id] = bill

    def told(self, bill: Bill, reaches: Mapping[str, Reach]) -> dict[str, Reach]:
        """Return how much is proven for an invoice: a deadline that was told to be over stays over."""
        old = self._kept.get(bill.id)
        if old is None or not json.loads(old.decision)["passed"]:
            return dict(reaches)
        over = deadline_of(old)
        mine = {offer.chain for offer in bill.offers}
        return {n: replace(r, as_of=max(r.as_of, over)) if n in mine else r for n, r in reaches.items()}

    def check(
        self, bill: Bill, coins: Sequence[Coin], proven: Mapping[str, Reach], states: Mapping[str, str]
    ) -> None:
        """Go through what was decided of an invoice since the last look, each from what it was before."""
        old = self._kept.get(bill.id)
        words = old.words if old else ()
        debts = tuple(d for d in bill.debts if old and d.row in {known.row for known in old.debts})
        new_words = sorted((w for w in bill.words if w not in words), key=lambda w: w.by == POLICY)
        new_debts = sorted((d for d in bill.debts if d not in debts), key=lambda d: d.by == POLICY)
        for word in new_words:
            _allowed_word(word, Case(replace(bill, words=words, debts=debts), coins, proven, states))
            words = (*words, word)
            self._audit.tally[f"{word.kind} by {'policy' if word.by == POLICY else 'merchant'}"] += 1
        for debt in new_debts:
            _allowed_debt(debt, Case(replace(bill, words=words, debts=debts), coins, proven, states))
            debts = (*debts, debt)
            self._audit.tally[f"refund by {'policy' if debt.by == POLICY else 'merchant'}"] += 1
        self._check_told(bill, old, proven)

    def _check_told(self, bill: Bill, old: Bill | None, proven: Mapping[str, Reach]) -> None:
        for debt in bill.debts:
            if self._believed[debt.id][0] != debt.state:
                raise Wrong(f"refund {debt.id} is {debt.state}, and told as {self._believed[debt.id]}")
        deadline = deadline_of(bill)
        before = deadline - timedelta(seconds=bill.reminder_before)
        as_of = min(proven[o.chain].as_of for o in bill.offers)
        newly = bill.reminded_for is not None and (old is None or old.reminded_for != bill.reminded_for)
        told = bill.id in self._just
        self._just.discard(bill.id)
        if told and (bill.reminded_for != deadline or as_of < before or not bill.reminder_before):
            raise Wrong(f"{bill.id} is reminded of {bill.reminded_for}, proven until {as_of}")
        if newly and not told and bill.reminded_for and self._audit.now() < bill.reminded_for:
            raise Wrong(f"{bill.id} is not reminded of {deadline}")
        due = bill.reminder_before and bill.status in {"pending", "partial"} and as_of >= before
        if due and bill.reminded_for != deadline and before > _set_at(bill, deadline):
            raise Wrong(f"{bill.id} has to be reminded of {deadline}, proven until {as_of}")


def _set_at(bill: Bill, deadline: datetime) -> datetime:
    """Return when the deadline was set."""
    return max([bill.created_at, *(word.at for word in bill.words if word.until == deadline)])


def _allowed_word(word: Word, before: Case) -> None:
    status = before.status
    found = f"{word.kind} by {word.by} of {before.bill.id}, which is {before.verdict()}"
    if word.by == POLICY:
        expected = Wish("accept") if word.kind == "accept" else Wish("extend", word.until)
        if before.wish() != expected:
            raise Wrong(f"{found}: its policy has to do {before.wish()}")
        return
    match word.kind:
        case "accept":
            waiting = bool(before.undecided()) or (status == "paid" and before.waits())
            right = status in {"pending", "partial", "underpaid"} or (
                status in {"paid", "expired", "refunded", "cancelled"} and waiting
            )
        case "extend":
            begins = max(word.at, deadline_of(before.bill))
            asked = word.until in {begins + timedelta(seconds=seconds) for seconds in EXTENSIONS}
            right = asked and status in {"pending", "partial", "underpaid", "expired"}
        case _:
            right = status == "pending" and not before.piles.mine
    if not right:
        raise Wrong(found)


def _allowed_debt(debt: Debt, before: Case) -> None:
    found = f"{debt} of {before.bill.id}, which is {before.verdict()}"
    if debt.by == POLICY:
        wish = Wish("refund", None, debt.place, debt.amount, debt.covers, debt.settles)
        if before.wish() != wish:
            raise Wrong(f"{found}: its policy has to do {before.wish()}")
        return
    purse, open_ = before.purse(debt.place), before.status in OPEN
    limit = purse.unused if open_ else purse.left
    spared = before.status == "paid" and debt.amount <= purse.spare
    asked = debt.place in {(o.chain, o.asset) for o in before.bill.offers}
    settles = asked and not open_ and not spared
    covers = {c.id for c in before.piles.mine if c.place == debt.place}
    if not 0 < debt.amount <= limit or (settles, covers) != (debt.settles, debt.covers):
        raise Wrong(f"{found}: at most {limit}, settles {settles}, covers {covers}")
