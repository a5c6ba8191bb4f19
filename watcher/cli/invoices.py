"""`watcher invoice`: makes, lists and shows invoices. What is decided about them stands beside it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from watcher.cli import decisions, options, output, refunds
from watcher.cli.draft import draft
from watcher.cli.names import flags

app = typer.Typer(help="Invoices: the same as the HTTP API, for people.")
app.command("accept")(decisions.accept)
app.command("extend")(decisions.extend)
app.command("cancel")(decisions.cancel)
app.command("refund")(refunds.request)


@app.command()
def create(  # noqa: PLR0913 - one for each of the terms
    context: typer.Context,
    *,
    chain: options.Chain = None,
    asset: options.Asset = None,
    amount: Annotated[str | None, typer.Option(help='In the asset\'s unit, such as "25.50".')] = None,
    address: Annotated[
        str | None, typer.Option(help="Your own address; otherwise the next is taken.")
    ] = None,
    option: options.Ways = None,
    order_id: Annotated[str | None, typer.Option(help="Your own name for it.")] = None,
    description: options.Description = None,
    expires_in: Annotated[int | None, typer.Option(metavar="SECONDS", help="Until its deadline.")] = None,
    tolerance_percent: options.Tolerance = None,
    confirmations: options.Confirmations = None,
    late: Annotated[str | None, typer.Option(help="Late money: hold, accept or refund.")] = None,
    refund_address: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Where the payer wants money back.")
    ] = None,
    reminder_before: Annotated[
        int | None, typer.Option(metavar="SECONDS", help="Before the deadline, if too little was seen.")
    ] = None,
    customer_email: Annotated[str | None, typer.Option(metavar="EMAIL", help="Who is reminded.")] = None,
    language: Annotated[str | None, typer.Option(help='Of the mails, such as "en" or "fr".')] = None,
    webhook_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Told of this invoice alone.")
    ] = None,
    body: options.Body = None,
    as_json: options.Json = False,
) -> None:
    """Make an invoice and show where to pay it."""
    from watcher.cli import client

    terms: dict[str, Any] = {
        "chain": chain,
        "asset": asset,
        "amount": amount,
        "address": address,
        "order_id": order_id,
    }
    terms |= {"description": description, "expires_in": expires_in, "webhook_url": webhook_url}
    terms |= {"late": late, "refund_address": refund_address, "reminder_before": reminder_before}
    terms |= {"customer_email": customer_email, "language": language}
    sent, names = draft(terms, option or [], tolerance_percent, confirmations, body)
    made = client.run(
        options.settings(context), lambda api: api.post("/v1/invoices", sent, names), introduce=True
    )
    if as_json:
        output.as_json(made)
    else:
        _created(made)


def _created(made: dict[str, Any]) -> None:
    ways = [(f"{one['expected']} {one['asset']} on {one['chain']}", one) for one in made["options"]]
    pairs: list[tuple[str, object]] = [("id", made["id"])]
    for asked, one in ways:
        pairs += [("pay", asked), ("address", one["address"]), ("uri", one["uri"])]
    output.fields([*pairs, ("expires", made["expires_at"]), ("checkout", made["checkout_url"])])


@app.command("list")
def listing(  # noqa: PLR0913 - one for each filter
    context: typer.Context,
    *,
    status: Annotated[list[str] | None, typer.Option(help="Can be repeated, as can all filters.")] = None,
    chain: Annotated[list[str] | None, typer.Option()] = None,
    asset: Annotated[list[str] | None, typer.Option()] = None,
    order_id: Annotated[list[str] | None, typer.Option()] = None,
    address: Annotated[list[str] | None, typer.Option()] = None,
    txid: Annotated[list[str] | None, typer.Option()] = None,
    exception: Annotated[list[str] | None, typer.Option(help="Such as late or overpaid.")] = None,
    needs_action: Annotated[bool, typer.Option("--needs-action", help="What waits for you.")] = False,
    created_after: Annotated[str | None, typer.Option(metavar="TIME", help="RFC 3339.")] = None,
    created_before: Annotated[str | None, typer.Option(metavar="TIME", help="RFC 3339.")] = None,
    search: Annotated[str | None, typer.Option(help="An id, address or words of the order.")] = None,
    limit: options.Limit = 50,
    as_json: options.Json = False,
) -> None:
    """List invoices, newest first."""
    from watcher.cli import client

    query: dict[str, Any] = {"status": status, "chain": chain, "asset": asset, "order_id": order_id}
    query |= {"address": address, "txid": txid, "exception": exception, "needs_action": needs_action or None}
    query |= {"created_after": created_after, "created_before": created_before, "q": search}
    names = flags(q="--search")
    answer = client.run(
        options.settings(context), lambda api: api.listing("/v1/invoices", query, limit, names)
    )
    if as_json:
        output.as_json(answer)
        return
    columns = ["id", "status", "asked", "seen", "order", "expires"]
    output.table(columns, [_row(one) for one in answer["data"]], "no invoice")


def _row(one: dict[str, Any]) -> list[object]:
    asked = [f"{way['expected']} {way['asset']} on {way['chain']}" for way in one["options"]]
    seen = [f"{way['seen']} {way['asset']}" for way in one["options"]]
    status = [one["status"], *one["exceptions"]]
    return [one["id"], status, asked, seen, one["order_id"], output.time(one["expires_at"])]


@app.command()
def show(
    context: typer.Context,
    invoice: Annotated[str, typer.Argument(metavar="INVOICE", help="Its id.")],
    *,
    as_json: options.Json = False,
) -> None:
    """Show an invoice with all its payments."""
    from watcher.cli import client

    found = client.run(options.settings(context), lambda api: api.get(f"/v1/invoices/{client.part(invoice)}"))
    if as_json:
        output.as_json(found)
    else:
        _shown(found)


def _shown(found: dict[str, Any]) -> None:
    names = ("id", "status", "exceptions", "needs_action", "order_id", "description", "link_id")
    times = ("created_at", "expires_at", "monitor_until", "paid_at", "closed_at")
    output.fields((name, found[name]) for name in (*names, *times, "checkout_url"))
    columns = ["chain", "asset", "address", "expected", "minimum", "seen", "confirmed", "missing", "excess"]
    typer.echo()
    output.table(columns, [[one[name] for name in columns] for one in found["options"]])
    columns = ["chain", "asset", "amount", "status", "confirmations", "txid", "slot", "block_height", "late"]
    typer.echo()
    output.table(columns, [[one[name] for name in columns] for one in found["payments"]], "no payment")
    if found["refunds"]:
        columns = ["id", "state", "chain", "asset", "amount", "arrives", "address", "txid"]
        typer.echo()
        output.table(columns, [[one[name] for name in columns] for one in found["refunds"]])
