"""Who may see and do what in the dashboard: sessions, scopes, and forms that no page of ours sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select
from sqlmodel import SQLModel

from dashboard import FORM, Dashboard, sign_in
from page_samples import place, samples
from watcher.apikeys import Scope
from watcher.pages.page import DASHBOARD
from watcher.pages.site import PAGES
from watcher.tables import SESSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api_server import Api, Reply

HTML = {"Accept": "text/html"}
READABLE = [page for page in PAGES if page.method == "GET" and not page.open_ended]
WRITTEN = [page for page in PAGES if page.method == "POST" and page.path.startswith(DASHBOARD)]
INSIDE = [page for page in WRITTEN if page.scope]
"""Forms of who is signed in."""


@pytest.fixture
def api(unlimited_api: Api) -> Api:
    return unlimited_api


async def rows(api: Api) -> dict[str, list[Any]]:
    """Return all that the database holds, but for who is signed in."""
    tables = [table for table in SQLModel.metadata.sorted_tables if table is not SESSION]
    async with api.context.store.read() as conn:
        return {table.name: [tuple(row) for row in await conn.execute(select(table))] for table in tables}


async def sent(api: Api, path: str, headers: Mapping[str, str], **fields: str) -> Reply:
    body = "&".join(f"{name}={value}" for name, value in fields.items())
    return await api.send("POST", path, headers, data=body, allow_redirects=False)


# --- who may


async def test_whoever_is_not_signed_in_is_asked_to_and_changes_nothing(api: Api) -> None:
    ids = await samples(api)
    before = await rows(api)
    for page in PAGES:
        if page.scope is None:
            continue
        for cookie in ("", f"dw_session={'A' * 43}", "dw_session=", f"dw_session={api.keys[Scope.ADMIN]}"):
            headers = {**FORM, "Cookie": cookie} if page.method == "POST" else {**HTML, "Cookie": cookie}
            reply = await api.send(page.method, place(page, ids), headers, allow_redirects=False)
            assert 401 == reply.status, page.path
            assert b'name="key"' in reply.body
            assert "Set-Cookie" not in reply.headers

    assert before == await rows(api)


async def test_an_api_key_in_a_header_opens_no_page(api: Api) -> None:
    assert 401 == (await api.get("/dashboard", Scope.ADMIN)).status


async def test_a_page_takes_its_own_scope_and_no_smaller_one(api: Api) -> None:
    ids = await samples(api)
    signed_in = {scope: await sign_in(api, scope) for scope in Scope}
    before = await rows(api)
    for page in [*READABLE, *INSIDE]:
        if page.scope is None:
            continue
        for scope, one in signed_in.items():
            if scope.includes(page.scope):
                continue
            where = place(page, ids)
            reply = await (one.get(where) if page.method == "GET" else one.post(where))
            assert 403 == reply.status, (page.path, scope)
            assert f"of scope {scope}" in reply.body.decode()

    assert before == await rows(api)


# --- forged forms


def _forged(anna: Dashboard, bob: Dashboard) -> dict[str, tuple[dict[str, str], dict[str, str]]]:
    """Return headers and fields of forms that no page of Anna's sent."""
    hers, token = {**FORM, "Cookie": anna.cookie}, {"csrf": anna.token}
    return {
        "no token": (hers, {}),
        "an empty token": (hers, {"csrf": ""}),
        "a token of somebody else": (hers, {"csrf": bob.token}),
        "a token cut short": (hers, {"csrf": anna.token[:-1]}),
        "a token in capitals": (hers, {"csrf": anna.token.upper()}),
        "the cookie for a token": (hers, {"csrf": anna.cookie.partition("=")[2]}),
        "a token that is no ASCII": (hers, {"csrf": "%C3%A9" * 32}),
        "from another site": ({**hers, "Sec-Fetch-Site": "cross-site"}, token),
        "from a neighbour": ({**hers, "Sec-Fetch-Site": "same-site"}, token),
        "of a foreign origin": ({**hers, "Origin": "https://evil.example"}, token),
        "of an origin that is hidden": ({**hers, "Origin": "null"}, token),
        "of another port": ({**hers, "Origin": "http://127.0.0.1:1"}, token),
    }


async def test_a_form_that_no_page_of_this_session_sent_is_403_and_changes_nothing(api: Api) -> None:
    ids, anna, bob = await samples(api), await sign_in(api), await sign_in(api)
    before = await rows(api)
    for kind, (headers, fields) in _forged(anna, bob).items():
        for page in INSIDE:
            reply = await sent(api, place(page, ids), headers, **fields)
            told = b"did not come from the dashboard" in reply.body
            assert (403, True) == (reply.status, told), (kind, page.path)

    assert before == await rows(api)
    assert 200 == (await anna.get(DASHBOARD)).status


async def test_a_form_of_this_session_has_its_effect(api: Api) -> None:
    ids, anna = await samples(api), await sign_in(api)
    before = await rows(api)
    origin = {"Sec-Fetch-Site": "same-origin", "Origin": api.url}

    reply = await sent(
        api,
        f"{DASHBOARD}/webhooks/{ids['webhooks']}/test",
        {**FORM, **origin, "Cookie": anna.cookie},
        csrf=anna.token,
    )

    assert (303, True) == (reply.status, before != await rows(api))


def test_every_form_of_the_dashboard_is_for_who_is_signed_in_but_the_first() -> None:
    assert [f"{DASHBOARD}/sign-in"] == [page.path for page in WRITTEN if page.scope is None]
    assert [] == [page.path for page in PAGES if page.method not in {"GET", "POST"}]


def test_what_changes_something_needs_more_than_read() -> None:
    readers = [page.path for page in INSIDE if page.scope is Scope.READ]

    assert [f"{DASHBOARD}/sign-out"] == readers
