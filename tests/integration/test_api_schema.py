"""The OpenAPI document tells the truth: schemathesis sends what it allows and what it forbids."""

from __future__ import annotations

import asyncio
import itertools
import re
import threading
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from api_server import Api, serving
from fake_chain import FakeChain
from fake_clock import FakeClock
from merchant_stages import STAGES, staged
from watcher.api.guessing import Guessing
from watcher.api.openapi import document
from watcher.api.scopes import SCOPES
from watcher.api.server import ROUTES, listen
from watcher.apikeys import Scope
from watcher.feed import Feed
from watcher.payer_feed import PayerFeed
from watcher.settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from aiohttp import web

    from watcher.api.context import ApiContext
    from watcher.api.openapi import Route
    from watcher.payer_feed import Listener, Shown

SCHEMA = schemathesis.openapi.from_dict(document(ROUTES, "0.0.0"))
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    ignored_auth,
    unsupported_method,
)
BODY_CHECKS = (*CHECKS, negative_data_rejection)
"""In an address line a number is a list of one text as well: nothing there tells what to reject."""

PATIENCE = 60
"""Seconds that an answer may take: 11 were seen on a machine under load, where 0.06 are usual."""

ANSWERED: dict[str, Counter[tuple[str, int]]] = {}
"""What each route was asked, by mode, and answered: written by the first test, judged by the next."""


async def _things(api: Api) -> dict[str, str]:
    """Make one of each, and return its identifier by the resource's name in the path."""
    webhook = (await api.post("/v1/webhooks", {"url": "https://shop.example/hooks"})).json
    invoice = await api.invoice()
    api.chain.pay(invoice["options"][0]["address"], 5)
    await api.scan()
    key = (await api.post("/v1/keys", {"name": "a victim"})).json
    link = (await api.post("/v1/links", {"chain": "fake", "asset": "COIN", "amount": "1"})).json
    standing = (await api.post("/v1/addresses", {"chain": "fake"})).json
    (delivery, *_) = (await api.get("/v1/deliveries")).json["data"]
    short = await staged(api, "refunding")
    return {
        "webhooks": webhook["id"],
        "invoices": invoice["id"],
        "addresses": standing["id"],
        "i": invoice["id"],
        "links": link["id"],
        "pay": link["id"],
        "keys": key["id"],
        "deliveries": delivery["id"],
        "chains": "fake",
        "short": short["id"],
        "refund": short["refunds"][0]["id"],
    }


class _Brief(PayerFeed):
    """Tells each page of its invoice once."""

    def __init__(self, context: ApiContext) -> None:
        super().__init__(context.store, context.bus, context.links)
        self._sent: set[str] = set()

    def listen(self, invoice_id: str) -> AbstractContextManager[Listener]:
        self._sent.discard(invoice_id)
        return super().listen(invoice_id)

    def over(self, invoice_id: str) -> bool:
        return invoice_id in self._sent or super().over(invoice_id)

    def shown(self, invoice_id: str) -> Shown | None:
        found = super().shown(invoice_id)
        self._sent |= {invoice_id} if found else set()
        return found


