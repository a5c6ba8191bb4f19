"""JSON-RPC envelopes: requests to bytes, answers to results. Pure; knows no network and no chain.

Strict: whatever is not plainly the answer to the request is an error that means "unknown".
Sources: the JSON-RPC 2.0 specification, EIP-1474 (codes below -32000), Bitcoin Core's rpc/protocol.h (-28).
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from chains import rpc_secrets
from chains.base import NodeUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

METHOD_MISSING = frozenset({-32601, -32004})
CUT_OFF = -32003
"""Geth's answer to each request of a batch after the one that filled the answer."""
TOO_LARGE = frozenset({CUT_OFF, -32600})
"""What geth and others answer to a batch that is too long, or whose answer would be."""
RATE_LIMITED = -32005
RATE_LIMIT_WAIT = 1.0
"""Seconds to leave a node alone that limits without saying for how long."""
LONGEST_MESSAGE = 200
DEEPEST = 5000
"""Levels of nesting that an answer may have."""


class RpcError(NodeUnavailable):
    """The node answered a request with a JSON-RPC error; what it means is the adapter's knowledge."""

    def __init__(self, method: str, code: int, message: str, retry_after: float | None = None) -> None:
        super().__init__(f"{method}: {message} ({code})", retry_after)
        self.method = method
        self.code = code
        self.message = message

    def hide(self, secrets: Sequence[str]) -> None:
        """Take out what the node repeats of its own URL."""
        self.message = rpc_secrets.without(self.message, secrets)
        self.args = (f"{self.method}: {self.message} ({self.code})", *self.args[1:])


class MethodMissing(RpcError):  # noqa: N818 - named like its siblings in chains.base
    """The node does not know the method."""


class AnswerTooLarge(NodeUnavailable):
    """The request, or the answer to it, is larger than one side allows: ask for less at once."""


class _Error(msgspec.Struct):
    code: int = 0
    message: str = ""


class _Envelope(msgspec.Struct):
    id: int | str | None = None
    result: msgspec.Raw = msgspec.Raw(b"")
    error: _Error | str | None = None


_ONE = msgspec.json.Decoder(_Envelope)
_MANY = msgspec.json.Decoder(list[_Envelope] | _Envelope)
_WIDE = msgspec.json.Decoder(list[dict[str, msgspec.Raw]] | dict[str, msgspec.Raw])


@cache
def _plain(of: Any) -> tuple[msgspec.json.Decoder[Any], msgspec.json.Decoder[Any]]:
    """Return the decoders of an answer, and of a batch of answers, that have a result of that form."""
    plain = msgspec.defstruct("Plain", [("id", int), ("result", of), ("error", None, None)])
    return msgspec.json.Decoder(plain), msgspec.json.Decoder(list[plain])  # type: ignore[valid-type]


def request(number: int, method: str, params: Sequence[Any]) -> dict[str, Any]:
    """Return one request, not yet encoded."""
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}


def result(body: bytes, number: int, method: str, of: Any, retry_after: float | None = None) -> Any:
    """Return the decoded result of a single request."""
    plain = _attempt(_plain(of)[0], body)
    if plain is not None and plain.id == number:
        return plain.result
    envelope = _decode(_ONE, body, method)
    _raise_error(envelope, method, retry_after)
    if envelope.id != number:
        raise NodeUnavailable(f"{method}: the node answered another request (id {str(envelope.id)[:20]})")
    return _value(envelope, method, of)


def results(
    body: bytes, requests: Sequence[dict[str, Any]], of: Any, retry_after: float | None = None
) -> list[Any]:
    """Return the results of a batch in the order of its requests, an RpcError standing for its failure."""
    plain = _attempt(_plain(of)[1], body)
    if plain is not None and len(plain) == len(requests):
        found = {answer.id: answer.result for answer in plain}
        if found.keys() == {each["id"] for each in requests}:
            return [found[each["id"]] for each in requests]
    label = f"batch of {requests[0]['method']}"
    answers = _decode(_MANY, body, label)
    if isinstance(answers, _Envelope):
        _raise_batch_error(answers, label, retry_after)
    by_id = {answer.id: answer for answer in answers}
    if len(answers) != len(requests) or by_id.keys() != {each["id"] for each in requests}:
        _raise_lone_error(answers, label)
        raise NodeUnavailable(f"{label}: the answers do not belong to the requests")
    outcomes = [_outcome(by_id[each["id"]], each["method"], of, retry_after) for each in requests]
    if len(outcomes) > 1 and any(isinstance(each, RpcError) and each.code == CUT_OFF for each in outcomes):
        raise AnswerTooLarge(f"{label}: the node cut its answer off")
    return outcomes


def is_envelope(body: bytes) -> bool:
    """Tell whether a body that came with an error status is a JSON-RPC answer all the same."""
    try:
        found = _WIDE.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return isinstance(found, list) or "error" in found


@contextmanager
def _deep() -> Iterator[None]:
    """Let answers nest as deep as an EVM call can (1,024 frames, two levels of JSON each).

    A payer can make such a transaction, and Python's default would refuse its trace for ever.
    """
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, DEEPEST))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _attempt(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    """Decode what is plainly an answer, in one pass; None for all else, which is then looked at closely."""
    try:
        with _deep():
            return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _decode(decoder: msgspec.json.Decoder[Any], body: bytes, label: str) -> Any:
    try:
        with _deep():
            return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise NodeUnavailable(f"{label}: the answer is not a JSON-RPC answer") from None


def _outcome(envelope: _Envelope, method: str, of: Any, retry_after: float | None) -> Any:
    try:
        _raise_error(envelope, method, retry_after)
    except RpcError as error:
        return error
    return _value(envelope, method, of)


def _raise_error(envelope: _Envelope, method: str, retry_after: float | None) -> None:
    error = envelope.error
    if error is None:
        return
    if isinstance(error, str):
        error = _Error(message=error)
    if error.code == RATE_LIMITED and retry_after is None:
        retry_after = RATE_LIMIT_WAIT
    message = error.message[:LONGEST_MESSAGE]
    kind = MethodMissing if error.code in METHOD_MISSING else RpcError
    raise kind(method, error.code, message, retry_after)


def _raise_batch_error(envelope: _Envelope, label: str, retry_after: float | None) -> None:
    try:
        _raise_error(envelope, label, retry_after)
    except RpcError as error:
        if error.code in TOO_LARGE:
            raise AnswerTooLarge(str(error)) from None
        raise
    raise NodeUnavailable(f"{label}: the node answered a batch with a single result")


def _raise_lone_error(answers: Sequence[_Envelope], label: str) -> None:
    """Geth answers a batch above its limit with one error in a list."""
    if len(answers) == 1 and answers[0].error is not None:
        _raise_batch_error(answers[0], label, None)


def _value(envelope: _Envelope, method: str, of: Any) -> Any:
    if not bytes(envelope.result):
        raise NodeUnavailable(f"{method}: the answer has neither result nor error")
    try:
        with _deep():
            return msgspec.json.decode(envelope.result, type=of)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NodeUnavailable(f"{method}: the result has another form than expected: {error}") from None
