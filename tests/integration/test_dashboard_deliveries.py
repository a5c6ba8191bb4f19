"""The dashboard's deliveries: what was sent, what a receiver answered, and sending it again."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from dashboard import sign_in
from notified import alert, by_name, delivery, hook, notifying, page, place, set_all, settled
from running_notifier import open_shop
from watcher.dialects import FORMATS
from watcher.tables import DELIVERY, ENDPOINT

if TYPE_CHECKING:
    from api_server import Api
    from dashboard import Dashboard

HOOKS = "/dashboard/webhooks"
RUDE = b"<script>alert('shop')</script>\x1b[31m\xe2\x80\xae\r\n<img src=x onerror=alert(1)>" + b"." * 5000


@pytest.fixture
async def admin(api: Api) -> Dashboard:
    return await sign_in(api)


async def test_h138_a_test_shows_what_the_receiver_answered_as_text_that_does_nothing(
    api: Api, admin: Dashboard
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=500, body=RUDE, content_type="text/html")

    async with open_shop() as shop, notifying(api):
        shop.otherwise = answer
        made = await hook(api, by_name(shop.url))
        sent = await admin.post(f"{HOOKS}/{made['id']}/test")
        place = sent.headers["Location"]
        await settled(api, place.rpartition("/")[2], "pending")
        raw = (await admin.get(place)).body.decode()

    (_, body), *_ = shop.got
    assert "&lt;script&gt;alert(&#39;shop&#39;)&lt;/script&gt;\\x1b[31m\\u202e\n&lt;img src=x" in raw
    assert 1 == raw.count("status 500 after")
    assert "." * 3900 in raw
    assert "." * 4096 not in raw
    assert not re.search(r"<script>|<img|\x1b|\u202e", raw)
    assert html.escape(body.decode(), quote=False) in raw.replace("&#34;", '"')
    assert made["secret"] not in raw


async def test_a_dead_delivery_is_sent_again_and_its_page_tells_what_came_of_it(
    api: Api, admin: Dashboard
) -> None:
    async with open_shop() as shop, notifying(api):
        await hook(api, by_name(shop.url))
        shop.otherwise = 503
        await api.invoice()
        sent = (await delivery(api))["id"]
        await settled(api, sent, "pending")
        await set_all(api, DELIVERY, state="dead", next_at=None)
        dead = await page(admin, place(sent))
        shop.otherwise = 200
        again = await admin.post(f"{place(sent)}/redeliver")
        await settled(api, sent, "delivered")
        taken = await page(admin, place(sent))

    assert "It was given up. It is kept, and can be sent again." in dead
    assert "status 503 after" in dead
    assert (303, place(sent)) == (again.status, again.headers["Location"])
    assert "The receiver took it at" in taken
    assert ["Attempt 2", "Attempt 1"] == re.findall(r"Attempt \d", taken)
    assert 1 == len(set(shop.ids))


async def test_a_receiver_that_is_not_there_is_told_without_an_answer(api: Api, admin: Dashboard) -> None:
    async with open_shop() as shop:
        url = by_name(shop.url)
    async with notifying(api):
        made = await hook(api, url)
        sent = await admin.post(f"{HOOKS}/{made['id']}/test")
        await settled(api, sent.headers["Location"].rpartition("/")[2], "pending")
        shown = await page(admin, sent.headers["Location"])

    assert "no answer after" in shown
    assert "cannot connect to localhost" in shown
    assert "Next attempt" in shown


async def test_the_body_is_the_one_that_is_sent_and_hides_nothing(api: Api, admin: Dashboard) -> None:
    hostile = "</code><script>alert(1)</script>\u202ecod"
    async with open_shop() as shop, notifying(api):
        await hook(api, by_name(shop.url))
        invoice = await api.invoice(order_id=hostile)
        sent = await delivery(api)
        await settled(api, sent["id"], "delivered")
    one = (await api.get(f"/v1/deliveries/{sent['id']}")).json
    raw = (await admin.get(place(sent["id"]))).body.decode()

    (headers, body), *_ = shop.got
    assert (body.decode(), headers["webhook-id"]) == (one["body"], one["message_id"])
    assert "&lt;/code&gt;&lt;script&gt;alert(1)&lt;/script&gt;\\u202ecod" in raw
    assert not re.search(r"<script>|\u202e", raw)
    assert f'href="/dashboard/invoices/{invoice["id"]}"' in raw
    assert f"<code>{one['message_id']}</code>" in raw


@pytest.mark.parametrize("form", FORMATS)
async def test_the_headers_of_each_format_are_named(api: Api, admin: Dashboard, form: str) -> None:
    await hook(api)
    await api.invoice()
    await set_all(api, ENDPOINT, format=form)
    await set_all(api, DELIVERY, part=1, body=b'{"in":"their words"}')
    sent = await delivery(api)
    shown = await page(admin, place(sent["id"]))

    own = {"oxapay": "HMAC", "btcpay": "BTCPay-Sig"}
    assert [name == form for name in own] == [f"<code>{header}</code>" in shown for header in own.values()]
    assert all(f"<code>webhook-{name}</code>" in shown for name in ("id", "timestamp", "signature"))
    assert f"<code>{sent['event_id']}.2</code>" in shown
    assert '<code id="raw">{"in":"their words"}</code>' in shown


async def test_a_list_without_any_delivery_says_so(api: Api, admin: Dashboard) -> None:
    made = (await api.post("/v1/webhooks", {"url": "https://hook.example/"})).json["id"]
    for query, said in (
        ("", b"Nothing was to be delivered yet."),
        ("?state=dead", b"No delivery is like that."),
    ):
        for path in ("deliveries", f"webhooks/{made}"):
            assert said in (await admin.get(f"/dashboard/{path}{query}")).body


async def test_deliveries_are_filtered_and_read_page_by_page(api: Api, admin: Dashboard) -> None:
    first, second = [await hook(api, f"https://{name}.example/hooks") for name in ("one", "two")]
    invoices = [await api.invoice() for _ in range(3)]
    for query, count in {
        "": 6,
        f"?webhook_id={first['id']}": 3,
        f"?webhook_id={first['id']}&state=&invoice_id={invoices[0]['id']}": 1,
        f"?state=dead&webhook_id={second['id']}": 0,
    }.items():
        shown = await page(admin, f"/dashboard/deliveries{query}")
        assert count == len(re.findall(r'<a href="/dashboard/deliveries/dlv_', shown)), query
    begun = await page(admin, f"/dashboard/deliveries?limit=2&webhook_id={first['id']}")
    older = re.findall(r'href="([^"]*cursor=[^"]*)" rel="next"', begun)[0]
    ended = await page(admin, older)
    wrong = await admin.get("/dashboard/deliveries?state=lost")

    assert f"?limit=2&webhook_id={first['id']}&cursor=" in older
    assert (1, False) == (len(re.findall(r"/deliveries/dlv_", ended)), 'rel="next"' in ended)
    assert f'href="/dashboard/deliveries?limit=2&webhook_id={first["id"]}">Newest' in ended
    assert (422, True) == (wrong.status, "state" in alert(wrong.body))


async def test_an_endpoints_page_lists_its_own_deliveries_by_state(api: Api, admin: Dashboard) -> None:
    made = await hook(api)
    await hook(api, "https://other.example/hooks")
    await api.invoice()
    path = f"{HOOKS}/{made['id']}"
    counts = [
        (await page(admin, f"{path}{query}")).count("/deliveries/dlv_") for query in ("", "?state=dead")
    ]

    assert [1, 0] == counts
