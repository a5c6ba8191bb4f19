"""The HTTP API while no daemon runs: served here, on a socket of our own, while the database is ours."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from watcher import app as composition
from watcher.api.server import listen_unix
from watcher.cli.failure import WRONG_USAGE, Failure, obstacle
from watcher.migrate import MigrationError
from watcher.settings_errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from watcher.settings import Settings


@asynccontextmanager
async def serve(settings: Settings, *, introduce: bool) -> AsyncIterator[Path]:
    """Own the database and serve the API on a socket of our own: no scanner runs, and nothing is sent."""
    built = composition.build(settings)
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(composition.prepared(built))
        except MigrationError as error:
            raise Failure(str(error)) from None
        except SettingsError as error:
            raise Failure(f"{settings.file}: {error}", WRONG_USAGE) from None
        except (OSError, DBAPIError) as error:
            raise obstacle(error, settings.database.path) from None
        if introduce:
            await composition.introduce(built)
        folder = stack.enter_context(TemporaryDirectory(prefix="watcher-"))
        path = Path(folder) / "api.sock"
        runner = await listen_unix(built.context(), path)
        stack.push_async_callback(runner.cleanup)
        yield path
