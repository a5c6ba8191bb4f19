"""`watcher rescan`: has blocks read again."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from watcher.cli import options
from watcher.cli.names import flags


def rescan(
    context: typer.Context,
    chain: Annotated[str, typer.Argument(metavar="CHAIN", help="Its name in the configuration.")],
    *,
    first: Annotated[int, typer.Option("--from", min=0, metavar="HEIGHT", help="The first block.")],
    last: Annotated[
        int | None,
        typer.Option(
            "--to", min=0, metavar="HEIGHT", help="The last block; otherwise the last that was read."
        ),
    ] = None,
) -> None:
    """Read blocks of a chain again; money that is known already is not counted twice."""
    from watcher.cli import client

    async def ask(api: client.Api) -> tuple[dict[str, Any], bool]:
        body = {"from": first} | ({} if last is None else {"to": last})
        return await api.post(f"/v1/chains/{client.part(chain)}/rescan", body, flags()), api.daemon

    planned, daemon = client.run(options.settings(context), ask)
    when = "are being read again" if daemon else "will be read again when the daemon runs"
    typer.echo(f"blocks {planned['from']} to {planned['to']} of {planned['chain']} {when}")
