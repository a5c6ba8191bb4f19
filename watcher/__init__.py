"""Deposit watcher: knows invoices, and names no chain. What a program that embeds it imports is listed here.

Nothing is loaded before it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from watcher.api.schema import Invoice, SignableRefund
    from watcher.api.schema_standings import StandingAddress
    from watcher.embed import Watcher
    from watcher.embed_beside import WatcherFailed
    from watcher.embed_events import Event, EventStream
    from watcher.errors import Refused
    from watcher.lock import Locked
    from watcher.migrate import MigrationError
    from watcher.model import ChainState, ChainStatus, EventType, Status
    from watcher.settings import Settings
    from watcher.settings_errors import SettingsError

__all__ = [
    "ChainState",
    "ChainStatus",
    "Event",
    "EventStream",
    "EventType",
    "Invoice",
    "Locked",
    "MigrationError",
    "Refused",
    "Settings",
    "SettingsError",
    "SignableRefund",
    "StandingAddress",
    "Status",
    "Watcher",
    "WatcherFailed",
]

_HOMES = {
    "ChainState": "watcher.model",
    "ChainStatus": "watcher.model",
    "Event": "watcher.embed_events",
    "EventStream": "watcher.embed_events",
    "EventType": "watcher.model",
    "Invoice": "watcher.api.schema",
    "Locked": "watcher.lock",
    "MigrationError": "watcher.migrate",
    "Refused": "watcher.errors",
    "Settings": "watcher.settings",
    "SettingsError": "watcher.settings_errors",
    "SignableRefund": "watcher.api.schema",
    "StandingAddress": "watcher.api.schema_standings",
    "Status": "watcher.model",
    "Watcher": "watcher.embed",
    "WatcherFailed": "watcher.embed_beside",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
