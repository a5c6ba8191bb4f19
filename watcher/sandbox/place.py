"""The sandbox's folder: what lies where, whose it is, and what another terminal has to know to pay."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from watcher.lock import lock_path, own

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PRIVATE = 0o600
_MADE = ("watcher.toml", "watcher.log", "watcher.db*", "sandbox.json", "*.secret")


class NotOurs(Exception):  # noqa: N818 - an answer for the user
    """A folder with somebody's files in it, where a sandbox would delete what it finds."""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that belongs to one sandbox at a time."""

    folder: Path

    @property
    def config(self) -> Path:
        """The daemon's configuration."""
        return self.folder / "watcher.toml"

    @property
    def log(self) -> Path:
        """The daemon's log."""
        return self.folder / "watcher.log"

    @property
    def nodes(self) -> Path:
        """Where the nodes keep their chains."""
        return self.folder / "nodes"

    @property
    def secret(self) -> Path:
        """What signs the webhooks to the shop."""
        return self.folder / "shop.secret"

    @property
    def _record(self) -> Path:
        return self.folder / "sandbox.json"

    @contextmanager
    def fresh(self) -> Iterator[None]:
        """Own the folder, emptied of an earlier sandbox; NotOurs or Locked where it is not free."""
        name = self.folder / "sandbox"
        if self.folder.exists() and any(self.folder.iterdir()) and not lock_path(name).exists():
            raise NotOurs(
                f"{self.folder} holds other files; name an empty folder, or one that is not there yet"
            )
        with own(name):
            self._clear()
            yield

    def write(self, path: Path, text: str) -> None:
        """Write a file that only its owner reads."""
        path.touch(_PRIVATE)
        path.write_text(text, encoding="utf-8")

    def remember(self, record: dict[str, Any]) -> None:
        """Leave for other terminals what they need."""
        self.write(self._record, json.dumps(record, indent=2))

    def recall(self) -> dict[str, Any] | None:
        """Return what the running sandbox left; None where there is none."""
        try:
            record: dict[str, Any] = json.loads(self._record.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return record

    def forget(self) -> None:
        """Say that no sandbox runs here any more."""
        self._record.unlink(missing_ok=True)

    def _clear(self) -> None:
        shutil.rmtree(self.nodes, ignore_errors=True)
        for pattern in _MADE:
            for file in self.folder.glob(pattern):
                file.unlink()
        self.nodes.mkdir()
