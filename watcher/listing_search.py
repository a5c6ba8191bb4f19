"""Free text: which invoices bear an id, an address or a transaction, or words in their order or description.

Builds a condition; reads nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import or_, select

from watcher.tables import ADDRESS, CHAIN, DEPOSIT, INVOICE, REFUND

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import ColumnElement, ScalarSelect, Select

    Ids = Select[tuple[str]] | ScalarSelect[str]


@dataclass(frozen=True, slots=True)
class Search:
    """What somebody looks for. `addresses`: the same as an address, as each chain writes it."""

    text: str
    addresses: Collection[str]


def found_by(search: Search) -> ColumnElement[bool]:
    """Return whether an invoice is what somebody looks for, or has to do with it."""
    exact = {search.text, search.text.lower()}
    ids = (_at_address(search.addresses), _by_deposit(exact), _by_refund(exact))
    return or_(
        INVOICE.c.id.in_(exact),
        *(INVOICE.c.id.in_(found) for found in ids),
        *(column.icontains(words, autoescape=True) for column in _WORDY for words in _cases(search.text)),
    )


_WORDY = (INVOICE.c.order_id, INVOICE.c.description)


def _cases(text: str) -> list[str]:
    """Return a text in the cases in which people write it: SQLite takes only ASCII letters as the same."""
    folded = {_ascii_lower(words): words for words in (text.title(), text.upper(), text.lower(), text)}
    return sorted(folded.values())


def _ascii_lower(text: str) -> str:
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)


def _at_address(addresses: Collection[str]) -> Ids:
    """Return the invoices that were shown with an address; the chains are named for the index's sake."""
    chains = select(CHAIN.c.name)
    return select(ADDRESS.c.invoice_id).where(
        ADDRESS.c.chain.in_(chains), ADDRESS.c.address.in_(addresses), ADDRESS.c.invoice_id.is_not(None)
    )


def _by_deposit(exact: Collection[str]) -> Ids:
    """Return the invoices that a transaction or a payment of that id reached."""
    same = (ADDRESS.c.chain == DEPOSIT.c.chain) & (ADDRESS.c.address == DEPOSIT.c.address)
    found = or_(DEPOSIT.c.txid.in_(exact), DEPOSIT.c.id.in_(exact))
    return select(ADDRESS.c.invoice_id).join(DEPOSIT, same).where(found, ADDRESS.c.invoice_id.is_not(None))


def _by_refund(exact: Collection[str]) -> Ids:
    """Return the invoices of which a transaction or a refund of that id gave something back."""
    return select(REFUND.c.invoice_id).where(or_(REFUND.c.txid.in_(exact), REFUND.c.id.in_(exact)))
