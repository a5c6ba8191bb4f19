"""What the ledger claims to know of a chain, as the comparison reads it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from watcher.model import GapReason, Standing
from watcher.money import parse_amount

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_BEFORE = "reached an address before it was shown"
_WAITING = "in blocks that will be read again"
_UNREAD = {
    GapReason.MISSING: "in blocks that the ledger's node does not have",
    GapReason.QUARANTINED: "in blocks that could not be parsed",
}


@dataclass(frozen=True, slots=True)
class Claim:
    """A watched address: its row number, whose it is, and the height above which it is read.

    `owner` is the id of an invoice or of a standing address.
    """

    id: int
    owner: str | None
    from_height: int | None


@dataclass(frozen=True, slots=True)
class Row:
    """A recorded deposit; `amount` in base units."""

    txid: str
    slot: str
    asset: str
    address: str
    amount: int
    standing: Standing
    height: int | None
    block: str | None
    owner: str | None

    @property
    def is_mined(self) -> bool:
        """Whether the ledger says that it stands in a block."""
        return self.standing == Standing.MINED


@dataclass(frozen=True, slots=True)
class Waiting:
    """Blocks that are not, or not again, read for the addresses `after` < id <= `upto`."""

    first: int
    last: int
    after: int
    upto: int
    reason: GapReason


@dataclass(frozen=True, slots=True)
class Known:
    """How far a chain is read, for which addresses, and what of it is left to be read."""

    height: int
    hash: str
    claims: Mapping[str, Claim]
    waiting: tuple[Waiting, ...]

    def begins(self) -> int | None:
        """Return the first block that is claimed for any address, None without one."""
        heights = [each.from_height for each in self.claims.values() if each.from_height is not None]
        return min(heights) + 1 if heights else None

    def excuse(self, address: str, height: int) -> str | None:
        """Return why a credit may be unknown to the ledger all the same; None if it has to be known."""
        claim = self.claims[address]
        if claim.from_height is None or height <= claim.from_height:
            return _BEFORE
        for gap in self.waiting:
            if gap.first <= height <= gap.last and gap.after < claim.id <= gap.upto:
                return _UNREAD.get(gap.reason, _WAITING)
        return None


def known(extent: Mapping[str, Any], addresses: list[dict[str, Any]]) -> Known:
    """Read what the API says of a chain's extent and addresses."""
    head = extent["head"]
    gaps = (
        Waiting(gap["from"], gap["to"], gap["after"], gap["upto"], GapReason(gap["reason"]))
        for gap in extent["gaps"]
    )
    claims = {each["address"]: Claim(each["id"], _owner(each), each["from_height"]) for each in addresses}
    return Known(head["height"], head["hash"], claims, tuple(gaps))


def row(deposit: Mapping[str, Any]) -> Row:
    """Read what the API says of a deposit."""
    return Row(
        txid=deposit["txid"],
        slot=deposit["slot"],
        asset=deposit["asset"],
        address=deposit["address"],
        amount=parse_amount(deposit["amount"], deposit["decimals"]),
        standing=Standing(deposit["standing"]),
        height=deposit["block_height"],
        block=deposit["block_hash"],
        owner=_owner(deposit),
    )


def _owner(item: Mapping[str, Any]) -> str | None:
    owner: str | None = item["invoice_id"] or item["address_id"]
    return owner
