"""An answer's tag: it changes exactly when its bytes do, and who has it is sent no body."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import pytest

from merchant_stages import staged
from watcher.api.server import ROUTES
from watcher.apikeys import Scope

if TYPE_CHECKING:
    from api_server import Api, Reply

TAGGED = [route.path for route in ROUTES if route.tagged]


async def seen(api: Api, path: str, tag: str) -> Reply:
    return await api.get(path, headers={"If-None-Match": tag})


async def _made(api: Api) -> dict[str, str]:
    """Make one of each, and return what stands for it in a path, by the path's beginning."""
    invoice = await api.invoice()
    link = (await api.post("/v1/links", {"chain": "fake", "asset": "COIN", "amount": "1"})).json
    standing = (await api.post("/v1/addresses", {"chain": "fake"})).json
    webhook = (await api.post("/v1/webhooks", {"url": "https://shop.example/hooks"})).json
    await api.post(f"/v1/webhooks/{webhook['id']}/test")
    (delivery, *_) = (await api.get("/v1/deliveries")).json["data"]
    refunding = await staged(api, "refunding")
    return {
        "/v1/invoices/{id}/refunds/{refund_id}": f"{refunding['id']}/refunds/{refunding['refunds'][0]['id']}",
        "/v1/invoices/{id}": invoice["id"],
        "/i/{id}": invoice["id"],
        "/v1/links/{id}": link["id"],
        "/pay/{id}": link["id"],
        "/v1/addresses/{id}": standing["id"],
        "/v1/webhooks/{id}": webhook["id"],
        "/v1/deliveries/{id}": delivery["id"],
        "/v1/chains/{id}": "fake",
    }


def _path(pattern: str, made: dict[str, str]) -> str:
    for known, real in made.items():
        if pattern.startswith(known):
            return known.partition("{")[0] + real + pattern.removeprefix(known)
    return pattern


async def test_whatever_is_read_has_the_tag_of_its_bytes_and_is_sent_once(api: Api) -> None:
    made = await _made(api)
    for path in (_path(pattern, made) for pattern in TAGGED):
        first = await api.get(path, Scope.ADMIN)
        again = await api.get(path, Scope.ADMIN, headers={"If-None-Match": first.headers["ETag"]})

        digest = hashlib.sha256(first.body).hexdigest()[:32]
        assert (200, f'"{digest}"') == (first.status, first.headers["ETag"]), path
        assert (304, b"") == (again.status, again.body), path
        assert first.headers["ETag"] == again.headers["ETag"]
        assert {"private, no-cache"} == {reply.headers["Cache-Control"] for reply in (first, again)}
        assert not {"Content-Type", "Content-Length"} & set(again.headers)


def test_all_that_belongs_to_invoices_addresses_and_links_is_tagged() -> None:
    read = {route.path for route in ROUTES if route.method == "GET" and not route.streams}
    mine = {path for path in read if re.match(r"/v1/(invoices|addresses|links)|/i/|/pay/", path)}

    assert mine <= set(TAGGED)
    assert not {"/healthz", "/readyz", "/metrics", "/v1/export", "/v1/events/stream"} & set(TAGGED)


@pytest.mark.parametrize(
    ("form", "status"),
    [
        pytest.param("{}", 304, id="the tag"),
        pytest.param("W/{}", 304, id="made weak by a proxy"),
        pytest.param('"a", W/"b", {}', 304, id="in a list"),
        pytest.param('"a",{},"b"', 304, id="in a dense list"),
        pytest.param(" * ", 304, id="any"),
        pytest.param('"a"', 200, id="another tag"),
        pytest.param("", 200, id="nothing"),
        pytest.param("{}x", 304, id="followed by nonsense"),
        pytest.param('"*"', 200, id="a star in quotes"),
    ],
)
async def test_a_tag_is_known_as_rfc_9110_says(api: Api, form: str, status: int) -> None:
    path = f"/v1/invoices/{(await api.invoice())['id']}"
    tag = (await api.get(path)).headers["ETag"]

    reply = await seen(api, path, form.format(tag))

    assert status == reply.status


async def test_several_lines_are_one_list(api: Api) -> None:
    path = f"/v1/invoices/{(await api.invoice())['id']}"
    tag = (await api.get(path)).headers["ETag"]
    key = ("Authorization", f"Bearer {api.keys[Scope.READ]}")

    reply = await api.send("GET", path, [key, ("If-None-Match", '"a"'), ("If-None-Match", tag)])

    assert 304 == reply.status


async def test_a_tag_changes_with_every_confirmation_and_with_nothing_else(api: Api) -> None:
    invoice = await api.invoice(confirmations=3)
    path, tags = f"/v1/invoices/{invoice['id']}", []
    api.chain.pay(invoice["options"][0]["address"], 100_000_000)
    for _ in range(3):
        api.chain.mine()
        await api.scan()
        reply = await api.get(path)
        tags.append(reply.headers["ETag"])
        assert 304 == (await seen(api, path, tags[-1])).status
    api.clock.advance(5)
    other = await api.invoice()

    assert len(tags) == len(set(tags))
    assert 304 == (await seen(api, path, tags[-1])).status
    assert 404 == (await api.get(f"/v1/invoices/{other['id']}x")).status


async def test_errors_and_posts_have_no_tag_and_are_kept_by_nobody(api: Api) -> None:
    made = await api.post("/v1/invoices", {"chain": "fake", "asset": "COIN", "amount": "1"})
    missing = await api.get("/v1/invoices/none", headers={"If-None-Match": "*"})

    assert [201, 404] == [made.status, missing.status]
    for reply in (made, missing):
        assert "ETag" not in reply.headers
        assert "no-store" == reply.headers["Cache-Control"]
