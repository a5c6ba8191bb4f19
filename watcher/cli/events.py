"""`watcher events`: what was told, one event a line; followed, also what is told from now on."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watcher.cli import options
from watcher.cli.names import flags

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from watcher.settings import Settings

_PAGE = 200


def events(
    context: typer.Context,
    *,
    after: Annotated[
        int | None,
        typer.Option(min=0, metavar="SEQ", help="Only what came after this event; 0 is the beginning."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="End after so many.")] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with each event as it happens, until you end it.")
    ] = False,
    as_json: Annotated[  # noqa: ARG001 - there is no other form
        bool, typer.Option("--json", help="One JSON object a line: what it prints in any case.")
    ] = False,
) -> None:
    """Print events as JSON, one a line, oldest first: the same as the webhooks carry.

    Without --follow it prints what there is. With it and without --after it starts now; it waits for the
    daemon while that is away, and resumes without losing or repeating an event.
    """
    from watcher.cli import signals

    settings = options.settings(context)
    if follow:
        signals.leave_when_told()
    try:
        asyncio.run(_print(settings, after, limit, follow=follow))
    except BrokenPipeError:
        signals.leave()  # nobody reads any more: that is no failure of ours


async def _print(settings: Settings, after: int | None, limit: int | None, *, follow: bool) -> None:
    from contextlib import aclosing

    from watcher.cli import signals
    from watcher.cli.follow import follow as followed

    if follow:
        signals.leave_with_reader()
    found = followed(settings, after) if follow else _listed(settings, after or 0)
    async with aclosing(found):
        count = 0
        async for event in found:
            sys.stdout.buffer.write(event + b"\n")
            sys.stdout.buffer.flush()
            count += 1
            if count == limit:
                return


async def _listed(settings: Settings, after: int) -> AsyncGenerator[bytes, None]:
    """Yield each event's JSON, page by page."""
    import msgspec

    from watcher.cli import client

    query: dict[str, Any] = {"after": after, "limit": _PAGE}
    async with client.connect(settings) as api:
        while True:
            page = await api.get("/v1/events", query, flags())
            for event in page["data"]:
                yield msgspec.json.encode(event)
            if page["next"] is None:
                return
            query["cursor"] = page["next"]
