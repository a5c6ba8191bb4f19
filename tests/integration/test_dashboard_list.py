"""The dashboard's list of invoices and its frame, as a browser without JavaScript gets them."""

from __future__ import annotations

import asyncio
import re
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest

import link_scene
from dashboard import Dashboard, sign_in
from merchant_stages import move_refund, staged
from watcher import apikeys, told
from watcher.api import sse
from watcher.apikeys import Scope
from watcher.pages import invoices, live

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import aiohttp

    from api_server import Api

COIN = 10**8
HOSTILE = "<script>alert(1)</script>\"'&"


@pytest.fixture
async def board(api: Api) -> Dashboard:
    return await sign_in(api, Scope.READ)


async def _paid(api: Api, amount: int, **fields: Any) -> str:
    """Make an invoice of one coin that gets so much; return its id."""
    made = await api.invoice(**fields)
    api.chain.pay(made["options"][0]["address"], amount)
    api.chain.mine()
    await api.scan()
    return str(made["id"])


async def _underpaid(api: Api, **fields: Any) -> str:
    id_ = await _paid(api, COIN // 4, **fields)
    api.clock.advance(4000)
    api.chain.mine()
    await api.scan()
    return id_


async def _page(board: Dashboard, query: str = "") -> str:
    reply = await board.get(f"/dashboard{query}")
    assert reply.status == 200, reply.body
    return reply.body.decode()


def _rows(page: str) -> list[str]:
    return re.findall(r'id="row-(inv_\w+)"', page)


def _links(page: str) -> dict[str, str]:
    return {
        words: unescape(place) for place, words in re.findall(r'<a href="([^"]+)"[^>]*>([^<]+)</a>', page)
    }


async def test_an_empty_list_says_how_to_make_the_first_invoice(board: Dashboard) -> None:
    page = await _page(board)

    assert "There is no invoice yet." in page
    assert "watcher invoice create --chain fake --asset COIN --amount" in page


async def test_a_row_tells_what_an_invoice_is_and_how_far(api: Api, board: Dashboard) -> None:
    id_ = await _paid(api, 2 * COIN, order_id="A-1", description="Two tickets")

    page = await _page(board)

    [row] = re.findall(r"<tr>\s*<th scope=\"row\">.*?</tr>", page, re.DOTALL)
    words = " ".join(unescape(re.sub(r"<[^>]+>", " ", row)).split())
    short = f"{id_[:8]}…{id_[-8:]}"
    assert (
        f"{short} paid overpaid A-1 Two tickets 1 COIN 2 COIN Fake 2026-01-01 12:00 2026-01-01 13:00" == words
    )
    assert f'href="/dashboard/invoices/{id_}"' in row


async def test_what_needs_action_comes_first_with_what_it_waits_for_and_the_rest_newest_first(
    api: Api, board: Dashboard
) -> None:
    waits = await _underpaid(api)
    older = (await api.invoice())["id"]
    newer = (await api.invoice())["id"]

    page = await _page(board)

    assert [waits, newer, older] == _rows(page)
    above, below = page.split('<h2 id="rest">')
    assert '<h2 id="waits">Waits for you</h2>' in above
    explained = (await api.get(f"/v1/invoices/{waits}/explain")).json["waits"]
    assert [True] * len(explained) == [line in unescape(above) for line in explained]
    assert newer in below


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("?status=paid", ["paid"], id="a status"),
        pytest.param("?status=paid&status=pending", ["open", "paid"], id="two statuses"),
        pytest.param("?status=paid,pending", ["open", "paid"], id="two with a comma"),
        pytest.param("?exception=overpaid", ["paid"], id="an exception"),
        pytest.param("?needs_action=true", ["short"], id="what waits"),
        pytest.param("?needs_action=false", ["open", "paid"], id="what does not"),
        pytest.param("?asset=TOKEN", ["open"], id="an asset"),
        pytest.param("?chain=fake&asset=COIN&status=paid", ["paid"], id="a chain"),
        pytest.param("?chain=elsewhere", [], id="a chain that is not there any more"),
        pytest.param("?q=OPEN", ["open"], id="free text"),
        pytest.param("?from=2026-01-02", ["open", "paid"], id="from a day"),
        pytest.param("?to=2026-01-01", ["short"], id="to a day with all of it"),
        pytest.param("?from=2026-01-01&to=2026-01-01", ["short"], id="one day"),
        pytest.param("?from=0001-01-01&to=9999-12-31", ["short", "open", "paid"], id="all days"),
        pytest.param(
            "?q=&status=&from=&to=&needs_action=", ["short", "open", "paid"], id="a form left empty"
        ),
    ],
)
async def test_filters_are_those_of_the_api_in_an_address_that_can_be_shared(
    api: Api, query: str, expected: list[str]
) -> None:
    made = {"short": await _underpaid(api, order_id="short")}
    api.clock.advance(86_400)
    made["paid"] = await _paid(api, 2 * COIN)
    made["open"] = (await api.invoice(asset="TOKEN", order_id="Open"))["id"]

    page = await _page(await sign_in(api, Scope.READ), query)

    assert [made[name] for name in expected] == _rows(page)


