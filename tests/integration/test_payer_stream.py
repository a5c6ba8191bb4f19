"""What an open page of an invoice hears: its state at once, each change, and nothing else."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from sqlalchemy import event as sql_event
from sqlalchemy.exc import OperationalError

from event_streams import block, until
from merchant_stages import move_refund, staged
from payer_pages import HTML, opened, page
from watcher import payer_feed
from watcher.api import sse
from watcher.apikeys import Scope
from watcher.payer_feed import PayerFeed
from watcher.told import last_seq

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from api_server import Api

PAGES = 30


class Page:
    """An open page's stream."""

    def __init__(self, reader: aiohttp.StreamReader) -> None:
        self.reader = reader

    async def next(self) -> tuple[str, dict[str, Any]]:
        """Return the next event's id and invoice, over the comments before it."""
        while (lines := await block(self.reader)) == [": keep-alive"]:
            pass
        id_, data = lines[-2:]
        return id_.removeprefix("id: "), json.loads(data.removeprefix("data: "))

    async def status(self) -> str:
        _, invoice = await self.next()
        payments = [f"{one['status']} {one['confirmations']}" for one in invoice["payments"]]
        return " ".join([invoice["status"], *payments])


@asynccontextmanager
async def open_page(api: Api, invoice: dict[str, Any]) -> AsyncIterator[Page]:
    async with api.session.get(f"{api.url}/i/{invoice['id']}/events") as answer:
        assert answer.status == 200, await answer.text()
        assert answer.content_type == "text/event-stream"
        yield Page(answer.content)


async def pay(api: Api, invoice: dict[str, Any], amount: int = 10**8) -> str:
    txid = api.chain.pay(invoice["options"][0]["address"], amount)
    await api.scan()
    return txid


async def mine(api: Api) -> None:
    api.chain.mine()
    await api.scan()


@contextmanager
def statements(api: Api) -> Iterator[list[str]]:
    """Collect what is asked of the database by those who only read it."""
    found: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        found.append(statement)

    engine = api.context.store._readers.sync_engine
    sql_event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        sql_event.remove(engine, "before_cursor_execute", note)


async def test_a_page_hears_of_its_invoice_at_once_and_of_each_change(api: Api) -> None:
    made = await api.invoice(confirmations=2)
    async with open_page(api, made) as one:
        found = [await one.status()]
        await pay(api, made)
        found.append(await one.status())
        for _ in range(2):
            await mine(api)
            found.append(await one.status())

    assert ["pending", "confirming pending 0", "confirming pending 1", "paid confirmed 2"] == found


async def test_an_event_is_what_the_payer_reads_of_the_invoice(api: Api) -> None:
    made = await staged(api, "partial")
    async with open_page(api, made) as one:
        _, told = await one.next()

    assert (await api.get(f"/i/{made['id']}", None)).json == told


async def test_the_id_of_an_event_is_the_version_of_the_page_that_shows_it(api: Api) -> None:
    made = await staged(api, "paid")
    for _ in range(3):
        await mine(api)  # deeper than it has to be: no news
    shown = await page(api, f"/i/{made['id']}")
    async with open_page(api, made) as one:
        first, _ = await one.next()

    assert shown.attribute("data-version") == first


async def test_nothing_is_told_while_nothing_changes(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "KEEP_ALIVE", 0.1)
    monkeypatch.setattr(payer_feed, "AGAIN", 0.0)  # reads it at every look
    made, paid, other = await api.invoice(), await staged(api, "paid"), await api.invoice()
    async with open_page(api, made) as one, open_page(api, paid) as two:
        await one.next(), await two.next()
        await pay(api, other)
        await mine(api)

        assert [": keep-alive"] == await block(one.reader) == await block(one.reader)
        assert [": keep-alive"] == await block(two.reader) == await block(two.reader)


async def _take_back(api: Api, _made: dict[str, Any]) -> None:
    (txid,) = api.chain.pool
    api.chain.drop(txid)
    await api.scan()


