"""The kinds of chain: to add one, add one file with `Config` and `Adapter`.

A file without an underscore is a kind, unless all kinds share it; a file with one is a concern beside it.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

_SHARED = {"base", "config", "keys", "naive", "rpc"}


def kinds() -> list[str]:
    """Return the names that `kind` in the configuration can have."""
    return sorted(
        each.name for each in iter_modules(__path__) if "_" not in each.name and each.name not in _SHARED
    )


def load(kind: str) -> ModuleType:
    """Import a kind when it is first needed; its module has `Config` and `Adapter`. ValueError if unknown."""
    if kind not in kinds():
        raise ValueError(f"unknown kind of chain {kind!r}: it is one of {', '.join(kinds())}")
    return import_module(f"{__name__}.{kind}")


def load_naive(kind: str) -> ModuleType:
    """Import the second, simple reading of a kind; its module has `Reader`, a `chains.naive.NaiveReader`."""
    return import_module(f"{load(kind).__name__}_naive")
