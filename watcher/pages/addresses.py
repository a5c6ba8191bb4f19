"""Standing addresses: the list, one with all that it received, making and archiving one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

from watcher.api import standings as api
from watcher.api.values import Flag, PageQuery
from watcher.apikeys import Scope
from watcher.drafts_standing import StandingDraft
from watcher.errors import Refused
from watcher.idempotency import Replay
from watcher.pages import actions_once
from watcher.pages.actions_once import Typed  # noqa: TC001 - pydantic reads it
from watcher.pages.choices import chains_of
from watcher.pages.page import DASHBOARD, Form, Pages
from watcher.pages.period import Given, Once, PagedQuery
from watcher.pages.reports import report

if TYPE_CHECKING:
    from aiohttp import web

    from watcher.pages.visit import Visit

pages = Pages()

ADDRESSES = f"{DASHBOARD}/addresses"


class AddressesQuery(PagedQuery):
    """The filters of the list."""

    chain: tuple[str, ...] = ()
    label: tuple[str, ...] = ()
    address: tuple[str, ...] = ()
    archived: Annotated[Flag | None, Given] = None


class AddressForm(Form):
    """What is typed to make one; without an address the next below the chain's key is taken."""

    once: Once
    chain: Typed | None = None
    label: Typed | None = None
    address: Typed | None = None
    confirmations: Typed | None = None


@pages.add("GET", ADDRESSES, scope=Scope.READ, query=AddressesQuery)
async def listed(visit: Visit) -> web.StreamResponse:
    """List the addresses that match."""
    query = visit.query
    wanted = api.StandingQuery.model_construct(**query.model_dump())
    found = (await api.listed(visit.call(wanted))).content
    label = next(iter(visit.request.query.getall("label", [])), "")  # one may hold a comma
    return report(
        visit,
        "dashboard/addresses.html",
        addresses=found["data"],
        next=found["next"],
        query=query,
        label=label,
        chains=await chains_of(visit),
    )


@pages.add("GET", f"{ADDRESSES}/new", scope=Scope.WRITE)
async def blank(visit: Visit) -> web.StreamResponse:
    """Show the form."""
    return await _form(visit)


@pages.add("POST", f"{ADDRESSES}/new", scope=Scope.WRITE, form=AddressForm)
async def made(visit: Visit) -> web.StreamResponse:
    """Make an address and show it; the form again, with what is wrong."""
    try:
        call = actions_once.call(visit, StandingDraft, _draft(visit.form))
        id_ = (await api.create(call)).content["id"]
    except Replay as replay:
        id_ = json.loads(replay.stored.body)["id"]
    except Refused as refused:
        return await _form(visit, refused)
    return visit.redirect(f"{ADDRESSES}/{id_}")


def _draft(form: AddressForm) -> dict[str, Any]:
    depth = None if form.confirmations is None else form.confirmations.strip()
    is_number = depth is not None and depth.isascii() and depth.isdigit() and len(depth) < 10  # noqa: PLR2004 - far above the limit
    return {
        "chain": form.chain,
        "label": form.label,
        "address": None if form.address is None else form.address.strip(),
        "confirmations": int(depth or 0) if is_number else depth,
    }


async def _form(visit: Visit, refused: Refused | None = None) -> web.StreamResponse:
    typed = visit.form.model_dump(exclude_none=True) if visit.form else {}
    return report(
        visit,
        "dashboard/address_new.html",
        refused,
        typed=typed,
        once=actions_once.new_key(),
        chains=await chains_of(visit),
    )


@pages.add("GET", ADDRESSES + "/{id}", scope=Scope.READ, query=PagedQuery)
async def one(visit: Visit) -> web.StreamResponse:
    """Show an address with its totals, and one page of its deposits."""
    mine = await _address(visit)
    asked = PageQuery(cursor=visit.query.cursor, limit=visit.query.limit)
    found = (await api.deposits(visit.call(asked))).content
    return report(
        visit,
        "dashboard/address.html",
        address=mine,
        deposits=found["data"],
        next=found["next"],
        query=visit.query,
    )


@pages.add("GET", ADDRESSES + "/{id}/archive", scope=Scope.WRITE)
async def asked(visit: Visit) -> web.StreamResponse:
    """Say what archiving an address means, and ask."""
    return report(visit, "dashboard/address_archive.html", address=await _address(visit))


@pages.add("POST", ADDRESSES + "/{id}/archive", scope=Scope.WRITE)
async def archived(visit: Visit) -> web.StreamResponse:
    """Archive an address."""
    await api.remove(visit.call())
    return visit.redirect(f"{ADDRESSES}/{visit.id}")


async def _address(visit: Visit) -> dict[str, Any]:
    found: dict[str, Any] = (await api.one(visit.call())).content
    return found
