"""Events by page and as a stream: all of them, in order, once, and resumed where a reader stopped."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from watcher.api import events as events_module
from watcher.api.schema import Event as EventItem
from watcher.apikeys import Scope
from watcher.ids import new_id
from watcher.model import Event, EventType
from watcher.outbox import publish
from watcher.render import body

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

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


@asynccontextmanager
async def stream(
    api: Api, query: str = "", headers: dict[str, str] | None = None
) -> AsyncIterator[aiohttp.StreamReader]:
    """Open a stream that has begun."""
    key = {"Authorization": f"Bearer {api.keys[Scope.READ]}"}
    async with api.session.get(f"{api.url}/v1/events/stream{query}", headers=key | (headers or {})) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.content_type == "text/event-stream"
        assert await answer.content.readline() == b": open\n"
        await answer.content.readline()
        yield answer.content


async def block(reader: aiohttp.StreamReader) -> list[str]:
    """Read up to the next empty line."""
    lines = []
    async with asyncio.timeout(10):
        while line := (await reader.readline()).decode().rstrip("\n"):
            lines.append(line)
    return lines


async def event(reader: aiohttp.StreamReader) -> tuple[int, dict[str, Any]]:
    """Read the next event: its SSE id and its data."""
    id_, data = await block(reader)
    return int(id_.removeprefix("id: ")), json.loads(data.removeprefix("data: "))


async def test_events_are_listed_oldest_first_with_the_webhook_s_content(api: Api) -> None:
    made = await api.invoice()
    reply = await api.get("/v1/events")

    (item,) = reply.json["data"]
    EventItem.model_validate(item, extra="forbid")
    assert ("invoice.created", made["id"]) == (item["type"], item["data"]["invoice"]["id"])
    assert reply.json["next"] is None


async def test_pages_of_events_follow_each_other_by_after_or_by_cursor(api: Api) -> None:
    await tell(api, 5)
    first = (await api.get("/v1/events?limit=2")).json
    by_cursor = (await api.get(f"/v1/events?limit=2&cursor={first['next']}")).json
    by_after = (await api.get(f"/v1/events?limit=2&after={first['data'][-1]['seq']}")).json
    last = (await api.get(f"/v1/events?after={by_after['next']}")).json

    assert by_cursor == by_after
    assert [0, 1, 2, 3, 4] == [item["data"]["n"] for page in (first, by_after, last) for item in page["data"]]
    assert last["next"] is None


async def test_after_the_last_event_there_is_nothing(api: Api) -> None:
    reply = await api.get(f"/v1/events?after={2**63 - 1}")

    assert (200, []) == (reply.status, reply.json["data"])


@pytest.mark.parametrize("query", ["after=-1", "after=x", f"after={2**63}", "cursor=x", "after=1&after=2"])
async def test_what_is_no_seq_is_422(api: Api, query: str) -> None:
    assert 422 == (await api.get(f"/v1/events?{query}")).status


async def test_a_stream_starts_now_and_tells_what_happens(api: Api) -> None:
    await tell(api, 1)
    async with stream(api) as reader:
        made = await api.invoice()
        id_, item = await event(reader)

    listed = (await api.get("/v1/events?after=1")).json["data"]
    assert (listed, id_) == ([item], item["seq"])
    assert made["id"] == item["data"]["invoice"]["id"]


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        pytest.param("?after=2", {}, id="after"),
        pytest.param("", {"Last-Event-ID": "2"}, id="Last-Event-ID"),
        pytest.param("?after=0", {"Last-Event-ID": "2"}, id="Last-Event-ID goes ahead"),
    ],
)
async def test_a_stream_resumes_where_its_reader_stopped(
    api: Api, query: str, headers: dict[str, str]
) -> None:
    await tell(api, 4)
    async with stream(api, query, headers) as reader:
        found = [(await event(reader))[0] for _ in range(2)]
        await tell(api, 1)
        found.append((await event(reader))[0])

    assert [3, 4, 5] == found


async def test_a_stream_catches_up_over_more_than_one_batch(api: Api) -> None:
    await tell(api, 250)
    async with stream(api, "?after=0") as reader:
        found = [(await event(reader))[0] for _ in range(250)]

    assert list(range(1, 251)) == found


async def test_silence_is_broken_by_comments(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_module, "KEEP_ALIVE", 0.05)
    async with stream(api) as reader:
        assert [": keep-alive"] == await block(reader)
        await tell(api, 1)
        while len(lines := await block(reader)) == 1:
            pass

    assert "id: 1" == lines[0]


@pytest.mark.parametrize("value", ["x", "-1", "9" * 30, ""])
async def test_a_last_event_id_that_is_no_seq_is_422(api: Api, value: str) -> None:
    reply = await api.get("/v1/events/stream", headers={"Last-Event-ID": value})

    assert (422, "Last-Event-ID") == (reply.status, reply.json["error"]["field"])


async def test_a_reader_that_does_not_read_is_dropped(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_module, "PATIENCE", 0.3)
    await tell(api, 1000, 20_000)
    async with stream(api, "?after=0"):
        async with asyncio.timeout(10):
            while api.context.life.streams:  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.05)

    assert 200 == (await api.get("/v1/chains")).status


async def test_a_stream_ends_when_its_key_is_revoked(api: Api) -> None:
    async with stream(api) as reader:
        await api.call("DELETE", "/v1/keys/a read")
        await tell(api, 1)
        async with asyncio.timeout(10):
            rest = await reader.read()

    assert b"" == rest


async def test_there_is_a_limit_to_open_streams(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_module, "MAX_STREAMS", 1)
    async with stream(api):
        second = await api.get("/v1/events/stream")

    assert (429, "too_many_streams") == (second.status, second.json["error"]["code"])


async def test_streams_end_when_the_server_stops(api: Api) -> None:
    async with stream(api) as reader:
        async with asyncio.timeout(3):
            await api.runner.cleanup()
        rest = await reader.read()

    assert b"" == rest
    assert 0 == api.context.life.streams
