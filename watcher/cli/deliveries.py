"""`watcher delivery`: what was sent to the endpoints, and sending it again."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from watcher.cli import options, output
from watcher.cli.explain import delivery as lines
from watcher.cli.explain import outcome
from watcher.cli.names import flags
from watcher.untrusted import one_line

app = typer.Typer(help="What was sent to the endpoints.")

Delivery = Annotated[str, typer.Argument(metavar="DELIVERY", help="Its id.")]

_WIDTH = 60
"""So many characters of the last answer stand in a table."""


@app.command("list")
def listing(  # noqa: PLR0913 - one for each filter
    context: typer.Context,
    *,
    state: Annotated[
        list[str] | None, typer.Option(help="pending, delivered, dead or cancelled; can be repeated.")
    ] = None,
    webhook: Annotated[list[str] | None, typer.Option(help="Only to this endpoint.")] = None,
    event: Annotated[list[str] | None, typer.Option(help="Only of this event.")] = None,
    invoice: Annotated[list[str] | None, typer.Option(help="Only of this invoice.")] = None,
    limit: options.Limit = 50,
    as_json: options.Json = False,
) -> None:
    """List deliveries, newest first."""
    from watcher.cli import client

    query = {"state": state, "webhook_id": webhook, "event_id": event, "invoice_id": invoice}
    answer = client.run(
        options.settings(context), lambda api: api.listing("/v1/deliveries", query, limit, flags())
    )
    if as_json:
        output.as_json(answer)
        return
    columns = ["id", "event", "invoice", "endpoint", "state", "attempts", "last", "answer"]
    output.table(columns, [_row(one) for one in answer["data"]], "no delivery")


def _row(one: dict[str, Any]) -> list[object]:
    last = one["history"][-1] if one["history"] else None
    names = ("id", "event_type", "invoice_id", "webhook_id", "state", "attempts")
    said = one_line(last["answer"] or "", _WIDTH) if last else None
    return [*(one[name] for name in names), outcome(last) if last else None, said]


@app.command()
def show(context: typer.Context, delivery: Delivery, *, as_json: options.Json = False) -> None:
    """Show a delivery with every attempt and what the receiver answered."""
    from watcher.cli import client

    path = f"/v1/deliveries/{client.part(delivery)}"
    found = client.run(options.settings(context), lambda api: api.get(path))
    if as_json:
        output.as_json(found)
        return
    for line in lines(found):
        typer.echo(line)


@app.command()
def redeliver(context: typer.Context, delivery: Delivery) -> None:
    """Send a delivery again: the same id and the same bytes."""
    from watcher.cli import client

    async def ask(api: client.Api) -> tuple[dict[str, Any], bool]:
        return await api.post(f"/v1/deliveries/{client.part(delivery)}/redeliver"), api.daemon

    again, daemon = client.run(options.settings(context), ask)
    when = "is sent again" if daemon else "will be sent again when the daemon runs"
    typer.echo(f"{again['id']} ({again['event_type']}) {when}")
