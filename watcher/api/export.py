"""The export over HTTP: written as it is read, a page at a time, so that its size costs no memory.

Each page is one state of the database; no transaction stays open while a client reads.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from aiohttp import web
from pydantic import Field

from watcher import export, export_csv
from watcher.api.context import Call  # noqa: TC001 - for symmetry with every other resource
from watcher.api.openapi import Routes
from watcher.api.schema_export import Export
from watcher.api.values import Query, Time
from watcher.export_items import Known

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable

    from watcher.api.context import ApiContext
    from watcher.export import ExportFilter, Item

routes = Routes()

PAGE = 100
"""Invoices that are read at once: a matter of milliseconds, in which nothing else is done."""
PATIENCE = 30.0
"""Seconds that a client may leave its buffer full before it is dropped."""


class ExportQuery(Query):
    """Invoices by the time of their creation or payment, deposits to standing addresses by their arrival."""

    format: Literal["csv", "json"] = "csv"
    after: Time | None = Field(default=None, description="At this moment or later.")
    before: Time | None = Field(default=None, description="Before this moment.")
    by: Literal["created", "paid"] = "created"


@dataclass(frozen=True, slots=True)
class _Form:
    """How the items are written: what goes before the first, each page, what goes after the last."""

    media: str
    start: bytes
    page: Callable[[Iterable[Item]], bytes]
    between: bytes
    end: bytes


def _as_json(items: Iterable[Item]) -> bytes:
    return b",\n".join(msgspec.json.encode(item) for item in items)


_FORMS = {
    "csv": _Form("text/csv", export_csv.header(), export_csv.lines, b"", b""),
    "json": _Form("application/json", b"[\n", _as_json, b",\n", b"\n]\n"),
}


@routes.add("GET", "/v1/export", query=ExportQuery, answer=Export, text="text/csv")
async def exported(call: Call) -> web.StreamResponse:
    """Send invoices with their payments and refunds, oldest first, then deposits to standing addresses.

    As CSV, a line for each movement; as JSON, one array.
    """
    query = call.query
    form = _FORMS[query.format]
    wanted = export.ExportFilter(**query.model_dump(exclude={"format"}))
    async with aclosing(_written(_pages(call.context, wanted), form)) as chunks:
        first = await anext(chunks)  # what fails at once fails with a status
        response = web.StreamResponse(headers=_headers(form.media, query.format))
        await _send(call.request, response, first, chunks)
    return response


def _headers(media: str, ending: str) -> dict[str, str]:
    name = f'attachment; filename="deposit-watcher.{ending}"'
    return {"Content-Type": f"{media}; charset=utf-8", "Content-Disposition": name}


async def _send(
    request: web.Request, response: web.StreamResponse, first: bytes, rest: AsyncIterator[bytes]
) -> None:
    """Write it all, or cut the connection: half an export never looks like a whole one."""
    whole = False
    try:
        await response.prepare(request)
        await _write(response, first)
        async for chunk in rest:
            await _write(response, chunk)
        await response.write_eof()
        whole = True
    except (TimeoutError, ConnectionError):
        pass  # the client reads no more
    finally:
        if not whole and request.transport is not None:
            request.transport.abort()


async def _write(response: web.StreamResponse, chunk: bytes) -> None:
    async with asyncio.timeout(PATIENCE):
        await response.write(chunk)


async def _written(pages: AsyncIterator[list[Item]], form: _Form) -> AsyncGenerator[bytes]:
    """Yield the bytes; the first of them hold the first page."""
    ready, before = form.start, b""
    async for items in pages:
        if items:
            ready += before + form.page(items)
            before = form.between
            yield ready
            ready = b""
    if ready + form.end:
        yield ready + form.end


async def _pages(context: ApiContext, wanted: ExportFilter) -> AsyncIterator[list[Item]]:
    known = Known(context.links, _asset_ids(context))
    for read in (export.invoices, export.deposits):
        start: Any = None
        while True:
            async with context.store.read() as conn:
                items, start = await read(conn, wanted, start, PAGE, known)
            yield items
            if start is None:
                break


def _asset_ids(context: ApiContext) -> dict[tuple[str, str], str]:
    return {
        (name, asset.symbol): asset.id for name, chain in context.chains.items() for asset in chain.assets()
    }
