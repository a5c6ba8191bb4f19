"""What a person in a browser sees when something is wrong: a page of the right kind, and a way on."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

import api_server
from dashboard import FORM, sign_in
from merchant_stages import staged
from page_samples import faults
from watcher.api import invoices
from watcher.apikeys import Scope
from watcher.pages import problems
from watcher.settings import ServerSettings
from watcher.settings_checkout import CheckoutSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import Any

    from api_server import Api, Reply
    from dashboard import Dashboard
    from fake_chain import FakeChain
    from fake_clock import FakeClock

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors {}"
)
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
PROGRAMS = ("application/json", "*/*", "text/html, application/json", "")
PAYERS = ("/i/inv_1", "/pay/lnk_1")
MERCHANTS = ("/dashboard", "/dashboard/links", "/dashboard/nonsense")
SHOP = "https://shop.example"
LARGE = b"a=" + b"b" * 70_000


@pytest.fixture
def api(unlimited_api: Api) -> Api:
    return unlimited_api


def broken(*_: Any) -> Any:
    raise RuntimeError("the secret is sesame")


@pytest.fixture
def quiet() -> Iterator[None]:
    """Keep bugs out of the log, where each is a page of text."""
    with capture_logs():
        yield


@pytest.fixture
async def unreadable(api: Api, quiet: None, monkeypatch: pytest.MonkeyPatch) -> Dashboard:
    """Return somebody who is signed in to a daemon with a bug in whatever it reads."""
    del quiet
    anna = await sign_in(api)
    monkeypatch.setattr(type(api.context.store), "read", broken)
    return anna


def is_page(reply: Reply, ancestors: str = "'none'") -> bool:
    """Whether a browser shows it, as strictly as every page of ours."""
    assert [] == faults(reply.body.decode(), dashboard=False)
    kind = reply.headers["Content-Type"].partition(";")[0]
    return (kind, POLICY.format(ancestors)) == ("text/html", reply.headers["Content-Security-Policy"])


def ways(reply: Reply) -> list[str]:
    """Return where the links of a problem lead."""
    main = reply.body.decode().partition("<main")[2]
    return [unescape(place) for place in re.findall(r'<a href="([^"]*)"', main)]


async def french(
    api: Api, path: str, method: str = "GET", headers: Mapping[str, str] | None = None, **options: Any
) -> str:
    """Return what a French browser shows."""
    reply = await api.send(method, path, {**HTML, "Accept-Language": "fr", **(headers or {})}, **options)
    assert is_page(reply), reply.body
    return unescape(reply.body.decode())


# --- a bug


async def test_a_bug_is_a_page_with_the_requests_id_and_nothing_of_the_bug(unreadable: Dashboard) -> None:
    for path in (*PAYERS, *MERCHANTS):
        reply = await unreadable.get(path)

        assert (500, True) == (reply.status, is_page(reply)), path
        assert reply.headers["X-Request-Id"] in reply.body.decode()
        assert b"sesame" not in reply.body
        assert "no-store" == reply.headers["Cache-Control"]


async def test_programs_read_a_bug_in_json_on_the_same_paths(api: Api, unreadable: Dashboard) -> None:
    for accept in PROGRAMS:
        headers = {"Cookie": unreadable.cookie, "Accept": accept, "X-Request-Id": "mine"}
        for path in (*PAYERS, "/dashboard"):
            reply = await api.send("GET", path, headers)

            fault = {"code": "internal", "message": "something went wrong here; see the log for mine"}
            assert (500, {"error": fault}) == (reply.status, reply.json), (path, accept)


@pytest.mark.usefixtures("unreadable")
async def test_a_payer_reads_of_a_bug_in_their_language_and_may_try_again(api: Api) -> None:
    for path in PAYERS:
        text = await french(api, path, headers={"X-Request-Id": "mine"})

        assert "Une erreur s'est produite de notre côté." in text
        assert "donnez-lui ce numéro : mine" in text
        assert '<a href="">Réessayer</a>' in text


async def test_an_id_of_the_callers_own_is_shown_as_text(api: Api, unreadable: Dashboard) -> None:
    own = "\"'><script>alert(1)</script>{{7*7}}"
    for path in ("/dashboard", "/i/inv_1"):
        reply = await api.send("GET", path, {**HTML, "X-Request-Id": own, "Cookie": unreadable.cookie})

        assert is_page(reply)
        assert own in unescape(reply.body.decode())
        assert b"<script>alert" not in reply.body


@pytest.mark.usefixtures("quiet")
async def test_who_is_signed_in_reads_of_a_bug_inside_the_dashboard(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = await sign_in(api, Scope.READ)
    monkeypatch.setattr(invoices, "explained", broken)

    reply = await anna.get("/dashboard/invoices/inv_1")

    assert (500, ["/dashboard"]) == (reply.status, ways(reply))
    assert b'aria-label="Dashboard"' in reply.body
    assert b"a read (read)" in reply.body
    assert reply.headers["X-Request-Id"] in reply.body.decode()
    assert b"sesame" not in reply.body


@pytest.mark.usefixtures("quiet")
async def test_a_form_that_met_a_bug_may_have_done_something_and_that_is_said(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = await sign_in(api)
    monkeypatch.setattr(type(api.context.store), "write", broken)

    looked, sent = await anna.get("/dashboard/links"), await anna.post("/dashboard/sign-out")

    assert (200, 500) == (looked.status, sent.status)
    assert b"Look whether anything was done" in sent.body


@pytest.mark.usefixtures("quiet")
async def test_a_bug_in_the_page_of_a_problem_is_told_in_json(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(problems, "shown", broken)

    reply = await api.send("GET", "/nowhere", HTML)

    assert (500, "internal") == (reply.status, reply.json["error"]["code"])
    assert reply.headers["X-Request-Id"] in reply.json["error"]["message"]
    assert b"sesame" not in reply.body


# --- paths that are none


NOWHERE = ("/nowhere", "/i", "/i/", "/pay/", "/i/inv_1/more", "/dashboards", "/index.php")


async def test_an_unknown_path_is_a_page_to_browsers_and_json_to_programs(api: Api) -> None:
    for path in NOWHERE:
        page, program = await api.send("GET", path, HTML), await api.send("GET", path, {})

        assert (404, True) == (page.status, is_page(page)), path
        assert b"There is nothing here." in page.body
        assert "Il n'y a rien ici." in await french(api, path)
        fault = {"code": "not_found", "message": "there is no such path"}
        assert (404, {"error": fault}) == (program.status, program.json)


async def test_the_apis_own_paths_stay_json_for_everybody(api: Api) -> None:
    for path in ("/v1", "/v1/nothing", "/v1/invoices"):
        reply = await api.send("GET", path, HTML)

        assert reply.status in {401, 404}
        assert "error" in reply.json


async def test_the_first_page_leads_a_browser_to_the_dashboard_and_nobody_else(api: Api) -> None:
    browser = await api.send("GET", "/?next=//evil.example", HTML, allow_redirects=False)
    program, form = await api.send("GET", "/", {}), await api.send("POST", "/", FORM, data=b"")

    assert (303, "/dashboard") == (browser.status, browser.headers["Location"])
    assert (404, "not_found") == (program.status, program.json["error"]["code"])
    assert (404, True) == (form.status, is_page(form))


async def test_only_what_stands_below_payers_paths_may_be_embedded(api: Api) -> None:
    checkout = CheckoutSettings(frame_ancestors=(SHOP,), contact="help@shop.example")
    changed = api.context.settings.model_copy(update={"checkout": checkout})
    object.__setattr__(api.context, "settings", changed)
    for path in ("/i/inv_1", "/pay/lnk_1", "/i/", "/i/inv_1/more"):
        reply = await api.send("GET", path, HTML)
        assert is_page(reply, SHOP), path
        assert ["mailto:help@shop.example"] == ways(reply)
    for path in ("/nowhere", "/dashboards", "/dashboard", "/idea"):
        reply = await api.send("GET", path, HTML)
        assert is_page(reply), path
        assert "DENY" == reply.headers["X-Frame-Options"]
        assert b"help@shop.example" not in reply.body


# --- what is refused before a page


async def test_another_method_is_a_page_to_browsers_and_json_to_programs(api: Api) -> None:
    for path in (*PAYERS, *MERCHANTS):
        page, program = await api.send("PUT", path, HTML), await api.send("PUT", path, {})

        assert (405, True) == (page.status, is_page(page)), path
        assert page.headers["Allow"] == program.headers["Allow"]
        assert (405, "method_not_allowed") == (program.status, program.json["error"]["code"])


async def test_a_payer_reads_in_their_language_what_was_refused(api: Api) -> None:
    method = await french(api, "/pay/lnk_1", "PUT")
    large = await french(api, "/pay/lnk_1", "POST", FORM, data=LARGE)
    twice = await french(api, "/pay/lnk_1", "POST", FORM, data=b"a=1&a=2")

    assert "Cette page ne s'utilise pas ainsi." in method
    assert "plus que cette page n'accepte." in large
    assert "Cette page ne s'utilise pas ainsi." in twice


async def _in_parts() -> Any:
    for _ in range(8):
        yield LARGE[:10_000]


async def test_a_form_too_large_is_a_page_whether_it_says_so_or_not(api: Api) -> None:
    anna = await sign_in(api)
    for data in (LARGE, _in_parts()):
        reply = await api.send("POST", "/dashboard/sign-out", {**FORM, "Cookie": anna.cookie}, data=data)

        assert 413 == reply.status
        assert b"The body is larger than 65536 bytes." in reply.body
        assert "close" == reply.headers["Connection"]


async def test_who_asks_too_often_reads_so_in_a_page_that_leads_nowhere_else(
    tmp_path: Path, clock: FakeClock, fake_chain: FakeChain
) -> None:
    slow = ServerSettings(public_rate=1)
    async with api_server.serving(tmp_path, clock, fake_chain, server=slow) as api:
        for path in ("/", "//evil.example/x", "/dashboard/links"):
            replies = [await api.send("GET", path, HTML, allow_redirects=False) for _ in range(6)]
            limited = next(reply for reply in replies if reply.status == 429)

            assert ("1", True) == (limited.headers["Retry-After"], is_page(limited)), path
            assert {*ways(limited)} <= {"/dashboard"}


# --- the dashboard's page of a problem


SENTENCES = {
    "/invoices/inv_1": ("There is no invoice inv_1.", "/dashboard"),
    "/links/lnk_1": ("There is no payment link lnk_1.", "/dashboard/links"),
    "/webhooks/whk_1": ("There is no webhook whk_1.", "/dashboard/webhooks"),
    "/deliveries/dlv_1": ("There is no delivery dlv_1.", "/dashboard/deliveries"),
    "/nonsense/x": ("There is no such page.", "/dashboard"),
    "?x=1": ("x: unknown query parameter.", "/dashboard"),
}


async def test_a_problem_is_a_sentence_inside_the_dashboard_with_the_way_to_its_list(api: Api) -> None:
    anna = await sign_in(api)
    for path, (said, expected) in SENTENCES.items():
        reply = await anna.get(f"/dashboard{path}")

        assert f'<p role="alert">{said}</p>' in reply.body.decode()
        assert [expected] == ways(reply)
        assert b'aria-label="Dashboard"' in reply.body


async def test_a_stranger_sees_no_navigation(api: Api) -> None:
    reply = await api.send("PUT", "/dashboard/links", HTML)

    assert ["/dashboard"] == ways(reply)
    assert b"<nav" not in reply.body


PAGE = "/dashboard/invoices/inv_1?done=extend"


async def _refused(anna: Dashboard, referer: str, path: str = "/dashboard/nonsense") -> Reply:
    headers = {**HTML, "Cookie": anna.cookie, "Referer": referer}
    return await anna.api.send("GET", path, headers)


async def test_a_problem_leads_back_to_the_page_before_it(api: Api) -> None:
    anna = await sign_in(api)
    public = api.context.settings.server.public_url

    for site in {api.url, public} - {""}:
        assert [PAGE, "/dashboard"] == ways(await _refused(anna, f"{site}{PAGE}"))


ELSEWHERE = (
    "https://evil.example/dashboard/links",
    "https://evil.example",
    "//evil.example/dashboard/links",
    "{here}@evil.example/dashboard/links",
    "{here}.evil.example/dashboard/links",
    "{here}//evil.example/dashboard",
    "{here}/dashboard/../../evil",
    "{here}/dashboard/%2e%2e/evil",
    "{here}/dashboard\\@evil.example",
    "{here}/dashboardevil",
    "{here}/v1/invoices",
    "{here}/dashboard/sign-in?next=/dashboard",
    "{here}/dashboard/nonsense",
    "javascript:alert(1)//dashboard",
    "http://[",
    "/dashboard/links",
)


async def test_a_problem_leads_to_no_other_site_whatever_the_browser_names(api: Api) -> None:
    anna = await sign_in(api)
    for referer in ELSEWHERE:
        reply = await _refused(anna, referer.replace("{here}", api.url))

        assert (404, ["/dashboard"]) == (reply.status, ways(reply)), referer


async def test_a_problem_leads_back_to_the_list_as_it_was_filtered(api: Api) -> None:
    anna, listed = await sign_in(api), "/dashboard?status=paid&q=%22%3E%3Cb%3E"

    found = await _refused(anna, api.url + listed, "/dashboard/invoices/inv_1")
    of_the_list = await _refused(anna, api.url + listed, "/dashboard?x=1")

    assert [listed] == ways(found)
    assert ["/dashboard"] == ways(of_the_list)


async def test_a_refused_form_leads_back_to_itself(api: Api) -> None:
    anna = await sign_in(api, Scope.READ)
    form = f"{api.url}/dashboard/links/new"

    headers = {**FORM, "Cookie": anna.cookie, "Referer": form}
    reply = await api.send("POST", "/dashboard/links/new", headers, data=b"")

    assert (403, ["/dashboard/links/new", "/dashboard/links"]) == (reply.status, ways(reply))


async def test_a_form_without_a_session_survives_a_referer_that_is_no_address(api: Api) -> None:
    reply = await api.send("POST", "/dashboard/links/new", {**FORM, "Referer": "http://["}, data=b"")

    assert 401 == reply.status
    assert b'name="next" value="/dashboard"' in reply.body


# --- chains


async def test_an_invoice_explains_itself_with_the_titles_of_chains(api: Api) -> None:
    name = api_server.NAME
    chains = {name: api.context.settings.chains[name].model_copy(update={"title": "Harbour & Co"})}
    changed = api.context.settings.model_copy(update={"chains": chains})
    object.__setattr__(api.context, "settings", changed)
    anna, late = await sign_in(api), await staged(api, "expired with late money")

    page = unescape((await anna.get(f"/dashboard/invoices/{late['id']}")).body.decode())
    listed = unescape((await anna.get("/dashboard")).body.decode())
    explained = (await api.get(f"/v1/invoices/{late['id']}/explain")).json

    assert "COIN on Harbour & Co: " in page
    assert "Harbour & Co is read and proven up to block" in page
    assert f"COIN on {name}" not in page + listed
    assert re.search(r"COIN on Harbour & Co \(\S+\) waits for a decision", listed)
    assert f"{name} is read and proven" in " ".join(explained["reasons"])
