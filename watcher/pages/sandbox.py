"""The sandbox's panel: pays invoices and moves the test chains. There only where a sandbox runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from watcher.api import chains as chains_api
from watcher.api import invoices as invoices_api
from watcher.api.invoices import InvoiceQuery
from watcher.api.values import PageQuery
from watcher.apikeys import Scope
from watcher.errors import Refused
from watcher.model import Status
from watcher.pages.page import DASHBOARD, Pages
from watcher.pages.sandbox_forms import Choice, Mining, Payment, Reorganisation, number
from watcher.pages.sandbox_ways import ways
from watcher.testbed import MOST_BLOCKS, MOST_PARTS, Sum

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiohttp import web

    from watcher.pages.sandbox_ways import Way
    from watcher.pages.visit import Visit
    from watcher.testbed import Bed, Note

pages = Pages()

PANEL = f"{DASHBOARD}/sandbox"

_NEWEST = 20
_OVER = {Status.EXPIRED, Status.UNDERPAID}
"""Statuses that say that the deadline has passed, by the blocks' time at least."""

_AFTER_DEADLINE = timedelta(seconds=2)
"""The moments of blocks are whole seconds: a late one has to be past the deadline in these, too."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """What the form needs that pays an invoice. `fault`: why it was not paid; `typed`: the form as sent."""

    invoice: Mapping[str, Any]
    ways: Sequence[Way]
    back: str
    most_parts: int = MOST_PARTS
    note: Note | None = None
    fault: Refused | None = None
    typed: Mapping[str, Any] = field(default_factory=dict)


async def simulation(visit: Visit, invoice: Mapping[str, Any]) -> Simulation | None:
    """Return what dashboard/_simulate.html needs on an invoice's own page; None where it is not offered."""
    bed, session = visit.context.testbed, visit.session
    if bed is None or session is None or not session.key.scope.includes(Scope.WRITE):
        return None
    note = next(iter(bed.notes()), None)
    return Simulation(invoice, ways(invoice, await bed.chains()), "invoice", note=note)


@pages.add("GET", PANEL, scope=Scope.WRITE, query=Choice)
async def panel(visit: Visit) -> web.StreamResponse:
    """Show the chains; with an invoice's id, go on to that one."""
    _bed(visit)
    if name := (visit.query.invoice or "").strip():
        return visit.redirect(_place(name))
    return await _shown(visit)


@pages.add("GET", PANEL + "/{id}", scope=Scope.WRITE)
async def one(visit: Visit) -> web.StreamResponse:
    """Show the chains, and the form that pays an invoice."""
    _bed(visit)
    try:
        invoice = await _invoice(visit)
    except Refused as refused:
        return await _shown(visit, choosing=refused)
    return await _shown(visit, invoice)


@pages.add("POST", PANEL + "/{id}/pay", scope=Scope.WRITE, form=Payment)
async def pay(visit: Visit) -> web.StreamResponse:
    """Pay an invoice, now or once its deadline has passed."""
    bed = _bed(visit)
    try:
        invoice = await _invoice(visit)
    except Refused as refused:
        return await _shown(visit, choosing=refused)
    try:
        money = _money(visit.form, invoice, ways(invoice, await bed.chains()))
        deadline = datetime.fromisoformat(invoice["expires_at"])
        over = visit.context.clock() > deadline or invoice["status"] in _OVER
        if visit.form.when == "late" and not over:
            await bed.pay_later(money, deadline + _AFTER_DEADLINE)
        else:
            await bed.pay(money)
    except Refused as refused:
        return await _shown(visit, invoice, paying=refused)
    if visit.form.back == "invoice":
        return visit.redirect(f"{DASHBOARD}/invoices/{quote(visit.id, safe='')}")
    return visit.redirect(_place(visit.id))


@pages.add("POST", PANEL + "/mine", scope=Scope.WRITE, form=Mining)
async def mine(visit: Visit) -> web.StreamResponse:
    """Mine blocks."""
    bed = _bed(visit)
    try:
        await bed.mine(visit.form.chain, number(visit.form.blocks, "blocks"))
    except Refused as refused:
        return await _shown(visit, mining=refused)
    return visit.redirect(_back(visit))


@pages.add("POST", PANEL + "/reorganise", scope=Scope.WRITE, form=Reorganisation)
async def reorganise(visit: Visit) -> web.StreamResponse:
    """Replace the last blocks of a chain by others."""
    bed, form = _bed(visit), visit.form
    try:
        await bed.reorganise(form.chain, number(form.depth, "depth"), keep=form.transactions == "again")
    except Refused as refused:
        return await _shown(visit, replacing=refused)
    return visit.redirect(_back(visit))


def _bed(visit: Visit) -> Bed:
    if visit.context.testbed is None:
        raise Refused("not_found", "there is no such page; it belongs to `watcher sandbox`", status=404)
    return visit.context.testbed


def _place(invoice: str) -> str:
    return f"{PANEL}/{quote(invoice, safe='')}"


def _back(visit: Visit) -> str:
    """Return where a form was sent from that is not about one invoice."""
    return _place(visit.form.invoice) if visit.form.invoice else PANEL


async def _invoice(visit: Visit) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (await invoices_api.one(visit.call())).content
    return found


def _money(form: Payment, invoice: Mapping[str, Any], offered: Sequence[Way]) -> Sum:
    way = next((way for way in offered if way.id == form.way), None)
    if way is None:
        raise Refused(
            "invalid", f"{invoice['id']} cannot be paid like that; choose one of the list", field="way"
        )
    amount = (form.amount or way.missing).strip()
    if form.amount is None and way.missing == "0":
        raise Refused("invalid", f"nothing is missing of {invoice['id']}; name a sum", field="amount")
    return Sum(way.chain, way.coin, way.address, amount, number(form.parts, "parts"))


async def _shown(
    visit: Visit, invoice: Mapping[str, Any] | None = None, **faults: Refused
) -> web.StreamResponse:
    """Return the panel. `faults`: what was refused, by its form, which then shows what was typed."""
    bed = _bed(visit)
    tried = await bed.chains()
    followed = (await chains_api.listing(visit.call(PageQuery()))).content["data"]
    newest = (await invoices_api.listed(visit.call(InvoiceQuery(limit=_NEWEST)))).content["data"]
    typed = visit.form.model_dump(exclude_none=True) if faults and visit.form else {}
    simulate = None
    if invoice is not None:
        fault = faults.get("paying")
        simulate = Simulation(
            invoice, ways(invoice, tried), typed.get("back", "panel"), fault=fault, typed=typed
        )
    return visit.page(
        "dashboard/sandbox.html",
        status=next((fault.status for fault in faults.values()), 200),
        place=_place(invoice["id"]) if invoice else PANEL,
        chains=tried,
        followed={chain["name"]: chain for chain in followed},
        newest=newest,
        notes=bed.notes(),
        simulate=simulate,
        faults=faults,
        typed=typed,
        most_blocks=MOST_BLOCKS,
    )