async def _patient(api: Api) -> web.AppRunner:
    """Serve the same without limits, and with streams that end at once: who tests waits for their end."""
    hours = itertools.count(step=3600)
    guessing = Guessing(lambda: float(next(hours)))  # between two failures of any caller
    feed = Feed(api.context.store, api.context.bus)
    await feed.close()
    server = ServerSettings(rate=0, public_rate=0, concurrency=1000)
    settings_ = api.context.settings.model_copy(update={"server": server})
    brief = _Brief(api.context)
    context = replace(api.context, settings=settings_, feed=feed, payer_feed=brief, guessing=guessing)
    return await listen(context, "127.0.0.1", 0)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Run the API in a thread: schemathesis calls it as any client does."""
    started, stop = threading.Event(), asyncio.Event()
    found: dict[str, Any] = {"made": {}}

    async def serve() -> None:
        clock = FakeClock()
        async with serving(tmp_path_factory.mktemp("api"), clock, FakeChain(clock)) as api:
            found["ids"] = await _things(api)
            runner = await _patient(api)
            found["url"] = f"http://127.0.0.1:{runner.addresses[0][1]}"
            found["key"], found["api"], found["loop"] = api.keys[Scope.ADMIN], api, asyncio.get_running_loop()
            started.set()
            await stop.wait()
            await runner.cleanup()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert started.wait(60)
    yield found
    found["loop"].call_soon_threadsafe(stop.set)
    thread.join()


PLAY = "test_every_answer_is_one_that_the_document_describes"
PLAYED = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def _test_of(route: Route) -> Callable[..., None]:
    """Return a test of one route: of all that schemathesis makes of one function, xdist runs only one."""

    def test(case: schemathesis.Case, server: dict[str, Any]) -> None:
        _answers_as_described(case, server)

    chosen = SCHEMA.include(path=route.path, method=route.method)
    return chosen.parametrize()(PLAYED(test))


def _answers_as_described(case: schemathesis.Case, server: dict[str, Any]) -> None:
    positive = case.meta.generation.mode.is_positive
    if positive:
        _name_what_exists(case, server)

    key = {"Authorization": f"Bearer {server['key']}"}
    checks = BODY_CHECKS if case.operation.body else CHECKS
    answer = case.call_and_validate(base_url=server["url"], headers=key, checks=checks, timeout=PATIENCE)

    mode = "positive" if positive else "negative"
    ANSWERED.setdefault(case.operation.label, Counter())[mode, answer.status_code] += 1


for one in ROUTES:
    words = "_".join(re.findall(r"[a-z0-9]+", f"{one.method} {one.path}".lower()))
    globals()[f"{PLAY}_{words}"] = _test_of(one)


FRESH = {
    "DELETE /v1/addresses/{id}": "addresses",
    "DELETE /v1/keys/{id}": "keys",
    "DELETE /v1/links/{id}": "links",
    "DELETE /v1/webhooks/{id}": "webhooks",
    "POST /v1/invoices/{id}/accept": "partial",
    "POST /v1/invoices/{id}/cancel": "pending",
    "POST /v1/invoices/{id}/extend": "pending",
    "POST /v1/invoices/{id}/refund": "overpaid",
    "POST /v1/invoices/{id}/refunds/{refund_id}/address": "refunding",
    "POST /v1/invoices/{id}/refunds/{refund_id}/cancel": "refunding",
}
"""What these change for good: there is another one for the first of their cases."""
ENOUGH = 5


async def _fresh(api: Api, what: str) -> dict[str, str]:
    """Make one more, and return what stands for it in the path."""
    if what in STAGES:
        invoice = await staged(api, what)
        refunds = [refund["id"] for refund in invoice["refunds"]]
        return {"id": invoice["id"], "refund_id": refunds[0] if refunds else ""}
    body = {
        "addresses": {"chain": "fake"},
        "keys": {"name": f"no {len((await api.get('/v1/keys?limit=200')).json['data'])}"},
        "links": {"chain": "fake", "asset": "COIN", "amount": "1"},
        "webhooks": {"url": "https://shop.example/hooks"},
    }
    return {"id": (await api.post(f"/v1/{what}", body[what])).json["id"]}


def _name_what_exists(case: schemathesis.Case, server: dict[str, Any]) -> None:
    """Without this no generated identifier would ever be found, and no invoice made."""
    ids, what = server["ids"], FRESH.get(case.operation.label)
    case.headers.pop("Idempotency-Key", None)
    if what:
        made = server["made"].setdefault(case.operation.label, [])
        if len(made) < ENOUGH:
            fresh = asyncio.run_coroutine_threadsafe(_fresh(server["api"], what), server["loop"])
            made.append(fresh.result(60))
        case.path_parameters |= {k: v for k, v in made[-1].items() if k in case.path_parameters}
    elif "refund_id" in case.path_parameters:
        case.path_parameters |= {"id": ids["short"], "refund_id": ids["refund"]}
    elif "id" in case.path_parameters:
        case.path_parameters["id"] = ids[case.path.removeprefix("/v1").split("/")[1]]
    _ask_for_what_exists(case)


def _ask_for_what_exists(case: schemathesis.Case) -> None:
    """Leave of a body what any shop may write, and name the chain that there is."""
    given = case.body if isinstance(case.body, dict) else {}
    if "sequence" in given:
        case.body = given = {k: v for k, v in given.items() if k != "sequence"}
    if case.path.endswith(("/refund", "/address")) and case.method == "POST":
        case.body = {k: v for k, v in given.items() if k == "reason"} | {"address": "fake100000999"}
    if case.method == "POST" and case.path == "/pay/{id}":
        case.body = {k: v for k, v in given.items() if k in {"customer_email", "language"}}
    if case.method == "POST" and case.path in {"/v1/invoices", "/v1/links"}:
        dropped = {"address", "options", "tolerance", "refund_address", "reminder_before"}
        case.body = {k: v for k, v in case.body.items() if k not in dropped}
        case.body |= {"chain": "fake", "asset": "COIN", "amount": "1.5"}
    if case.method == "POST" and case.path == "/v1/addresses":
        case.body = {k: v for k, v in case.body.items() if k != "address"} | {"chain": "fake"}
    if case.method == "POST" and case.path == "/v1/webhooks":
        case.body = {**case.body, "url": "https://shop.example/hooks", "events": ["invoice.*"], "chains": []}


@pytest.mark.parametrize("label", [f"{route.method} {route.path}" for route in ROUTES])
def test_every_route_did_what_was_asked_and_refused_what_it_forbids(
    label: str, request: pytest.FixtureRequest
) -> None:
    """Without this, a schema from which nothing real can be made would pass unnoticed."""
    if sum(item.name.startswith(PLAY) for item in request.session.items) < len(ROUTES):
        pytest.skip("the tests above were asked for some routes only")
    method, path = label.split(" ")
    asked = set(ANSWERED[label])

    assert any(mode == "positive" and 200 <= status < 300 for mode, status in asked)
    assert not SCOPES[method, path] or ("negative", 401) in asked
    assert method not in {"POST", "PATCH"} or ("negative", 422) in asked
    assert "{id}" not in path or {("negative", 404), ("negative", 422)} & asked


def test_the_document_lists_every_route_with_its_scope() -> None:
    paths = document(ROUTES, "0.0.0")["paths"]

    described = {(m.upper(), p): op.get("x-scope") for p, ops in paths.items() for m, op in ops.items()}

    assert {route: scope and scope.value for route, scope in SCOPES.items()} == described
