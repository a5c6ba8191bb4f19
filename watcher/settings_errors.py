"""What a user is told about a wrong configuration: one line with key, fault and remedy.

Never repeats a value: it may be a password or a key.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

Loc = tuple[str | int, ...]
"""Where in the configuration: ("chains", "bitcoin", "rpc", 0)."""

_UNKNOWN = "unknown key"
_REMEDIES = {
    "missing": "is missing; add it",
    "bool_parsing": "is not a truth value; write true or false",
    "bool_type": "is not a truth value; write true or false",
    "int_parsing": "is not a whole number; write digits without a point, such as 60",
    "int_type": "is not a whole number; write digits without a point, such as 60",
    "int_from_float": "is not a whole number; write digits without a point, such as 60",
    "float_parsing": "is not a number; write one such as 2.5",
    "float_type": "is not a number; write one such as 2.5",
    "finite_number": "is not a number; write one such as 2.5",
    "string_type": 'is not text; write it in quotes, or as { file = "path" }',
    "tuple_type": 'is not a list; write it in brackets, such as ["…"]',
    "list_type": 'is not a list; write it in brackets, such as ["…"]',
    "model_type": "is not a table; write it as { key = value }",
    "model_attributes_type": "is not a table; write it as { key = value }",
    "dict_type": "is not a table; write it as { key = value }",
}
_LIMITS = {
    "greater_than_equal": ("too small", "at least", "ge"),
    "greater_than": ("too small", "a number above", "gt"),
    "less_than_equal": ("too large", "at most", "le"),
    "less_than": ("too large", "a number below", "lt"),
}


class SettingsError(Exception):
    """The configuration cannot be used; the message is one line for the user."""


class Faults:
    """Collects what is wrong, so that the first can be told and the rest counted."""

    def __init__(self) -> None:
        self._lines: list[tuple[Loc, str]] = []

    def add(self, loc: Loc, message: str) -> None:
        """Record one fault; only the first at each place is told."""
        if any(loc[: len(told)] == told for told, _ in self._lines if told):
            return
        self._lines.append((loc, " ".join(message.split())))

    def add_all(self, error: ValidationError, model: type[BaseModel], at: Loc = ()) -> None:
        """Record all that a validation found; `at` is where the model stands in the configuration."""
        for detail in error.errors(include_url=False, include_input=False):
            if detail["type"] == "default_factory_not_called":
                continue  # it would have been made of another key, which is wrong itself
            key, message = _own_key(_message(detail, model), _keys(model, detail["loc"]))
            self.add((*at, *detail["loc"], *key), message)

    def first(self) -> tuple[Loc, str] | None:
        """Return where the first fault is, and its text with the number of the others.

        A misspelt key goes first: what is missing elsewhere is often the same mistake.
        """
        if not self._lines:
            return None
        misspelt = (line for line in self._lines if line[1].startswith(_UNKNOWN))
        loc, message = next(misspelt, self._lines[0])
        more = len(self._lines) - 1
        return loc, f"{message} (and {more} more)" if more else message


def dotted(loc: Loc) -> str:
    """Return `chains.bitcoin.rpc[0]`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return text.removeprefix(".")


def guess(word: str, known: Iterable[str]) -> str:
    """Return the remedy for a misspelt word: the nearest known one, or all of them."""
    names = list(known)
    if not names:
        return "there is none yet"
    near = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    return f'did you mean "{near[0]}"?' if near else f"known here: {', '.join(names)}"


def _message(detail: ErrorDetails, model: type[BaseModel]) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in _REMEDIES:
        return _REMEDIES[kind]
    if kind in _LIMITS:
        wrong, right, key = _LIMITS[kind]
        return f"is {wrong}; write {right} {context[key]}"
    return _special(kind, context, detail, model)


def _own_key(message: str, keys: list[str]) -> tuple[Loc, str]:
    """Take the key off "xpub: is not …", as a check of a whole table writes it."""
    key, colon, rest = message.partition(": ")
    return ((key,), rest) if colon and key in keys else ((), message)


def _special(kind: str, context: dict[str, Any], detail: ErrorDetails, model: type[BaseModel]) -> str:
    match kind:
        case "value_error":
            return str(context["error"])
        case "extra_forbidden":
            return f"{_UNKNOWN}; {guess(str(detail['loc'][-1]), _keys(model, detail['loc'][:-1]))}"
        case "literal_error" | "enum":
            return f"is not a known value; write {context['expected'].replace(chr(39), chr(34))}"
        case "too_short":
            return f"has too few entries; write at least {context['min_length']}"
        case _:
            return f"{detail['msg'][:1].lower()}{detail['msg'][1:]}"


def _keys(model: type[BaseModel], loc: Sequence[str | int]) -> list[str]:
    """Return the keys of the table at `loc` below a model."""
    for part in loc:
        if isinstance(part, str) and part in model.model_fields:
            model = _model_in(model.model_fields[part].annotation) or model
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _model_in(arg))), None)
