"""The languages of payers' pages: ours, and those that the merchant drops into a folder; which a payer reads.

What a language lacks is in ours of the same name, then in English.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from watcher.pages import words
from watcher.settings_errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FOLDER = Path(__file__).parent / "words"
FALLBACK = "en"

_RIGHT_TO_LEFT = {"ar", "arc", "ckb", "dv", "fa", "he", "ks", "ku-arab", "ps", "sd", "syr", "ug", "ur", "yi"}
_READ = 1000
"""Characters of an Accept-Language that are looked at."""
_WEIGHT = re.compile(r"\s*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Language:
    """One language. `code` is its tag in lower case."""

    code: str
    words: Mapping[str, str]

    @property
    def name(self) -> str:
        """What it calls itself."""
        return self.words[words.NAME]

    @property
    def direction(self) -> str:
        """How it is written, as HTML says it."""
        return "rtl" if any(code in _RIGHT_TO_LEFT for code in _shorter(self.code)) else "ltr"

    def text(self, key: str, /, **values: object) -> Markup:
        """Return a text with its values, all escaped; KeyError for a key that is none of ours."""
        return Markup(escape(self.words[key])).format(**values)  # noqa: S704 - escaped before


class Languages:
    """Every language that payers' pages speak."""

    def __init__(self, languages: Mapping[str, Language]) -> None:
        self._languages = languages

    @property
    def codes(self) -> list[str]:
        """Every language, sorted."""
        return sorted(self._languages)

    @property
    def all(self) -> list[Language]:
        """Every language, sorted by what it calls itself."""
        return sorted(self._languages.values(), key=lambda one: one.name.casefold())

    def choose(self, accepted: str, wanted: str | None = None) -> Language:
        """Return the language that was chosen by hand, else the best that a browser asks for, else English.

        `accepted` is its Accept-Language (RFC 9110, section 12.5.4); tags are cut from their end until one
        is there (RFC 4647, section 3.4).
        """
        for tag in (wanted or "", *_preferred(accepted)):
            for code in _shorter(tag.lower()):
                if code in self._languages:
                    return self._languages[code]
        return self._languages[FALLBACK]


def _shorter(tag: str) -> Iterator[str]:
    """Yield "zh-hant-tw", "zh-hant", "zh"."""
    while tag:
        yield tag
        tag = tag.rpartition("-")[0]


def _preferred(accepted: str) -> list[str]:
    """Return the tags of an Accept-Language, the dearest first; what cannot be read is passed over."""
    found: list[tuple[float, str]] = []
    for part in accepted[:_READ].split(","):
        tag, parameter, weight = part.partition(";")
        match = _WEIGHT.fullmatch(weight)
        quality = float(match[1]) if match else float(not parameter)
        if quality > 0 and tag.strip():
            found.append((quality, tag.strip()))
    return [tag for _, tag in sorted(found, key=lambda one: -one[0])]


def load(folder: Path | None) -> Languages:
    """Return our languages and those of a folder; SettingsError, in one line, for one that cannot be used."""
    english = words.read(FOLDER / f"{FALLBACK}.toml")
    texts = {file.stem: words.translated(file, english) for file in words.files(FOLDER)}
    for file in words.files(folder) if folder else ():
        texts[file.stem] = {**texts.get(file.stem, {}), **words.translated(file, english)}
        if words.NAME not in texts[file.stem]:
            example = f'{words.NAME} = "Deutsch"'
            raise SettingsError(
                f"checkout.languages: {file}: {words.NAME} is missing; write what it calls itself: {example}"
            )
    return Languages({code: Language(code, {**english, **own}) for code, own in texts.items()})
