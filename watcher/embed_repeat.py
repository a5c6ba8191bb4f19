"""Requests of a program that may come again: under one key, the first one's answer is given once more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from watcher.idempotency import Replay, read

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pydantic import BaseModel

    from watcher.idempotency import Idempotency
    from watcher.model import Clock

_OWNER = "embedded"
"""In place of an API key: keys of requests over HTTP are others."""


async def once(
    key: str | None,
    path: str,
    draft: BaseModel,
    clock: Clock,
    work: Callable[[Idempotency | None], Awaitable[dict[str, Any]]],
) -> dict[str, Any]:
    """Do the work, or return what it answered before under this key. `path` says what is asked for."""
    try:
        known = None if key is None else read(_OWNER, path, key, draft, clock(), "idempotency_key")
        return await work(known)
    except Replay as replay:
        answer: dict[str, Any] = json.loads(replay.stored.body)
        return answer