async def test_a_filter_stands_in_the_form_that_it_came_from(api: Api, board: Dashboard) -> None:
    await api.invoice()

    page = await _page(board, "?q=%22x&status=paid&from=2026-01-05&needs_action=false")

    assert 'name="q" value="&#34;x"' in page
    assert re.findall(r'value="(\w+)" checked', page) == ["paid", "false"]
    assert 'name="from" value="2026-01-05"' in page
    assert "No invoice matches." in page


async def test_the_invoices_of_a_link_are_a_list_with_a_chip_that_takes_the_link_away(
    api: Api, board: Dashboard
) -> None:
    link = await link_scene.link(api)
    of_link = (await link_scene.invoice(api, link))["id"]
    other = (await api.invoice())["id"]

    place = _links(await _page(board, f"/links/{link['id']}"))["Filter them in the list of invoices"]
    page = await _page(board, place.removeprefix("/dashboard"))
    both = await _page(board, f"?link_id={link['id']},lnk_other&q={of_link}")

    assert ([of_link], [of_link]) == (_rows(page), _rows(both))
    assert f'<input type="hidden" name="link_id" value="{link["id"]}">' in page
    assert f'<a href="/dashboard/links/{link["id"]}"' in page
    assert "/dashboard" == _links(page)["Remove"]
    assert f"/dashboard?link_id={link['id']}&q={of_link}" == _links(both)["Remove"]
    assert [other, of_link] == _rows(await _page(board))


@pytest.mark.parametrize("view", ["All", "Needs action", "Open", "Paid", "Underpaid", "Expired"])
async def test_each_ready_made_list_is_a_link_that_names_itself(board: Dashboard, view: str) -> None:
    place = _links(await _page(board))[view]

    page = await _page(board, place.removeprefix("/dashboard"))

    [nav] = re.findall(r'<nav aria-label="Ready-made lists">(.*?)</nav>', page, re.DOTALL)
    assert [view] == re.findall(r'aria-current="page">([^<]+)<', nav)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        pytest.param("?status=lost", "status.0: must be", id="an unknown status"),
        pytest.param("?from=yesterday", "from: must be a day such as 2026-11-22", id="no day"),
        pytest.param("?cursor=x", "cursor: must be `next` of an earlier page", id="no cursor"),
        pytest.param(
            "?stattus=paid", "stattus: unknown query parameter; did you mean status?", id="misspelt"
        ),
    ],
)
async def test_an_address_that_cannot_be_read_is_a_page_that_says_why(
    board: Dashboard, query: str, words: str
) -> None:
    reply = await board.get(f"/dashboard{query}")

    assert 422 == reply.status
    assert words in unescape(reply.body.decode())


async def test_pages_follow_each_other_by_links_and_keep_the_filter(
    api: Api, board: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invoices, "ROWS", 2)
    waits = [await _underpaid(api, order_id="x") for _ in range(3)]
    made = [(await api.invoice(order_id="x"))["id"] for _ in range(5)]
    await api.invoice()

    first = await _page(board, "?q=x")
    second = await _page(board, _links(first)["Next page"].removeprefix("/dashboard"))
    third = await _page(board, _links(second)["Next page"].removeprefix("/dashboard"))

    assert [waits[2], waits[1], made[4], made[3]] == _rows(first)
    assert [[made[2], made[1]], [made[0]]] == [_rows(second), _rows(third)]
    assert "/dashboard?q=x" == _links(third)["Back to the first page"]
    assert "Next page" not in _links(third)
    all_that_waits = await _page(board, _links(first)["All that waits for you"].removeprefix("/dashboard"))
    end = await _page(board, _links(all_that_waits)["Next page"].removeprefix("/dashboard"))
    assert [[waits[2], waits[1]], [waits[0]]] == [_rows(all_that_waits), _rows(end)]


async def test_what_a_stranger_wrote_is_text(api: Api, board: Dashboard) -> None:
    await _underpaid(api, order_id=HOSTILE, description=HOSTILE, metadata={HOSTILE: HOSTILE})

    page = await _page(board, f"?q={HOSTILE.replace('&', '%26')}")

    assert 1 == len(_rows(page))
    assert "<script>alert" not in page
    assert 2 == page.count("<bdi>&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;&amp;</bdi>")


