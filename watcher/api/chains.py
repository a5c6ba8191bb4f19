"""The chains: how far each is read, through which nodes, and what can be asked for on it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from watcher import troubles
from watcher.api.context import Answer, Call
from watcher.api.openapi import Routes
from watcher.api.schema_works import Chain
from watcher.api.values import Page, PageQuery, part
from watcher.render import moment
from watcher.unused import unused

if TYPE_CHECKING:
    from chains.base import Asset, BlockRef
    from watcher.api.context import ApiContext

routes = Routes()


@routes.add("GET", "/v1/chains", query=PageQuery, answer=Page[Chain])
async def listing(call: Call) -> Answer:
    """List the chains with head, scanned height, lag, the state of their nodes, alerts and unread blocks."""
    async with call.context.store.read() as conn:
        found = [
            describe(call.context, name)
            | {"unused_addresses": await unused(conn, name)}
            | {"alerts": await troubles.alerts(conn, name), "gaps": await troubles.shown_gaps(conn, name)}
            for name in call.context.chains
        ]
    return Answer(part(found, call.query, "name"))


def describe(context: ApiContext, name: str) -> dict[str, Any]:
    """Return one chain as CONTRACT shows it."""
    adapter, status = context.chains[name], context.chain_status(name)
    return {
        "name": name,
        "kind": context.settings.chains[name].kind,
        "chain_id": adapter.chain_id,
        "state": status.state,
        "reason": status.reason,
        "head": _block(status.head) | {"time": moment(status.head.time)} if status.head else None,
        "scanned": _block(status.scanned) if status.scanned else None,
        "lag_blocks": status.lag_blocks,
        "lag_seconds": status.lag_seconds,
        "contract_transfers": adapter.contract_transfers,
        "assets": [_asset(asset) for asset in adapter.assets()],
        "endpoints": [asdict(endpoint) for endpoint in adapter.health()],
    }


def _block(block: BlockRef) -> dict[str, Any]:
    return {"height": block.height, "hash": block.hash}


def _asset(asset: Asset) -> dict[str, Any]:
    return {"symbol": asset.symbol, "id": asset.id, "decimals": asset.decimals, "contract": asset.contract}
