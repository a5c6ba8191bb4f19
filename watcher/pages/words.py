"""Reads the texts of one language from its file, and proves that each can be shown. Knows no page.

A file is TOML: `key = "text with {value}"`. Every key is one of ours, with the values of the
English text.
"""

from __future__ import annotations

import re
import string
import tomllib
from typing import TYPE_CHECKING

from watcher.settings_errors import SettingsError
from watcher.settings_mail import LANGUAGE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAME = "language_name"
"""What a language calls itself: the one text that no other language can lend."""


def files(folder: Path) -> list[Path]:
    """Return a folder's files of texts; SettingsError if it cannot be read."""
    try:
        return sorted(file for file in folder.iterdir() if file.suffix == ".toml")
    except OSError as error:
        line = f"checkout.languages: cannot read {folder} ({error.strerror})"
        raise SettingsError(f"{line}; name a folder that the daemon's user may read") from None


def read(file: Path) -> dict[str, str]:
    """Return a file's texts as they stand there."""
    try:
        found = tomllib.loads(file.read_bytes().decode("utf-8-sig").replace("\r\n", "\n"))
    except OSError as error:
        raise _wrong(file, f"cannot be read ({error.strerror}); let the daemon's user read it") from None
    except UnicodeDecodeError:
        raise _wrong(file, "is not UTF-8 text; save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise _wrong(file, f"is not TOML: {error}") from None
    for key, text in found.items():
        if not isinstance(text, str):
            raise _wrong(file, f'{key} is not a text; write {key} = "…"')
    return found


def translated(file: Path, english: Mapping[str, str]) -> dict[str, str]:
    """Return a file's texts, each held against the English one."""
    if not re.fullmatch(LANGUAGE, file.stem):
        raise _wrong(file, 'is named by no language; write its tag in small letters: "de.toml", "pt-br.toml"')
    found = read(file)
    for key, text in found.items():
        if key not in english:
            raise _wrong(file, f"{key} is no text of ours; take it out")
        _check(file, key, text, values(english[key]))
    return found


def values(text: str) -> set[str]:
    """Return the names in braces; ValueError unless each is a name alone: nothing else is looked up."""
    found = [one for one in string.Formatter().parse(text) if one[1] is not None]
    for _, name, spec, conversion in found:
        if spec or conversion or not str(name).isidentifier():
            raise ValueError(f"write no more than a name in braces, not {{{name}…}}")
    return {str(name) for _, name, _, _ in found}


def _check(file: Path, key: str, text: str, wanted: set[str]) -> None:
    there = ", ".join(f"{{{name}}}" for name in sorted(wanted)) or "none"
    try:
        named = values(text)
    except ValueError as error:
        raise _wrong(file, f"{key}: {error}; there is: {there}") from None
    if named - wanted:
        raise _wrong(file, f"{key} names an unknown value; there is: {there}")
    if wanted - named:
        raise _wrong(file, f"{key} leaves out a value; it has to show: {there}")
    if not text.strip():
        raise _wrong(file, f"{key} is empty; write a text, or take it out to have it in English")


def _wrong(file: Path, what: str) -> SettingsError:
    return SettingsError(f"checkout.languages: {file}: {what}")
