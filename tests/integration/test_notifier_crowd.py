"""Where very many endpoints wait, not every turn looks at them all; nothing is lost or late by that."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from outbox_db import OutboxDb, event
from running_notifier import Daemon, open_shop, running
from watcher import claims, notifier

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    import pytest


async def test_h136_many_waiting_endpoints_are_looked_at_rarely_and_all_are_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []
    turns: list[float] = []
    monkeypatch.setattr(notifier, "MANY", 3)
    monkeypatch.setattr(notifier, "RARELY", 40)
    monkeypatch.setattr(claims, "lanes", _counted(claims.lanes, looks))
    monkeypatch.setattr(claims, "claim", _counted(claims.claim, turns))
    db = OutboxDb(tmp_path / "crowd.db")
    await db.create()
    ids = [f"inv_{n}" for n in range(30)]
    await db.invoices(*ids)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(db.store.close)
        shop = await stack.enter_async_context(open_shop())
        for number in range(20):
            await db.endpoint(f"{shop.url}/{number}")
        daemon = await stack.enter_async_context(running(Daemon(db)))
        await daemon.publish(*(event(each, 1) for each in ids))
        await shop.until(600)
        await daemon.publish(event("inv_0", 2))
        await shop.until(620)
        await daemon.settled(*["delivered 1"] * 620)

    assert 620 == len(shop.got)
    assert 3 * len(looks) < 2 * len(turns)


def _counted(real: Callable[..., Awaitable[Any]], calls: list[float]) -> Callable[..., Awaitable[Any]]:
    async def counted(*arguments: Any) -> Any:
        calls.append(1)
        return await real(*arguments)

    return counted