async def _in_another_asset(api: Api) -> dict[str, Any]:
    made = await api.invoice()
    api.chain.pay(made["options"][0]["address"], 5, asset="TOKEN")
    await api.scan()
    return made


@pytest.mark.parametrize(
    ("start", "happens", "shown"),
    [
        pytest.param(
            partial(staged, stage="refunding"),
            move_refund,
            ("refunds", "address", "fake100000998"),
            id="where a refund goes",
        ),
        pytest.param(
            _in_another_asset,
            _take_back,
            ("payments", "status", "replaced"),
            id="a payment in another asset is taken back",
        ),
    ],
)
async def test_what_no_event_tells_is_heard_of_at_once(
    api: Api, monkeypatch: pytest.MonkeyPatch, start: Any, happens: Any, shown: tuple[str, str, str]
) -> None:
    monkeypatch.setattr(payer_feed, "AGAIN", 3600.0)
    monkeypatch.setattr(payer_feed, "POLL", 3600.0)
    made = await start(api)
    before = await _newest(api)
    async with open_page(api, made) as one:
        await one.next()
        await happens(api, made)
        _, told = await one.next()

    of, field, value = shown
    assert [value] == [each[field] for each in told[of]]
    assert before == await _newest(api)


async def _newest(api: Api) -> int:
    async with api.context.store.read() as conn:
        return await last_seq(conn)


async def test_the_newest_state_alone_is_told_to_a_page_that_was_away(api: Api) -> None:
    made = await api.invoice(confirmations=3)
    with api.context.payer_feed.listen(made["id"]) as listener:
        (first,) = await listener.next(10) or []
        await pay(api, made)
        await mine(api)
        await until(lambda: b'"confirmations":1' in _text(api, made))
        found = [await listener.next(10), await listener.next(0)]

    assert b'"status":"pending"' in first.block
    assert [1, 0] == [len(each or []) for each in found]


def _text(api: Api, made: dict[str, Any]) -> bytes:
    found = api.context.payer_feed.shown(made["id"])
    return found.block if found else b""


