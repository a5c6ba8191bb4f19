"""What pages do where something is out of the ordinary: a storm, a crowd, another configuration, odd text."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

import payer_pages
from dashboard import FORM
from event_streams import until
from payer_pages import opened, page, two_ways
from watcher import payer_feed, render_payer, stats, store
from watcher.api import sse
from watcher.apikeys import Scope
from watcher.payer_feed import PayerFeed

if TYPE_CHECKING:
    from api_server import Api

STORM = 200
"""Wake-ups in one test."""
CROWD = store.POOL + 4
"""More than can read the database at once."""


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collect each time that the feed looks for news."""
    found: list[int] = []
    due = PayerFeed._due

    async def counted(feed: PayerFeed) -> set[str]:
        found.append(len(feed))
        return await due(feed)

    monkeypatch.setattr(PayerFeed, "_due", counted)
    return found


async def test_a_storm_of_events_does_not_make_the_feed_read_as_often(
    api: Api, looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payer_feed, "PAUSE", 60.0)
    made = await api.invoice()
    async with api.session.get(f"{api.url}/i/{made['id']}/events") as answer:
        await answer.content.readuntil(b"\n\n")
        for _ in range(STORM):
            api.context.bus.published()
            await asyncio.sleep(0)

        assert 1 == len(looks)


@pytest.mark.parametrize(
    "url", ["http://[x", "https://shop\u2100.example/"], ids=["half-an-address", "odd-letter"]
)
async def test_a_way_back_that_no_browser_could_follow_breaks_no_page(api: Api, url: str) -> None:
    made = await api.invoice(return_url=url)
    reply = await api.post(f"/v1/invoices/{made['id']}/accept", {"without_payment": True})

    assert 200 == reply.status
    assert "paid" == (await page(api, f"/i/{made['id']}")).state


async def test_a_way_that_is_configured_no_longer_is_not_offered(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await two_ways(api)
    left = {"COIN", "TOKEN"}
    real = payer_pages._uri
    monkeypatch.setattr(
        payer_pages, "_uri", lambda option, missing: real(option, missing) if option.asset in left else None
    )
    coin, token = (option["address"] for option in made["options"])
    async with opened(api) as shop:
        left.remove("COIN")
        shown = await page(shop, f"/i/{made['id']}?option=1")
        assert ("waiting", True, False) == (shown.state, token in shown.html, "Ways to pay" in shown.html)

        left.clear()
        shown = await page(shop, f"/i/{made['id']}")
        assert ("unpayable", False, False) == (shown.state, token in shown.html, coin in shown.html)


async def test_who_pays_again_is_told_first_that_the_payment_may_come_again(api: Api) -> None:
    made = await api.invoice()
    api.chain.pay(made["options"][0]["address"], 10**8)
    api.chain.mine()
    await api.scan()
    api.chain.reorg(1, to_pool=False)
    await api.scan()
    shown = await page(api, f"/i/{made['id']}")

    assert "waiting" == shown.state
    assert 0 < shown.text.find("Do not pay again before") < shown.text.find(made["options"][0]["address"])


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        pytest.param("http://127.0.0.1:8080", 303, id="public-url-behind-a-proxy-with-its-own-host"),
        pytest.param("http://127.0.0.1:8081", 403, id="another-port"),
        pytest.param("http://[", 403, id="half-an-address"),
    ],
)
async def test_the_origin_of_a_form_is_our_host_or_our_public_url(api: Api, origin: str, status: int) -> None:
    data = urlencode({"key": api.keys[Scope.READ]}).encode()
    headers = {**FORM, "Origin": origin}
    reply = await api.send("POST", "/dashboard/sign-in", headers, data=data, allow_redirects=False)

    assert status == reply.status


async def test_a_crowd_that_asks_for_statistics_holds_up_nobody_else(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, server = asyncio.Event(), api.runner.server
    assert server is not None
    real = stats.statistics

    async def slow(*given: Any) -> dict[str, Any]:
        await go_on.wait()
        return await real(*given)

    monkeypatch.setattr(stats, "statistics", slow)
    async with asyncio.TaskGroup() as group, asyncio.timeout(20):
        before = server.requests_count
        asked = [group.create_task(api.get("/v1/stats")) for _ in range(CROWD)]
        try:
            await until(lambda: server.requests_count == before + CROWD)
            for _ in range(3):  # the first may be there before the crowd
                assert 200 == (await api.get("/v1/invoices")).status
        finally:
            go_on.set()

    assert {200} == {task.result().status for task in asked}


async def test_a_page_that_takes_nothing_holds_little_of_a_large_invoice(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = render_payer.invoice
    large = "x" * 3_000_000
    monkeypatch.setattr(render_payer, "invoice", lambda shown: real(shown) | {"description": large})
    made = await api.invoice()
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(("127.0.0.1", int(api.url.rpartition(":")[2])))
        reader.sendall(f"GET /i/{made['id']}/events HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await until(lambda: any(one.get_write_buffer_size() for one in api.context.streams._open))
        (connection,) = api.context.streams._open

        assert connection.get_write_buffer_size() <= 2 * sse.SEND_BUFFER
