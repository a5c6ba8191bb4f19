"""What holds for every route: nothing unknown is taken, every list has pages, no other site may read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from watcher.api.openapi import Route, document
from watcher.api.server import ROUTES
from watcher.api.values import Page
from watcher.apikeys import Scope

if TYPE_CHECKING:
    from api_server import Api, Reply


def _lists() -> list[Route]:
    return [r for r in ROUTES if r.answer and r.answer.__pydantic_generic_metadata__["origin"] is Page]


def name(route: Route) -> str:
    return f"{route.method} {route.path}"


async def _ask(api: Api, route: Route, query: str = "", **options: Any) -> Reply:
    path = re.sub(r"{\w+}", "fake", route.path)
    return await api.call(route.method, f"{path}{query}", Scope.ADMIN, **options)


def fault(reply: Reply) -> tuple[int, str, str | None]:
    return reply.status, reply.json["error"]["code"], reply.json["error"].get("field")


# --- nothing unknown


async def test_an_unknown_parameter_is_refused_and_named(api: Api) -> None:
    found = {name(route): fault(await _ask(api, route, "?surely_unknown=1")) for route in ROUTES}

    assert dict.fromkeys(found, (422, "unknown_field", "surely_unknown")) == found


async def test_an_unknown_field_is_refused_and_named_also_where_no_body_is_asked_for(api: Api) -> None:
    found = {name(route): fault(await _ask(api, route, json={"surely_unknown": 1})) for route in ROUTES}

    assert dict.fromkeys(found, (422, "unknown_field", "surely_unknown")) == found


async def test_a_body_where_none_is_asked_for_has_to_be_empty(api: Api) -> None:
    without = [route for route in ROUTES if route.body is None]
    found = {name(route): fault(await _ask(api, route, data=b"[1]")) for route in without}

    assert dict.fromkeys(found, (422, "invalid", None)) == found


def test_no_object_of_a_body_takes_unknown_fields_however_deep() -> None:
    schemas = document([r for r in ROUTES if r.body], "0")["components"]["schemas"]
    asked = {model for route in ROUTES if route.body for model in _reached(schemas, route.body.__name__)}

    open_ = {name for name in asked if "properties" in schemas[name]}
    assert {"InvoiceDraft", "OptionDraft", "ToleranceDraft", "FeesDraft", "PolicyDraft", "Limits"} <= open_
    assert set() == {name for name in open_ if schemas[name].get("additionalProperties") is not False}


def _reached(schemas: dict[str, Any], name: str) -> set[str]:
    """Return a model and all that it is made of."""
    if name not in schemas:
        return set()
    inner = set(re.findall(r"#/components/schemas/(\w+)", str(schemas[name])))
    return {name}.union(*(_reached(schemas, one) for one in inner))


async def test_a_misspelt_field_is_named_before_the_one_that_is_missing(api: Api) -> None:
    reply = await api.post("/v1/chains/fake/rescan", {"form": 1})

    assert (422, "unknown_field", "form") == fault(reply)
    assert "did you mean from?" in reply.json["error"]["message"]


# --- pages


def test_every_list_has_pages() -> None:
    lacking = [route.path for route in _lists() if not {"cursor", "limit"} <= set(route.query.model_fields)]

    assert len(_lists()) > 10
    assert [] == lacking


LIMITS = ["0", "201", "-1", "1.5", "ten", "", "+5", "1e2", "99999999999999999999"]
CURSORS = ["nonsense", "", "%00", "a" * 300, "%F0%9F%92%A9", "-1"]


async def test_a_page_has_1_to_200_items(api: Api) -> None:
    asked = [(route, limit) for route in _lists() for limit in LIMITS]
    found = {(route.path, limit): fault(await _ask(api, route, f"?limit={limit}")) for route, limit in asked}

    assert dict.fromkeys(found, (422, "invalid", "limit")) == found


@pytest.mark.parametrize("field", ["limit", "cursor"])
async def test_what_is_one_value_is_given_once(api: Api, field: str) -> None:
    found = {route.path: fault(await _ask(api, route, f"?{field}=1&{field}=2")) for route in _lists()}

    assert dict.fromkeys(found, (422, "invalid", field)) == found


async def test_a_cursor_that_no_page_gave_is_refused(api: Api) -> None:
    await _some(api)
    found = {}
    for path in await _paths(api):
        for cursor in CURSORS:
            reply = await api.get(f"{path}?cursor={cursor}")
            found[path, cursor] = (reply.status, (reply.json.get("error") or {}).get("field"))

    assert dict.fromkeys(found, (422, "cursor")) == found


async def _paths(api: Api) -> list[str]:
    """Return where each list is, of a chain and an address that there are."""
    standing = (await api.get("/v1/addresses?limit=1")).json["data"][0]["id"]
    made = {"/v1/addresses/{id}": f"/v1/addresses/{standing}", "{id}": "fake"}
    paths = [route.path for route in _lists()]
    for pattern, real in made.items():
        paths = [path.replace(pattern, real) for path in paths]
    return paths


async def _some(api: Api) -> None:
    """Make three of everything that is listed."""
    for number in range(3):
        invoice = await api.invoice()
        api.chain.pay(invoice["options"][0]["address"], 100_000_000)
        standing = await api.post("/v1/addresses", {"chain": "fake", "label": "mine"})
        api.chain.pay(standing.json["address"], 1)
        await api.post("/v1/links", {"chain": "fake", "asset": "COIN", "amount": "1"})
        await api.post("/v1/webhooks", {"url": f"https://shop.example/{number}"})
    api.chain.mine()
    await api.scan()


async def test_page_by_page_a_list_is_the_same_as_at_once(api: Api) -> None:
    await _some(api)
    for path in await _paths(api):
        whole = (await api.get(f"{path}?limit=200")).json
        found, cursor = [], ""
        while cursor is not None:
            page = (await api.get(f"{path}?limit=2{cursor}")).json
            found += page["data"]
            assert len(page["data"]) <= 2
            cursor = page["next"] and f"&cursor={page['next']}"

        assert whole["data"], path
        assert whole == {"data": found, "next": None}, path


# --- other sites


async def test_no_other_sites_script_may_read_an_answer(api: Api) -> None:
    origin = {"Origin": "https://elsewhere.example"}
    replies = [await _ask(api, route, headers=origin) for route in ROUTES if not route.streams]

    names = {header.lower() for reply in replies for header in reply.headers}
    assert set() == {header for header in names if header.startswith("access-control")}
    assert [] == [reply for reply in replies if "Origin" in reply.headers.get("Vary", "")]


async def test_a_browser_that_asks_for_permission_is_told_the_methods_and_nothing_else(api: Api) -> None:
    asked = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}
    for path in {route.path for route in ROUTES}:
        reply = await api.call("OPTIONS", re.sub(r"{\w+}", "fake", path), None, headers=asked)

        assert (405, "method_not_allowed") == fault(reply)[:2]
        assert {route.method for route in ROUTES if route.path == path} <= set(
            reply.headers["Allow"].split(",")
        )
        assert [] == [header for header in reply.headers if header.lower().startswith("access-control")]
