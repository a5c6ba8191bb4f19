"""Templates to HTML: every value is escaped, a name that is missing is an error. Knows no page."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

if TYPE_CHECKING:
    from collections.abc import Mapping

    from watcher.pages.assets import Assets

FOLDER = Path(__file__).parent / "html"

_SHORT = 20
_ENDS = 8
_CHAIN = re.compile(r"(?<=\S on )[^\s:]+(?=: | \()|^\S+(?= is read and proven )")
"""The sum of a way to pay ("ETH on base: "), a payment ("ETH on base (TXID)"), how far a chain is read."""
_MOMENT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]+)?Z")


class Templates:
    """Every template of the folder."""

    def __init__(self, assets: Assets, folder: Path = FOLDER) -> None:
        """`assets` tells templates where files are."""
        self._environment = Environment(
            loader=FileSystemLoader(folder),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals["asset"] = assets.url
        self._environment.filters.update(moment=moment, moments=moments, short=short, titled=titled)

    def render(self, name: str, values: Mapping[str, Any]) -> str:
        """Return a page's HTML."""
        return self._environment.get_template(name).render(values)


def moment(value: str | datetime | None) -> str:
    """Return a moment of the API as people read it: "2026-11-22 12:00:05 UTC"; "" for none."""
    if value is None:
        return ""
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return f"{found:%Y-%m-%d %H:%M:%S} UTC"


def moments(sentence: str) -> str:
    """Return a sentence of the API with its moments as people read them."""
    return _MOMENT.sub(r"\1 \2 UTC", sentence)


def titled(sentence: str, titles: Mapping[str, str]) -> str:
    """Return a sentence that explains an invoice with chains as people call them, by their names there."""
    return _CHAIN.sub(lambda found: titles.get(found[0], found[0]), sentence)


def short(text: str) -> str:
    """Return both ends of a long identifier."""
    return text if len(text) <= _SHORT else f"{text[:_ENDS]}…{text[-_ENDS:]}"
