"""The OpenAPI document tells the truth: schemathesis sends what it allows and what it forbids."""

from __future__ import annotations

import asyncio
import threading
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
from merchant_stages import staged
from watcher.api.openapi import document
from watcher.api.scopes import SCOPES
from watcher.api.server import ROUTES
from watcher.apikeys import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = schemathesis.openapi.from_dict(document(ROUTES, "0.0.0")).exclude(path="/v1/events/stream")
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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Run the API in a thread: schemathesis calls it as any client does."""
    started, stop = threading.Event(), asyncio.Event()
    found: dict[str, Any] = {}

    async def serve() -> None:
        clock = FakeClock()
        async with serving(tmp_path_factory.mktemp("api"), clock, FakeChain(clock)) as api:
            found["ids"] = await _things(api)
            found["url"], found["key"] = api.url, api.keys[Scope.ADMIN]
            found["loop"] = asyncio.get_running_loop()
            started.set()
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert started.wait(20)
    yield found
    found["loop"].call_soon_threadsafe(stop.set)
    thread.join()


@SCHEMA.parametrize()
@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_one_that_the_document_describes(
    case: schemathesis.Case, server: dict[str, Any]
) -> None:
    if case.meta.generation.mode.is_positive:
        _name_what_exists(case, server["ids"])

    key = {"Authorization": f"Bearer {server['key']}"}
    checks = BODY_CHECKS if case.operation.body else CHECKS
    case.call_and_validate(base_url=server["url"], headers=key, checks=checks)


def _name_what_exists(case: schemathesis.Case, ids: dict[str, str]) -> None:
    """Without this no generated identifier would ever be found, and no invoice made."""
    case.headers.pop("Idempotency-Key", None)
    if "id" in case.path_parameters and case.method != "DELETE":
        case.path_parameters["id"] = ids[case.path.removeprefix("/v1").split("/")[1]]
    if "refund_id" in case.path_parameters:
        case.path_parameters |= {"id": ids["short"], "refund_id": ids["refund"]}
    if case.method == "POST" and case.path == "/pay/{id}":
        case.body = {k: v for k, v in case.body.items() if k in {"customer_email", "language"}}
    if case.method == "POST" and case.path in {"/v1/invoices", "/v1/links"} and case.body.get("chain"):
        case.body = {**case.body, "chain": "fake", "asset": "COIN", "amount": "1.5"}
        case.body = {k: v for k, v in case.body.items() if k not in {"address", "options", "tolerance"}}
    if case.method == "POST" and case.path == "/v1/addresses":
        case.body = {k: v for k, v in case.body.items() if k != "address"} | {"chain": "fake"}
    if case.method == "POST" and case.path == "/v1/webhooks":
        case.body = {**case.body, "url": "https://shop.example/hooks", "events": ["invoice.*"], "chains": []}


def test_the_document_lists_every_route_with_its_scope() -> None:
    paths = document(ROUTES, "0.0.0")["paths"]

    described = {(m.upper(), p): op.get("x-scope") for p, ops in paths.items() for m, op in ops.items()}

    assert {route: scope and scope.value for route, scope in SCOPES.items()} == described
