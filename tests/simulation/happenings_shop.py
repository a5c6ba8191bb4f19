"""What shops do to those who bring them events."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from shops import Mood
from template import OWN, URLS
from watcher import endpoints
from watcher.receivers import EndpointPatch, Rules
from watcher.retry import DELAYS

if TYPE_CHECKING:
    from run import Run


def _mood(mood: Mood) -> Any:
    async def change(run: Run) -> bool:
        url = run.dice.choice([*URLS, OWN])
        run.shops.moods[url] = mood
        run.note(f"{url} is {mood}")
        return True

    return change


async def dead_for_days(run: Run) -> bool:
    """Let the shops be dead for longer than an event is tried."""
    run.shops.moods.update(dict.fromkeys([*URLS, OWN], Mood.DEAD))
    run.note("the shops are dead for days")
    for delay in DELAYS:
        run.clock.advance(delay.total_seconds() * 1.2)
        await asyncio.sleep(11)
    return True


async def enable(run: Run) -> bool:
    """Let the merchant enable what was given up."""
    return await enable_all(run)


async def enable_all(run: Run) -> bool:
    rules = Rules((), tuple(run.deployment.chains))
    disabled = run.audit.books().rows("SELECT id FROM endpoint WHERE state = 'disabled' ORDER BY id")
    for row in disabled:
        async with run.deployment.store.write() as conn:
            await endpoints.patch(conn, row["id"], EndpointPatch(state="active"), rules)
        run.deployment.bus.published()
    return bool(disabled)


SHOP = {f"shop is {mood}": (1 if mood is not Mood.WELL else 4, _mood(mood)) for mood in Mood} | {
    "endpoint enabled again": (5, enable),
    "shops are dead for days": (0.6, dead_for_days),
}
