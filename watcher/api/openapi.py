"""The decorator that registers a route with its models, and the OpenAPI 3.1 document that they make.

The models that describe are those that validate. Knows no resource.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ValidationError
from pydantic.json_schema import models_json_schema

from watcher.api.openapi_answers import HEADERS, problems, responses
from watcher.api.openapi_examples import example
from watcher.api.openapi_tags import IDENTIFIERS, TAGS, tag
from watcher.api.openapi_words import describe
from watcher.api.schema import Problem
from watcher.api.scopes import SCOPES
from watcher.api.values import Query

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from aiohttp import web

    from watcher.api.context import Answer, Call
    from watcher.apikeys import Scope

Handler = "Callable[[Call], Awaitable[Answer | web.StreamResponse]]"
Model = type[BaseModel]
Mode = Literal["validation", "serialization"]

_REF = "#/components/schemas/{model}"
_ABOUT = """Invoices over blockchains, and the money that came for them.

Amounts are decimal strings in the asset's unit, times are RFC 3339 in UTC. An unknown field or parameter is
refused. Each answer carries X-Request-Id: yours, if you sent one of 1 to 128 visible ASCII characters, or a
new one; the log has it in every line of that request. What is read as JSON carries an ETag: ask again with
If-None-Match and get 304 while nothing changed."""
_ALWAYS = (400, 408, 413, 414, 422, 431, 500)
"""What any request may be told: that it cannot be read, takes too long, is too large, or met a bug."""


@dataclass(frozen=True, slots=True)
class Route:
    """One method and path, with the models of what goes in and comes out.

    `text`: the media type in which the same can be had as plain text. `probe`: asked by whoever watches over
    this process; never refused for its rate, never kept.
    """

    method: str
    path: str
    handler: Callable[[Call], Awaitable[Answer | web.StreamResponse]]
    query: Model = Query
    body: Model | None = None
    answer: Model | None = None
    status: int = 200
    media: str = "application/json"
    text: str | None = None
    errors: tuple[int, ...] = ()
    repeatable: bool = False
    probe: bool = False

    @property
    def streams(self) -> bool:
        """Whether it goes on until its reader ends it."""
        return self.media == "text/event-stream"

    @property
    def tagged(self) -> bool:
        """Whether its answer carries an ETag: what is read as JSON does, but for probes."""
        read = self.method == "GET" and self.answer is not None and self.text is None
        return read and not self.probe and not self.streams

    @property
    def scope(self) -> Scope | None:
        """What a key needs to call it."""
        return SCOPES[self.method, self.path]

    @property
    def problems(self) -> Iterator[int]:
        """Every error status that it can answer."""
        yield from _ALWAYS
        yield from self.errors
        if self.scope:
            yield from (401, 403)
        if not self.probe:
            yield from (429, 503)
        if "{" in self.path:
            yield 404
        if self.repeatable:
            yield 409


class Routes(list[Route]):
    """The routes of one resource, in the order of their registration."""

    def add(self, method: str, path: str, **options: Any) -> Callable[[Any], Any]:
        """Register a handler for one method and path; the options are those of Route."""

        def register(handler: Any) -> Any:
            self.append(Route(method, path, handler, **options))
            return handler

        return register


def document(routes: Sequence[Route], version: str, url: str = "/") -> dict[str, Any]:
    """Return the OpenAPI document of these routes, served at this URL."""
    refs, schemas = _schemas(routes)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, refs, schemas)
    licence = {"name": "AGPL-3.0-or-later", "identifier": "AGPL-3.0-or-later"}
    scheme = {"type": "http", "scheme": "bearer", "description": "An API key: `watcher key create NAME`."}
    return {
        "openapi": "3.1.0",
        "info": {"title": "deposit-watcher", "version": version, "description": _ABOUT, "license": licence},
        "servers": [{"url": url, "description": "As configured: [server] public_url."}],
        "tags": [{"name": name, "description": words} for name, words in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": problems(refs),
            "headers": HEADERS,
            "securitySchemes": {"key": scheme},
        },
    }


def _schemas(routes: Sequence[Route]) -> tuple[Any, dict[str, Any]]:
    """Return how each model is referred to, and all of them by name, each field with its meaning."""
    used: dict[tuple[Model, Mode], None] = {(Problem, "serialization"): None}
    for route in routes:
        used |= {(route.query, "validation"): None}
        used |= {(route.body, "validation"): None} if route.body else {}
        used |= {(route.answer, "serialization"): None} if route.answer else {}
    refs, definitions = models_json_schema(list(used), ref_template=_REF)
    schemas = definitions.get("$defs", {})
    describe(schemas)
    return refs, schemas


def _operation(route: Route, refs: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    words = " ".join((route.handler.__doc__ or "").split())
    operation: dict[str, Any] = {
        "operationId": f"{route.method.lower()}{re.sub(r'[^a-z0-9]+', '_', route.path)}".rstrip("_"),
        "tags": [tag(route.path)],
        "summary": words.split(". ")[0].rstrip("."),
        "description": words,
        "parameters": [*_parameters(route, refs, schemas)],
        "responses": responses(route, refs),
        "security": [],
    }
    if route.scope:
        operation["description"] += f" Needs a key of scope {route.scope.value}."
        operation["security"] = [{"key": []}]
        operation["x-scope"] = route.scope.value
    if route.body:
        operation["requestBody"] = _request_body(route.body, refs)
    return operation


def _request_body(model: Model, refs: Any) -> dict[str, Any]:
    content = {"schema": refs[model, "validation"], "example": example(model)}
    words = " ".join((model.__doc__ or "").split())
    return {"description": words, "required": _needs_body(model), "content": {"application/json": content}}


def _needs_body(model: Model) -> bool:
    try:
        model.model_validate({})
    except ValidationError:
        return True
    return False


def _parameters(route: Route, refs: Any, schemas: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", route.path):
        words = "The refund's identifier." if name == "refund_id" else IDENTIFIERS[tag(route.path)]
        schema: dict[str, Any] = {"type": "string", "minLength": 1}
        yield {"name": name, "in": "path", "required": True, "description": words, "schema": schema}
    fields = schemas[refs[route.query, "validation"]["$ref"].rpartition("/")[2]].get("properties", {})
    for name, field in fields.items():
        schema = _without_null(field)
        words = schema.pop("description", "")
        yield {"name": name, "in": "query", "required": False, "description": words, "schema": schema}
    for name, (words, schema) in _headers(route).items():
        yield {"name": name, "in": "header", "required": False, "description": words, "schema": schema}


def _headers(route: Route) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return what a route reads in the request's headers, but for the key: its meaning and schema."""
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    if route.repeatable:
        words = "Kept 24 hours: the same request with it has the same answer, and no second effect."
        found["Idempotency-Key"] = (words, {"type": "string", "pattern": "^[!-~]{1,255}$"})
    if route.tagged:
        found["If-None-Match"] = ("The ETag of an answer that you have.", {"type": "string"})
    if route.streams and route.scope:
        words = "The `seq` after which to go on; it goes ahead of `after`."
        found["Last-Event-ID"] = (words, {"type": "string", "pattern": "^[0-9]{1,18}$"})
    return found


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema as an address line can fulfil it: it cannot say null."""
    kept = {k: v for k, v in schema.items() if k not in {"anyOf", "default", "title"}}
    if schema.get("default") is not None:
        kept["default"] = schema["default"]
    options = [s for s in schema.get("anyOf", []) if s != {"type": "null"}]
    if len(options) == 1:
        return {**options[0], **kept}
    return {**kept, **({"anyOf": options} if options else {})}
