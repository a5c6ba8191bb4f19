"""Open invoices that ask for a chain or an asset which the configuration does not have any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from watcher import migrate
from watcher.tables import INVOICE, OPTION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from chains.base import ChainAdapter

    Chains = Mapping[str, ChainAdapter]

_PLACE = (OPTION.c.chain, OPTION.c.asset, OPTION.c.asset_id)
_ASKED = (
    select(*_PLACE, func.count(INVOICE.c.id.distinct()).label("number"))
    .join(INVOICE, INVOICE.c.id == OPTION.c.invoice_id)
    .where(INVOICE.c.closed_at.is_(None))
    .group_by(*_PLACE)
    .order_by(*_PLACE)
)
"""What open invoices can be paid in, and how many of them each."""


class Unfollowed(NamedTuple):
    """An asset that so many open invoices ask for, and what to do."""

    chain: str
    asset: str
    asset_id: str
    open_invoices: int
    remedy: str


async def found(connection: AsyncConnection, chains: Chains) -> list[Unfollowed]:
    """Return what open invoices ask for and these chains do not have."""
    return [*_missing(await connection.execute(_ASKED), chains)]


def found_in(database: Path, chains: Chains) -> list[Unfollowed]:
    """Return the same of a database that is up to date, and perhaps another process's. Blocking.

    MigrationError if it cannot be read.
    """
    engine = migrate.reading(database)
    try:
        with engine.connect() as connection:
            return [*_missing(connection.execute(_ASKED), chains)]
    except DBAPIError as error:
        raise migrate.MigrationError(f"{database} cannot be used: {error.orig}") from None
    finally:
        engine.dispose()


def _missing(asked: Iterable[Row[Any]], chains: Chains) -> Iterator[Unfollowed]:
    """Compare by the identifier, too: a symbol may name another contract by now."""
    known = {(name, one.symbol, one.id) for name, adapter in chains.items() for one in adapter.assets()}
    for row in asked:
        if (row.chain, row.asset, row.asset_id) not in known:
            yield Unfollowed(row.chain, row.asset, row.asset_id, row.number, _remedy(row.chain, chains))


def _remedy(chain: str, chains: Chains) -> str:
    """Say what follows from it, which depends on whether the chain itself is still followed."""
    if chain not in chains:
        return "configure the chain again: what pays them there is not seen, and none of them expires"
    return (
        "configure the asset again, for what pays them in it is not seen; then have the blocks since it left "
        f"read: watcher rescan {chain} --from HEIGHT"
    )
