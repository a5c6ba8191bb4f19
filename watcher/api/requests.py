"""From a request's bytes to checked input: strict JSON, query parameters, the Idempotency-Key.

Everything refused here is one line that names the field. Knows no route.
"""

from __future__ import annotations

import asyncio
import difflib
import json
import math
from typing import TYPE_CHECKING, Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from watcher import idempotency
from watcher.errors import Refused

if TYPE_CHECKING:
    from aiohttp import web
    from multidict import MultiMapping

    from watcher.idempotency import Idempotency
    from watcher.model import Clock

BODY_LIMIT = 64 * 1024
"""Bytes of a request's body, at most."""
BODY_PATIENCE = 20.0
"""Seconds from a request's headers to the end of its body, at most."""

_DIGITS = 4000
"""Digits of a whole number, at most: Python itself reads no more than 4300."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name appears twice in one object")
    return found


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no number of JSON")
    return value


def _whole(text: str) -> int:
    if len(text) > _DIGITS:
        raise ValueError(f"a number has more than {_DIGITS} digits")
    return int(text)


def read_json(raw: bytes) -> Any:
    """Return what the bytes say; Refused (400) if they are not JSON, or could be read in two ways."""
    try:
        value = json.loads(
            raw.decode(),
            object_pairs_hook=_object,
            parse_int=_whole,
            parse_float=_number,
            parse_constant=_number,
        )
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair decodes, but is no text
    except UnicodeError:
        raise Refused("malformed_json", "the body is not UTF-8 text", status=400) from None
    except (ValueError, RecursionError) as error:
        raise Refused("malformed_json", f"the body is not JSON: {_brief(error)}", status=400) from None
    return value


def _brief(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]


async def read_bytes(request: web.Request) -> bytes:
    """Return the body; Refused with 413 when it is too long, with 408 when it takes too long."""
    if (request.content_length or 0) > BODY_LIMIT:
        raise Refused("too_large", f"the body is larger than {BODY_LIMIT} bytes", status=413)
    try:
        async with asyncio.timeout(BODY_PATIENCE):
            return await request.read()
    except TimeoutError:
        message = f"the body did not arrive within {BODY_PATIENCE:g} seconds"
        raise Refused("request_timeout", message, status=408) from None


async def read_body(request: web.Request, model: type[BaseModel]) -> Any:
    """Return the checked body. Nothing sent at all means an object without fields."""
    raw = await read_bytes(request)
    value = read_json(raw) if raw.strip() else {}
    return check(model, value, "field")


def read_query(query: MultiMapping[str], model: type[BaseModel]) -> Any:
    """Return the checked query parameters; a list takes several values, repeated or by commas."""
    values: dict[str, Any] = {}
    for name in query:
        given = query.getall(name)
        field = model.model_fields.get(name)
        if field is not None and get_origin(field.annotation) is tuple:
            values[name] = [part for value in given for part in value.split(",") if part]
        elif len(given) > 1:
            raise Refused("invalid", "was given more than once", field=name)
        else:
            values[name] = given[0]
    return check(model, values, "query parameter")


def check(model: type[BaseModel], value: Any, noun: str) -> Any:
    """Return the value as the model reads it; Refused (422) names the first field that is wrong."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise _refused(error, model, noun) from None


def _refused(error: ValidationError, model: type[BaseModel], noun: str) -> Refused:
    found = error.errors(include_url=False, include_context=False)
    first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
    path = ".".join(str(part) for part in first["loc"])
    match first["type"]:
        case "extra_forbidden":
            return Refused("unknown_field", f"unknown {noun}{_suggest(first['loc'], model)}", field=path)
        case "missing":
            message = "is required"
        case "model_type" | "dict_type":
            message = "must be a JSON object" if path else "the body must be a JSON object"
        case "string_unicode":
            message, path = "is not UTF-8 text", path.encode("ascii", "replace").decode()
        case _:
            message = first["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    return Refused("invalid", message, field=path or _subject(message, model))


def _subject(message: str, model: type[BaseModel]) -> str | None:
    """Return the field with which a message about the whole object begins."""
    word = message.partition(" ")[0]
    return word if word in model.model_fields else None


def _suggest(path: tuple[int | str, ...], model: type[BaseModel]) -> str:
    """Return the nearest name among the fields of the object in which an unknown one stands."""
    inner: type[BaseModel] | None = model
    for part in path[:-1]:
        if inner is not None and isinstance(part, str):
            inner = _model_in(_fields(inner)[part])
    near = difflib.get_close_matches(str(path[-1]), _fields(inner) if inner else (), 1)
    return f"; did you mean {near[0]}?" if near else ""


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    """Return each field's type by the name that callers write."""
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the object that a type holds: itself, or inside a list or an optional."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)


def read_idempotency(request: web.Request, key_id: str, body: Any, clock: Clock) -> Idempotency | None:
    """Return what makes this request recognisable when it comes again, None if its sender does not care."""
    keys = request.headers.getall("Idempotency-Key", [])
    if not keys:
        return None
    key = keys[0] if len(keys) == 1 else ""
    return idempotency.read(key_id, request.path, key, body, clock(), "Idempotency-Key")
