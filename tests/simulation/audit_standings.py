"""Standing addresses: each deposit is told as it is, each state once, in an order that makes sense."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from books import moment
from naive import Coin, is_deep
from wrong import Wrong

if TYPE_CHECKING:
    import sqlite3

    from audit import Audit
    from books import Books

UNITS = {"COIN": 10**8, "TOKEN": 10**6}
Key = tuple[str, str, str]

MAY_FOLLOW: dict[str, set[str | None]] = {
    "deposit.detected": {None},
    "deposit.confirmed": {"pending", "gone"},
    "deposit.reverted": {"pending", "confirmed", "aside"},
    "deposit.unmatched": {None, "gone"},
}
"""What a shop must believe of a deposit so that it may be told this."""

BELIEF = {"deposit.detected": "pending", "deposit.confirmed": "confirmed", "deposit.unmatched": "aside"}


class Receipts:
    """What a shop believes of each deposit, from what it was told."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit
        self._believed: dict[Key, str] = {}

    def event(self, event: sqlite3.Row) -> None:
        if event["standing_id"] is None:
            return
        data = json.loads(event["body"])["data"]
        paid = data["payment"]
        key = (paid["chain"], paid["txid"], paid["slot"])
        was = self._believed.get(key)
        if was not in MAY_FOLLOW[event["type"]]:
            raise Wrong(f"{event['type']} is told of {key}, which is {was}")
        waits = event["type"] == "deposit.reverted" and paid["status"] == "pending"
        self._believed[key] = "pending" if waits else BELIEF.get(event["type"], "gone")
        if data["address"]["id"] != event["standing_id"] or paid["address"] != data["address"]["address"]:
            raise Wrong(f"{event['type']} is told of {paid}, which is not to {data['address']}")
        credit = self._audit.credit(key)
        if (credit.address, credit.asset) != (paid["address"], paid["asset"]) or (
            credit.amount != Decimal(paid["amount"]) * UNITS[paid["asset"]]
        ):
            raise Wrong(f"{event['type']} is told of {paid}, and it is {credit}")

    def step(self, books: Books) -> None:
        """Look whether everything that has to be told was."""
        standings = {row["id"]: row for row in books.rows("SELECT * FROM standing")}
        if not standings:
            return
        reaches = self._audit.reaches(books)
        rows = books.rows(
            "SELECT d.*, a.standing_id FROM deposit d JOIN address a ON a.chain = d.chain"
            " AND a.address = d.address WHERE a.standing_id IS NOT NULL"
        )
        for row in rows:
            mine = standings[row["standing_id"]]
            rule = json.loads(mine["confirmations"])["above"]
            deep = is_deep(rule, _coin(row), reaches[row["chain"]])
            believed = self._believed.get((row["chain"], row["txid"], row["slot"]))
            expected = _expected(row, mine, deep=deep)
            if believed not in expected:
                raise Wrong(f"{dict(row)} is told as {believed}, and should be as {expected}")


def _expected(row: sqlite3.Row, mine: sqlite3.Row, *, deep: bool) -> set[str | None]:
    if row["arrived_at"] < mine["created_at"]:
        return {None}
    if row["standing"] in {"replaced", "dropped", "reorganised"}:
        return {None, "gone"}
    if mine["archived_at"] is not None and row["arrived_at"] >= mine["archived_at"]:
        return {"aside"}
    return {"confirmed"} if deep else {"pending", "gone"}


def _coin(row: sqlite3.Row) -> Coin:
    arrived, amount = moment(row["arrived_at"]), int(row["amount"])
    coin = Coin(row["chain"], row["asset"], row["address"], amount, arrived, None)
    waits = row["standing"] == "unplaced" or (row["standing"] != "mined" and row["risk"] is not None)
    return replace(coin, height=row["block_height"], maturity=row["maturity"], waits=waits)
