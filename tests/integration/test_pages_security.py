"""Every page, as a stranger and a hostile customer meet it: headers, code, frames, limits, methods, paths."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import OperationalError
from yarl import URL

import api_server
from dashboard import sign_in
from page_samples import HOSTILE, faults, place, samples
from watcher.pages.assets import FOLDER
from watcher.pages.page import DASHBOARD
from watcher.pages.site import PAGES
from watcher.settings import ServerSettings
from watcher.settings_checkout import CheckoutSettings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from api_server import Api
    from fake_chain import FakeChain
    from fake_clock import FakeClock

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
HTML = {"Accept": "text/html"}
SHOPS = ("https://shop.example", "https://shop.example:8443")
READABLE = [page for page in PAGES if page.method == "GET" and not page.open_ended]


@pytest.fixture
def api(unlimited_api: Api) -> Api:
    return unlimited_api


def policy(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the policy by its directives."""
    parts = [part.strip().partition(" ") for part in headers["Content-Security-Policy"].split(";")]
    assert len(parts) == len({name for name, _, _ in parts})
    return {name: value for name, _, value in parts}


def let_embed(api: Api, *origins: str) -> None:
    update = {"checkout": CheckoutSettings(frame_ancestors=origins)}
    object.__setattr__(api.context, "settings", api.context.settings.model_copy(update=update))


# --- what every page says to the browser


async def test_every_page_has_the_strict_policy_and_no_code_of_its_own(api: Api) -> None:
    ids, anna = await samples(api), await sign_in(api)
    wrong: dict[str, list[str]] = {}
    for page in READABLE:
        reply = await anna.get(place(page, ids))
        html = reply.headers.get("Content-Type", "").startswith("text/html")
        if html:
            assert POLICY == policy(reply.headers), page.path
            wrong[page.path] = faults(reply.body.decode(), dashboard=not page.for_payers)
        assert ("nosniff", "DENY") == (
            reply.headers["X-Content-Type-Options"],
            reply.headers["X-Frame-Options"],
        ), page.path
        assert reply.headers["Referrer-Policy"] in {"no-referrer", "same-origin"}
        assert page.for_payers or "no-store" == reply.headers["Cache-Control"], page.path

    assert {} == {path: found for path, found in wrong.items() if found}
    assert len(wrong) > 30


async def test_every_sample_has_a_page_and_what_is_hostile_in_it_is_shown_as_text(api: Api) -> None:
    ids, anna = await samples(api), await sign_in(api)
    found = {}
    for page in READABLE:
        reply = await anna.get(place(page, ids))
        found[page.path] = reply.status
        assert HOSTILE.encode() not in reply.body or "csv" in reply.headers["Content-Type"], page.path

    unusual = {path: status for path, status in found.items() if status != 200}
    assert {
        f"{DASHBOARD}/sign-in": 303,
        f"{DASHBOARD}/invoices/{{id}}/refunds/{{refund_id}}/psbt": 404,
        f"{DASHBOARD}/{{rest:.*}}": 404,
    } == unusual


async def test_a_page_that_is_not_there_is_said_to_be_and_a_slash_too_many_is_forgiven(api: Api) -> None:
    anna = await sign_in(api)

    nowhere, slash = await anna.get(f"{DASHBOARD}/nonsense/x"), await anna.get(f"{DASHBOARD}/")

    assert (404, True) == (nowhere.status, b"There is no such page." in nowhere.body)
    assert (303, DASHBOARD) == (slash.status, slash.headers["Location"])


