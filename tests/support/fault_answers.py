"""Faults of the answers, whatever the chain: a null, an empty list, another's id, another fork's block."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from fault_proxy import Failed

if TYPE_CHECKING:
    from collections.abc import Callable

    from fault_proxy import Alter, Call

BEHIND = 20
"""Blocks by which a stale backend lags."""
_HASH = re.compile(r"(0x)?[0-9a-f]{64}")


class Liar(Protocol):
    """What one family of chains lies about, and how."""

    def stale(self, call: Call, result: Any) -> Any:
        """Answer as a node that is BEHIND."""

    def dropped(self, call: Call, result: Any) -> Any:
        """Leave one thing out."""

    def injected(self, call: Call, result: Any) -> Any:
        """Put something in that pays us."""

    def hidden(self, call: Call, result: Any) -> Any:
        """Let what pays us seem to pay somebody else."""

    def foreign(self, call: Call, result: Any) -> Any:
        """Answer as a node of another chain."""

    def height_of(self, hash_: str) -> int | None:
        """Return the height of a block of the node's best chain."""


def null(_: Call, __: Any) -> Any:
    return None


def empty(_: Call, result: Any) -> Any:
    """An empty list, or no bytes at all."""
    if isinstance(result, list):
        return []
    return b"" if isinstance(result, bytes) else "0x" if result.startswith("0x") else ""


def missing(call: Call, _: Any) -> Any:
    raise Failed(-32601, f"the method {call.method} does not exist/is not available", 404)


def alternating(alter: Alter) -> Alter:
    """Two backends by turns: the first has the fault, the second has not."""

    def change(call: Call, result: Any) -> Any:
        return result if call.number % 2 else alter(call, result)

    return change


def wrong_ids(answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The answers to somebody else's requests."""
    return [{**each, "id": each["id"] + 1_000_000} for each in answers]


def rotated(answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each id with the result of the next one."""
    following = [*answers[1:], *answers[:1]]
    return [{**other, "id": own["id"]} for own, other in zip(answers, following, strict=True)]


def backwards(answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Legal: an answer is known by its id."""
    return answers[::-1]


def frozen() -> Alter:
    """Answer always what was answered first."""
    first: list[Any] = []

    def change(_: Call, result: Any) -> Any:
        first.append(result)
        return first[0]

    return change


@dataclass(slots=True)
class OtherFork:
    """Remembers what was said of one branch, and after `switch` says it of the blocks of the other."""

    height_of: Callable[[str], int | None]
    switched: bool = False
    _said: dict[str, Any] = field(default_factory=dict)

    def switch(self) -> None:
        self.switched = True

    def alter(self, call: Call, result: Any) -> Any:
        key = repr((call.resource, self._by_height(call)))
        if not self.switched:
            self._said[key] = result
        return self._said.get(key, result)

    def _by_height(self, call: Call) -> str:
        """Name blocks by height, which both branches have."""
        return _HASH.sub(self._height, repr(call.params) + call.method)

    def _height(self, found: re.Match[str]) -> str:
        height = self.height_of(found[0])
        return found[0] if height is None else f"block {height}"
