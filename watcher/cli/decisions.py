"""`watcher invoice accept|extend|cancel`: what a merchant decides about an invoice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from watcher.cli import options, output
from watcher.cli.names import flags

if TYPE_CHECKING:
    from collections.abc import Callable

Invoice = Annotated[str, typer.Argument(metavar="INVOICE", help="Its id.")]
Reason = Annotated[str | None, typer.Option(help="Why; kept with the decision.")]
Sequence = Annotated[
    int | None, typer.Option(help="The invoice's sequence that you saw; at another, nothing is decided.")
]


def accept(  # noqa: PLR0913 - one for each of the terms
    context: typer.Context,
    invoice: Invoice,
    *,
    reason: Reason = None,
    without_payment: Annotated[
        bool, typer.Option("--without-payment", help="Although nothing came at all.")
    ] = False,
    sequence: Sequence = None,
    as_json: options.Json = False,
) -> None:
    """Take what came, however little or late, as the whole payment."""
    body = {"reason": reason, "without_payment": without_payment or None, "sequence": sequence}
    _decided(context, invoice, "accept", body, lambda one: f"{one['id']} is {one['status']}", as_json=as_json)


def extend(  # noqa: PLR0913 - one for each of the terms
    context: typer.Context,
    invoice: Invoice,
    *,
    seconds: Annotated[
        int, typer.Option(help="After now, or after the old deadline if that is later.")
    ] = 3600,
    reason: Reason = None,
    sequence: Sequence = None,
    as_json: options.Json = False,
) -> None:
    """Move the deadline, so that the payer can still send what is missing."""
    body = {"seconds": seconds, "reason": reason, "sequence": sequence}
    _decided(context, invoice, "extend", body, _extended, as_json=as_json)


def _extended(one: dict[str, Any]) -> str:
    return f"{one['id']} is {one['status']}, and can be paid until {output.time(one['expires_at'])}"


def cancel(
    context: typer.Context,
    invoice: Invoice,
    *,
    reason: Reason = None,
    sequence: Sequence = None,
    as_json: options.Json = False,
) -> None:
    """Withdraw an invoice of which nothing was seen."""
    body = {"reason": reason, "sequence": sequence}
    _decided(context, invoice, "cancel", body, lambda one: f"{one['id']} is {one['status']}", as_json=as_json)


def _decided(  # noqa: PLR0913 - what a decision takes
    context: typer.Context,
    invoice: str,
    act: str,
    body: dict[str, Any],
    said: Callable[[dict[str, Any]], str],
    *,
    as_json: bool,
) -> None:
    from watcher.cli import client

    given = {name: value for name, value in body.items() if value is not None}
    path = f"/v1/invoices/{client.part(invoice)}/{act}"
    answer = client.run(options.settings(context), lambda api: api.post(path, given, flags()))
    if as_json:
        output.as_json(answer)
    else:
        typer.echo(said(answer))
