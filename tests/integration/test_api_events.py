"""Events by page and as a stream: all of them, in order, once, and resumed where a reader stopped."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from event_streams import block, event, stream, tell, until
from watcher import apikeys, feed
from watcher.api import sse
from watcher.api.schema import Event as EventItem
from watcher.apikeys import Scope
from watcher.ids import new_id
from watcher.model import Event, EventType
from watcher.outbox import publish
from watcher.render import body
from watcher.store import Store

if TYPE_CHECKING:
    from api_server import Api, Reply


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


async def test_the_events_of_an_invoice_or_an_address_are_listed_alone(api: Api) -> None:
    first, second = [await api.invoice() for _ in range(2)]
    await tell(api, 1)
    address = (await api.post("/v1/addresses", {"chain": "fake"})).json
    await _deposited(api, address["id"])

    async def listed(query: str) -> list[int]:
        return [item["seq"] for item in (await api.get(f"/v1/events?{query}")).json["data"]]

    assert [1] == await listed(f"invoice_id={first['id']}")
    assert [1, 2] == await listed(f"invoice_id={second['id']},{first['id']}")
    assert [2] == await listed(f"invoice_id={second['id']}&invoice_id={first['id']}&after=1")
    assert [4] == await listed(f"address_id={address['id']}")
    assert [] == await listed("invoice_id=inv_unknown")


async def _deposited(api: Api, address_id: str) -> None:
    """Publish an event of a standing address."""
    now, kind = api.clock(), EventType.DEPOSIT_DETECTED
    told = Event(new_id("evt"), kind, now, body(kind, now, {}), standing_id=address_id)
    async with api.context.store.write() as conn:
        await publish(conn, [told], now)


async def test_pages_of_one_invoice_s_events_are_read_by_an_index(api: Api) -> None:
    for column in ("invoice_id", "standing_id"):
        async with api.context.store.read() as conn:
            query = f"SELECT seq FROM event WHERE {column} IN ('a', 'b') AND seq > 5 ORDER BY seq"
            rows = await conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}")
            plan = " ".join(row.detail for row in rows)

        assert f"SEARCH event USING COVERING INDEX ix_event_{column} ({column}=? AND rowid>?)" in plan


async def test_after_the_last_event_there_is_nothing(api: Api) -> None:
    await tell(api, 2)
    reply = await api.get("/v1/events?after=2")

    assert (200, []) == (reply.status, reply.json["data"])


@pytest.mark.parametrize("name", ["after", "cursor"])
async def test_what_comes_after_an_event_that_there_is_not_yet_is_not_asked_for_in_vain(
    api: Api, name: str
) -> None:
    """A reader whose daemon got an older database back would miss all that is told up to its place."""
    await tell(api, 2)
    reply = await api.get(f"/v1/events?{name}=3")

    assert (422, name) == (reply.status, reply.json["error"]["field"])
    assert "the newest is 2" in reply.json["error"]["message"]


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
    monkeypatch.setattr(sse, "KEEP_ALIVE", 0.05)
    async with stream(api) as reader:
        assert [": keep-alive"] == await block(reader)
        await tell(api, 1)
        while len(lines := await block(reader)) == 1:
            pass

    assert "id: 1" == lines[0]


@pytest.mark.parametrize("value", ["x", "-1", "9" * 30, "", " ", "1.0", "٣", "1\t"])
async def test_a_last_event_id_that_is_no_seq_is_422(api: Api, value: str) -> None:
    reply = await api.get("/v1/events/stream", headers={"Last-Event-ID": value.encode().decode("latin-1")})

    assert (422, "Last-Event-ID") == (reply.status, reply.json["error"]["field"])


async def test_two_last_event_ids_are_422(api: Api) -> None:
    key = {"Authorization": f"Bearer {api.keys[Scope.READ]}"}
    headers = [*key.items(), ("Last-Event-ID", "0"), ("Last-Event-ID", "0")]
    async with api.session.get(f"{api.url}/v1/events/stream", headers=headers) as answer:
        assert 422 == answer.status


@pytest.mark.parametrize(
    ("query", "headers", "field"),
    [
        pytest.param("?after=3", {}, "after", id="after"),
        pytest.param(f"?after={2**63 - 1}", {}, "after", id="the largest"),
        pytest.param("", {"Last-Event-ID": "3"}, "Last-Event-ID", id="Last-Event-ID"),
        pytest.param("", {"Last-Event-ID": "9" * 19}, "Last-Event-ID", id="more than 64 bits"),
    ],
)
async def test_a_seq_that_no_event_has_yet_is_refused_lest_the_next_ones_be_missed(
    api: Api, query: str, headers: dict[str, str], field: str
) -> None:
    await tell(api, 2)
    reply = await api.get(f"/v1/events/stream{query}", headers=headers)

    assert (422, field) == (reply.status, reply.json["error"]["field"])
    assert "the newest is 2" in reply.json["error"]["message"]


async def test_the_opening_says_when_to_come_again_and_where_it_stands(api: Api) -> None:
    await tell(api, 3)
    key = {"Authorization": f"Bearer {api.keys[Scope.READ]}"}
    async with api.session.get(f"{api.url}/v1/events/stream", headers=key) as answer:
        _, retry, id_ = await block(answer.content)

    assert "id: 3" == id_
    assert 1000 <= int(retry.removeprefix("retry: ")) < 3000
    assert "no-store" == answer.headers["Cache-Control"]
    assert "no" == answer.headers["X-Accel-Buffering"]


async def test_a_reader_that_does_not_read_is_dropped_and_resumes_without_loss(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "PATIENCE", 0.3)
    await tell(api, 1000, 20_000)
    async with stream(api, "?after=0") as reader:
        await until(lambda: not len(api.context.streams))
        last = await _read_rest(reader)

    assert 0 < last < 1000
    async with stream(api, headers={"Last-Event-ID": str(last)}) as reader:
        assert [*range(last + 1, 1001)] == [(await event(reader))[0] for _ in range(1000 - last)]


async def _read_rest(reader: aiohttp.StreamReader) -> int:
    """Read whole events until the stream breaks off; return the last one's seq."""
    last = 0
    with contextlib.suppress(aiohttp.ClientError, ValueError):
        while True:
            last, _ = await event(reader)
    return last


