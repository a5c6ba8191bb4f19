"""The decorator that registers a route with its models, and the OpenAPI 3.1 document that they make.

The models that describe are those that validate. Knows no resource.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ValidationError
from pydantic.json_schema import models_json_schema

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
_MEANING = {
    400: "The body is not JSON.",
    401: "The API key is missing, wrong or revoked.",
    403: "The API key's scope does not allow this.",
    404: "There is no such thing.",
    409: "Not possible in this state, or the Idempotency-Key was used with another body.",
    413: "The body is larger than 64 KiB.",
    422: "Understood, but invalid; `field` names what.",
    429: "Too many at once.",
    503: "A chain is not ready for this, or the database cannot be written.",
}


@dataclass(frozen=True, slots=True)
class Route:
    """One method and path, with the models of what goes in and comes out.

    `text`: the media type in which the same can be had as plain text.
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

    @property
    def scope(self) -> Scope | None:
        """What a key needs to call it."""
        return SCOPES[self.method, self.path]

    @property
    def problems(self) -> Iterator[int]:
        """Every error status that it can answer."""
        yield from self.errors
        if self.scope:
            yield from (401, 403, 503)
        if "{" in self.path:
            yield 404
        if self.body:
            yield from (400, 413)
        if self.repeatable:
            yield 409
        yield 422


class Routes(list[Route]):
    """The routes of one resource, in the order of their registration."""

    def add(self, method: str, path: str, **options: Any) -> Callable[[Any], Any]:
        """Register a handler for one method and path; the options are those of Route."""

        def register(handler: Any) -> Any:
            self.append(Route(method, path, handler, **options))
            return handler

        return register


def document(routes: Sequence[Route], version: str) -> dict[str, Any]:
    """Return the OpenAPI document of these routes."""
    used: dict[tuple[Model, Mode], None] = {(Problem, "serialization"): None}
    for route in routes:
        used |= {(route.query, "validation"): None}
        used |= {(route.body, "validation"): None} if route.body else {}
        used |= {(route.answer, "serialization"): None} if route.answer else {}
    refs, definitions = models_json_schema(list(used), ref_template=_REF)
    schemas = definitions.get("$defs", {})
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, refs, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "deposit-watcher", "version": version, "license": {"name": "AGPL-3.0-or-later"}},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route, refs: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    words = " ".join((route.handler.__doc__ or "").split())
    operation: dict[str, Any] = {
        "operationId": f"{route.method.lower()}{re.sub(r'[^a-z0-9]+', '_', route.path)}".rstrip("_"),
        "summary": words.split(". ")[0].rstrip("."),
        "description": words,
        "parameters": [*_parameters(route, refs, schemas)],
        "responses": _responses(route, refs),
    }
    if route.scope:
        operation["security"] = [{"key": []}]
        operation["x-scope"] = route.scope.value
    if route.body:
        content = {"application/json": {"schema": refs[route.body, "validation"]}}
        operation["requestBody"] = {"required": _needs_body(route.body), "content": content}
    return operation


def _needs_body(model: Model) -> bool:
    try:
        model.model_validate({})
    except ValidationError:
        return True
    return False


def _parameters(route: Route, refs: Any, schemas: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", route.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    fields = schemas[refs[route.query, "validation"]["$ref"].rpartition("/")[2]].get("properties", {})
    for name, schema in fields.items():
        yield {"name": name, "in": "query", "required": False, "schema": _without_null(schema)}
    if route.repeatable:
        schema = {"type": "string", "pattern": "^[!-~]{1,255}$"}
        yield {"name": "Idempotency-Key", "in": "header", "required": False, "schema": schema}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema as an address line can fulfil it: it cannot say null."""
    kept = {k: v for k, v in schema.items() if k not in {"anyOf", "default", "title"}}
    if schema.get("default") is not None:
        kept["default"] = schema["default"]
    options = [s for s in schema.get("anyOf", []) if s != {"type": "null"}]
    return (
        {**options[0], **kept} if len(options) == 1 else {**kept, **({"anyOf": options} if options else {})}
    )


def _responses(route: Route, refs: Any) -> dict[str, Any]:
    done: dict[str, Any] = {"description": "Done."}
    if route.answer:
        done["content"] = {route.media: {"schema": refs[route.answer, "serialization"]}}
    elif route.status != 204:  # noqa: PLR2004 - no content
        done["content"] = {route.media: {"schema": {"type": "string"}}}
    if route.text:
        done["content"][route.text] = {"schema": {"type": "string"}}
    problem = {"application/json": {"schema": refs[Problem, "serialization"]}}
    errors = {str(s): {"description": _MEANING[s], "content": problem} for s in sorted(set(route.problems))}
    return {str(route.status): done, **errors}
