"""What the daemon's database holds, read past the product: plain rows, plain SQL."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

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
    status: str
    exceptions: frozenset[str]
    sequence: int
    decision: str
    offers: tuple[Offer, ...]
    words: tuple[Word, ...]


@dataclass(frozen=True)
class Word:
    """A merchant's recorded decision."""

    kind: str
    at: datetime
    until: datetime | None


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
        chosen = f" WHERE id IN ({','.join('?' * len(ids))})" if ids else ""
        return [self._bill(row) for row in self.rows(f"SELECT * FROM invoice{chosen} ORDER BY rowid", *ids)]

    def _bill(self, row: sqlite3.Row) -> Bill:
        offers = self.rows('SELECT * FROM "option" WHERE invoice_id = ? ORDER BY position', row["id"])
        words = self.rows("SELECT * FROM resolution WHERE invoice_id = ? ORDER BY id", row["id"])
        return Bill(
            id=row["id"],
            created_at=moment(row["created_at"]),
            expires_at=moment(row["expires_at"]),
            monitor_until=moment(row["monitor_until"]),
            late=row["late"],
            status=row["status"],
            exceptions=frozenset(filter(None, row["exceptions"].split(","))),
            sequence=row["sequence"],
            decision=row["decision"],
            offers=tuple(map(_offer, offers)),
            words=tuple(Word(w["kind"], moment(w["at"]), w["until"] and moment(w["until"])) for w in words),
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
