"""A proxy in front of a real node: forwards JSON-RPC (single, batch) and REST, and spoils what a fault says.

Knows HTTP and envelopes; what a fault does to an answer stands in fault_answers.py and beside it.
"""

from __future__ import annotations

import asyncio
import http.client
import json
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Alter = Callable[["Call", Any], Any]
    Transport = Callable[["FaultProxy", web.Request, "Reply"], Awaitable[web.StreamResponse]]
    Reorder = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]

EVERY = "every"
"""In place of a resource: the whole backend has the fault."""


class Failed(Exception):  # noqa: N818 - an answer, not a mistake
    """Answer with this error of JSON-RPC, or, for REST, with this status."""

    def __init__(self, code: int, message: str, status: int = 200) -> None:
        super().__init__(code, message)
        self.error = {"code": code, "message": message}
        self.status = status


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `resource` is the method, and what for where that matters; `number` counts the spoiled."""

    resource: str
    method: str
    params: list[Any]
    number: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """What the node said."""

    status: int
    body: bytes
    kind: str


@dataclass(slots=True)
class Sample:
    """What was seen of one resource: how often, in batches of how many at most, and the fullest answer."""

    times: int = 0
    batch: int = 1
    result: Any = None


@dataclass(frozen=True, slots=True)
class Fault:
    """What to do with the answers about `resource` (EVERY: all). One of the three ways is set.

    `alter` gets a call and its result, and returns another or raises Failed; `transport` sends the whole
    HTTP answer as it likes; `reorder` gets the answers of a batch.
    """

    resource: str = EVERY
    alter: Alter | None = None
    transport: Transport | None = None
    reorder: Reorder | None = None

    def meets(self, call: Call) -> bool:
        return self.resource in {EVERY, call.resource}


@dataclass
class FaultProxy:
    """Forwards to one node. `seen` fills while `recording`; a `fault` lasts until it is taken away."""

    target: str
    fault: Fault | None = None
    recording: bool = False
    seen: dict[str, Sample] = field(default_factory=dict)
    methods: list[str] = field(default_factory=list)
    lacks: frozenset[str] = frozenset()
    mistakes: list[Exception] = field(default_factory=list)
    hits: Counter[str] = field(default_factory=Counter)
    healed: asyncio.Event = field(default_factory=asyncio.Event)
    _server: TestServer | None = None

    def __post_init__(self) -> None:
        parts = URL(self.target)
        self._line = http.client.HTTPConnection(str(parts.host), parts.port, timeout=60)
        self._headers = {"Content-Type": "application/json"}
        if parts.user is not None:
            self._headers["Authorization"] = aiohttp.encode_basic_auth(parts.user, parts.password or "")

    async def start(self) -> FaultProxy:
        application = web.Application(client_max_size=2**30)
        application.router.add_post("/", self._rpc)
        application.router.add_get("/{path:.*}", self._rest)
        self._server = TestServer(application)
        await self._server.start_server(access_log=None)
        return self

    async def stop(self) -> None:
        self.heal()
        assert self._server is not None
        await self._server.close()
        self._line.close()

    @property
    def url(self) -> str:
        assert self._server is not None
        return str(self._server.make_url("/"))

    def break_(self, fault: Fault) -> None:
        """Begin a fault."""
        self.fault = fault
        self.hits.clear()
        self.healed.clear()

    def heal(self) -> None:
        """End the fault; what hangs is let go."""
        self.fault = None
        self.healed.set()

    async def _rpc(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        asked = json.loads(body)
        requests = asked if isinstance(asked, list) else [asked]
        calls = [self._call(each["method"], each.get("params") or []) for each in requests]
        self.methods += [call.method for call in calls]
        fault = self.fault
        reply = self._without(calls, asked, self._upstream("POST", "/", body))
        if self.recording:
            self._record(calls, json.loads(reply.body))
        if fault is None or not any(map(fault.meets, calls)):
            return web.Response(body=reply.body, status=reply.status, content_type=reply.kind)
        if fault.transport is not None:
            self.hits[fault.resource] += 1
            return await fault.transport(self, request, reply)
        return self._spoiled(fault, asked, calls, reply)

    def _without(self, calls: list[Call], asked: Any, reply: Reply) -> Reply:
        """Say of what the node is to lack that there is no such method."""
        if not any(call.method in self.lacks for call in calls):
            return reply
        answers = json.loads(reply.body)
        several = answers if isinstance(asked, list) else [answers]
        lacking = {
            each["id"]
            for each in (asked if isinstance(asked, list) else [asked])
            if each["method"] in self.lacks
        }
        error = {"code": -32601, "message": "the method does not exist/is not available"}
        told = [
            {"jsonrpc": "2.0", "id": each["id"], "error": error} if each["id"] in lacking else each
            for each in several
        ]
        return replace(reply, body=json.dumps(told if isinstance(asked, list) else told[0]).encode())

    def _spoiled(self, fault: Fault, asked: Any, calls: list[Call], reply: Reply) -> web.Response:
        """Answer with what the fault makes of each result, and of the batch."""
        answers = json.loads(reply.body)
        if not isinstance(asked, list):
            answer, status = self._altered(fault, calls[0], answers, reply.status)
            answer = fault.reorder([answer])[0] if fault.reorder else answer
            return web.json_response(answer, status=status)
        by_id = {each["id"]: each for each in answers}
        ordered = [by_id[each["id"]] for each in asked]
        spoiled = [self._altered(fault, *pair, 200)[0] for pair in zip(calls, ordered, strict=True)]
        return web.json_response(fault.reorder(spoiled) if fault.reorder else spoiled)

    def _altered(
        self, fault: Fault, call: Call, answer: dict[str, Any], status: int
    ) -> tuple[dict[str, Any], int]:
        if fault.alter is None or not fault.meets(call) or answer.get("error"):
            return answer, status
        head = {"jsonrpc": "2.0", "id": answer["id"]}
        try:
            return {**head, "result": fault.alter(self._counted(call), answer["result"])}, status
        except Failed as failed:
            return {**head, "error": failed.error}, failed.status
        except Exception as mistake:
            self.mistakes.append(mistake)
            raise

    async def _rest(self, request: web.Request) -> web.StreamResponse:
        reply = self._upstream("GET", request.path, None)
        call = Call("/".join(request.path.split("/")[:3]), request.path, [])
        self.methods.append(call.resource)
        fault = self.fault
        if self.recording and reply.status == 200:
            self._note(call, 1, reply.body)
        if fault is None or not fault.meets(call):
            return web.Response(body=reply.body, status=reply.status, content_type=reply.kind)
        if fault.transport is not None:
            self.hits[fault.resource] += 1
            return await fault.transport(self, request, reply)
        return self._spoiled_resource(fault, call, reply)

    def _spoiled_resource(self, fault: Fault, call: Call, reply: Reply) -> web.Response:
        body, status = reply.body, reply.status
        if fault.alter is not None and status == 200:
            try:
                body = fault.alter(self._counted(call), body)
            except Failed as failed:
                body, status = b"", failed.status if failed.status != 200 else 404
        return web.Response(body=body, status=status, content_type=reply.kind)

    def _counted(self, call: Call) -> Call:
        self.hits[call.resource] += 1
        return Call(call.resource, call.method, call.params, self.hits[call.resource] - 1)

    def _upstream(self, verb: str, path: str, body: bytes | None) -> Reply:
        """Ask the node, blocking: it is on this machine, and answers within a millisecond."""
        for attempt in (1, 2):
            try:
                return self._exchange(verb, path, body)
            except (OSError, http.client.HTTPException):
                self._line.close()  # the node closes a line that was idle for long
                if attempt == 2:
                    raise
        raise AssertionError

    def _exchange(self, verb: str, path: str, body: bytes | None) -> Reply:
        self._line.request(verb, path, body, self._headers)
        answer = self._line.getresponse()
        return Reply(answer.status, answer.read(), answer.headers.get_content_type())

    def _record(self, calls: list[Call], answers: Any) -> None:
        several = answers if isinstance(answers, list) else [answers]
        for call, answer in zip(calls, several, strict=True):
            if call.method not in self.lacks:
                self._note(call, len(calls), answer.get("result"))

    def _note(self, call: Call, batch: int, result: Any) -> None:
        sample = self.seen.setdefault(call.resource, Sample())
        sample.times += 1
        sample.batch = max(sample.batch, batch)
        sample.result = max(sample.result, result, key=_fullness)

    def _call(self, method: str, params: list[Any]) -> Call:
        return Call(resource(method, params), method, params)


def _fullness(result: Any) -> int:
    return 0 if result is None else len(result) if isinstance(result, bytes) else len(json.dumps(result))


def resource(method: str, params: list[Any]) -> str:
    """Return what a call asks for: the same method serves several purposes, each of which can fail alone."""
    match method, params:
        case "eth_getBlockByNumber", ["latest" | "safe" | "finalized" as tag, *_]:
            return f"{method} {tag}"
        case "eth_getBlockByNumber", ["0x0", *_]:
            return f"{method} genesis"
        case "eth_getBlockByNumber", [_, whole]:
            return f"{method} {'whole' if whole else 'header'}"
        case "eth_call", [{"data": data}, *_]:
            return f"{method} {data[:10]}"
        case "getblockhash", [0]:
            return f"{method} genesis"
    return method
