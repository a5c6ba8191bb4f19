"""Who may call what, and what happens to requests that nobody should send."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import stat
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import structlog

from watcher import actions as actions_module
from watcher.api.requests import BODY_LIMIT
from watcher.api.scopes import SCOPES
from watcher.api.server import ROUTES, listen, listen_unix
from watcher.apikeys import Scope
from watcher.tables import API_KEY

if TYPE_CHECKING:
    from pathlib import Path

    from api_server import Api

KEYED = [route for route, scope in SCOPES.items() if scope]


def test_every_route_stands_in_the_table_of_scopes_and_no_other() -> None:
    assert set(SCOPES) == {(route.method, route.path) for route in ROUTES}


def test_read_keys_may_call_every_get_and_nothing_else() -> None:
    assert {"GET"} == {method for (method, _), scope in SCOPES.items() if scope is Scope.READ}
    assert all(scope in (None, Scope.READ) for (method, _), scope in SCOPES.items() if method == "GET")


@pytest.mark.parametrize(("method", "path"), KEYED, ids=[" ".join(route) for route in KEYED])
async def test_a_route_takes_its_own_scope_and_no_smaller_one(api: Api, method: str, path: str) -> None:
    needed = SCOPES[method, path]
    if path.endswith("/stream"):
        path += "?after=wrong"
    found = {}
    for scope in (None, *Scope):
        found[scope] = (await api.call(method, re.sub(r"{\w+}", "none", path), scope)).status

    assert 401 == found[None]
    for scope in Scope:
        assert scope.includes(needed) == (found[scope] != 403), found


@pytest.mark.parametrize(
    "value",
    ["", "Bearer", "Bearer ", "Bearer wrong", "Basic YTpi", "Bearer dwk_" + "A" * 43, "Bearer \udcff"],
)
async def test_what_is_no_key_is_401_and_says_how_to_send_one(api: Api, value: str) -> None:
    raw = value.encode("utf-8", "surrogateescape")
    host, _, port = api.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /v1/keys HTTP/1.0\r\nAuthorization: " + raw + b"\r\n\r\n")

    answer = await reader.read()
    writer.close()

    assert b" 401 " in answer.splitlines()[0]
    assert b"WWW-Authenticate: Bearer" in answer


async def test_a_revoked_key_ends_at_once(api: Api) -> None:
    made = (await api.post("/v1/keys", {"name": "till", "scope": "read"})).json
    headers = {"Authorization": f"Bearer {made['key']}"}

    before = await api.get("/v1/chains", headers=headers)
    await api.call("DELETE", f"/v1/keys/{made['id']}")
    after = await api.get("/v1/chains", headers=headers)

    assert (200, 401) == (before.status, after.status)


async def test_keys_are_shown_once_and_stored_as_a_hash(api: Api) -> None:
    made = (await api.post("/v1/keys", {"name": "till", "scope": "write"})).json
    listed = await api.get("/v1/keys")
    async with api.context.store.read() as conn:
        rows = [tuple(row) for row in await conn.execute(API_KEY.select())]

    assert made["key"] not in listed.body.decode()
    assert made["key"] not in repr(rows)
    assert ["till"] == [key["name"] for key in listed.json["data"] if key["id"] == made["id"]]


async def test_a_name_is_used_once_and_a_key_is_revoked_by_it(api: Api) -> None:
    await api.post("/v1/keys", {"name": "till"})

    taken = await api.post("/v1/keys", {"name": "till"})
    gone = await api.call("DELETE", "/v1/keys/till")
    unknown = await api.call("DELETE", "/v1/keys/nobody")

    assert (409, 204, 404) == (taken.status, gone.status, unknown.status)
    assert b"" == gone.body


# --- bodies


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"{", 400, id="cut off"),
        pytest.param(b'{"name": "a", "name": "b"}', 400, id="a name twice"),
        pytest.param(b'{"name": NaN}', 400, id="NaN"),
        pytest.param(b'{"name": 1e999}', 400, id="infinite"),
        pytest.param(b'{"name": "\xff"}', 400, id="not UTF-8"),
        pytest.param(rb'{"name": "\ud800"}', 400, id="half a surrogate pair"),
        pytest.param(b"[" * 30_000, 400, id="deep"),
        pytest.param(b"9" * 5_000, 400, id="a number too long to read"),
        pytest.param("{}".encode("utf-16"), 400, id="another encoding"),
        pytest.param(b"[]", 422, id="a list"),
        pytest.param(b"null", 422, id="null"),
        pytest.param(b"", 422, id="nothing"),
    ],
)
async def test_a_body_that_cannot_be_read_is_refused(api: Api, body: bytes, status: int) -> None:
    reply = await api.call("POST", "/v1/keys", data=body)

    assert (status, True) == (reply.status, "message" in reply.json["error"])


@pytest.mark.parametrize(
    ("size", "status"),
    [pytest.param(BODY_LIMIT, 201, id="at"), pytest.param(BODY_LIMIT + 1, 413, id="above")],
)
async def test_a_body_may_have_64_kib(api: Api, size: int, status: int) -> None:
    body = b'{"name": "till"' + b"}".rjust(size - 15)

    reply = await api.call("POST", "/v1/keys", data=body)

    assert status == reply.status


async def test_a_compressed_bomb_is_413(api: Api) -> None:
    bomb = gzip.compress(b" " * 10_000_000)

    reply = await api.call("POST", "/v1/keys", data=bomb, headers={"Content-Encoding": "gzip"})

    assert (413, "too_large") == (reply.status, reply.json["error"]["code"])


async def test_a_body_that_does_not_decompress_is_400(api: Api) -> None:
    reply = await api.call("POST", "/v1/keys", data=b"no gzip", headers={"Content-Encoding": "gzip"})

    assert 400 == reply.status


# --- answers


async def test_unknown_paths_and_methods_are_json_too(api: Api) -> None:
    path = await api.get("/v1/nothing")
    method = await api.call("PUT", "/v1/invoices")

    assert (404, "not_found") == (path.status, path.json["error"]["code"])
    assert (405, "method_not_allowed") == (method.status, method.json["error"]["code"])
    assert "GET,POST" == method.headers["Allow"]


async def test_every_answer_is_safe_to_show_and_names_no_server(api: Api) -> None:
    for path in ("/v1/invoices", "/healthz", "/v1/nothing"):
        reply = await api.get(path)

        assert "nosniff" == reply.headers["X-Content-Type-Options"]
        assert "no-store" == reply.headers["Cache-Control"]
        assert reply.headers["X-Request-Id"].startswith("req_")
        assert "Server" not in reply.headers


async def test_a_bug_is_500_with_the_id_of_its_log_line_and_no_traceback(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("the secret is sesame")

    monkeypatch.setattr(actions_module.Actions, "rescan", broken)
    with structlog.testing.capture_logs() as logs:
        reply = await api.post("/v1/chains/fake/rescan", {"from": 1})

    (failed,) = [entry for entry in logs if entry["event"] == "request.failed"]
    assert (500, "internal") == (reply.status, reply.json["error"]["code"])
    assert failed["id"] == reply.headers["X-Request-Id"]
    assert failed["id"] in reply.json["error"]["message"]
    assert b"sesame" not in reply.body
    measured = {"method": "POST", "route": "/v1/chains/{id}/rescan", "status": "500"}
    registry = api.context.metrics.registry
    assert 1 == registry.get_sample_value("watcher_api_requests_total", measured)


async def test_no_key_appears_in_the_log(api: Api) -> None:
    with structlog.testing.capture_logs() as logs:
        await api.get("/v1/invoices?order_id=secret-order")

    text = json.dumps(logs, default=str)
    assert "request.done" in text
    assert api.keys[Scope.READ] not in text
    assert "secret-order" not in text


# --- where it listens


async def test_the_unix_socket_needs_no_key_and_belongs_to_its_owner(api: Api, tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    path.write_text("left over by a crash")
    runner = await listen_unix(api.context, path)
    mode = stat.S_IMODE(path.stat().st_mode)
    try:
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session:
            answer = await session.post("http://localhost/v1/keys", json={"name": "first", "scope": "admin"})
            made = await answer.json()
    finally:
        await runner.cleanup()

    assert (0o600, 201, "admin") == (mode, answer.status, made["scope"])


async def test_a_port_in_use_is_an_error_that_leaves_nothing_behind(api: Api) -> None:
    port = int(api.url.rpartition(":")[2])

    with pytest.raises(OSError, match="in use"):
        await listen(api.context, "127.0.0.1", port)


@pytest.mark.parametrize(("host", "warned"), [("127.0.0.1", False), ("localhost", False), ("0.0.0.0", True)])
async def test_listening_beyond_the_loopback_is_a_warning(api: Api, host: str, warned: bool) -> None:  # noqa: FBT001
    with structlog.testing.capture_logs() as logs:
        runner = await listen(api.context, host, 0)
        await runner.cleanup()

    assert warned == any(entry["event"] == "api.exposed" for entry in logs)
