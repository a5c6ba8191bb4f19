"""Where settings come from: the TOML file and the environment on top of it.

Knows no key but the names of the sections; what the values mean is for the models.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path, PurePath
from stat import S_ISDIR, S_ISREG
from typing import Any

from watcher.settings_errors import Loc, SettingsError, dotted

SEARCHED = (Path("watcher.toml"), Path("/etc/deposit-watcher/watcher.toml"))
_PREFIX = "WATCHER_"

Tree = dict[str, Any]


@dataclass(slots=True)
class Source:
    """The raw configuration. `origins`: which variable of the environment gave the value at a place."""

    file: Path
    tree: Tree
    origins: dict[Loc, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """What relative paths are relative to."""
        return self.file.resolve().parent

    def name(self, loc: Loc) -> str:
        """Return how to speak of a place: its variable, or file and dotted key."""
        for length in range(len(loc), 0, -1):
            if loc[:length] in self.origins:
                return self.origins[loc[:length]]
        return f"{self.file}: {dotted(loc)}" if loc else str(self.file)


def read(path: Path | None, environ: Mapping[str, str], sections: list[str]) -> Source:
    """Return the file's tree with the environment on top; SettingsError if it is not there or broken."""
    file = _find(path)
    source = Source(file, _parse(file))
    for variable in sorted(environ):
        _overlay(source, variable, environ[variable], sections)
    return source


def plain(value: Any) -> Any:
    """Return a value of a program as a file would hold it: tables, lists, and text for paths and decimals."""
    match value:
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case PurePath():
            return str(value)
        case Decimal():
            return format(value, "f")
        case _:
            return value


def _find(path: Path | None) -> Path:
    if path is not None:
        if _is_there(path):
            return path
        raise SettingsError(f"{path}: there is no such file; write one with: watcher init {path}")
    for candidate in SEARCHED:
        if _is_there(candidate):
            return candidate
    places = " nor ".join(str(candidate) for candidate in SEARCHED)
    raise SettingsError(f"no configuration: there is neither {places}; write one with: watcher init")


def _is_there(file: Path) -> bool:
    """Tell whether there is a file; SettingsError for what is there and is none."""
    try:
        mode = file.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read ({error.strerror}); let this user read it") from None
    if S_ISDIR(mode):
        raise SettingsError(f"{file}: is a directory; name a file")
    if not S_ISREG(mode):
        raise SettingsError(f"{file}: is not a regular file; name one")
    return True


def _parse(file: Path) -> Tree:
    try:
        with file.open("rb") as stream:
            return tomllib.load(stream)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file}: not valid TOML: {error}; correct that line") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{file}: not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read ({error.strerror}); let this user read it") from None


def _overlay(source: Source, variable: str, text: str, sections: list[str]) -> None:
    if not variable.startswith(_PREFIX):
        return
    name = variable.removeprefix(_PREFIX)
    if "__" not in name:
        _refuse_single_underscore(variable, name, sections)
        return
    *tables, key = name.lower().split("__")
    here = source.tree
    loc: Loc = ()
    for table in tables:
        found = _existing(here, table)
        here, loc = here.setdefault(found, {}), (*loc, found)
        if not isinstance(here, dict):
            raise SettingsError(f"{variable}: {dotted(loc)} is not a table; set {dotted(loc)} itself")
    found = _existing(here, key)
    here[found] = _decode(variable, text)
    source.origins[(*loc, found)] = variable


def _refuse_single_underscore(variable: str, name: str, sections: list[str]) -> None:
    for section in sections:
        start = f"{section.upper()}_"
        if name.startswith(start):
            right = f"{_PREFIX}{start}_{name.removeprefix(start)}"
            raise SettingsError(f"{variable}: unknown variable; did you mean {right}?")


def _existing(table: Tree, part: str) -> str:
    """Return the key of the table that a variable means: it can hold neither capitals nor hyphens."""
    return next((key for key in table if key.lower().replace("-", "_") == part), part)


def _decode(variable: str, text: str) -> Any:
    if not text.startswith(("[", "{")):
        return text
    try:
        return json.loads(text, parse_float=str)
    except json.JSONDecodeError as error:
        remedy = """write a list as '["…", "…"]' and a table as '{"key": "value"}'"""
        raise SettingsError(f"{variable}: not valid JSON (column {error.colno}); {remedy}") from None
