"""`watcher key`: makes, lists and revokes API keys."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from watcher.cli import options, output
from watcher.cli.names import flags

app = typer.Typer(help="API keys: shown once, stored hashed.")

_ALL = 1_000_000
"""Nobody has as many."""


class Scope(StrEnum):
    """What a key may do; each includes those before it."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Whose it is.")],
    *,
    scope: Annotated[
        Scope, typer.Option(help="read: look; write: make invoices too; admin: everything.")
    ] = Scope.WRITE,
) -> None:
    """Make an API key; it stands alone on the first line and is never shown again."""
    from watcher.cli import client

    made = client.run(
        options.settings(context),
        lambda api: api.post("/v1/keys", {"name": name, "scope": scope.value}, flags(name="NAME")),
    )
    typer.echo(made["key"])
    typer.echo(f"{made['id']} {made['name']} ({made['scope']}): keep it, it is shown this once", err=True)


@app.command("list")
def listing(context: typer.Context, *, as_json: options.Json = False) -> None:
    """List the API keys, revoked ones too."""
    from watcher.cli import client

    answer = client.run(options.settings(context), lambda api: api.listing("/v1/keys", {}, _ALL))
    if as_json:
        output.as_json(answer)
        return
    rows = [
        (key["id"], key["name"], key["scope"], output.time(key["created_at"]), output.time(key["revoked_at"]))
        for key in answer["data"]
    ]
    output.table(
        ["id", "name", "scope", "created", "revoked"], rows, "no API key; make one: watcher key create NAME"
    )


@app.command()
def revoke(
    context: typer.Context, key: Annotated[str, typer.Argument(metavar="KEY", help="Its id or its name.")]
) -> None:
    """End an API key at once and for ever."""
    from watcher.cli import client

    client.run(options.settings(context), lambda api: api.delete(f"/v1/keys/{client.part(key)}"))
    typer.echo(f"{key} is revoked")
