"""What a route can answer, for the OpenAPI document: every status with body, headers and an example."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from watcher.api.openapi_examples import example
from watcher.api.request_id import PATTERN
from watcher.api.schema import Problem

if TYPE_CHECKING:
    from watcher.api.openapi import Route

HEADERS: dict[str, dict[str, Any]] = {
    "RequestId": {
        "description": "The request's own, or a new one; every line of the log that it causes has it.",
        "required": True,
        "schema": {"type": "string", "pattern": PATTERN},
    },
    "ETag": {
        "description": "Of these bytes: it changes exactly when they do.",
        "required": True,
        "schema": {"type": "string", "pattern": '^"[0-9a-f]{32}"$'},
    },
    "RetryAfter": {
        "description": "Seconds after which to come again.",
        "required": True,
        "schema": {"type": "integer", "minimum": 0},
    },
    "IdempotentReplay": {
        "description": "true where this was answered before, and nothing happened again.",
        "required": False,
        "schema": {"type": "string", "const": "true"},
    },
    "Authenticate": {
        "description": "How to authenticate.",
        "required": True,
        "schema": {"type": "string", "const": "Bearer"},
    },
}
"""Headers of answers, as they are referred to."""

PROBLEMS = {
    400: ("The body is not JSON, or the request no HTTP.", "malformed_json", "the body is not JSON"),
    401: (
        "The API key is missing, wrong or revoked.",
        "unauthorized",
        "this API key is wrong or was revoked",
    ),
    403: (
        "The API key's scope does not allow this.",
        "forbidden",
        "this needs a key of scope write; till has read",
    ),
    404: ("There is no such thing.", "not_found", "there is no such thing"),
    408: (
        "The body took too long to arrive.",
        "request_timeout",
        "the body did not arrive within 20 seconds",
    ),
    409: (
        "Not possible in this state, or the Idempotency-Key was used with another body.",
        "changed",
        "the invoice has sequence 4 by now",
    ),
    413: ("The body is larger than 64 KiB.", "too_large", "the body is larger than 65536 bytes"),
    414: ("The address is too long.", "url_too_long", "the address is longer than 8000 bytes"),
    422: ("Understood, but invalid; `field` names what.", "invalid", "is required"),
    429: ("Asked too often, or too many at once.", "rate_limited", "this key asks too often"),
    431: (
        "The headers are too large, or too many.",
        "headers_too_large",
        "at most 64 headers of at most 8190 bytes each",
    ),
    500: ("A bug; the log tells more.", "internal", "something went wrong here; see the log for req_…"),
    503: (
        "Too much is under way, a chain is not ready for this, or the database cannot be written.",
        "busy",
        "400 requests are under way already",
    ),
}
"""Each error status: when, and an example's code and message."""


def responses(route: Route, refs: Any) -> dict[str, Any]:
    """Return what a route can answer, by status."""
    found = {str(route.status): _done(route, refs)}
    if route.tagged:
        headers = {**_refer("RequestId"), **_refer("ETag")}
        found["304"] = {"description": "If-None-Match names it: nothing changed.", "headers": headers}
    for status in sorted(set(route.problems)):
        found[str(status)] = {"$ref": f"#/components/responses/Problem{status}"}
    return found


def problems(refs: Any) -> dict[str, Any]:
    """Return every error, as it is referred to."""
    return {f"Problem{status}": _problem(status, refs) for status in PROBLEMS}


def _schema(route: Route, refs: Any) -> Any:
    schema = refs[route.answer, "serialization"] if route.answer else {"type": "string"}
    return _streamed(schema) if route.streams else schema


def _streamed(schema: Any) -> dict[str, Any]:
    """Return one server-sent event, whose data is JSON: OpenAPI 3.1 has no word for all of them."""
    data = {"type": "string", "contentMediaType": "application/json", "contentSchema": schema}
    fields = {"id": {"type": "string"}, "data": data, "retry": {"type": "integer"}}
    return {"type": "object", "description": "Each event of the stream.", "properties": fields}


def _done(route: Route, refs: Any) -> dict[str, Any]:
    headers = _refer("RequestId")
    if route.tagged:
        headers |= _refer("ETag")
    if route.repeatable:
        headers |= _refer("IdempotentReplay")
    done: dict[str, Any] = {"description": "Done.", "headers": headers}
    if route.status != HTTPStatus.NO_CONTENT:
        done["content"] = {route.media: {"schema": _schema(route, refs)}}
    shown = example(route.answer) if route.answer and not route.streams else None
    if shown is not None:
        done["content"][route.media]["example"] = shown
    if route.text:
        done["content"][route.text] = {"schema": {"type": "string"}}
    return done


def _problem(status: int, refs: Any) -> dict[str, Any]:
    words, code, message = PROBLEMS[status]
    headers = _refer("RequestId")
    if status in {429, 503}:
        headers |= _refer("RetryAfter")
    if status == HTTPStatus.UNAUTHORIZED:
        headers |= _refer("Authenticate")
    fault = {"code": code, "message": message} | ({"field": "amount"} if code == "invalid" else {})
    media = {"schema": refs[Problem, "serialization"], "example": {"error": fault}}
    return {"description": words, "headers": headers, "content": {"application/json": media}}


_NAMES = {
    "RequestId": "X-Request-Id",
    "ETag": "ETag",
    "RetryAfter": "Retry-After",
    "IdempotentReplay": "Idempotent-Replay",
    "Authenticate": "WWW-Authenticate",
}


def _refer(name: str) -> dict[str, Any]:
    return {_NAMES[name]: {"$ref": f"#/components/headers/{name}"}}
