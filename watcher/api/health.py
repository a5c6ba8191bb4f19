"""What probes and tools ask without a key: alive, ready, measured, described."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.aiohttp import make_aiohttp_handler

from watcher.api.context import DOCUMENT, Answer, Call
from watcher.api.openapi import Routes
from watcher.api.schema_works import Description, Health, Readiness
from watcher.model import ChainState
from watcher.unused import unused

if TYPE_CHECKING:
    from aiohttp import web

routes = Routes()


@routes.add("GET", "/healthz", answer=Health, probe=True)
async def healthz(call: Call) -> Answer:
    """Answer while the process lives."""
    return Answer({"status": "ok", "version": call.context.version})


@routes.add("GET", "/readyz", answer=Readiness, errors=(503,), probe=True)
async def readyz(call: Call) -> Answer:
    """Answer 200 when every chain is live: at most two blocks behind at the last poll."""
    context = call.context
    statuses = {name: context.chain_status(name) for name in context.chains}
    reasons = [
        {"chain": name, "state": status.state, "reason": status.reason}
        for name, status in statuses.items()
        if status.state is not ChainState.LIVE
    ]
    if not reasons:
        return Answer({"ready": True, "reasons": []})
    names = ", ".join(f"{r['chain']} is {r['state']}" for r in reasons)
    error = {"code": "not_ready", "message": names}
    return Answer({"error": error, "ready": False, "reasons": reasons}, 503)


@routes.add("GET", "/metrics", media="text/plain")
async def metrics(call: Call) -> web.StreamResponse:
    """Show every measurement in the Prometheus text format."""
    async with call.context.store.read() as conn:
        for name in call.context.chains:
            call.context.metrics.unused_addresses.labels(name).set(await unused(conn, name))
    handle = make_aiohttp_handler(call.context.metrics.registry)
    return await handle(call.request)


@routes.add("GET", "/openapi.json", answer=Description)
async def openapi(call: Call) -> Answer:
    """Describe this interface in OpenAPI 3.1."""
    return Answer(call.request.app[DOCUMENT])
