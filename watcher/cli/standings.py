"""`watcher address`: makes, lists, shows and archives standing addresses."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from watcher.cli import options, output
from watcher.cli.failure import WRONG_USAGE, Failure
from watcher.cli.names import flags

app = typer.Typer(help="Standing addresses: one for each customer, for any amount, as long as wanted.")

Standing = Annotated[str, typer.Argument(metavar="ADDRESS_ID", help="Its id, adr_….")]

_COLUMNS = ["id", "chain", "address", "label"]


@app.command()
def create(  # noqa: PLR0913 - one for each of the terms
    context: typer.Context,
    *,
    chain: Annotated[str, typer.Option(help="The chain's name in the configuration.")],
    address: Annotated[
        str | None, typer.Option(help="Your own address; otherwise the next is taken.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="Your own name for it, such as the customer's.")] = None,
    metadata: Annotated[str | None, typer.Option(metavar="JSON", help="An object that events carry.")] = None,
    confirmations: Annotated[str | None, typer.Option(help="A number, safe or finalized.")] = None,
    as_json: options.Json = False,
) -> None:
    """Make a standing address."""
    from watcher.cli import client

    given = {"address": address, "label": label, "metadata": _metadata(metadata)}
    if confirmations is not None:
        given["confirmations"] = int(confirmations) if confirmations.isdecimal() else confirmations
    body = {"chain": chain} | {name: value for name, value in given.items() if value is not None}
    made = client.run(
        options.settings(context), lambda api: api.post("/v1/addresses", body, flags()), introduce=True
    )
    if as_json:
        output.as_json(made)
    else:
        _head(made)


def _metadata(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError as error:
        message = f'--metadata: is not JSON ({error}); write an object such as {{"customer": 7}}'
        raise Failure(message, WRONG_USAGE) from None


@app.command("list")
def listing(  # noqa: PLR0913 - one for each filter
    context: typer.Context,
    *,
    chain: Annotated[list[str] | None, typer.Option(help="Can be repeated, as can all filters.")] = None,
    label: Annotated[list[str] | None, typer.Option()] = None,
    address: Annotated[list[str] | None, typer.Option()] = None,
    archived: Annotated[
        bool | None, typer.Option("--archived/--active", help="Only these; otherwise all.")
    ] = None,
    limit: options.Limit = 50,
    as_json: options.Json = False,
) -> None:
    """List standing addresses, newest first."""
    from watcher.cli import client

    query: dict[str, Any] = {"chain": chain, "label": label, "address": address, "archived": archived}
    answer = client.run(
        options.settings(context), lambda api: api.listing("/v1/addresses", query, limit, flags())
    )
    if as_json:
        output.as_json(answer)
        return
    rows = [
        [*(one[name] for name in _COLUMNS), output.time(one["created_at"]), output.time(one["archived_at"])]
        for one in answer["data"]
    ]
    output.table([*_COLUMNS, "created", "archived"], rows, "no standing address")


@app.command()
def show(context: typer.Context, address: Standing, *, as_json: options.Json = False) -> None:
    """Show a standing address with its totals and its newest deposits."""
    from watcher.cli import client

    found = client.run(
        options.settings(context), lambda api: api.get(f"/v1/addresses/{client.part(address)}")
    )
    if as_json:
        output.as_json(found)
        return
    _head(found)
    columns = ["chain", "asset", "confirmed", "pending", "aside"]
    typer.echo()
    output.table(columns, [[one[name] for name in columns] for one in found["totals"]], "nothing received")
    columns = ["chain", "asset", "amount", "status", "confirmations", "txid", "slot", "block_height", "rule"]
    typer.echo()
    output.table(columns, [[one[name] for name in columns] for one in found["deposits"]], "no deposit")


@app.command()
def remove(context: typer.Context, address: Standing) -> None:
    """Archive a standing address: what it receives from now on is told as deposit.unmatched."""
    from watcher.cli import client

    client.run(options.settings(context), lambda api: api.delete(f"/v1/addresses/{client.part(address)}"))
    typer.echo(f"{address} is archived; it stays watched")


def _head(shown: dict[str, Any]) -> None:
    names = (*_COLUMNS, "confirmations", "created_at", "archived_at")
    output.fields((name, shown[name]) for name in names)
