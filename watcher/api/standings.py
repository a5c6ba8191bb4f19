"""Standing addresses over HTTP: create, list, show with what came, archive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from chains.base import AddressError
from watcher import facts, facts_standings, listing_standings, render, render_receipts
from watcher.api.context import Answer, Call
from watcher.api.openapi import Routes
from watcher.api.schema_standings import ReceivedDeposit, StandingAddress, StandingAddressWithDeposits
from watcher.api.values import Flag, Page, PageQuery, page
from watcher.drafts_standing import StandingDraft
from watcher.errors import Refused
from watcher.receipts import judge

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from watcher import receipts
    from watcher.model import Deposit, Payment, View

routes = Routes()

NEWEST = 20
"""Deposits that are shown with their address."""


class StandingQuery(PageQuery):
    """Filters: all of those given have to match, each by any of its values."""

    chain: tuple[str, ...] = ()
    label: tuple[str, ...] = ()
    address: tuple[str, ...] = ()
    archived: Flag | None = Field(default=None, description="Only those that are, or are not, archived.")


@routes.add(
    "POST",
    "/v1/addresses",
    body=StandingDraft,
    answer=StandingAddress,
    status=201,
    errors=(409, 503),
    repeatable=True,
)
async def create(call: Call) -> Answer:
    """Make a standing address. It is watched before this answers."""
    return Answer(await call.context.customers.create(call.body, call.caller.name, call.idempotency), 201)


@routes.add("GET", "/v1/addresses", query=StandingQuery, answer=Page[StandingAddress])
async def listed(call: Call) -> Answer:
    """List standing addresses, newest first."""
    query = call.query
    wanted = listing_standings.StandingFilter(
        chain=query.chain,
        label={*query.label, *filter(None, call.request.query.getall("label", []))},  # one may hold a comma
        address=_spellings(call, query.address),
        archived=query.archived,
    )
    async with call.context.store.read() as conn:
        found, following = await listing_standings.standings(conn, wanted, query.cursor, query.limit)
    return Answer(page([render_receipts.standing(one) for one in found], following))


def _spellings(call: Call, addresses: Iterable[str]) -> set[str]:
    """Return the addresses as each chain that knows them writes them."""
    found = set(addresses)
    for address in addresses:
        for adapter in call.context.chains.values():
            try:
                found.add(adapter.canonical(address))
            except AddressError:
                continue  # another chain's
    return found


@routes.add("GET", "/v1/addresses/{id}", answer=StandingAddressWithDeposits)
async def one(call: Call) -> Answer:
    """Show a standing address with exact totals per asset, and its newest deposits."""
    async with call.context.store.read() as conn:
        mine = await _known(conn, call.id)
        views = await facts.views(conn)
        received = await facts_standings.received(conn, mine.id)
        newest, _ = await listing_standings.deposits(conn, mine.id, None, NEWEST)
    judged = [_judged(call, mine, deposit, views) for deposit in received]
    shown = {
        "totals": render_receipts.totals(judged, call.context.links),
        "deposits": _shown(call, mine, newest, views),
    }
    return Answer({**render_receipts.standing(mine), **shown})


@routes.add("GET", "/v1/addresses/{id}/deposits", query=PageQuery, answer=Page[ReceivedDeposit])
async def deposits(call: Call) -> Answer:
    """List what a standing address received, newest first."""
    query = call.query
    async with call.context.store.read() as conn:
        mine = await _known(conn, call.id)
        views = await facts.views(conn)
        found, following = await listing_standings.deposits(conn, mine.id, query.cursor, query.limit)
    return Answer(page(_shown(call, mine, found, views), following))


@routes.add("DELETE", "/v1/addresses/{id}", status=204)
async def remove(call: Call) -> Answer:
    """Archive a standing address. It stays watched: what it receives from now on is `deposit.unmatched`."""
    await call.context.customers.archive(call.id, call.caller.name)
    return Answer(None, 204)


async def _known(conn: AsyncConnection, id_: str) -> receipts.StandingAddress:
    found = (await facts_standings.load(conn, [id_])).get(id_)
    if found is None:
        raise Refused("not_found", f"there is no standing address {id_}", status=404)
    return found


def _judged(call: Call, mine: receipts.StandingAddress, deposit: Deposit, views: dict[str, View]) -> Payment:
    decimals = call.context.links.decimals(deposit.chain, deposit.asset)
    return judge(mine, deposit, views.get(deposit.chain), decimals)


def _shown(
    call: Call, mine: receipts.StandingAddress, found: Iterable[Deposit], views: dict[str, View]
) -> list[dict[str, Any]]:
    links = call.context.links
    payments = [_judged(call, mine, deposit, views) for deposit in found]
    return [{**render.payment(p, views.get(p.deposit.chain), links), "rule": p.rule} for p in payments]
