"""Who may call what, and what happens to requests that nobody should send."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import re
import stat
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import structlog
from multidict import CIMultiDict

from watcher import actions as actions_module
from watcher import audit
from watcher.api.guessing import FAILURES
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


WRONG = f"dwk_{'A' * 43}"
REFUSED = {
    "nothing": [],
    "an empty header": [""],
    "no key": ["Bearer "],
    "another scheme": ["Basic YTpi"],
    "no scheme": ["{admin}"],
    "another separator": ["Bearer:{admin}"],
    "quotes": ['Bearer "{admin}"'],
    "a wrong key": [f"Bearer {WRONG}"],
    "a key and more": ["Bearer {admin} {admin}"],
    "a key cut short": ["Bearer {short}"],
    "a revoked key": ["Bearer {revoked}"],
    "two headers": ["Bearer {admin}", "Bearer {admin}"],
    "a wrong one before the right one": [f"Bearer {WRONG}", "Bearer {admin}"],
    "the hash of a key": ["Bearer {hash}"],
    "the id of a key": ["Bearer {id}"],
}
"""What may stand where a key belongs, and is none."""


async def _revoked(api: Api) -> dict[str, str]:
    admin = api.keys[Scope.ADMIN]
    made = (await api.post("/v1/keys", {"name": "old", "scope": "admin"})).json
    await api.call("DELETE", "/v1/keys/old")
    hashed = hashlib.sha256(admin.encode()).hexdigest()
    return {
        "admin": admin,
        "short": admin[:-1],
        "revoked": made["key"],
        "hash": hashed,
        "id": made["id"],
    }


def _path(path: str) -> str:
    return re.sub(r"{\w+}", "none", path) + ("?after=wrong" if path.endswith("/stream") else "")


@pytest.mark.parametrize(("method", "path"), KEYED, ids=[" ".join(route) for route in KEYED])
async def test_a_route_takes_its_own_scope_and_no_smaller_one(api: Api, method: str, path: str) -> None:
    needed = SCOPES[method, path]
    found = {scope: (await api.call(method, _path(path), scope)).status for scope in Scope}

    assert not {401, 429} & set(found.values())
    for scope in Scope:
        assert scope.includes(needed) == (found[scope] != 403), found


@pytest.mark.parametrize(("method", "path"), KEYED, ids=[" ".join(route) for route in KEYED])
async def test_a_route_takes_nothing_that_is_no_key(api: Api, method: str, path: str) -> None:
    words = await _revoked(api)
    found = {}
    for name, values in REFUSED.items():
        headers = CIMultiDict(("Authorization", value.format(**words)) for value in values)
        reply = await api.send(method, _path(path), headers)
        found[name] = (reply.status, reply.headers.get("WWW-Authenticate"), reply.json["error"]["code"])

    assert dict.fromkeys(REFUSED, (401, "Bearer", "unauthorized")) == found


async def test_a_key_may_stand_in_the_header_as_rfc_9110_allows(api: Api) -> None:
    key = api.keys[Scope.READ]
    for value in (f"Bearer {key}", f"bearer {key}", f"BEARER   {key}  "):
        assert 200 == (await api.send("GET", "/v1/keys", {"authorization": value})).status


async def test_who_needs_no_key_is_not_asked_whether_one_is_right(api: Api) -> None:
    for method, path in (route for route, scope in SCOPES.items() if scope is None):
        reply = await api.send(method, _path(path), {"Authorization": f"Bearer {WRONG}"})

        assert reply.status not in {401, 403}, path


async def test_wrong_keys_are_slowed_by_address_and_right_ones_never(api: Api) -> None:
    wrong = {"Authorization": f"Bearer {WRONG}"}
    replies = [await api.send("GET", "/v1/keys", wrong) for _ in range(FAILURES + 1)]
    slowed = replies.pop()
    right = [await api.get("/v1/keys") for _ in range(3)]
    nothing = await api.get("/v1/keys", None)

    assert {401} == {reply.status for reply in replies}
    assert (429, "too_many_failures") == (slowed.status, slowed.json["error"]["code"])
    assert 1 <= int(slowed.headers["Retry-After"]) <= 6
    assert [200, 200, 200, 401] == [*(reply.status for reply in right), nothing.status]


async def test_failures_are_counted_and_logged_with_the_address_until_they_are_too_many(api: Api) -> None:
    words = await _revoked(api)
    with structlog.testing.capture_logs() as logs:
        await api.get("/v1/keys", None)
        await api.send("GET", "/v1/keys", {"Authorization": "Basic YTpi"})
        await api.send("GET", "/v1/keys", {"Authorization": f"Bearer {words['revoked']}"})
        for _ in range(FAILURES + 5):
            await api.send("GET", "/v1/keys", {"Authorization": f"Bearer {WRONG}"})

    told = [entry for entry in logs if entry["event"] == "key.refused"]
    assert [("revoked", "old"), *[("unknown", None)] * (FAILURES - 1)] == [
        (entry["reason"], entry["name"]) for entry in told
    ]
    assert {"127.0.0.1"} == {entry["address"] for entry in told}
    count = api.context.metrics.registry.get_sample_value
    assert {"absent": 1, "malformed": 1, "revoked": 1, "unknown": FAILURES + 5} == {
        reason: count("watcher_api_failed_keys_total", {"reason": reason})
        for reason in ("absent", "malformed", "revoked", "unknown")
    }
    assert [] == (await api.get("/v1/audit?actor=anonymous")).json["data"]


@pytest.mark.parametrize("value", ["Bearer \udcff", "Bearer \udcc3\udca9", "\udcff"])
async def test_bytes_that_are_no_text_are_no_key(api: Api, value: str) -> None:
    raw = value.encode("utf-8", "surrogateescape")
    host, _, port = api.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /v1/keys HTTP/1.0\r\nAuthorization: " + raw + b"\r\n\r\n")

    answer = await reader.read()
    writer.close()

    assert b" 401 " in answer.splitlines()[0]
    assert b"WWW-Authenticate: Bearer" in answer


@pytest.mark.parametrize("name", sorted(audit.ACTORS | {"Local"}))
async def test_no_key_is_called_as_the_audit_trail_calls_somebody_else(api: Api, name: str) -> None:
    reply = await api.post("/v1/keys", {"name": name})

    assert (422, "name") == (reply.status, reply.json["error"]["field"])


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


async def test_a_bug_is_500_with_the_id_of_its_log_line_and_no_traceback(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("the secret is sesame")

    monkeypatch.setattr(actions_module.Actions, "rescan", broken)
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        reply = await api.post("/v1/chains/fake/rescan", {"from": 1})

    (failed,) = [entry for entry in logs if entry["event"] == "request.failed"]
    assert (500, "internal") == (reply.status, reply.json["error"]["code"])
    assert failed["request_id"] == reply.headers["X-Request-Id"]
    assert failed["request_id"] in reply.json["error"]["message"]
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
