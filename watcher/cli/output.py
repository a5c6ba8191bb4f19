"""How answers look: JSON for programs, tables for people. Decides nothing."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_UNBOUNDED = 10_000
"""Columns where no terminal limits them: a program that reads the table finds each value whole."""


def as_json(value: Any) -> None:
    """Print a value as JSON."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str = "none") -> None:
    """Print rows below their columns' names; `empty` stands for no rows at all."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for index, name in enumerate(columns):
        drawn.add_column(name, overflow="fold", no_wrap=index == 0)
    for row in rows:
        drawn.add_row(*(Text(_cell(cell)) for cell in row))
    if not drawn.row_count:
        typer.echo(empty)
        return
    Console(highlight=False, width=None if sys.stdout.isatty() else _UNBOUNDED).print(drawn)


def fields(pairs: Iterable[tuple[str, object]]) -> None:
    """Print names and values below each other; what has no value is left out."""
    shown = [(name, _cell(value)) for name, value in pairs if value not in (None, "", [], {})]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        typer.echo(f"{name:<{width}}  {value}")


def time(moment: str | None) -> str:
    """Return a moment (RFC 3339 in UTC) to the second."""
    return f"{moment[:10]} {moment[11:19]}Z" if moment else ""


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case list() | tuple():
            return ", ".join(_cell(item) for item in value)
        case _:
            return str(value)
