"""What the ledger claims to know of a chain, for whoever wants to hold it against the chain itself."""

from __future__ import annotations

from pydantic import Field

from watcher import recorded
from watcher.api.context import Answer, Call
from watcher.api.openapi import Routes
from watcher.api.schema_ledger import LedgerAddress, LedgerDeposit, LedgerExtent
from watcher.api.values import Page, PageQuery, Query, Seq, page
from watcher.errors import Refused

routes = Routes()


class DepositQuery(PageQuery):
    """Blocks by height, both ends included; or transactions, wherever their deposits stand."""

    first: Seq | None = Field(default=None, alias="from")
    last: Seq | None = Field(default=None, alias="to")
    txid: tuple[str, ...] = ()


@routes.add("GET", "/v1/chains/{id}/ledger", query=Query, answer=LedgerExtent, errors=(503,))
async def extent(call: Call) -> Answer:
    """Tell how far a chain is read, and which blocks will be read again."""
    _known(call)
    async with call.context.store.read() as conn:
        return Answer(await recorded.extent(conn, call.id))


@routes.add("GET", "/v1/chains/{id}/addresses", query=PageQuery, answer=Page[LedgerAddress])
async def addresses(call: Call) -> Answer:
    """List the watched addresses of a chain, oldest first."""
    _known(call)
    async with call.context.store.read() as conn:
        shown, following = await recorded.addresses(conn, call.id, call.query.cursor, call.query.limit)
    return Answer(page(shown, following))


@routes.add("GET", "/v1/chains/{id}/deposits", query=DepositQuery, answer=Page[LedgerDeposit])
async def deposits(call: Call) -> Answer:
    """List the recorded deposits of a chain that stand in blocks, oldest first."""
    _known(call)
    query = call.query
    wanted = recorded.DepositFilter(first=query.first, last=query.last, txid=query.txid)
    decimals = call.context.links.decimals
    async with call.context.store.read() as conn:
        shown, following = await recorded.deposits(
            conn, call.id, wanted, (query.cursor, query.limit), decimals
        )
    return Answer(page(shown, following))


def _known(call: Call) -> None:
    if call.id not in call.context.chains:
        raise Refused("unknown_chain", f"there is no chain {call.id!r}", status=404)
