"""What the daemon's database holds, read past the product: plain rows, plain SQL."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


@dataclass(frozen=True)
class Offer:
    """One option as it was frozen when the invoice was made."""

    position: int
    chain: str
    asset: str
    address: str
    amount: int
    minimum: int
    confirmations: str
    dust: int
    from_height: int


@dataclass(frozen=True)
class Bill:
    """One invoice's terms, and what the product says of it."""

    id: str
    created_at: datetime
    expires_at: datetime
    monitor_until: datetime
    late: str
    usage: Usage
    reminder_before: int
    reminded_for: datetime | None
    status: str
    exceptions: frozenset[str]
    needs_action: bool
    sequence: int
    decision: str
    offers: tuple[Offer, ...]
    words: tuple[Word, ...]
    debts: tuple[Debt, ...]


@dataclass(frozen=True)
class Usage:
    """What is to happen by itself: the invoice's policy."""

    accept: Fraction | None
    extend: int
    underpaid: str
    overpaid: str
    wrong_asset: str


@dataclass(frozen=True)
class Word:
    """A merchant's or a policy's recorded decision."""

    id: int
    kind: str
    at: datetime
    by: str
    until: datetime | None


@dataclass(frozen=True)
class Debt:
    """Money that is to be given back. `covers` are the ids of deposits; `state` is what the product says."""

    row: int
    id: str
    chain: str
    asset: str
    address: str | None
    amount: int
    arrives: int
    confirmations: str
    at: datetime
    by: str
    covers: frozenset[str]
    settles: bool
    txid: str | None
    sent_at: datetime | None
    cancelled: bool
    state: str

    @property
    def place(self) -> tuple[str, str]:
        """Its chain and asset."""
        return self.chain, self.asset


class Books:
    """One look at the database."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path)
        self._db.row_factory = sqlite3.Row

    def close(self) -> None:
        self._db.close()

    def rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        return self._db.execute(sql, values).fetchall()

    def chains(self) -> dict[str, sqlite3.Row]:
        return {row["name"]: row for row in self.rows("SELECT * FROM chain")}

    def deposits(self) -> list[sqlite3.Row]:
        return self.rows("SELECT * FROM deposit")

    def gaps(self) -> list[sqlite3.Row]:
        return self.rows("SELECT * FROM gap")

    def addresses(self) -> dict[tuple[str, str], sqlite3.Row]:
        return {(row["chain"], row["address"]): row for row in self.rows("SELECT * FROM address")}

    def bills(self, *ids: str) -> list[Bill]:
        marks = ",".join("?" * len(ids))
        of_them = f" WHERE invoice_id IN ({marks})" if ids else ""
        offers = self._by_bill(f'SELECT * FROM "option"{of_them} ORDER BY position', *ids)
        words = self._by_bill(f"SELECT * FROM resolution{of_them} ORDER BY id", *ids)
        debts = self._by_bill(f"SELECT rowid, * FROM refund{of_them} ORDER BY rowid", *ids)
        chosen = f" WHERE id IN ({marks})" if ids else ""
        rows = self.rows(f"SELECT * FROM invoice{chosen} ORDER BY rowid", *ids)
        return [_bill(row, offers[row["id"]], words[row["id"]], debts[row["id"]]) for row in rows]

    def _by_bill(self, sql: str, *ids: str) -> dict[str, list[sqlite3.Row]]:
        found: dict[str, list[sqlite3.Row]] = defaultdict(list)
        for row in self.rows(sql, *ids):
            found[row["invoice_id"]].append(row)
        return found


def _bill(
    row: sqlite3.Row, offers: list[sqlite3.Row], words: list[sqlite3.Row], debts: list[sqlite3.Row]
) -> Bill:
    return Bill(
        id=row["id"],
        created_at=moment(row["created_at"]),
        expires_at=moment(row["expires_at"]),
        monitor_until=moment(row["monitor_until"]),
        late=row["late"],
        usage=_usage(json.loads(row["policy"])),
        reminder_before=row["reminder_before"],
        reminded_for=None if row["reminded_for"] is None else moment(row["reminded_for"]),
        status=row["status"],
        exceptions=frozenset(filter(None, row["exceptions"].split(","))),
        needs_action=bool(row["needs_action"]),
        sequence=row["sequence"],
        decision=row["decision"],
        offers=tuple(map(_offer, offers)),
        words=tuple(map(_word, words)),
        debts=tuple(map(_debt, debts)),
    )


def _usage(kept: dict[str, Any]) -> Usage:
    accept = kept["accept_share"]
    return Usage(
        accept=None if accept is None else Fraction(accept),
        extend=kept["extend"],
        underpaid=kept["underpaid"],
        overpaid=kept["overpaid"],
        wrong_asset=kept["wrong_asset"],
    )


def _word(row: sqlite3.Row) -> Word:
    until = None if row["until"] is None else moment(row["until"])
    return Word(row["id"], row["kind"], moment(row["at"]), row["by"], until)


def _debt(row: sqlite3.Row) -> Debt:
    return Debt(
        row=row["rowid"],
        id=row["id"],
        chain=row["chain"],
        asset=row["asset"],
        address=row["address"],
        amount=int(row["amount"]),
        arrives=int(row["arrives"]),
        confirmations=row["confirmations"],
        at=moment(row["at"]),
        by=row["by"],
        covers=frozenset(json.loads(row["covers"])),
        settles=bool(row["settles"]),
        txid=row["txid"],
        sent_at=None if row["sent_at"] is None else moment(row["sent_at"]),
        cancelled=row["cancelled_at"] is not None,
        state=row["state"],
    )


def _offer(row: sqlite3.Row) -> Offer:
    return Offer(
        position=row["position"],
        chain=row["chain"],
        asset=row["asset"],
        address=row["address"],
        amount=int(row["amount"]),
        minimum=int(row["minimum"]),
        confirmations=row["confirmations"],
        dust=int(row["dust"]),
        from_height=row["from_height"],
    )
