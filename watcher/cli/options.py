"""Options that several commands share, and the settings that each reads. Knows no command."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from watcher.cli.failure import WRONG_USAGE, Failure

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from watcher.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="Print JSON, as the HTTP API answers it.")]
Limit = Annotated[int, typer.Option(min=1, max=100_000, help="How many at most.")]

# What is to be paid, by one invoice or by all of a link.
Chain = Annotated[str | None, typer.Option(help="The chain's name in the configuration.")]
Asset = Annotated[str | None, typer.Option(help="The asset's symbol, such as BTC or USDT.")]
Ways = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CHAIN:ASSET:AMOUNT", help="One of several ways to pay, in place of the above; repeated."
    ),
]
Description = Annotated[str | None, typer.Option(help="What the payer sees.")]
Tolerance = Annotated[str | None, typer.Option(metavar="PERCENT", help="Short by no more counts as paid.")]
Confirmations = Annotated[str | None, typer.Option(help="A number, safe or finalized.")]
Body = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="All of it as JSON, as the HTTP API takes it; - is standard input."),
]


def settings(context: typer.Context) -> Settings:
    """Return the settings of this command, with logging turned down to what failed; Failure if wrong."""
    from watcher import log

    log.configure("error", "console")
    return load(context.obj)


def load(file: Path | None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings from a file and the environment; Failure (wrong usage) names the key."""
    from watcher.settings import SettingsError
    from watcher.settings import load as read

    try:
        return read(file, environ)
    except SettingsError as error:
        raise Failure(str(error), WRONG_USAGE) from None
