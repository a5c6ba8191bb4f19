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
    form: Annotated[str, typer.Option("--format", help="standard, oxapay or btcpay.")] = "standard",
    secret: Annotated[
        str | None, typer.Option(help="What signs; - reads it from standard input. Otherwise one is made.")
    ] = None,
    signature: Annotated[
        str | None, typer.Option(help="What the secret is made for: hmac (the default) or ed25519.")
    ] = None,
    description: Annotated[str | None, typer.Option(help="For your own eyes.")] = None,
    success_body: Annotated[
        str | None,
        typer.Option(help="Success is then 200 with exactly this body."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Add an endpoint; its secret is shown this once, of an ed25519 key the public one alone."""
    from watcher.cli import client

    body: dict[str, Any] = {"url": url, "format": form, "events": event, "chains": chain}
    body |= {"secret": _typed() if secret == _STDIN else secret, "signature": signature}
    body |= {"description": description, "success_body": success_body}
    names = flags(url="URL", events="--event", chains="--chain")
    sent = {name: value for name, value in body.items() if value is not None}
    made = client.run(options.settings(context), lambda api: api.post("/v1/webhooks", sent, names))
    if as_json:
        output.as_json(made)
    else:
        shown = ("id", "url", "events", "chains", "format", "signature", "public_key", "secret")
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
    columns += ["public_key"] if any(one["public_key"] for one in answer["data"]) else []
    rows = [[one[name] for name in columns] for one in answer["data"]]
    output.table(columns, rows, "no endpoint; add one: watcher webhook add URL")


@app.command()
def show(context: typer.Context, webhook: Endpoint, *, as_json: options.Json = False) -> None:
    """Show an endpoint, and the public key that checks its signatures if it has one."""
    from watcher.cli import client

    path = f"/v1/webhooks/{client.part(webhook)}"
    found = client.run(options.settings(context), lambda api: api.get(path))
    if as_json:
        output.as_json(found)
    else:
        output.fields(found.items())


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
    secret: Annotated[
        str | None, typer.Option(help="The new one; - reads it from standard input. Otherwise one is made.")
    ] = None,
    signature: Annotated[
        str | None, typer.Option(help="hmac or ed25519; otherwise as the earlier one signs.")
    ] = None,
) -> None:
    """Give an endpoint a new secret, alone on the first line; of an ed25519 key the public one."""
    from watcher.cli import client

    given = {"secret": _typed() if secret == _STDIN else secret, "signature": signature}
    body = {"overlap_seconds": overlap} | {name: value for name, value in given.items() if value is not None}
    path = f"/v1/webhooks/{client.part(webhook)}/rotate"
    names = flags(overlap_seconds="--overlap")
    made = client.run(options.settings(context), lambda api: api.post(path, body, names))
    typer.echo(made["public_key"] or made["secret"])
    typer.echo(f"{made['id']}: the earlier secret signs beside it for {overlap} s", err=True)


@app.command()
def replay(
    context: typer.Context,
    webhook: Endpoint,
    *,
    after: Annotated[str, typer.Option(metavar="TIME", help="What was made from then on; RFC 3339.")],
    before: Annotated[str | None, typer.Option(metavar="TIME", help="Until before then.")] = None,
    state: Annotated[
        str | None, typer.Option(help="Only pending, delivered or dead ones; dead are those that failed.")
    ] = None,
) -> None:
    """Send an endpoint again what it was sent within a span of time: the same ids and the same bytes."""
    from watcher.cli import client

    given = {"after": after, "before": before, "state": state}
    body = {name: value for name, value in given.items() if value is not None}

    async def ask(api: Api) -> tuple[dict[str, Any], bool]:
        return await api.post(f"/v1/webhooks/{client.part(webhook)}/replay", body, flags()), api.daemon

    again, daemon = client.run(options.settings(context), ask)
    when = "are sent again" if daemon else "will be sent again when the daemon runs"
    typer.echo(f"{again['deliveries']} deliveries {when}")


@app.command()
def remove(context: typer.Context, webhook: Endpoint) -> None:
    """Remove an endpoint; what waits for it is cancelled."""
    from watcher.cli import client

    client.run(options.settings(context), lambda api: api.delete(f"/v1/webhooks/{client.part(webhook)}"))
    typer.echo(f"{webhook} is removed")