async def test_a_block_is_read_once_for_all_pages_whose_payments_wait_for_it(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[str] = []
    turn = PayerFeed._turn

    async def noted(feed: PayerFeed, ids: list[str]) -> None:
        turns.extend(ids)
        await turn(feed, ids)

    monkeypatch.setattr(PayerFeed, "_turn", noted)
    monkeypatch.setattr(payer_feed, "PAUSE", 0.01)  # each page is opened after the other
    waiting = [await api.invoice(confirmations=3) for _ in range(PAGES)]
    for made in waiting:
        api.chain.pay(made["options"][0]["address"], 10**8)
    await mine(api)
    idle = [await api.invoice() for _ in range(PAGES)]
    async with opened(api) as shop, AsyncExitStack() as stack:
        pages = [await stack.enter_async_context(open_page(shop, made)) for made in (*waiting, *idle)]
        for one in pages:
            await one.next()
        turns.clear()
        with statements(api) as asked:
            await mine(api)
            assert {"confirming pending 2"} == {await one.status() for one in pages[:PAGES]}

    read = [each for each in asked if "FROM invoice" in each]
    assert sorted(made["id"] for made in waiting) == sorted(turns)
    assert 0 < len(read) <= 3
    assert len(asked) < PAGES


async def test_many_pages_of_one_invoice_read_it_together(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payer_feed, "BATCH", 1)
    made, other = await api.invoice(), await api.invoice()
    async with AsyncExitStack() as stack:
        pages = [await stack.enter_async_context(open_page(api, one)) for one in [made, other] * 20]
        for one in pages:
            await one.next()
        await pay(api, made)

        assert {"confirming pending 0"} == {await one.status() for one in pages[::2]}


async def test_an_unknown_invoice_has_no_stream(api: Api) -> None:
    async with open_page(api, await api.invoice()) as one:
        reply = await api.get("/i/inv_nothing/events", None)

        assert (404, "not_found") == (reply.status, reply.json["error"]["code"])
        assert "pending" == await one.status()
        assert 1 == len(api.context.payer_feed)


async def test_a_page_that_is_closed_is_forgotten(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "KEEP_ALIVE", 0.05)
    made = await api.invoice()
    async with open_page(api, made) as one:
        await one.next()
        assert 1 == len(api.context.payer_feed) == len(api.context.streams)
    await until(lambda: not len(api.context.payer_feed))

    assert 0 == len(api.context.streams)
    async with open_page(api, made) as again:
        assert "pending" == await again.status()


async def test_silence_is_broken_by_comments(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "KEEP_ALIVE", 0.05)
    async with open_page(api, await api.invoice()) as one:
        await one.next()

        assert [": keep-alive"] == await block(one.reader)


async def test_the_end_of_the_server_ends_every_stream_in_order(api: Api) -> None:
    made = await api.invoice()
    async with opened(api) as shop, open_page(shop, made) as one:
        await one.next()
        shop.runner._shutdown_timeout = 60.0  # so that this cannot be what ends it
        async with asyncio.timeout(20):
            await shop.runner.cleanup()

            assert b"" == await one.reader.read()
    with pytest.raises(aiohttp.ClientError):
        await shop.get("/healthz", None)


async def test_after_the_end_no_stream_begins(api: Api) -> None:
    made = await api.invoice()
    await api.context.payer_feed.close()
    reply = await api.get(f"/i/{made['id']}/events", None)

    assert (503, "5") == (reply.status, reply.headers["Retry-After"])


async def test_a_reader_that_fails_ends_the_streams_and_the_next_page_starts_another(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await api.invoice()
    async with open_page(api, made) as one:
        await one.next()
        with monkeypatch.context() as broken:
            broken.setattr(PayerFeed, "_turn", _fail)
            await pay(api, made)
            async with asyncio.timeout(10):
                assert b"" == await one.reader.read()
    async with open_page(api, made) as again:
        assert "confirming pending 0" == await again.status()


async def _fail(*_: Any) -> Any:
    raise OperationalError("select", None, Exception("disk I/O error"))


async def test_a_page_that_takes_nothing_is_dropped(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "PATIENCE", 0.2)
    monkeypatch.setattr(sse, "KEEP_ALIVE", 0.001)
    monkeypatch.setattr(sse, "SILENCE", b":" + b"x" * 100_000 + b"\n\n")
    async with open_page(api, await api.invoice()):
        await until(lambda: len(api.context.streams) == 1)
        await until(lambda: not len(api.context.streams))

    assert 0 == len(api.context.payer_feed)


async def test_one_address_cannot_take_all_places_nor_payers_those_of_the_merchant(api: Api) -> None:
    api.context.streams.most = 8
    made = await api.invoice()
    async with opened(api, trusted_proxies=("127.0.0.0/8",)) as shop, AsyncExitStack() as stack:

        async def ask(path: str, **headers: str) -> int:
            asking = shop.session.get(shop.url + path, headers=headers)
            return int((await stack.enter_async_context(asking)).status)

        callers = ["1.1.1.1", "1.1.1.1", "1.1.1.1", "2.2.2.2", "3.3.3.3", "4.4.4.4"]
        found = [await ask(f"/i/{made['id']}/events", **{"X-Forwarded-For": each}) for each in callers]
        merchant = await ask("/v1/events/stream", Authorization=f"Bearer {shop.keys[Scope.READ]}")

    assert [200, 200, 429, 200, 200, 503] == found
    assert 200 == merchant


async def test_the_feed_reads_nothing_while_no_page_is_open(api: Api) -> None:
    feed = PayerFeed(api.context.store, api.context.bus, api.context.links)
    with statements(api) as asked:
        api.context.bus.published()
        await asyncio.sleep(0.05)
        before = len(asked)
        await feed.close()

    assert 0 == before == len(feed)


async def test_a_browser_that_asks_for_the_stream_gets_the_stream(api: Api) -> None:
    made = await api.invoice()
    async with api.session.get(f"{api.url}/i/{made['id']}/events", headers=HTML) as answer:
        assert "text/event-stream" == answer.content_type