async def test_a_full_disk_is_a_page_for_people_too(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = await sign_in(api)

    def full() -> None:
        raise OperationalError("SELECT 1", {}, Exception("database or disk is full"))

    monkeypatch.setattr(type(api.context.store), "read", lambda _: full())
    reply = await anna.get(DASHBOARD)

    assert (503, "text/html") == (reply.status, reply.headers["Content-Type"].partition(";")[0])
    assert b"disk is full" in reply.body
    assert reply.headers["Retry-After"]


def test_the_samples_of_the_walk_would_show_what_is_wrong() -> None:
    mistakes = {
        "<script>1</script>": 2,
        "<style>a{}</style>": 1,
        '<p style="x">': 1,
        '<p onclick="x">': 1,
        '<p hx-on:click="x">': 1,
        '<a href="javascript:1">': 1,
        '<a href="//evil.example">': 1,
        '<form method="post">': 1,
        '<p id="a"><p id="a">': 1,
        "<h1>": 1,
    }

    assert mistakes == {html: len(faults(f"<h1>x</h1>{html}", dashboard=True)) for html in mistakes}


@pytest.mark.parametrize(
    "path", ["/dashboard", "/dashboard/links/new", "/dashboard/sign-in", "/i/inv_none", "/pay/lnk_none"]
)
async def test_a_page_that_is_refused_is_as_strict(api: Api, path: str) -> None:
    reply = await api.send("GET", path, HTML)

    assert POLICY == policy(reply.headers)
    assert [] == faults(reply.body.decode(), dashboard=False)


async def test_only_payers_pages_may_be_embedded_and_only_by_whom_is_named(api: Api) -> None:
    ids, anna = await samples(api), await sign_in(api)
    let_embed(api, *SHOPS)
    for page in READABLE:
        headers = (await anna.get(place(page, ids))).headers
        ancestors = " ".join(SHOPS) if page.for_payers else "'none'"
        if headers.get("Content-Type", "").startswith("text/html"):
            assert {**POLICY, "frame-ancestors": ancestors} == policy(headers), page.path
        assert page.for_payers == ("X-Frame-Options" not in headers), page.path

    problem = await api.send("GET", "/i/inv_none", HTML)
    assert " ".join(SHOPS) == policy(problem.headers)["frame-ancestors"]


async def test_what_is_no_page_is_never_embedded(api: Api) -> None:
    ids = await samples(api)
    let_embed(api, *SHOPS)
    payers = [f"/i/{ids['i']}", f"/pay/{ids['pay']}"]
    for path in [*payers, "/v1/chains", "/openapi.json", "/assets/site.css", "/none"]:
        headers = (await api.get(path, headers={"Accept": "application/json"})).headers

        assert "DENY" == headers["X-Frame-Options"], path
        assert "'none'" == policy(headers)["frame-ancestors"], path


async def test_every_file_of_ours_is_served_as_what_it_is_and_as_strictly(api: Api) -> None:
    media = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    files = [file for file in FOLDER.rglob("*") if file.suffix in media]
    assert len(files) > 5
    for file in files:
        reply = await api.send("GET", f"/assets/{file.name}", {})

        assert (200, f"{media[file.suffix]}; charset=utf-8") == (reply.status, reply.headers["Content-Type"])
        assert ("nosniff", "DENY") == (
            reply.headers["X-Content-Type-Options"],
            reply.headers["X-Frame-Options"],
        )
        assert "default-src 'none'; frame-ancestors 'none'" == reply.headers["Content-Security-Policy"]


# --- limits


async def test_payers_pages_are_limited_by_address_and_say_so_in_a_page(
    tmp_path: Path, clock: FakeClock, fake_chain: FakeChain
) -> None:
    slow = ServerSettings(public_rate=2)
    async with api_server.serving(tmp_path, clock, fake_chain, server=slow) as api:
        replies = [await api.send("GET", "/i/inv_none", {**HTML, "Accept-Language": "fr"}) for _ in range(9)]
        keyed = await api.get("/v1/chains")

    limited = [reply for reply in replies if reply.status == 429]
    assert limited
    assert ("1", True) == (limited[0].headers["Retry-After"], "Réessayez" in limited[0].body.decode())
    assert POLICY == policy(limited[0].headers)
    assert 200 == keyed.status


# --- methods and paths


async def test_other_methods_are_405_on_every_page(api: Api) -> None:
    ids, anna = await samples(api), await sign_in(api)
    known: dict[str, set[str]] = {}
    for page in PAGES:
        known.setdefault(place(page, ids), set()).add(page.method)
    for where, methods in known.items():
        for method in {"HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "GET", "POST"} - methods:
            reply = await api.send(method, where, {**HTML, "Cookie": anna.cookie}, allow_redirects=False)
            assert reply.status == 405 or (404, "GET") == (reply.status, method), (method, where)
            assert not [name for name in reply.headers if name.lower().startswith("access-control")]


OUTSIDE = (
    "/assets/../watcher.toml",
    "/assets/..%2fwatcher.toml",
    "/assets/%2e%2e/watcher.toml",
    "/assets/%2e%2e%2fsite.py",
    "/assets/..\\site.py",
    "/assets//etc/passwd",
    "/assets/%2fetc%2fpasswd",
    "/assets/vendor/htmx.min.js",
    "/assets/site.css%00",
    "/assets/site.css/",
    "/assets/SITE.CSS",
    "/assets/",
    "/assets/%ff",
    "/assets/templates.py",
    "/dashboard/../v1/chains",
)


async def test_no_path_leads_out_of_the_folder_of_files(api: Api) -> None:
    host, _, port = api.url.removeprefix("http://").partition(":")
    for path in OUTSIDE:
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        async with asyncio.timeout(20):
            answer = await reader.read()
        writer.close()

        assert re.match(rb"HTTP/1\.[01] (404|401|400) ", answer), (path, answer[:200])


IDENTIFIERS = ("%C3%A9", "%00", "%0d%0aSet-Cookie:a=b", "%ff", "..%2f..", "%3Cscript%3E", "'")


async def test_an_identifier_of_other_characters_is_404_and_not_repeated(api: Api) -> None:
    anna = await sign_in(api)
    for id_ in IDENTIFIERS:
        for path in ("/i/", "/pay/", f"{DASHBOARD}/invoices/", f"{DASHBOARD}/links/"):
            url = URL(f"{api.url}{path}{id_}", encoded=True)
            async with api.session.get(url, headers={**HTML, "Cookie": anna.cookie}) as answer:
                body = await answer.text()
                assert 404 == answer.status, (path, id_)
                assert "<script>" not in body
                assert "Set-Cookie" not in answer.headers
