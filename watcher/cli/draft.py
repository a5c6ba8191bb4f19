"""From the words of `invoice create` to the body that the API takes, and back from its fields to them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from watcher.cli.failure import WRONG_USAGE, Failure
from watcher.cli.names import as_sent, flags

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from watcher.cli.names import Names

_PARTS = ("chain", "asset", "amount")


def draft(
    terms: Mapping[str, Any],
    ways: Sequence[str],
    tolerance_percent: str | None,
    confirmations: str | None,
    body: str | None,
) -> tuple[Any, Names]:
    """Return the body, and what the user wrote for each of its fields."""
    given = {name: value for name, value in terms.items() if value is not None}
    if ways:
        given["options"] = [_way(text) for text in ways]
    if tolerance_percent is not None:
        given["tolerance"] = {"percent": tolerance_percent}
    if confirmations is not None:
        given["confirmations"] = int(confirmations) if confirmations.isdecimal() else confirmations
    if body is None:
        return given, _names(ways)
    if given:
        word = _names(ways)(next(iter(given)))
        raise Failure(f"{word}: cannot stand beside --body; write it into the JSON", WRONG_USAGE)
    return _read(body), as_sent


def _way(text: str) -> dict[str, str]:
    parts = text.split(":")
    if len(parts) != len(_PARTS) or not all(parts):
        raise Failure(
            f"--option: {text!r} is not CHAIN:ASSET:AMOUNT, such as ethereum:USDT:25.50", WRONG_USAGE
        )
    return dict(zip(_PARTS, parts, strict=True))


def _names(ways: Sequence[str]) -> Names:
    """Return the options; a field of one of several ways is called by the whole way."""
    named = flags(options="--option", tolerance="--tolerance-percent")

    def name(field: str) -> str:
        first, _, rest = field.partition(".")
        index = rest.partition(".")[0]
        return f"--option {ways[int(index)]}" if first == "options" and index else named(field)

    return name


def _read(name: str) -> Any:
    """Return what a file, or standard input, says in JSON."""
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except OSError as error:
        raise Failure(f"--body: {name} cannot be read ({error.strerror}); name a file", WRONG_USAGE) from None
    except UnicodeDecodeError:
        raise Failure(f"--body: {name} is not UTF-8 text; save it as UTF-8", WRONG_USAGE) from None
    try:
        return json.loads(text)
    except ValueError as error:
        raise Failure(f"--body: {name} is not JSON ({error}); correct it", WRONG_USAGE) from None
