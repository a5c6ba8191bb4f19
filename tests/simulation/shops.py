"""The shops that the notifier's HTTP session would reach: each answers as it is told, and keeps all."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

import aiohttp
from standardwebhooks.webhooks import Webhook

from watcher.sending import Sender
from world import SECRET

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import AsyncIterator, Mapping
    from random import Random

    from points import Points
    from virtual_loop import VirtualClock

PATIENCE = 20.0
"""Seconds after which the notifier's session gives up."""


class Mood(StrEnum):
    """How a shop behaves."""

    WELL = "well"
    DEAD = "dead"
    SLOW = "slow"
    SILENT = "silent"
    BROKEN = "broken"
    UNKNOWN = "unknown"
    GONE = "gone"
    BUSY = "busy"
    DEADLY = "deadly"
    """Takes the event and says so, but the process dies before it can write that down."""


_STATUS = {Mood.BROKEN: 500, Mood.UNKNOWN: 404, Mood.GONE: 410, Mood.BUSY: 503}


@dataclass(frozen=True, slots=True)
class Arrival:
    """One attempt: `taken` if the shop has the event now."""

    url: str
    event_id: str
    body: bytes
    at: float
    taken: bool


@dataclass
class Shops:
    """Every shop of a run. `moods` by URL; who has none is well."""

    dice: Random
    clock: VirtualClock
    tally: Counter[str]
    moods: dict[str, Mood] = field(default_factory=dict)
    log: list[Arrival] = field(default_factory=list)

    def heal(self) -> None:
        self.moods.clear()

    async def answer(self, url: str, body: bytes, headers: Mapping[str, str], points: Points) -> int:
        """Return the status of one attempt, or raise as aiohttp would."""
        await points.meet("post")
        event_id, mood = headers["webhook-id"], self.moods.get(url, Mood.WELL)
        if mood is Mood.SLOW:
            await asyncio.sleep(self.dice.random() * PATIENCE)
            await points.meet("post")
        self.tally[f"shop {mood}"] += 1
        if points.dead:
            await points.meet("post")
        taken = mood in {Mood.WELL, Mood.SLOW, Mood.DEADLY}
        at = self.clock().timestamp()
        self.log.append(Arrival(url, event_id, body, at, taken))
        _verify(event_id, body, headers)
        await self._trouble(mood, points)
        await points.meet("posted")
        return _STATUS.get(mood, 200)

    async def _trouble(self, mood: Mood, points: Points) -> None:
        match mood:
            case Mood.DEAD:
                raise aiohttp.ClientOSError("refused")
            case Mood.SILENT:
                await asyncio.sleep(PATIENCE)
                raise TimeoutError
            case Mood.DEADLY:
                self.moods.clear()
                points.kill("after a 200, before its record")


class _Content:
    async def read(self, _size: int) -> bytes:
        return b""


@dataclass
class _Response:
    status: int
    headers: dict[str, str]
    content: _Content = field(default_factory=_Content)


@dataclass
class Session:
    """As much of aiohttp's session as the sender uses."""

    shops: Shops
    points: Points

    @asynccontextmanager
    async def post(
        self, url: str, *, data: bytes, headers: Mapping[str, str], **_: Any
    ) -> AsyncIterator[_Response]:
        status = await self.shops.answer(url, data, headers, self.points)
        yield _Response(status, {"retry-after": "45"} if status == 503 else {})


class SimulatedSender(Sender):
    """The product's sender with a session that dials nobody."""

    session: Session

    async def __aenter__(self) -> Self:
        self._session = self.session  # type: ignore[assignment]
        return self

    async def __aexit__(self, *_: object) -> None:
        return


def _verify(event_id: str, body: bytes, headers: Mapping[str, str]) -> None:
    """Check the signature; not its age, because this clock is not the machine's."""
    at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    assert Webhook(SECRET).sign(event_id, at, body.decode()) == headers["webhook-signature"]


def subject_of(body: bytes) -> tuple[str | None, int]:
    """Return whose event this is, an invoice's or a standing address's, and its place among theirs."""
    data = json.loads(body)["data"]
    whose = data.get("invoice") or data.get("address") or {}
    return whose.get("id"), data.get("sequence", 0)
