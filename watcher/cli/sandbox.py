"""`watcher sandbox`: the daemon on private test chains, with a shop for its webhooks; and paying there."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from watcher.cli.failure import FAILED, WRONG_USAGE, Failure

if TYPE_CHECKING:
    from watcher.sandbox.place import Place

app = typer.Typer(help="Private test chains, the daemon, and a shop that receives its webhooks.")

Folder = Annotated[
    Path | None,
    typer.Option("--dir", metavar="FOLDER", help="Where it keeps its files; otherwise ./.sandbox."),
]
_FOLDER = Path(".sandbox")


@app.callback(invoke_without_command=True)
def sandbox(
    context: typer.Context,
    *,
    folder: Folder = None,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Of the API; otherwise 8080, or a free one where that is taken."),
    ] = None,
) -> None:
    """Run it until Ctrl-C. Each start begins with fresh chains and an empty database."""
    if context.invoked_subcommand is not None:
        return
    from watcher.cli import sandbox_run
    from watcher.sandbox.place import Place

    place = Place((folder or _FOLDER).absolute())
    with ExitStack() as owned:
        _own(place, owned)
        sandbox_run.run(place, port)


def _own(place: Place, owned: ExitStack) -> None:
    from watcher.lock import Locked
    from watcher.sandbox.place import NotOurs

    try:
        owned.enter_context(place.fresh())
    except NotOurs as error:
        raise Failure(f"--dir: {error}", WRONG_USAGE) from None
    except Locked:
        raise Failure(
            f"--dir: a sandbox runs in {place.folder} already; name another folder", FAILED
        ) from None
    except OSError as error:
        raise Failure(f"--dir: {place.folder} cannot be used ({error.strerror or error})", FAILED) from None


@app.command()
def pay(  # noqa: PLR0913 - one for each choice
    context: typer.Context,
    invoice: Annotated[
        str, typer.Argument(metavar="INVOICE", help='Its id, or "latest" for the newest one.')
    ],
    *,
    amount: Annotated[
        str | None, typer.Option(help="In the asset's unit; otherwise what is missing.")
    ] = None,
    chain: Annotated[str | None, typer.Option(help="Where, if there are several ways to pay.")] = None,
    asset: Annotated[str | None, typer.Option(help="In what, if there are several ways to pay.")] = None,
    folder: Folder = None,
) -> None:
    """Pay an invoice from the test wallet and mine until that is confirmed."""
    from watcher.cli import sandbox_pay
    from watcher.sandbox.place import Place

    group = context.parent.params["folder"] if context.parent else None
    place = Place((folder or group or _FOLDER).absolute())
    wanted = sandbox_pay.Wanted(invoice, amount, chain, asset)
    typer.echo(sandbox_pay.run(place, wanted))