async def test_a_reader_that_does_not_read_holds_up_no_other(api: Api) -> None:
    async with stream(api), stream(api) as other:
        for number in range(10):
            await tell(api, 100, 20_000)
            found = [(await event(other))[0] for _ in range(100)]

            assert [*range(number * 100 + 1, number * 100 + 101)] == found
        assert 2 == len(api.context.streams)


@pytest.mark.parametrize("behind", [pytest.param(0, id="at the head"), pytest.param(600, id="behind")])
async def test_a_stream_ends_when_its_key_is_revoked_without_an_event_told_later(
    api: Api, behind: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "POLL", 60.0)  # it does not end by polling
    await tell(api, behind, 20_000)
    async with stream(api, "?after=0") as reader:
        await api.call("DELETE", "/v1/keys/a read")
        await tell(api, 1)
        async with asyncio.timeout(10):
            rest = await reader.read()

    assert f"id: {behind + 1}".encode() not in rest
    await until(lambda: not len(api.context.feed))


async def test_the_revoked_key_of_one_ends_no_other_s_stream(api: Api) -> None:
    admin = {"Authorization": f"Bearer {api.keys[Scope.ADMIN]}"}
    async with stream(api) as ended, stream(api, headers=admin) as other:
        await api.call("DELETE", "/v1/keys/a read")
        async with asyncio.timeout(10):
            await ended.read()
        await tell(api, 1)

        assert 1 == (await event(other))[0]


async def test_a_key_that_is_revoked_behind_our_back_is_found_by_polling(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "POLL", 0.1)
    async with stream(api) as reader:
        async with api.context.store.write() as conn:
            await apikeys.revoke(conn, "a read", api.clock())
        async with asyncio.timeout(10):
            assert b"" == await reader.read()


async def test_who_is_behind_is_told_no_further_page_once_its_key_is_revoked(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "POLL", 60.0)
    admin = {"Authorization": f"Bearer {api.keys[Scope.ADMIN]}"}
    await tell(api, 599, 20_000)
    async with stream(api, headers=admin) as other:
        await tell(api, 1)
        await event(other)  # now the feed sleeps
        async with stream(api, "?after=0") as reader:
            async with api.context.store.write() as conn:
                await apikeys.revoke(conn, "a read", api.clock())
            async with asyncio.timeout(10):
                rest = await reader.read()

    assert b"id: 600\n" not in rest


async def test_a_stream_ends_as_soon_as_its_key_is_revoked(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "POLL", 60.0)
    async with stream(api) as reader:
        await tell(api, 1)
        await event(reader)
        await api.call("DELETE", "/v1/keys/a read")
        async with asyncio.timeout(10):
            assert b"" == await reader.read()


async def test_all_listeners_cost_one_reading_of_each_event_and_one_look_at_their_keys(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(stream(api)) for _ in range(20)]
        await until(lambda: len(api.context.feed) == 20)
        reads = _count_reads(monkeypatch)
        await tell(api, 1)
        assert [1] * 20 == [(await event(reader))[0] for reader in readers]

        assert len(reads) == 1


def _count_reads(monkeypatch: pytest.MonkeyPatch) -> list[Store]:
    """Note every transaction that reads."""
    counted: list[Store] = []
    read = Store.read

    def counting(store: Store) -> Any:
        counted.append(store)
        return read(store)

    monkeypatch.setattr(Store, "read", counting)
    return counted


def _refusal(reply: Reply) -> tuple[int, str, str]:
    return reply.status, reply.json["error"]["code"], reply.headers["Retry-After"]


async def test_one_key_may_not_have_all_streams(api: Api) -> None:
    api.context.streams.most = 4
    async with stream(api), stream(api), stream(api):
        refused = await api.get("/v1/events/stream")
        admin = {"Authorization": f"Bearer {api.keys[Scope.ADMIN]}"}
        async with stream(api, headers=admin):
            full = await api.get("/v1/events/stream", Scope.WRITE)

    assert (429, "too_many_streams", "5") == _refusal(refused)
    assert (503, "too_many_streams", "5") == _refusal(full)


async def test_connections_that_broke_take_nobody_s_place(api: Api) -> None:
    api.context.streams.most = 1
    async with stream(api):
        pass
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(AssertionError):
                async with stream(api):
                    return


async def test_streams_end_when_the_server_stops(api: Api) -> None:
    api.runner._shutdown_timeout = 60.0  # that is not what ends them
    async with stream(api) as reader:
        async with asyncio.timeout(20):
            await api.runner.cleanup()
        rest = await reader.read()

    assert b"" == rest
    assert 0 == len(api.context.streams) == len(api.context.feed)
