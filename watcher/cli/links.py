"""`watcher link`: payment links, each opening of which makes an invoice."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from watcher.cli import options, output
from watcher.cli.draft import draft

app = typer.Typer(help="Payment links: each opening of one makes an invoice.")

Link = Annotated[str, typer.Argument(metavar="LINK", help="Its id.")]


@app.command()
def create(  # noqa: PLR0913 - one for each of the terms
    context: typer.Context,
    *,
    chain: options.Chain = None,
    asset: options.Asset = None,
    amount: Annotated[
        str | None, typer.Option(help='"25.50", or what the payer may choose from: "5-100".')
    ] = None,
    option: options.Ways = None,
    order_id: Annotated[str | None, typer.Option(help="Your own name, of each of its invoices.")] = None,
    description: options.Description = None,
    expires_in: Annotated[
        int | None, typer.Option(metavar="SECONDS", help="From an opening to its invoice's deadline.")
    ] = None,
    max_uses: Annotated[int | None, typer.Option(help="How many invoices there may be.")] = None,
    valid_for: Annotated[int | None, typer.Option(metavar="SECONDS", help="How long it opens.")] = None,
    valid_until: Annotated[str | None, typer.Option(metavar="TIME", help="The same; RFC 3339.")] = None,
    tolerance_percent: options.Tolerance = None,
    confirmations: options.Confirmations = None,
    webhook_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Told of its invoices alone.")
    ] = None,
    return_url: Annotated[str | None, typer.Option(metavar="URL", help="Where a payer goes on.")] = None,
    body: options.Body = None,
    as_json: options.Json = False,
) -> None:
    """Make a payment link and show where it is opened."""
    from watcher.cli import client

    terms: dict[str, Any] = {"chain": chain, "asset": asset, "amount": amount, "order_id": order_id}
    terms |= {"description": description, "expires_in": expires_in, "max_uses": max_uses}
    terms |= {"valid_for": valid_for, "valid_until": valid_until}
    terms |= {"webhook_url": webhook_url, "return_url": return_url}
    sent, names = draft(terms, option or [], tolerance_percent, confirmations, body)
    if body is None:
        _limit(sent)
    made = client.run(options.settings(context), lambda api: api.post("/v1/links", sent, names))
    if as_json:
        output.as_json(made)
    else:
        output.fields((name, made[name]) for name in ("id", "url", "max_uses", "valid_until"))


def _limit(sent: dict[str, Any]) -> None:
    """Turn every amount that is written as "5-100" into limits."""
    for way in (sent, *sent.get("options", ())):
        low, dash, high = way.get("amount", "").partition("-")
        if dash and low:
            way["amount"] = {"min": low, "max": high}


@app.command("list")
def listing(
    context: typer.Context,
    *,
    removed: Annotated[bool, typer.Option("--removed", help="Those that were removed.")] = False,
    limit: options.Limit = 50,
    as_json: options.Json = False,
) -> None:
    """List payment links, newest first."""
    from watcher.cli import client

    query = {"removed": removed or None}
    answer = client.run(options.settings(context), lambda api: api.listing("/v1/links", query, limit))
    if as_json:
        output.as_json(answer)
        return
    columns = ["id", "asks", "description", "uses", "openings", "paid", "until"]
    output.table(columns, [_row(one) for one in answer["data"]], "no payment link")


def _row(one: dict[str, Any]) -> list[object]:
    template, statistics = one["template"], one["statistics"]
    most = "" if one["max_uses"] is None else f" of {one['max_uses']}"
    return [
        one["id"],
        _asks(template),
        template.get("description"),
        f"{one['uses']}{most}",
        statistics["openings"],
        statistics["statuses"]["paid"],
        output.time(one["valid_until"]),
    ]


def _asks(template: dict[str, Any]) -> list[str]:
    return [
        f"{_amount(way['amount'])} {way['asset']} on {way['chain']}"
        for way in template.get("options") or [template]
    ]


def _amount(amount: str | dict[str, str]) -> str:
    return amount if isinstance(amount, str) else f"{amount['min']}-{amount['max']}"


@app.command()
def show(context: typer.Context, link: Link, *, as_json: options.Json = False) -> None:
    """Show a payment link with what became of its invoices."""
    from watcher.cli import client

    found = client.run(options.settings(context), lambda api: api.get(f"/v1/links/{client.part(link)}"))
    if as_json:
        output.as_json(found)
        return
    statistics = found["statistics"]
    names = ("id", "url", "created_at", "valid_until", "removed_at", "uses", "max_uses")
    ended = [f"{count} {status}" for status, count in statistics["statuses"].items() if count]
    received = [f"{one['amount']} {one['asset']} on {one['chain']}" for one in statistics["received"]]
    shown: list[tuple[str, object]] = [(name, found[name]) for name in names]
    shown += [("asks", _asks(found["template"])), ("description", found["template"].get("description"))]
    shown += [("openings", statistics["openings"]), ("of these", ended), ("received", received)]
    output.fields([*shown, ("paid %", statistics["paid_percent"])])


@app.command()
def remove(context: typer.Context, link: Link) -> None:
    """Remove a payment link: it opens no more; its invoices stay as they are."""
    from watcher.cli import client

    client.run(options.settings(context), lambda api: api.delete(f"/v1/links/{client.part(link)}"))
    typer.echo(f"{link} is removed")
