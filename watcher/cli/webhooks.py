"""`watcher webhook`: the receivers of webhooks."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watcher.cli import options, output
from watcher.cli.explain import outcome
from watcher.cli.failure import Failure
from watcher.cli.names import flags

if TYPE_CHECKING:
    from watcher.cli.client import Api

app = typer.Typer(help="The receivers of webhooks.")

Endpoint = Annotated[str, typer.Argument(metavar="WEBHOOK", help="Its id.")]

_STDIN = "-"
_WITHIN = 30.0
"""Seconds to wait for the outcome of a test."""


@app.command()
def add(  # noqa: PLR0913 - one for each property
    context: typer.Context,
    url: Annotated[str, typer.Argument(metavar="URL", help="Where to send.")],
    *,
    event: Annotated[
        list[str] | None, typer.Option(help="Only this event, such as invoice.paid; can be repeated.")
    ] = None,
    chain: Annotated[list[str] | None, typer.Option(help="Only of this chain; can be repeated.")] = None,
    form: Annotated[str, typer.Option("--format", help="This version speaks only: standard.")] = "standard",
    secret: Annotated[
        str | None, typer.Option(help="What signs; - reads it from standard input. Otherwise one is made.")
    ] = None,
    description: Annotated[str | None, typer.Option(help="For your own eyes.")] = None,
    success_body: Annotated[
        str | None,
        typer.Option(help="Success is then 200 with exactly this body."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Add an endpoint; its secret is shown this once."""
    from watcher.cli import client

    body: dict[str, Any] = {"url": url, "format": form, "events": event, "chains": chain}
    body |= {"secret": _typed() if secret == _STDIN else secret}
    body |= {"description": description, "success_body": success_body}
    names = flags(url="URL", events="--event", chains="--chain")
    sent = {name: value for name, value in body.items() if value is not None}
    made = client.run(options.settings(context), lambda api: api.post("/v1/webhooks", sent, names))
    if as_json:
        output.as_json(made)
    else:
        shown = ("id", "url", "events", "chains", "format", "secret")
        output.fields((name, made[name]) for name in shown)


def _typed() -> str:
    """Return the first line of standard input: a secret on the command line can be read by other users."""
    return sys.stdin.readline().strip()


@app.command("list")
def listing(context: typer.Context, *, limit: options.Limit = 200, as_json: options.Json = False) -> None:
    """List the endpoints, but for the invoices' own."""
    from watcher.cli import client

    answer = client.run(options.settings(context), lambda api: api.listing("/v1/webhooks", {}, limit))
    if as_json:
        output.as_json(answer)
        return
    columns = ["id", "url", "events", "format", "state", "managed"]
    rows = [[one[name] for name in columns] for one in answer["data"]]
    output.table(columns, rows, "no endpoint; add one: watcher webhook add URL")


@app.command()
def test(context: typer.Context, webhook: Endpoint) -> None:
    """Send a test to an endpoint and tell what came of it; exit status 1 if it was not taken."""
    from watcher.cli import client

    typer.echo(client.run(options.settings(context), lambda api: _test(api, client.part(webhook))))


async def _test(api: Api, webhook: str) -> str:
    sent = await api.post(f"/v1/webhooks/{webhook}/test")
    if not api.daemon:
        return f"{sent['delivery_id']} will be sent when the daemon runs"
    try:
        async with asyncio.timeout(_WITHIN):
            delivery = await _attempted(api, sent["event_id"])
    except TimeoutError:
        raise Failure(f"no outcome within {_WITHIN:.0f} s; see: watcher delivery list") from None
    told = outcome(delivery["history"][-1])
    if delivery["state"] != "delivered":
        raise Failure(f"not delivered: {told}")
    return f"delivered: {told}"


async def _attempted(api: Api, event_id: str) -> dict[str, Any]:
    """Return the delivery of an event once it was tried."""
    while True:
        found = await api.get("/v1/deliveries", {"event_id": event_id})
        for delivery in found["data"]:
            if delivery["history"]:
                return dict(delivery)
        await asyncio.sleep(0.1)


@app.command()
def rotate(
    context: typer.Context,
    webhook: Endpoint,
    *,
    overlap: Annotated[
        int, typer.Option(min=0, metavar="SECONDS", help="How long the earlier secret signs as well.")
    ] = 86_400,
) -> None:
    """Give an endpoint a new secret, alone on the first line."""
    from watcher.cli import client

    made = client.run(
        options.settings(context),
        lambda api: api.post(
            f"/v1/webhooks/{client.part(webhook)}/rotate",
            {"overlap_seconds": overlap},
            flags(overlap_seconds="--overlap"),
        ),
    )
    typer.echo(made["secret"])
    typer.echo(f"{made['id']}: the earlier secret signs beside it for {overlap} s", err=True)


@app.command()
def remove(context: typer.Context, webhook: Endpoint) -> None:
    """Remove an endpoint; what waits for it is cancelled."""
    from watcher.cli import client

    client.run(options.settings(context), lambda api: api.delete(f"/v1/webhooks/{client.part(webhook)}"))
    typer.echo(f"{webhook} is removed")