async def test_a_row_lists_each_way_to_pay(api: Api, board: Dashboard) -> None:
    ways = [{"chain": "fake", "asset": asset, "amount": "5"} for asset in ("COIN", "TOKEN")]
    assert 201 == (await api.post("/v1/invoices", {"options": ways})).status

    page = await _page(board)

    assert [1, 1] == [page.count(f"5&nbsp;{asset}") for asset in ("COIN", "TOKEN")]


async def test_the_frame_names_the_page_and_who_is_signed_in(board: Dashboard) -> None:
    page = await _page(board)

    assert '<a href="/dashboard" aria-current="page">Invoices</a>' in page
    assert "a read (read)" in page
    assert ["h1"] == re.findall(r"<(h\d)", page)


async def test_whoever_is_not_signed_in_is_asked_for_a_key_and_comes_to_the_list_as_it_was_asked_for(
    api: Api,
) -> None:
    reply = await api.send("GET", "/dashboard?status=paid", {"Accept": "text/html"})

    assert 401 == reply.status
    assert b'name="next" value="/dashboard?status=paid"' in reply.body


# Live


async def _open(board: Dashboard) -> aiohttp.ClientResponse:
    url = f"{board.api.url}/dashboard/events"
    answer = await board.api.session.get(url, headers={"Cookie": board.cookie})
    assert answer.status == 200
    assert (await answer.content.readuntil(b"\n\n")).startswith(b": open\nretry: ")
    return answer


@pytest.fixture
async def news(board: Dashboard) -> AsyncIterator[aiohttp.ClientResponse]:
    answer = await _open(board)
    yield answer
    answer.close()


async def _block(news: aiohttp.ClientResponse) -> bytes:
    async with asyncio.timeout(10):
        return await news.content.readuntil(b"\n\n")


async def _until_the_end(news: aiohttp.ClientResponse) -> None:
    async with asyncio.timeout(10):
        while await news.content.read(1000):
            pass


async def test_an_open_page_hears_that_something_happened_and_not_what(
    api: Api, news: aiohttp.ClientResponse
) -> None:
    await api.invoice(order_id="secret")

    assert b"event: changed\ndata: 1\n\n" == await _block(news)


async def test_an_open_page_hears_of_what_no_event_tells_and_once_of_what_one_does(
    api: Api, board: Dashboard
) -> None:
    made, other, third = await staged(api, "refunding"), await api.invoice(), await api.invoice()
    async with api.context.store.read() as conn:
        before = await told.last_seq(conn)
    news = await _open(board)
    await move_refund(api, made)
    heard = [await _block(news)]
    for each in (other, third):
        assert 200 == (await api.post(f"/v1/invoices/{each['id']}/cancel")).status
        heard.append(await _block(news))
    news.close()

    assert [b"event: changed\ndata: %d\n\n" % (before + number) for number in range(3)] == heard


async def test_many_events_at_once_are_few_words(
    api: Api, news: aiohttp.ClientResponse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "PAUSE", 0.5)
    for _ in range(10):
        await api.invoice()
    blocks = [await _block(news)]
    while b"data: 10" not in blocks[-1]:
        blocks.append(await _block(news))

    assert len(blocks) <= 5


async def test_silence_is_broken_by_comments(board: Dashboard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "KEEP_ALIVE", 0.05)
    answer = await _open(board)

    assert b": keep-alive\n\n" == await _block(answer)
    answer.close()


async def test_the_stream_ends_when_its_reader_signs_out(
    api: Api, board: Dashboard, news: aiohttp.ClientResponse
) -> None:
    assert 303 == (await board.post("/dashboard/sign-out")).status
    await api.invoice()
    await _until_the_end(news)

    assert 401 == (await board.get("/dashboard/events")).status


async def test_the_stream_ends_when_its_key_is_revoked(
    api: Api, board: Dashboard, news: aiohttp.ClientResponse
) -> None:
    async with api.context.store.write() as conn:
        [key] = [one for one in await apikeys.listing(conn) if one.scope is Scope.READ]
        await apikeys.revoke(conn, key.id, api.clock())
    await api.invoice()
    await _until_the_end(news)

    assert 401 == (await board.get("/dashboard")).status


@pytest.mark.usefixtures("news")
async def test_streams_of_a_key_have_a_limit(api: Api, board: Dashboard) -> None:
    api.context.streams.most = 1

    reply = await board.get("/dashboard/events")

    assert 429 == reply.status
    assert "5" == reply.headers["Retry-After"]


async def test_pages_that_refresh_by_themselves_keep_nobody_signed_in(api: Api, board: Dashboard) -> None:
    url, headers = f"{api.url}/dashboard", {"Cookie": board.cookie, "X-Refresh": "live"}
    statuses = []
    for _ in range(13):
        api.clock.advance(3600)
        async with api.session.get(url, headers=headers) as answer:
            statuses.append(answer.status)

    assert [*[200] * 11, 401, 401] == statuses
