"""The words of other systems that an event is told in, by the name of their format. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from watcher import formats_btcpay, formats_oxapay
from watcher.dialects import FORMATS, STANDARD, offers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from watcher.model import Event

__all__ = ["FORMATS", "STANDARD", "bodies", "offers"]

_BODIES: Mapping[str, Callable[[Event, str], tuple[bytes, ...]]] = {
    "oxapay": formats_oxapay.bodies,
    "btcpay": formats_btcpay.bodies,
}


def bodies(form: str, event: Event, endpoint_id: str) -> tuple[bytes, ...]:
    """Return what a format makes of an event: nothing, one body, or several that go in order."""
    return (event.body,) if form == STANDARD else _BODIES[form](event, endpoint_id)
