"""The node client against a real HTTP server that gives each bad answer a node or a proxy is known for."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from chains import rpc_node
from chains.base import EndpointHealth, NodeMisbehaved, NodeUnavailable
from chains.rpc import AnswerTooLarge, MethodMissing, Node, Rpc, RpcError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Answer = Callable[[Any], web.StreamResponse | Awaitable[web.StreamResponse]]


class Stub:
    """A node whose answer to each request is a function of the decoded body."""

    def __init__(self) -> None:
        self.answer: Answer = echo
        self.requests: list[Any] = []
        self.headers: list[Any] = []
        self.server = TestServer(self._application())

    def _application(self) -> web.Application:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._handle)
        return application

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json() if request.method == "POST" else str(request.rel_url)
        self.requests.append(body)
        self.headers.append(request.headers)
        answer = self.answer(body)
        return answer if isinstance(answer, web.StreamResponse) else await answer

    @property
    def url(self) -> str:
        return str(self.server.make_url("/"))


def reply(value: Any, status: int = 200, **headers: str) -> web.Response:
    return web.Response(body=json.dumps(value).encode(), status=status, headers=headers)


def raw(text: str, status: int = 200, **headers: str) -> Answer:
    return lambda _: web.Response(body=text.encode(), status=status, headers=headers)


def echo(body: Any) -> web.Response:
    if isinstance(body, list):
        return reply([_echoed(each) for each in reversed(body)])
    return reply(_echoed(body))


def _echoed(request: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request["id"], "result": request["params"]}


def failing(code: int, message: str = "no", status: int = 200, **headers: str) -> Answer:
    def answer(body: Any) -> web.Response:
        return reply({"id": body["id"], "error": {"code": code, "message": message}}, status, **headers)

    return answer


async def anything(_: object) -> None:
    return None


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    node = Stub()
    await node.server.start_server()
    yield node
    await node.server.close()


@pytest.fixture
async def other() -> AsyncIterator[Stub]:
    node = Stub()
    await node.server.start_server()
    yield node
    await node.server.close()


@pytest.fixture
async def rpc(stub: Stub) -> AsyncIterator[Rpc]:
    client = Rpc([stub.url], anything, timeout=0.5)
    yield client
    await client.close()


async def hang(_: Any) -> web.Response:
    await asyncio.sleep(1.5)
    return web.Response()


async def ask(rpc: Rpc, of: Any = Any) -> Any:
    async with rpc.node() as node:
        return await node.call("m", [1], of=of)


BAD = [
    pytest.param(raw("<html>Bad gateway</html>"), "not a JSON-RPC answer", id="html-with-200"),
    pytest.param(raw('{"jsonrpc": "2.0", "id": 1, "resu'), "not a JSON-RPC answer", id="truncated"),
    pytest.param(raw(""), "not a JSON-RPC answer", id="empty"),
    pytest.param(raw("[]"), "not a JSON-RPC answer", id="list-for-a-single-request"),
    pytest.param(raw('{"id": 1, "result": "\\ud800"}'), None, id="broken-unicode"),
    pytest.param(lambda _: reply({"id": 999, "result": [1]}), "another request", id="another-id"),
    pytest.param(lambda _: reply({"result": [1]}), "another request", id="no-id"),
    pytest.param(lambda b: reply({"id": b["id"]}), "neither result nor error", id="neither"),
    pytest.param(
        lambda b: reply({"id": b["id"], "error": None}), "neither result nor error", id="null-error-only"
    ),
    pytest.param(lambda b: reply({"id": b["id"], "result": "x"}), "another form", id="another-type"),
    pytest.param(raw("no", 401), "user or password", id="401"),
    pytest.param(raw("no", 403), "user or password", id="403"),
    pytest.param(raw("no", 404), "HTTP 404", id="404-without-json"),
    pytest.param(raw('{"id": 1, "result": 1}', 500), "HTTP 500", id="500-with-a-result"),
    pytest.param(raw("", 302, Location="/elsewhere"), "HTTP 302", id="redirect"),
    pytest.param(raw("no", 413), "too large", id="413"),
    pytest.param(failing(-28, "Loading block index", 500), "Loading block index", id="warming-up"),
    pytest.param(failing(-1, "odd"), "odd", id="unknown-error"),
    pytest.param(lambda b: reply({"id": b["id"], "error": "text"}), "text", id="error-as-text"),
    pytest.param(
        lambda _: reply({"id": None, "error": {"code": -32700, "message": "parse"}}), "parse", id="null-id"
    ),
    pytest.param(hang, "no answer within 0.5 s", id="hanging"),
]


@pytest.mark.parametrize(("answer", "words"), BAD)
async def test_a_bad_answer_means_unknown(stub: Stub, rpc: Rpc, answer: Answer, words: str | None) -> None:
    stub.answer = answer

    with pytest.raises(NodeUnavailable) as caught:
        await ask(rpc, list[int])

    assert words is None or words in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "wait"),
    [
        pytest.param(raw("slow down", 429, **{"Retry-After": "7"}), 7.0, id="429"),
        pytest.param(raw("busy", 503, **{"Retry-After": "3"}), 3.0, id="503"),
        pytest.param(raw("busy", 503), None, id="503-without-a-time"),
        pytest.param(
            raw("busy", 429, **{"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}), None, id="429-with-a-date"
        ),
        pytest.param(raw("no", 429, **{"Retry-After": "9" * 400}), 3600.0, id="429-for-ages"),
        pytest.param(failing(-32005, "limit"), 1.0, id="code-32005"),
        pytest.param(failing(-32005, "limit", 429, **{"Retry-After": "9"}), 9.0, id="code-32005-with-429"),
    ],
)
async def test_h46_a_limit_tells_how_long_to_wait(
    stub: Stub, rpc: Rpc, answer: Answer, wait: float | None
) -> None:
    stub.answer = answer

    with pytest.raises(NodeUnavailable) as caught:
        await ask(rpc)

    assert wait == caught.value.retry_after


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        pytest.param(lambda b: reply({"id": b["id"], "result": [2], "error": None}), [2], id="version-1"),
        pytest.param(lambda b: reply({"jsonrpc": "2.0", "id": b["id"], "result": [2]}), [2], id="version-2"),
        pytest.param(lambda b: reply({"id": b["id"], "result": None, "error": None}), None, id="null"),
        pytest.param(lambda b: reply({"id": b["id"], "result": [2], "more": {}}), [2], id="unknown-members"),
    ],
)
async def test_both_versions_of_an_answer_are_read(stub: Stub, rpc: Rpc, answer: Answer, result: Any) -> None:
    stub.answer = answer

    assert result == await ask(rpc, list[int] | None)


@pytest.mark.parametrize("status", [200, 404, 500])
async def test_an_error_of_the_node_keeps_its_code(stub: Stub, rpc: Rpc, status: int) -> None:
    stub.answer = failing(-5, "No such transaction", status)

    with pytest.raises(RpcError) as caught:
        await ask(rpc)

    assert (-5, "No such transaction") == (caught.value.code, caught.value.message)


async def test_a_missing_method_has_a_class_of_its_own(stub: Stub, rpc: Rpc) -> None:
    stub.answer = failing(-32601, "Method not found", 404)

    with pytest.raises(MethodMissing):
        await ask(rpc)


async def test_a_reset_connection_means_unknown(stub: Stub, rpc: Rpc) -> None:
    stub.answer = reset
    with pytest.raises(NodeUnavailable, match=r"closed the connection|ClientOSError"):
        await ask(rpc)

    stub.answer = echo
    assert [1] == await ask(rpc)


async def reset(_: Any) -> web.StreamResponse:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)
    return web.Response()


async def test_a_body_above_the_limit_is_refused(
    stub: Stub, rpc: Rpc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rpc_node, "LARGEST_BODY", 1000)
    stub.answer = lambda body: reply({"id": body["id"], "result": "x" * 2000})

    with pytest.raises(AnswerTooLarge):
        await ask(rpc)


async def test_a_refused_connection_means_unknown() -> None:
    rpc = Rpc(["http://127.0.0.1:1"], anything)

    with pytest.raises(NodeUnavailable, match="cannot connect"):
        await ask(rpc)
    await rpc.close()


async def test_a_batch_comes_back_in_the_order_of_its_requests(rpc: Rpc) -> None:
    async with rpc.node() as node:
        found = await node.calls([("m", [number]) for number in range(5)], of=list[int])

    assert [[0], [1], [2], [3], [4]] == found


async def test_a_long_batch_is_sent_in_parts(stub: Stub, rpc: Rpc) -> None:
    async with rpc.node() as node:
        found = await node.calls([("m", [number]) for number in range(7)], size=3)

    assert ([[each] for each in range(7)], [3, 3, 1]) == (found, [len(each) for each in stub.requests])


@pytest.mark.parametrize(
    "refuse",
    [
        pytest.param(lambda _: web.Response(status=413), id="http-413"),
        pytest.param(
            lambda _: reply({"error": {"code": -32600, "message": "batch too large"}}), id="one-error"
        ),
        pytest.param(
            lambda _: reply([{"error": {"code": -32600, "message": "too large"}}]), id="listed-error"
        ),
    ],
)
async def test_a_batch_that_is_too_large_is_halved(stub: Stub, rpc: Rpc, refuse: Answer) -> None:
    stub.answer = lambda body: refuse(body) if len(body) > 2 else echo(body)

    async with rpc.node() as node:
        found = await node.calls([("m", [number]) for number in range(5)])

    assert [[0], [1], [2], [3], [4]] == found


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda body: reply([_echoed(each) for each in body[1:]]), id="one-missing"),
        pytest.param(lambda body: reply([_echoed(body[0])] * len(body)), id="one-twice"),
        pytest.param(lambda body: reply([_echoed(each) for each in (*body, body[0])]), id="one-more"),
        pytest.param(lambda body: reply([{**_echoed(each), "id": 77} for each in body]), id="other-ids"),
        pytest.param(lambda body: reply(_echoed(body[0])), id="a-single-answer"),
        pytest.param(raw("[{"), id="truncated"),
    ],
)
async def test_a_batch_with_a_wrong_answer_means_unknown(stub: Stub, rpc: Rpc, answer: Answer) -> None:
    stub.answer = answer

    with pytest.raises(NodeUnavailable):
        async with rpc.node() as node:
            await node.calls([("m", [1]), ("m", [2])])


def second_fails(body: Any) -> web.Response:
    bad = {"id": body[1]["id"], "error": {"code": -5, "message": "gone"}}
    return reply([_echoed(body[0]), bad])


async def test_one_error_fails_its_batch(stub: Stub, rpc: Rpc) -> None:
    stub.answer = second_fails

    with pytest.raises(RpcError, match="gone"):
        async with rpc.node() as node:
            await node.calls([("m", [1]), ("m", [2])])


async def test_one_error_can_be_kept_in_its_place(stub: Stub, rpc: Rpc) -> None:
    stub.answer = second_fails

    async with rpc.node() as node:
        good, bad = await node.calls([("m", [1]), ("m", [2])], keep_errors=True)

    assert ([1], -5) == (good, bad.code)


async def test_an_answer_may_nest_as_deep_as_evm_calls(stub: Stub, rpc: Rpc) -> None:
    deep = "[" * 2100 + "]" * 2100
    stub.answer = lambda body: web.Response(body=f'{{"id": {body["id"]}, "result": {deep}}}'.encode())

    assert isinstance(await ask(rpc, list), list)


async def test_an_answer_that_nests_without_end_means_unknown(stub: Stub, rpc: Rpc) -> None:
    stub.answer = raw("[" * 100_000)

    with pytest.raises(NodeUnavailable):
        await ask(rpc)


async def test_a_batch_that_the_node_cut_off_is_halved(stub: Stub, rpc: Rpc) -> None:
    def cut(body: Any) -> web.Response:
        if not isinstance(body, list) or len(body) < 3:
            return echo(body)
        error = {"code": -32003, "message": "response too large"}
        return reply([_echoed(body[0]), *({"id": each["id"], "error": error} for each in body[1:])])

    stub.answer = cut

    async with rpc.node() as node:
        assert [[0], [1], [2]] == await node.calls([("m", [number]) for number in range(3)])


async def test_an_empty_batch_is_not_sent(stub: Stub, rpc: Rpc) -> None:
    async with rpc.node() as node:
        assert [] == await node.calls([])

    assert [] == stub.requests


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        pytest.param(raw("\x01\x02"), b"\x01\x02", id="there"),
        pytest.param(raw("not found", 404), None, id="absent"),
    ],
)
async def test_a_rest_resource_is_bytes_or_absent(
    stub: Stub, rpc: Rpc, answer: Answer, found: bytes | None
) -> None:
    stub.answer = answer

    async with rpc.node() as node:
        assert found == await node.get("/rest/block/00ff.bin?x=1")

    assert ["/rest/block/00ff.bin?x=1"] == stub.requests


async def test_a_failing_rest_resource_means_unknown(stub: Stub, rpc: Rpc) -> None:
    stub.answer = raw("Service temporarily unavailable", 503)

    with pytest.raises(NodeUnavailable, match="HTTP 503"):
        async with rpc.node() as node:
            await node.get("/rest/chaininfo.json")


async def test_the_password_is_sent_and_never_told(stub: Stub) -> None:
    url = stub.url.replace("http://", "http://user:pa%2Fss@")
    rpc = Rpc([url + "key123?token=abc"], anything)
    assert [1] == await ask(rpc)
    stub.answer = raw("no", 401)

    with pytest.raises(NodeUnavailable) as caught:
        await ask(rpc)
    await rpc.close()

    told = f"{caught.value!r} {rpc.health()} {rpc.nodes[0].url}"
    assert "Basic dXNlcjpwYS9zcw==" == stub.headers[0]["Authorization"]
    assert [] == [secret for secret in ("pa/ss", "pa%2Fss", "user:", "key123", "abc") if secret in told]


async def test_a_failing_endpoint_gives_way_to_the_next(stub: Stub, other: Stub) -> None:
    rpc = Rpc([stub.url, other.url], anything)
    stub.answer = raw("no", 500)
    with pytest.raises(NodeUnavailable):
        await ask(rpc)

    assert [1] == await ask(rpc)

    assert (1, 1) == (len(stub.requests), len(other.requests))
    assert ["down", "up"] == [each.state for each in rpc.health()]
    await rpc.close()


async def test_a_single_endpoint_is_tried_again_at_once(stub: Stub, rpc: Rpc) -> None:
    stub.answer = raw("no", 500)
    with pytest.raises(NodeUnavailable):
        await ask(rpc)
    stub.answer = echo

    assert [1] == await ask(rpc)


async def test_a_wait_that_the_only_endpoint_asked_for_is_kept(stub: Stub) -> None:
    now = 100.0
    rpc = Rpc([stub.url], anything, monotonic=lambda: now)
    stub.answer = raw("slow down", 429, **{"Retry-After": "7"})
    with pytest.raises(NodeUnavailable):
        await ask(rpc)
    stub.answer = echo
    now = 105.0

    with pytest.raises(NodeUnavailable) as caught:
        await ask(rpc)
    assert (2.0, 1) == (caught.value.retry_after, len(stub.requests))

    now = 107.0
    assert [1] == await ask(rpc)
    await rpc.close()


async def test_an_endpoint_proves_its_chain_before_use_and_after_each_failure(stub: Stub) -> None:
    proofs: list[object] = []

    async def verify(node: Node) -> None:
        proofs.append(await node.call("chain", [2]))

    rpc = Rpc([stub.url], verify)
    await ask(rpc)
    await ask(rpc)
    assert 1 == len(proofs)

    stub.answer = raw("no", 500)
    with pytest.raises(NodeUnavailable):
        await ask(rpc)
    stub.answer = echo
    await ask(rpc)

    assert 2 == len(proofs)
    await rpc.close()


async def test_an_endpoint_proves_its_chain_again_on_a_new_connection(stub: Stub) -> None:
    proofs: list[object] = []

    async def verify(node: Node) -> None:
        proofs.append(await node.call("chain", [2]))

    rpc = Rpc([stub.url], verify)
    stub.answer = closing
    await ask(rpc)
    await ask(rpc)
    await ask(rpc)

    assert 1 + 3 == len(proofs)
    await rpc.close()


def closing(body: Any) -> web.StreamResponse:
    response = echo(body)
    response.force_close()
    return response


async def test_a_node_of_another_chain_is_named_and_stays_refused(stub: Stub) -> None:
    async def verify(_: object) -> None:
        raise NodeMisbehaved("chain id 5, expected 1")

    rpc = Rpc([stub.url], verify)
    for _ in range(2):
        with pytest.raises(NodeMisbehaved, match="chain id 5"):
            await ask(rpc)

    assert (EndpointHealth(rpc.nodes[0].url, "down", None, "chain id 5, expected 1"),) == rpc.health()
    await rpc.close()


async def test_an_endpoint_is_unknown_before_it_was_asked(stub: Stub, rpc: Rpc) -> None:
    assert (EndpointHealth(stub.url.rstrip("/"), "unknown"),) == rpc.health()


async def test_h71_what_came_over_a_new_connection_counts_only_once_that_is_proven(stub: Stub) -> None:
    """The node is exchanged between two requests of one read."""
    chains = ["ours"]

    async def verify(node: Node) -> None:
        if await node.call("chain", [chains[0]]) != ["ours"]:
            raise NodeMisbehaved("another chain")

    rpc = Rpc([stub.url], verify)
    stub.answer = closing

    async def read() -> None:
        async with rpc.node() as node:
            await node.call("first")
            chains[0] = "theirs"
            await node.call("second")

    with pytest.raises(NodeMisbehaved, match="another chain"):
        await read()
    await rpc.close()
