"""Events as the daemon tells them, one after the other over its restarts: none lost, none twice.

Connects again whenever the connection ends, and resumes after the last event that was handed on.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import typer

from watcher.cli import client
from watcher.cli.failure import one_line
from watcher.cli.names import flags

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from watcher.settings import Settings

PAUSE = 0.5
"""Seconds before another try where the daemon did not answer, or had no place."""
SILENCE = 60.0
"""Seconds after which a stream counts as dead: the daemon breaks a silence every 15."""

_ABSENT = "the daemon is not running"


async def follow(settings: Settings, after: int | None) -> AsyncGenerator[bytes, None]:
    """Yield each event's JSON, from after a seq, or from now on if None; Failure where waiting will not help.

    Where the daemon does not answer it says so once, and waits.
    """
    place, said = _Place(after), False
    while True:
        place.reached = False
        try:
            async with client.connect(settings, required=_ABSENT) as api, aclosing(place.read(api)) as events:
                async for event in events:
                    yield event
        except client.Unreachable as away:
            if not (said or place.reached):
                typer.echo(f"{one_line(str(away))}; waiting for it", err=True)
            said = not place.reached
        await asyncio.sleep(PAUSE)


class _Place:
    """How far the events were read: the last id that the daemon gave, by the rules of server-sent events.

    `reached`: whether it answered since that was last reset.
    """

    def __init__(self, after: int | None) -> None:
        self._after = after
        self.reached = False

    async def read(self, api: client.Api) -> AsyncGenerator[bytes, None]:
        """Yield the events of one connection; what did not come whole comes again with the next."""
        seq, text = self._after, b""
        lines = api.lines("/v1/events/stream", {"after": self._after}, SILENCE, flags())
        async with aclosing(lines):
            async for line in lines:
                name, _, value = line.rstrip(b"\r\n").partition(b": ")
                match name:
                    case b"id":
                        seq = int(value)
                    case b"data":
                        text = value
                    case b"" if not value:
                        if text:
                            yield text
                        self._after, text, self.reached = seq, b"", True
