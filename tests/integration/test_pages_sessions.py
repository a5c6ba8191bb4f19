"""Signing in to the dashboard and out again: cookies, ends of sessions, guesses, and where it leads."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
import structlog
from sqlalchemy import select

from dashboard import FORM, Dashboard, sign_in
from watcher import sessions
from watcher.api.guessing import FAILURES
from watcher.api.requests import BODY_LIMIT
from watcher.apikeys import Scope
from watcher.pages.page import DASHBOARD
from watcher.settings import ServerSettings
from watcher.tables import SESSION

if TYPE_CHECKING:
    from api_server import Api, Reply

SIGN_IN = f"{DASHBOARD}/sign-in"
WRONG = f"dwk_{'A' * 43}"


async def shown(api: Api, headers: dict[str, str] | None = None, **fields: str) -> Reply:
    """Send the form that signs in."""
    data = urlencode(fields).encode()
    return await api.send("POST", SIGN_IN, {**FORM, **(headers or {})}, data=data, allow_redirects=False)


async def is_in(anna: Dashboard) -> bool:
    status = (await anna.get(DASHBOARD)).status
    assert status in {200, 401}
    return status == 200


async def kept(api: Api) -> list[Any]:
    async with api.context.store.read() as conn:
        return [tuple(row) for row in await conn.execute(select(SESSION))]


def public_url(api: Api, url: str) -> None:
    update = {"server": ServerSettings(public_url=url)}
    object.__setattr__(api.context, "settings", api.context.settings.model_copy(update=update))


# --- the cookie


@pytest.mark.parametrize(
    ("url", "more"),
    [
        pytest.param("http://127.0.0.1:8080", set(), id="on this machine"),
        pytest.param("https://pay.shop.example", {"secure"}, id="behind TLS"),
    ],
)
async def test_the_cookie_is_the_dashboards_alone_and_no_scripts(api: Api, url: str, more: set[str]) -> None:
    public_url(api, url)

    reply = await shown(api, key=api.keys[Scope.READ])

    (cookie,) = reply.headers.getall("Set-Cookie")
    value, *flags = [part.strip().lower() for part in cookie.split(";")]
    assert {"httponly", "samesite=lax", "path=/dashboard", *more} == set(flags)
    assert value.startswith("dw_session=")
    assert len(value) >= len("dw_session=") + 43


async def test_payers_pages_set_no_cookie_and_need_none(api: Api) -> None:
    made = await api.invoice()

    reply = await api.send("GET", f"/i/{made['id']}", {"Accept": "text/html"})

    assert (200, False) == (reply.status, "Set-Cookie" in reply.headers)


async def test_every_session_has_a_cookie_of_its_own_and_none_that_was_brought_along(api: Api) -> None:
    brought = {"Cookie": f"dw_session={'B' * 43}"}

    first, second = [await shown(api, brought, key=api.keys[Scope.READ]) for _ in range(2)]

    cookies = {reply.headers["Set-Cookie"].partition(";")[0] for reply in (first, second)}
    assert 2 == len(cookies | {brought["Cookie"]}) - 1


async def test_only_a_hash_of_the_cookie_is_kept(api: Api) -> None:
    anna = await sign_in(api)

    token = anna.cookie.partition("=")[2]
    rows = await kept(api)
    assert hashlib.sha256(token.encode()).hexdigest() in str(rows)
    assert token not in str(rows)
    assert not await is_in(Dashboard(api, f"dw_session={rows[0][0]}", ""))


# --- the end


async def test_signing_out_ends_this_session_and_no_other(api: Api) -> None:
    anna, bob = await sign_in(api), await sign_in(api)

    reply = await anna.post(f"{DASHBOARD}/sign-out")

    assert (303, SIGN_IN) == (reply.status, reply.headers["Location"])
    assert "Max-Age=0" in reply.headers["Set-Cookie"]
    assert [False, True] == [await is_in(anna), await is_in(bob)]


async def test_a_session_that_nobody_used_is_over(api: Api) -> None:
    anna = await sign_in(api)
    api.clock.advance((sessions.IDLE - timedelta(seconds=1)).total_seconds())
    used = await is_in(anna)
    api.clock.advance((sessions.IDLE - timedelta(seconds=1)).total_seconds())
    again = await is_in(anna)
    api.clock.advance(sessions.IDLE.total_seconds())

    assert [True, True, False] == [used, again, await is_in(anna)]


async def test_a_session_is_over_at_its_age_however_busy_it_was(api: Api) -> None:
    anna, step = await sign_in(api), sessions.IDLE / 2
    for _ in range(sessions.LONGEST // step - 1):
        api.clock.advance(step.total_seconds())
        assert await is_in(anna)
    api.clock.advance(step.total_seconds())

    assert not await is_in(anna)


async def test_a_revoked_key_ends_its_sessions_at_once(api: Api) -> None:
    made = (await api.post("/v1/keys", {"name": "till", "scope": "admin"})).json
    api.keys[None] = made["key"]
    anna, bob = await sign_in(api, None), await sign_in(api)  # type: ignore[arg-type]

    before = await is_in(anna)
    await api.call("DELETE", "/v1/keys/till")

    assert [True, False, True] == [before, await is_in(anna), await is_in(bob)]
    assert 401 == (await shown(api, key=made["key"])).status


async def test_sessions_that_are_over_are_forgotten_when_somebody_signs_in(api: Api) -> None:
    await sign_in(api)
    api.clock.advance(sessions.LONGEST.total_seconds())
    await sign_in(api)

    assert 1 == len(await kept(api))


# --- guesses


async def test_what_is_no_key_is_401_and_the_form_again_without_it(api: Api) -> None:
    for key in ("", " ", WRONG, "é" * 43, "\x00", "' OR 1=1 --", "x" * 500):
        reply = await shown(api, key=key)

        assert (401, False) == (reply.status, "Set-Cookie" in reply.headers), key
        assert b"wrong or was revoked" in reply.body
        assert not key.strip("\x00 ") or key.encode() not in reply.body
    assert [] == await kept(api)


async def test_guesses_are_slowed_and_who_knows_the_key_never(api: Api) -> None:
    replies = [await shown(api, key=WRONG) for _ in range(FAILURES + 1)]
    slowed = replies.pop()
    by_api = await api.send("GET", "/v1/keys", {"Authorization": f"Bearer {WRONG}"})
    right = await shown(api, key=api.keys[Scope.READ])

    assert {401} == {reply.status for reply in replies}
    assert (429, 429, 303) == (slowed.status, by_api.status, right.status)
    assert 1 <= int(slowed.headers["Retry-After"]) <= 6


async def test_no_secret_of_a_session_is_in_a_log_or_in_the_audit_trail(api: Api) -> None:
    with structlog.testing.capture_logs() as logs:
        anna = await sign_in(api)
        await shown(api, key=WRONG)
        await anna.get(f"{DASHBOARD}?query={WRONG}")
        await anna.post(f"{DASHBOARD}/links/none/remove")
        await anna.send(f"{DASHBOARD}/sign-out", {"csrf": "B" * 64})
        await anna.post(f"{DASHBOARD}/sign-out")
    trail = (await api.get("/v1/audit")).json["data"]

    written = json.dumps([logs, trail], default=str)
    for secret in (anna.token, anna.cookie.partition("=")[2], WRONG, api.keys[Scope.ADMIN], "B" * 64):
        assert secret not in written
    assert [("session.begin", "a admin"), ("session.end", "a admin")] == [
        (entry["action"], entry["actor"]) for entry in reversed(trail) if "session" in entry["action"]
    ]


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Sec-Fetch-Site": "cross-site"}, id="from another site"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, id="from a neighbour"),
        pytest.param({"Origin": "https://evil.example"}, id="of a foreign origin"),
        pytest.param({"Origin": "null"}, id="of an origin that is hidden"),
    ],
)
async def test_nobody_is_signed_in_by_another_site(api: Api, headers: dict[str, str]) -> None:
    reply = await shown(api, headers, key=api.keys[Scope.ADMIN])

    assert (403, False) == (reply.status, "Set-Cookie" in reply.headers)


# --- where it leads


ELSEWHERE = (
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https://evil.example",
    "https:/dashboard",
    "javascript:alert(1)",
    "data:text/html,x",
    "/i/inv_1",
    "/dashboardx",
    "/dashboard.evil.example",
    "dashboard",
    " /dashboard/links",
    "/dashboard/../i/inv_1",
    "/dashboard/..",
    "/dashboard/./../v1/keys",
    "/dashboard/%2e%2e/i/inv_1",
    "/dashboard/.%2E/i/inv_1",
    "/dashboard/..//evil.example",
    "/dashboard/..\\evil.example",
    "/dashboard/\r\nSet-Cookie: a=b",
    "/dashboard/\t/evil.example",
    "/dashboard/\x00",
    "/dashboard/\u202e",
    "/dashboard/é",
    "@evil.example",
)


async def test_signing_in_leads_nowhere_but_into_the_dashboard(unlimited_api: Api) -> None:
    anna = await sign_in(unlimited_api)
    for place in ELSEWHERE:
        reply = await shown(unlimited_api, key=unlimited_api.keys[Scope.READ], next=place)
        path = f"{SIGN_IN}?{urlencode({'next': place})}"
        asked = await unlimited_api.send("GET", path, {"Accept": "text/html"})
        known = await anna.get(path)

        assert [DASHBOARD] * 2 == [one.headers["Location"] for one in (reply, known)], place
        assert b'name="next" value="/dashboard"' in asked.body, place


async def test_signing_in_leads_to_the_page_that_was_wanted(api: Api) -> None:
    for path in ("", "?status=paid&query=a%2Fb..c", "/invoices/inv_1", "/links?cursor=.."):
        reply = await shown(api, key=api.keys[Scope.READ], next=f"{DASHBOARD}{path}")

        assert (303, f"{DASHBOARD}{path}") == (reply.status, reply.headers["Location"])


async def test_a_form_without_a_session_is_said_to_be_lost_and_leads_back_to_its_page(api: Api) -> None:
    page = f"{DASHBOARD}/links/new?description=Tea"
    headers = {**FORM, "Referer": f"http://pay.shop.example{page}"}

    reply = await api.send("POST", f"{DASHBOARD}/links/new", headers, data=b"description=Coffee")

    text = reply.body.decode()
    assert reply.status == 401
    assert "Nothing was done: you were no longer signed in." in text
    assert f'name="next" value="{page}"' in text
    assert "Coffee" not in text


@pytest.mark.parametrize("place", ["", "https://evil.example/x", "https://evil.example//evil.example"])
async def test_a_form_without_a_session_from_elsewhere_leads_to_the_first_page(api: Api, place: str) -> None:
    headers = {**FORM, "Referer": place} if place else FORM

    reply = await api.send("POST", f"{DASHBOARD}/links/new", headers, data=b"")

    assert f'name="next" value="{DASHBOARD}"' in reply.body.decode()


async def test_who_only_looked_reads_nothing_of_a_lost_form(api: Api) -> None:
    reply = await api.send("GET", f"{DASHBOARD}/links", {"Accept": "text/html"})

    assert reply.status == 401
    assert b"Nothing was done" not in reply.body


# --- the form


FORMS = [
    pytest.param(b"key=a&key=b", {}, 400, "sent more than once", id="a field twice"),
    pytest.param(b"key=%ff", {}, 400, "cannot be read", id="no UTF-8"),
    pytest.param(b"key=%ed%a0%80", {}, 400, "cannot be read", id="half a surrogate pair"),
    pytest.param(b"key=\xff", {}, 400, "cannot be read", id="raw bytes"),
    pytest.param(b"&".join(b"a%d=1" % i for i in range(101)), {}, 400, "cannot be read", id="many fields"),
    pytest.param(b"key=a&admin=1", {}, 422, "unknown field", id="an unknown field"),
    pytest.param(b"key=" + b"a" * 501, {}, 422, "at most 500", id="a long key"),
    pytest.param(b"key=" + b"a" * BODY_LIMIT, {}, 413, "larger than", id="above 64 KiB"),
    pytest.param(b'{"key": "a"}', {"Content-Type": "application/json"}, 415, "Send the form", id="JSON"),
    pytest.param(b"key=a", {"Content-Type": "text/plain"}, 415, "Send the form", id="text"),
    pytest.param(b"key=a", {"Content-Type": "multipart/form-data"}, 415, "Send the form", id="multipart"),
]


@pytest.mark.parametrize(("body", "headers", "status", "told"), FORMS)
async def test_a_form_that_cannot_be_read_is_refused_with_a_page(
    api: Api, body: bytes, headers: dict[str, str], status: int, told: str
) -> None:
    reply = await api.send("POST", SIGN_IN, {**FORM, **headers}, data=body, allow_redirects=False)

    assert (status, "text/html; charset=utf-8") == (reply.status, reply.headers["Content-Type"])
    assert told in reply.body.decode()
    assert [] == await kept(api)
