"""What a program may write for a reader, an actor and a chain; everything else is Refused by name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from watcher.errors import Refused
from watcher.formats import STANDARD, offers
from watcher.model import EVENT_FILTERS, EventType

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@-]{0,63}")
_OTHERS = {"payer", "policy", "chain"}
"""Actors of the audit trail that no program is."""
MOST_IN_FLIGHT = 10_000
STARTS = ("beginning", "now")


def check_actor(by: str) -> None:
    """Refuse a name for the audit trail that is none, or that means somebody else."""
    if not _NAME.fullmatch(by) or by in _OTHERS:
        message = "is no name for the audit trail; write 1 to 64 plain characters, not payer, policy or chain"
        raise Refused("invalid", message, field="by")


def check_chains(names: Sequence[str], known: Collection[str]) -> None:
    """Refuse chains that are not configured."""
    for name in names:
        if name not in known:
            message = f"there is no chain {name!r}; configured: {', '.join(known) or 'none'}"
            raise Refused("unknown_chain", message, field="chains")


def check_reader(name: str, types: Sequence[str], start: str, in_flight: int) -> frozenset[str] | None:
    """Return the types that a reader asks for, None for all; Refused for an argument that cannot be."""
    if not _NAME.fullmatch(name):
        raise Refused("invalid", "is no name for a reader; write 1 to 64 plain characters", field="name")
    if start not in STARTS:
        raise Refused("invalid", 'must be "beginning" or "now"', field="start")
    if not 1 <= in_flight <= MOST_IN_FLIGHT:
        raise Refused("invalid", f"must be 1 to {MOST_IN_FLIGHT}", field="in_flight")
    return _types(types)


def _types(filters: Sequence[str]) -> frozenset[str] | None:
    if isinstance(filters, str) or not filters:
        raise Refused("invalid", 'must be a list of names, such as ["invoice.*"]', field="types")
    for one in filters:
        if one not in EVENT_FILTERS:
            message = f'unknown event {one!r}; write "*", a family such as "invoice.*", or a name'
            raise Refused("unknown_event", message, field="types")
    if "*" in filters:
        return None
    return frozenset(type_.value for type_ in EventType if offers(STANDARD, frozenset(filters), type_))
