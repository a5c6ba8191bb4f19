"""What depends on the configuration's folder: values kept in files of their own, and relative paths."""

from __future__ import annotations

from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from watcher.settings_errors import Faults, Loc
    from watcher.settings_source import Source, Tree

SQLITE = "sqlite:///"
_LARGEST = 65_536
"""Bytes of a file that holds one value."""

_FOLDERS = (("mail", "templates"), ("checkout", "languages"))
"""Settings that name a folder."""


class AbsentError(ValueError):
    """The file that holds a value is not there."""


def resolve(source: Source, faults: Faults) -> Tree:
    """Return the tree with file references read and what depends on the folder made absolute."""
    tree: Tree = _with_files(source.tree, (), source, faults)
    database = tree.setdefault("database", {})
    webhooks = tree.setdefault("webhooks", {})
    if isinstance(database, dict):
        database["url"] = _absolute(database.get("url", "sqlite:///watcher.db"), source.folder)
    for section, key in _FOLDERS:
        table = tree.get(section)
        if isinstance(table, dict) and isinstance(table.get(key), str):
            table[key] = str(source.folder / table[key])
    if isinstance(webhooks, dict) and "secret" not in webhooks:
        reference = {"file": str(_state_folder(database, source.folder) / "webhook.secret")}
        webhooks["secret"] = _with_files(reference, ("webhooks", "secret"), source, faults)
    return tree


def _absolute(url: Any, folder: Path) -> Any:
    if not isinstance(url, str) or not url.startswith(SQLITE) or url.removeprefix(SQLITE) in ("", ":memory:"):
        return url
    return f"{SQLITE}{folder / url.removeprefix(SQLITE)}"


def _state_folder(database: Any, folder: Path) -> Path:
    """Return where what the daemon makes itself is kept: beside the database, which it can write."""
    url = database["url"] if isinstance(database, dict) else None
    if isinstance(url, str) and url.startswith(SQLITE):
        return Path(url.removeprefix(SQLITE)).parent
    return folder


def _with_files(value: Any, loc: Loc, source: Source, faults: Faults) -> Any:
    """Replace each `{ file = "path" }` by the file's text; a secret's file need not exist yet."""
    if _is_reference(value) and loc:
        path = source.folder / value["file"]
        try:
            return _secret_file(path) if _is_secret(loc) else _text(path)
        except ValueError as error:
            faults.add(loc, str(error))
            return ""
    if isinstance(value, dict):
        return {key: _with_files(item, (*loc, key), source, faults) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_files(item, (*loc, index), source, faults) for index, item in enumerate(value)]
    return value


def _is_secret(loc: Loc) -> bool:
    return loc[0] == "webhooks" and "secret" in loc[-2:]


def _secret_file(path: Path) -> Tree:
    try:
        return {"file": path, "text": _text(path)}
    except AbsentError:
        return {"file": path}


def _text(path: Path) -> str:
    """Return a file's text without its final line end; ValueError, in one line, when there is none."""
    remedy = "write the value into it, or correct the path"
    try:
        text = _bytes(path).decode("utf-8").rstrip("\r\n")
    except FileNotFoundError:
        raise AbsentError(f"there is no file {path}; {remedy}") from None
    except OSError as error:
        raise ValueError(f"cannot read {path} ({error.strerror}); let the daemon's user read it") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not text; {remedy}") from None
    if not text:
        raise ValueError(f"the file {path} is empty; {remedy}")
    return text


def _bytes(path: Path) -> bytes:
    """Return what is in a file; ValueError for what can have no end: a device, a pipe, or too much."""
    remedy = "name a file that holds the value and nothing else"
    if not S_ISREG(path.stat().st_mode):
        raise ValueError(f"{path} is not a regular file; {remedy}")
    with path.open("rb") as stream:
        found = stream.read(_LARGEST + 1)
    if len(found) > _LARGEST:
        raise ValueError(f"{path} is larger than {_LARGEST} bytes; {remedy}")
    return found


def _is_reference(value: object) -> bool:
    """Tell whether a value is written `{ file = "path" }`."""
    return isinstance(value, dict) and list(value) == ["file"] and isinstance(value["file"], str)
