"""The dashboard's endpoints: what their pages show and do, and what never stands in them."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from dashboard import sign_in
from notified import alert, delivery, hook, once, page, place, set_all
from watcher.api.scopes import SCOPES
from watcher.apikeys import Scope
from watcher.pages import deliveries, webhooks, webhooks_decided, webhooks_secret
from watcher.render import moment
from watcher.tables import DELIVERY, ENDPOINT

if TYPE_CHECKING:
    from api_server import Api
    from dashboard import Dashboard

PAGES = [*webhooks.pages, *webhooks_decided.pages, *webhooks_secret.pages, *deliveries.pages]
HOOKS = "/dashboard/webhooks"
SECRET = "whsec_" + "QUFB" * 8


@pytest.fixture
async def admin(api: Api) -> Dashboard:
    return await sign_in(api, Scope.ADMIN)


# Secrets


async def test_a_new_endpoint_shows_its_secret_on_the_page_that_answers_and_on_no_other(
    api: Api, admin: Dashboard
) -> None:
    form = await once(admin, f"{HOOKS}/add")
    made = await admin.post(HOOKS, once=form, url="https://shop.example/hooks", events="invoice.*", chains="")
    (shown,) = (await api.get("/v1/webhooks")).json["data"]

    secrets = set(re.findall(rb"whsec_[\w+/=]+", made.body))
    assert (201, 1) == (made.status, len(secrets))
    assert (["invoice.*"], [], "api") == (shown["events"], shown["chains"], shown["managed"])
    assert "no-store" == made.headers["Cache-Control"]
    assert {secrets.pop().decode()} == await _secrets_in_use(api)
    for path in (HOOKS, f"{HOOKS}/{shown['id']}", f"{HOOKS}/{shown['id']}/rotate", f"{HOOKS}/add"):
        assert b"whsec_" not in (await admin.get(path)).body.replace(b"whsec_\xe2\x80\xa6", b"")


async def _secrets_in_use(api: Api) -> set[str]:
    async with api.context.store.read() as conn:
        columns = await conn.scalars(ENDPOINT.select().with_only_columns(ENDPOINT.c.secrets))
        return {one for column in columns for one in re.findall(r"whsec_[\w+/=]+", column)}


async def test_the_page_with_the_secret_loaded_again_makes_nothing_and_shows_no_secret(
    api: Api, admin: Dashboard
) -> None:
    form = {"once": await once(admin, f"{HOOKS}/add"), "url": "https://shop.example/hooks"}
    await admin.post(HOOKS, **form)
    again = await admin.post(HOOKS, **form)
    (shown,) = (await api.get("/v1/webhooks")).json["data"]
    rotation = {"once": await once(admin, f"{HOOKS}/{shown['id']}/rotate"), "overlap_seconds": "60"}
    rotated = [await admin.post(f"{HOOKS}/{shown['id']}/rotate", **rotation) for _ in range(2)]

    assert (303, f"{HOOKS}/{shown['id']}") == (again.status, again.headers["Location"])
    assert [200, 303] == [reply.status for reply in rotated]
    assert 2 == len(await _secrets_in_use(api))


async def test_a_form_that_was_sent_with_other_values_is_asked_again(admin: Dashboard) -> None:
    form = await once(admin, f"{HOOKS}/add")
    await admin.post(HOOKS, once=form, url="https://shop.example/hooks")
    other = await admin.post(HOOKS, once=form, url="https://other.example/hooks")

    assert (409, True) == (other.status, alert(other.body).startswith("this form was sent before"))
    assert b'value="https://other.example/hooks"' in other.body
    assert form.encode() not in other.body


async def test_h137_of_a_key_pair_only_the_public_key_is_shown(admin: Dashboard) -> None:
    form = await once(admin, f"{HOOKS}/add")
    made = await admin.post(HOOKS, once=form, url="https://shop.example/hooks", signature="ed25519")

    assert (201, True) == (made.status, b"whpk_" in made.body)
    assert b"whsk_" not in made.body
    assert b"whsec_" not in made.body


async def test_a_rotation_says_what_becomes_of_the_earlier_secret(api: Api, admin: Dashboard) -> None:
    made = await hook(api)
    path = f"{HOOKS}/{made['id']}/rotate"
    asked = await page(admin, path)
    kept = await admin.post(path, once=await once(admin, path), overlap_seconds="3600")
    ended = await admin.post(path, once=await once(admin, path), overlap_seconds="0")

    assert "Until the overlap ends the earlier one signs as well." in asked
    assert b"For 3600 seconds from now the earlier secret signs as well" in kept.body
    assert b"The earlier secret signs nothing any more" in ended.body
    assert made["secret"].encode() not in kept.body + ended.body


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({}, "url: is required", id="no url"),
        pytest.param({"url": "ftp://x"}, "url is not an http or https URL with a host", id="another scheme"),
        pytest.param({"url": "http://127.0.0.1/"}, "url: 127.0.0.1 is", id="inside"),
        pytest.param(
            {"events": "invoice.payed"}, "events: unknown event 'invoice.payed'", id="no such event"
        ),
        pytest.param(
            {"chains": "doge"}, "chains: unknown chain 'doge'; configured: fake", id="no such chain"
        ),
        pytest.param({"secret": "whsec_short"}, "secret ", id="a short secret"),
        pytest.param({"format": "paypal"}, "format: unknown format 'paypal'", id="no such format"),
        pytest.param(
            {"format": "oxapay", "signature": "ed25519"}, "signature ", id="a signature it does not speak"
        ),
        pytest.param({"description": "x" * 501}, "description: ", id="a long description"),
    ],
)
async def test_what_is_wrong_is_one_line_and_what_was_entered_stays_but_a_secret(
    api: Api, admin: Dashboard, fields: dict[str, str], expected: str
) -> None:
    right = {"url": "https://shop.example/hooks"} if fields else {}
    form = right | {"secret": SECRET, "description": "the till"} | fields
    reply = await admin.post(HOOKS, once=await once(admin, f"{HOOKS}/add"), **form)

    text = html.unescape(reply.body.decode())
    assert (422, True) == (reply.status, html.unescape(alert(reply.body)).startswith(expected))
    assert form["secret"] not in text
    assert all(f'value="{form[name]}"' in text for name in ("url", "events", "description") if name in form)
    assert [] == (await api.get("/v1/webhooks")).json["data"]


# Who may


@pytest.mark.parametrize("one", PAGES, ids=lambda one: f"{one.method} {one.path}")
def test_each_page_needs_what_its_route_of_the_api_needs(one: Any) -> None:
    asks = one.path.endswith(("/add", "/rotate", "/remove", "/disable", "/replay", "/change"))

    assert (Scope.ADMIN if asks or one.method == "POST" else Scope.READ) == one.scope
    assert {Scope.ADMIN} == {
        scope for (method, path), scope in SCOPES.items() if method != "GET" and "/webhooks" in path
    }


@pytest.mark.parametrize("scope", [Scope.READ, Scope.WRITE])
async def test_a_smaller_key_sees_everything_and_no_button_and_is_refused(api: Api, scope: Scope) -> None:
    made = await hook(api)
    await api.invoice()
    sent = (await delivery(api))["id"]
    dashboard = await sign_in(api, scope)
    shown = [await page(dashboard, path) for path in (HOOKS, f"{HOOKS}/{made['id']}", place(sent))]
    refused = [
        await dashboard.post(path.replace("{id}", sent if "deliveries" in path else made["id"]))
        for path in (one.path for one in PAGES if one.method == "POST")
    ]

    assert [1, 1, 1] == [text.count('method="post"') for text in shown]  # to sign out
    assert all("/webhooks/add" not in text and "/rotate" not in text for text in shown)
    assert {403} == {reply.status for reply in refused}
    assert "This needs a key of scope admin" in alert(refused[0].body)


# Endpoints


async def test_the_list_tells_how_each_endpoint_does(api: Api, admin: Dashboard) -> None:
    made = await hook(api, description="<b>the till</b>", events=["invoice.created"], chains=["fake"])
    for _ in range(3):
        await api.invoice()
    rows = (await api.get("/v1/deliveries")).json["data"]
    async with api.context.store.write() as conn:
        dead = DELIVERY.c.id == rows[0]["id"]
        await conn.execute(update(DELIVERY).where(dead).values(state="dead", next_at=None))
    raw = (await admin.get(HOOKS)).body.decode()
    (listed,) = (await api.get("/v1/webhooks")).json["data"]

    assert (2, 1) == (listed["deliveries_pending"], listed["deliveries_dead"])
    assert f'aria-label="2 waiting for {made["url"]}">2</a>' in raw
    assert f'aria-label="1 given up for {made["url"]}">1</a>' in raw
    assert "&lt;b&gt;the till&lt;/b&gt;" in raw
    assert all(words in raw for words in ("invoice.created", "Fake", "standard", "the API", "active"))


async def test_what_the_configuration_manages_has_no_button_and_says_so(api: Api, admin: Dashboard) -> None:
    made = await hook(api)
    await set_all(api, ENDPOINT, managed="config", state="disabled", disabled_reason="it answered 410")
    path = f"{HOOKS}/{made['id']}"
    shown = await page(admin, path)
    acts = {"enable": {}, "disable": {}, "remove": {}, "change": {"url": "https://x.example/"}}
    refused = {act: await admin.post(f"{path}/{act}", **fields) for act, fields in acts.items()}
    tested = await admin.post(f"{path}/test")

    assert "It is disabled: it answered 410." in shown
    assert "The configuration manages it: start the daemon anew to enable it." in shown
    assert not re.search(r"/(enable|disable|remove|change|rotate)\"", shown)
    assert {409} == {reply.status for reply in refused.values()}
    assert {"this endpoint is managed by the configuration; change it there and start again"} == {
        alert(reply.body) for reply in refused.values()
    }
    assert (409, "this endpoint is disabled; enable it first") == (tested.status, alert(tested.body))
    assert f'hx-get="{path}"'.encode() in tested.body


async def test_an_endpoint_is_disabled_and_enabled_again(api: Api, admin: Dashboard) -> None:
    made = await hook(api)
    path = f"{HOOKS}/{made['id']}"
    asked = await page(admin, f"{path}/disable")
    states = []
    for act in ("disable", "enable"):
        reply = await admin.post(f"{path}/{act}")
        states.append((reply.status, (await api.get(f"/v1/webhooks/{made['id']}")).json["state"]))

    assert "is sent nothing until it is enabled again" in asked
    assert [(303, "disabled"), (303, "active")] == states


async def test_an_endpoint_is_changed(api: Api, admin: Dashboard) -> None:
    made = await hook(api, description="till", success_body="ok", events=["invoice.paid"])
    path = f"{HOOKS}/{made['id']}/change"
    asked = await page(admin, path)
    fields = {"url": "https://new.example/", "events": "invoice.paid, chain.*", "chains": "fake"}
    done = await admin.post(path, **fields)
    wrong = await admin.post(path, **fields | {"events": "no.event"})
    changed = (await api.get(f"/v1/webhooks/{made['id']}")).json

    assert all(f'value="{one}"' in asked for one in (made["url"], "till", "ok", "invoice.paid"))
    assert (303, 422) == (done.status, wrong.status)
    assert ("https://new.example/", ["invoice.paid", "chain.*"], ["fake"], None, None) == tuple(
        changed[name] for name in ("url", "events", "chains", "description", "success_body")
    )
    assert (b'value="no.event"' in wrong.body, True) == (True, "unknown event" in alert(wrong.body))


async def test_a_removal_says_what_is_lost_and_then_cancels_it(api: Api, admin: Dashboard) -> None:
    made = await hook(api)
    await api.invoice()
    sent = await delivery(api)
    path = f"{HOOKS}/{made['id']}/remove"
    asked = await page(admin, path)
    done = await admin.post(path)
    left = await page(admin, place(sent["id"]))
    again = await admin.post(f"{place(sent['id'])}/redeliver")

    assert "1 delivery that waits is cancelled." in asked
    assert (303, HOOKS) == (done.status, done.headers["Location"])
    assert "There is no endpoint yet" in await page(admin, HOOKS)
    assert f"{made['url']} (removed)" in left
    assert "redeliver" not in left
    assert (409, "its endpoint is removed; enable it first") == (again.status, alert(again.body))


async def test_an_endpoint_that_there_is_not_is_404(admin: Dashboard) -> None:
    for act in ("", "/rotate", "/remove", "/disable", "/replay", "/change"):
        reply = await admin.get(f"{HOOKS}/whk_none{act}")

        assert (404, "There is no webhook whk_none.") == (reply.status, alert(reply.body))


async def test_a_replay_takes_moments_as_browsers_write_them(api: Api, admin: Dashboard) -> None:
    made = await hook(api)
    for _ in range(3):
        await api.invoice()
    await set_all(api, DELIVERY, state="dead", next_at=None)
    path = f"{HOOKS}/{made['id']}/replay"
    begun = moment(api.clock())
    assert begun is not None
    minute, second = begun[:16], begun.removesuffix("Z")
    asked = await page(admin, path)
    empty = await admin.post(path, after=second, before=second)
    none = await admin.post(path)
    one = await admin.post(path, after=second, state="dead")
    rest = await admin.post(path, after=minute, state="dead")
    told = await page(admin, rest.headers["Location"])

    assert "books those payments again" in asked
    assert (422, "before: must be later than after") == (empty.status, alert(empty.body))
    assert f'value="{second}"'.encode() in empty.body
    assert (422, "after: is required") == (none.status, alert(none.body))
    assert [f"{HOOKS}/{made['id']}?replayed={count}" for count in (1, 2)] == [
        reply.headers["Location"] for reply in (one, rest)
    ]
    assert "2 deliveries are sent again." in told
