"""How each chain is followed, in words: what is wrong, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from watcher.api import rescan as reading
from watcher.api.requests import check
from watcher.api.rescan import RescanDraft
from watcher.api.values import Whole  # noqa: TC001 - pydantic reads it
from watcher.apikeys import Scope
from watcher.errors import Refused
from watcher.model import AlertKind, ChainState, GapReason
from watcher.pages.choices import chains_of
from watcher.pages.page import DASHBOARD, Form, Pages
from watcher.pages.webhooks import rights
from watcher.unused import GAP_LIMIT

if TYPE_CHECKING:
    from aiohttp import web

    from watcher.pages.visit import Visit

pages = Pages()

PATH = f"{DASHBOARD}/chains"

STATES = {
    ChainState.LIVE: "It is read up to its newest block.",
    ChainState.CATCHING_UP: (
        "Older blocks are still being read: payments show up when their block is reached, and no deadline"
        " goes ahead of that. There is nothing to do while the lag shrinks."
    ),
    ChainState.STALLED: (
        "No node gives anything new: payments are not seen, and no deadline passes. Look at its nodes below;"
        " once one of them is well, it goes on by itself."
    ),
    ChainState.HALTED: (
        "It was stopped, because to go on could book what is not so. Nothing of it is read until what the"
        " reason names is put right; it looks again by itself."
    ),
}
MODES = {
    "traces": "Coins that contracts send are found in the traces of each transaction, and count.",
    "parity": "Coins that contracts send are found in the traces of each block, and count.",
    "logs": "The chain logs its own coin: coins that contracts send are found in the logs, and count.",
    "balance": (
        "Coins that contracts send show as a growth of the balance: they are told as deposit.unmatched, and"
        " wait for you. With a node that traces they would count."
    ),
    "none": "Not looked for: the chain has none, it is switched off, or no node can tell.",
}
NODES = {
    "up": "answers",
    "unknown": "was not asked yet",
    "down": "fails, refuses, or serves another chain; it is asked again later",
    "lagging": "lacks what another one had a minute ago; used only while no better one answers",
    "disagrees": "has another block than the others",
}
GAPS = {
    GapReason.NEW_ADDRESS: "an address was made while they were being read",
    GapReason.RESCAN: "somebody asked for it",
    GapReason.MISSING: "no node has them any more; give one that does, and they are read",
    GapReason.QUARANTINED: "no node gave them in a form that can be read; another node may",
    GapReason.REFUND: "the transaction of a refund may be in them",
}
ALERTS = {
    AlertKind.BLOCKS_MISSING: "blocks are missing",
    AlertKind.BLOCK_QUARANTINED: "a block cannot be read",
    AlertKind.BALANCE_DISAGREEMENT: "a balance disagrees with what was found",
}
_WORDS: dict[str, Any] = {"states": STATES, "modes": MODES, "nodes": NODES, "reasons": GAPS, "kinds": ALERTS}


class RescanForm(Form):
    """Blocks by height, both included; without `to`, up to the last one that was read."""

    first: Annotated[Whole | None, Field(alias="from")] = None
    last: Annotated[Whole | None, Field(alias="to")] = None


@pages.add("GET", PATH, scope=Scope.READ)
async def listing(visit: Visit) -> web.StreamResponse:
    """List the chains."""
    found = await chains_of(visit)
    return visit.page("dashboard/chains.html", chains=found, limit=GAP_LIMIT, **_WORDS, **rights(visit))


@pages.add("GET", f"{PATH}/{{id}}/rescan", scope=Scope.ADMIN)
async def asked(visit: Visit) -> web.StreamResponse:
    """Say what it means to read blocks again, and ask which."""
    return await _asked(visit, {})


@pages.add("POST", f"{PATH}/{{id}}/rescan", scope=Scope.ADMIN, form=RescanForm)
async def rescan(visit: Visit) -> web.StreamResponse:
    """Have blocks read again."""
    given = visit.form.model_dump(by_alias=True, exclude_none=True)
    try:
        wanted = (await reading.rescan(visit.call(body=check(RescanDraft, given, "field")))).content
    except Refused as refused:
        return await _asked(visit, given, refused)
    return await _asked(visit, given, wanted=wanted)


async def _asked(
    visit: Visit, given: dict[str, Any], refused: Refused | None = None, wanted: dict[str, Any] | None = None
) -> web.Response:
    """Return the form; with what was refused of it, or what will be read."""
    chain = next((one for one in await chains_of(visit) if one["name"] == visit.id), None)
    if chain is None:
        raise Refused("not_found", f"there is no chain {visit.id}", status=404)
    status = refused.status if refused else 200
    values = {"chain": chain, "given": given, "refused": refused, "wanted": wanted}
    return visit.page("dashboard/chain_rescan.html", status, **values)
