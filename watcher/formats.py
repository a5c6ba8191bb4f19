"""Which words of other systems an event is told in, by the name of their format. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from watcher.model import Event, EventType

STANDARD = "standard"


def offers(form: str, events: frozenset[str], type_: EventType) -> bool:
    """Whether an endpoint that asks for these events gets this one in this format."""
    family = type_.partition(".")[0]
    return bool(events & {"*", type_.value, f"{family}.*"}) and form == STANDARD


def bodies(form: str, event: Event, endpoint_id: str) -> tuple[bytes, ...]:
    """Return what a format makes of an event: nothing, one body, or several that go in order."""
    return (event.body,) if form == STANDARD and endpoint_id else ()
