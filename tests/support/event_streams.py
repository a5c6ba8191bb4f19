"""Events to be told, and readers of `/v1/events/stream` over real connections."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from watcher.apikeys import Scope
from watcher.ids import new_id
from watcher.model import Event, EventType
from watcher.outbox import publish
from watcher.render import body

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import aiohttp

    from api_server import Api


async def tell(api: Api, number: int, size: int = 1) -> None:
    """Publish that many events of a chain."""
    now, kind = api.clock(), EventType.CHAIN_STALLED
    made = [
        Event(new_id("evt"), kind, now, body(kind, now, {"n": n, "filler": "x" * size}), chain="fake")
        for n in range(number)
    ]
    async with api.context.store.write() as conn:
        await publish(conn, made, now)
    api.context.bus.published()


async def until(true: Callable[[], bool]) -> None:
    """Wait for what the server tells nobody."""
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.02)


@asynccontextmanager
async def stream(
    api: Api, query: str = "", headers: dict[str, str] | None = None
) -> AsyncIterator[aiohttp.StreamReader]:
    """Open a stream that has begun."""
    key = {"Authorization": f"Bearer {api.keys[Scope.READ]}"}
    async with api.session.get(f"{api.url}/v1/events/stream{query}", headers=key | (headers or {})) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.content_type == "text/event-stream"
        opening = await block(answer.content)
        assert [": open", "retry", "id"] == [line.split(": ")[0] or line for line in opening]
        yield answer.content


async def block(reader: aiohttp.StreamReader) -> list[str]:
    """Read up to the next empty line."""
    lines = []
    async with asyncio.timeout(30):
        while line := (await reader.readline()).decode().rstrip("\n"):
            lines.append(line)
    return lines


async def event(reader: aiohttp.StreamReader) -> tuple[int, dict[str, Any]]:
    """Read the next event, over the comments before it: its SSE id and its data."""
    while (lines := await block(reader)) == [": keep-alive"]:
        pass
    id_, data = lines
    return int(id_.removeprefix("id: ")), json.loads(data.removeprefix("data: "))
