"""The endpoints of webhooks that the configuration names, made in the database as it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from watcher import endpoints
from watcher.errors import Refused
from watcher.receivers import Configured
from watcher.settings_errors import SettingsError

if TYPE_CHECKING:
    from watcher.app import App
    from watcher.settings import Settings


async def sync(app: App) -> None:
    """Make the configuration's endpoints as it says; SettingsError for one that cannot be."""
    try:
        async with app.store.write("endpoints") as connection:
            await endpoints.sync(connection, _configured(app.settings), app.rules(), app.clock())
    except Refused as refused:
        raise SettingsError(f"webhooks.endpoints: {refused.message}") from None


def _configured(settings: Settings) -> list[Configured]:
    webhooks = settings.webhooks
    return [
        Configured(
            url=one.url,
            secrets=webhooks.secrets(one),
            events=one.events,
            chains=one.chains,
            format=one.format,
            description=one.description,
            success_body=one.success_body,
        )
        for one in webhooks.endpoints
    ]
