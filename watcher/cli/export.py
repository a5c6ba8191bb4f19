"""`watcher export`: everything that moved, for the accountant, to a file or to standard output."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watcher.cli import options
from watcher.cli.failure import WRONG_USAGE, Failure
from watcher.cli.names import flags

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import IO

_STEP = 100_000
"""Bytes between two words about how far it is."""


class Form(StrEnum):
    """How it is written."""

    CSV = "csv"
    JSON = "json"


class Moment(StrEnum):
    """By which of an invoice's times it is chosen."""

    CREATED = "created"
    PAID = "paid"


def export(  # noqa: PLR0913 - one for each property
    context: typer.Context,
    *,
    form: Annotated[
        Form, typer.Option("--format", help="csv: a line for each movement; json: an array of invoices.")
    ] = Form.CSV,
    after: Annotated[str | None, typer.Option(metavar="TIME", help="From then on; RFC 3339.")] = None,
    before: Annotated[str | None, typer.Option(metavar="TIME", help="Until before then.")] = None,
    by: Annotated[Moment, typer.Option(help="The time that is meant: created or paid.")] = Moment.CREATED,
    file: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Otherwise standard output.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite FILE if it is there.")] = False,
) -> None:
    """Export invoices, payments, fees, refunds, transaction ids and times, for the accountant."""
    from watcher.cli import client

    query = {"format": form.value, "after": after, "before": before, "by": by.value}
    settings = options.settings(context)

    def fetch(write: Callable[[bytes], object]) -> None:
        client.run(settings, lambda api: api.download("/v1/export", query, write, flags()))

    if file is None or str(file) == "-":
        fetch(sys.stdout.buffer.write)
        return
    with _whole(file, force=force) as stream:
        fetch(_telling(stream))
    typer.echo(f"wrote {file}")


@contextmanager
def _whole(file: Path, *, force: bool) -> Iterator[IO[bytes]]:
    """Yield what becomes the file when all of it is written, and is gone if it never is.

    Only its owner reads it. Failure if something is there that may not be overwritten.
    """
    taken = Failure(f"{file} is there already; add --force, or name another file", WRONG_USAGE)
    if not force and file.exists():
        raise taken
    try:
        with tempfile.NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as stream:
            part = Path(stream.name)
            try:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
                _place(part, file, force=force)
            finally:
                part.unlink(missing_ok=True)
    except FileExistsError:
        raise taken from None
    except OSError as error:
        raise Failure(f"{file} cannot be written ({error.strerror}); name another place") from None


def _place(part: Path, file: Path, *, force: bool) -> None:
    """Give it its name, unless something has come to be there meanwhile."""
    if file.exists() and not force:
        raise FileExistsError
    part.replace(file)


def _telling(stream: IO[bytes]) -> Callable[[bytes], object]:
    """Return what writes, and tells on a terminal how much it was."""
    if not sys.stderr.isatty():
        return stream.write
    written = told = 0

    def write(piece: bytes) -> Any:
        nonlocal written, told
        written += len(piece)
        if written - told >= _STEP:
            told = written
            typer.echo(f"\r{written // 1000} kB", nl=False, err=True)
        return stream.write(piece)

    return write
