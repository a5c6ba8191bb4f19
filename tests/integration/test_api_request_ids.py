"""A request's id: in its answer whatever that is, and in every line of the log that the request causes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from watcher import actions as actions_module
from watcher.apikeys import Scope
from watcher.feed import Feed

if TYPE_CHECKING:
    from collections.abc import Callable

    from api_server import Api, Reply


@pytest.mark.parametrize("own", ["a", "trace-1/2:3", "~" * 128], ids=["short", "signs", "long"])
async def test_a_callers_own_id_is_taken_over(api: Api, own: str) -> None:
    reply = await api.get("/v1/invoices", headers={"X-Request-Id": own})

    assert own == reply.headers["X-Request-Id"]


@pytest.mark.parametrize(
    "own",
    ["", " ", "two words", "a" * 129, "naïve", 'a\t{"event": "forged"}', "\x1b[31m"],
    ids=["nothing", "a space", "words", "too long", "not ASCII", "a tab", "a terminal's colour"],
)
async def test_an_id_that_could_forge_a_line_of_the_log_is_replaced(api: Api, own: str) -> None:
    host, _, port = api.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET /healthz HTTP/1.0\r\nX-Request-Id: {own}\r\n\r\n".encode())

    answer = (await reader.read()).decode()
    writer.close()

    assert "X-Request-Id: req_" in answer or answer.startswith("HTTP/1.0 400")
    assert own.strip() == "" or own not in answer


async def test_two_ids_are_none(api: Api) -> None:
    reply = await api.send("GET", "/healthz", [("X-Request-Id", "a"), ("X-Request-Id", "b")])

    assert reply.headers["X-Request-Id"].startswith("req_")


@pytest.mark.parametrize(
    ("status", "ask"),
    [
        pytest.param(200, lambda api, h: api.get("/v1/invoices", headers=h), id="read"),
        pytest.param(201, lambda api, h: api.post("/v1/keys", {"name": "a"}, headers=h), id="made"),
        pytest.param(204, lambda api, h: api.call("DELETE", "/v1/keys/a read", headers=h), id="removed"),
        pytest.param(
            304, lambda api, h: api.get("/v1/keys", headers={**h, "If-None-Match": "*"}), id="not modified"
        ),
        pytest.param(400, lambda api, h: api.call("POST", "/v1/keys", data=b"{", headers=h), id="no JSON"),
        pytest.param(401, lambda api, h: api.get("/v1/invoices", None, headers=h), id="no key"),
        pytest.param(403, lambda api, h: api.post("/v1/keys", {}, Scope.READ, headers=h), id="forbidden"),
        pytest.param(404, lambda api, h: api.get("/none", headers=h), id="no path"),
        pytest.param(405, lambda api, h: api.call("PUT", "/v1/keys", headers=h), id="no method"),
        pytest.param(
            413, lambda api, h: api.call("POST", "/v1/keys", data=b" " * 70_000, headers=h), id="too large"
        ),
        pytest.param(417, lambda api, h: api.get("/healthz", headers={**h, "Expect": "tea"}), id="expecting"),
        pytest.param(422, lambda api, h: api.get("/v1/keys?a=b", headers=h), id="invalid"),
    ],
)
async def test_every_answer_has_the_id(
    api: Api, status: int, ask: Callable[[Api, dict[str, str]], Any]
) -> None:
    reply: Reply = await ask(api, {"X-Request-Id": "mine"})

    assert (status, "mine") == (reply.status, reply.headers["X-Request-Id"])


async def test_a_stream_has_the_id(api: Api) -> None:
    headers = {"Authorization": f"Bearer {api.keys[Scope.READ]}", "X-Request-Id": "mine"}

    async with api.session.get(f"{api.url}/v1/events/stream", headers=headers) as stream:
        assert (200, "mine") == (stream.status, stream.headers["X-Request-Id"])


async def test_a_replay_has_the_id_of_the_repetition(api: Api) -> None:
    draft = {"chain": "fake", "asset": "COIN", "amount": "1"}
    replies = [
        await api.post("/v1/invoices", draft, headers={"Idempotency-Key": "k", "X-Request-Id": own})
        for own in ("first", "second")
    ]

    assert ["first", "second"] == [reply.headers["X-Request-Id"] for reply in replies]
    assert replies[0].body == replies[1].body


async def test_what_is_logged_below_a_handler_has_the_id_of_its_request_and_no_other(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def rescan(_: Any, chain: str, first: int, *_others: Any) -> dict[str, Any]:
        await asyncio.sleep(0)  # the other request has its turn
        structlog.get_logger().info("below", first=first)
        return {"chain": chain, "from": first, "to": first}

    def ask(number: int) -> Any:
        headers = {"X-Request-Id": f"id-{number}"}
        return api.post("/v1/chains/fake/rescan", {"from": number}, headers=headers)

    monkeypatch.setattr(actions_module.Actions, "rescan", rescan)
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as lines:
        await asyncio.gather(ask(1), ask(2))
        await api.get("/healthz", None)

    for number in (1, 2):
        mine = [line["event"] for line in lines if line.get("request_id") == f"id-{number}"]
        assert ["below", "request.done"] == mine
        assert [f"id-{number}"] == [line["request_id"] for line in lines if line.get("first") == number]
    assert lines[-1]["request_id"].startswith("req_")


async def test_what_is_no_http_has_the_id_of_its_line_too(api: Api) -> None:
    host, _, port = api.url.removeprefix("http://").partition(":")
    with structlog.testing.capture_logs() as lines:
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HELO there\r\n\r\n")
        answer = (await reader.read()).decode()
        writer.close()

    (line,) = [line for line in lines if line["event"] == "request.unreadable"]
    assert f"X-Request-Id: {line['request_id']}" in answer


async def test_what_outlives_a_request_does_not_carry_its_id(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, Any]] = []

    async def read(_: Any) -> None:
        seen.append(structlog.contextvars.get_contextvars())

    monkeypatch.setattr(Feed, "_read", read)
    headers = {"Authorization": f"Bearer {api.keys[Scope.READ]}", "X-Request-Id": "mine"}
    async with api.session.get(f"{api.url}/v1/events/stream", headers=headers) as stream:
        await stream.read()

    assert [{}] == seen
