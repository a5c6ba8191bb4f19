"""All commands put together, and the one place that turns a failure into a line and an exit status."""

from __future__ import annotations

import os
import sys
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated

import typer

from watcher.cli import (
    addresses,
    audit,
    check,
    daemon,
    deliveries,
    events,
    explain,
    export,
    init,
    invoices,
    keys,
    links,
    reconcile,
    refunds,
    rescan,
    sandbox,
    standings,
    stats,
    webhooks,
)
from watcher.cli.failure import FAILED, WRONG_USAGE, Failure, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHOWN = 80

app = typer.Typer(
    name="watcher",
    help="Watches blockchains for deposits to invoices and tells the shop by a signed webhook.",
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("init")(init.init)
app.command("check")(check.check)
app.command("run")(daemon.run)
app.add_typer(sandbox.app, name="sandbox")
app.add_typer(keys.app, name="key")
app.add_typer(invoices.app, name="invoice")
app.add_typer(links.app, name="link")
app.add_typer(refunds.app, name="refund")
app.add_typer(standings.app, name="address")
app.command("explain")(explain.explain)
app.add_typer(webhooks.app, name="webhook")
app.add_typer(deliveries.app, name="delivery")
app.command("events")(events.events)
app.command("stats")(stats.stats)
app.command("export")(export.export)
app.command("audit")(audit.audit)
app.command("rescan")(rescan.rescan)
app.command("addresses")(addresses.addresses)
app.command("reconcile")(reconcile.reconcile)


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it
    if wanted:
        from importlib.metadata import version

        typer.echo(f"deposit-watcher {version('deposit-watcher')}")
        raise typer.Exit


@app.callback()
def common(
    context: typer.Context,
    *,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The configuration. Otherwise ./watcher.toml, then /etc/deposit-watcher/watcher.toml.",
        ),
    ] = None,
    version: Annotated[  # noqa: ARG001 - answered by its callback
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """Keep what every command needs."""
    context.obj = config


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status; whatever is the user's to correct is one line."""
    try:
        _refuse_broken(arguments)
        status = typer.main.get_command(app).main(arguments, prog_name="watcher", standalone_mode=False)
        sys.stdout.flush()
    except typer.TyperException as error:
        return _fail(_usage(error), WRONG_USAGE)
    except typer.Abort:
        return _fail("stopped", FAILED)
    except Failure as failure:
        return _fail(str(failure), failure.status)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads: say no more
        return FAILED
    return status if isinstance(status, int) else 0


def _refuse_broken(arguments: Sequence[str]) -> None:
    """Refuse bytes that are no text: Python passes them on as halves of characters, which nothing prints."""
    for place, argument in enumerate(arguments, 1):
        shown = argument.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        if shown != argument:
            raise Failure(f"watcher: argument {place} ({shown[:_SHOWN]}) is not UTF-8 text", WRONG_USAGE)


def _usage(error: typer.TyperException) -> str:
    """Return what is wrong with the command line, and where its help is."""
    context = getattr(error, "ctx", None)
    where = context.command_path if context else "watcher"
    return f"{where}: {error.format_message().replace('Value error, ', '').rstrip('.')}; see: {where} --help"


def _fail(message: str, status: int) -> int:
    typer.echo(one_line(message), err=True)
    return status
