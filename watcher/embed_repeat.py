"""Requests of a program that may come again: under one key, the first one's answer is given once more."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from watcher.errors import Refused
from watcher.idempotency import Idempotency, Replay

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pydantic import BaseModel

    from watcher.model import Clock

_OWNER = "embedded"
"""In place of an API key: keys of requests over HTTP are others."""
_KEY = re.compile(r"[!-~]{1,255}")


async def once(
    key: str | None,
    path: str,
    draft: BaseModel,
    clock: Clock,
    work: Callable[[Idempotency | None], Awaitable[dict[str, Any]]],
) -> dict[str, Any]:
    """Do the work, or return what it answered before under this key. `path` says what is asked for."""
    try:
        return await work(_idempotency(key, path, draft, clock))
    except Replay as replay:
        answer: dict[str, Any] = json.loads(replay.stored.body)
        return answer


def _idempotency(key: str | None, path: str, draft: BaseModel, clock: Clock) -> Idempotency | None:
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        message = "must be 1 to 255 visible ASCII characters"
        raise Refused("invalid", message, field="idempotency_key")
    text = json.dumps(draft.model_dump(mode="json", exclude_unset=True), sort_keys=True)
    return Idempotency(_OWNER, path, key, hashlib.sha256(text.encode()).hexdigest(), clock())
