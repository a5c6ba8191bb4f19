"""`watcher init`: writes a configuration to start from. What stands in it is for watcher/init.py."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from watcher.cli.failure import WRONG_USAGE, Failure

_PRIVATE = 0o600


def init(
    file: Annotated[Path, typer.Argument(help="Where to write it; - prints it.")] = Path("watcher.toml"),
    *,
    chain: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PRESET", help="A chain to watch, such as bitcoin or ethereum; can be repeated."
        ),
    ] = None,
) -> None:
    """Write a commented configuration for the chains that you name."""
    from watcher import resources
    from watcher.init import render
    from watcher.settings_errors import SettingsError

    names = chain or _asked(resources.presets())
    try:
        text = render(names)
    except SettingsError as error:
        raise Failure(f"--chain: {error}", WRONG_USAGE) from None
    if str(file) == "-":
        typer.echo(text, nl=False)
        return
    _write(file, text)
    typer.echo(f"wrote {file}: fill in rpc and xpub of each chain, then: watcher --config {file} check")


def _asked(presets: list[str]) -> list[str]:
    """Ask a person which chains; a program gets none."""
    if not sys.stdin.isatty():
        return []
    typer.echo(f"Chains: {', '.join(presets)}")
    answer: str = typer.prompt("Which of them, separated by spaces")
    return answer.replace(",", " ").split()


def _write(file: Path, text: str) -> None:
    """Write a file that only its owner reads, because it will hold passwords; never over another."""
    try:
        with open(file, "x", encoding="utf-8", opener=_private) as stream:
            stream.write(text)
    except FileExistsError:
        raise Failure(f"{file} is there already; name another file, or move it away") from None
    except OSError as error:
        raise Failure(f"{file} cannot be written ({error.strerror}); name another place") from None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, _PRIVATE)
