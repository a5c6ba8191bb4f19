"""`watcher invoice refund` and `watcher refund`: money that goes back, signed and sent elsewhere."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Annotated, Any

import typer

from watcher.cli import options, output
from watcher.cli.decisions import Invoice, Reason, Sequence  # noqa: TC001 - typer reads them
from watcher.cli.failure import WRONG_USAGE, Failure
from watcher.cli.names import flags

app = typer.Typer(help="Refunds: what to sign elsewhere, and by which transaction they were sent.")

Refund = Annotated[str, typer.Argument(metavar="REFUND", help="Its id, ref_….")]
Psbt = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write what to sign to a new file (BIP-174), for your wallet."),
]


def request(  # noqa: PLR0913 - one for each of the terms
    context: typer.Context,
    invoice: Invoice,
    *,
    address: Annotated[
        str | None, typer.Option(help="Where to; without it where the payer said at the beginning.")
    ] = None,
    chain: Annotated[str | None, typer.Option(help="Needed where several assets came.")] = None,
    asset: Annotated[str | None, typer.Option(help="The same.")] = None,
    amount: Annotated[
        str | None, typer.Option(help="Without it the excess of a paid invoice, or else all that came.")
    ] = None,
    reason: Reason = None,
    sequence: Sequence = None,
    psbt: Psbt = None,
    as_json: options.Json = False,
) -> None:
    """Promise money back, and show what to sign elsewhere."""
    body: dict[str, Any] = {"address": address, "chain": chain, "asset": asset, "amount": amount}
    body |= {"reason": reason, "sequence": sequence}
    _check_new(psbt)
    answer = _post(context, f"{_path(invoice)}/refund", body)
    _show(invoice, answer, psbt, as_json=as_json)


@app.command()
def show(
    context: typer.Context,
    invoice: Invoice,
    refund: Refund,
    *,
    psbt: Psbt = None,
    as_json: options.Json = False,
) -> None:
    """Show a refund with what to sign."""
    from watcher.cli import client

    _check_new(psbt)
    path = _path(invoice, refund)
    answer = client.run(options.settings(context), lambda api: api.get(path))
    _show(invoice, answer, psbt, as_json=as_json)


@app.command()
def sent(  # noqa: PLR0913 - one for each of the terms
    context: typer.Context,
    invoice: Invoice,
    refund: Refund,
    txid: Annotated[str, typer.Argument(metavar="TXID", help="The transaction's id.")],
    *,
    reason: Reason = None,
    as_json: options.Json = False,
) -> None:
    """Say which transaction sends a refund; the chain confirms it."""
    body = {"txid": txid, "reason": reason}
    _show(invoice, _post(context, f"{_path(invoice, refund)}/sent", body), None, as_json=as_json)


@app.command()
def address(  # noqa: PLR0913 - one for each of the terms
    context: typer.Context,
    invoice: Invoice,
    refund: Refund,
    address: Annotated[
        str | None, typer.Argument(metavar="[ADDRESS]", help="Without it what to sign is made anew.")
    ] = None,
    *,
    reason: Reason = None,
    psbt: Psbt = None,
    as_json: options.Json = False,
) -> None:
    """Say where a refund goes that was not sent yet, and show what to sign."""
    _check_new(psbt)
    answer = _post(context, f"{_path(invoice, refund)}/address", {"address": address, "reason": reason})
    _show(invoice, answer, psbt, as_json=as_json)


@app.command()
def cancel(
    context: typer.Context,
    invoice: Invoice,
    refund: Refund,
    *,
    reason: Reason = None,
    as_json: options.Json = False,
) -> None:
    """Take back a refund that no transaction sends."""
    answer = _post(context, f"{_path(invoice, refund)}/cancel", {"reason": reason})
    _show(invoice, answer, None, as_json=as_json)


def _path(invoice: str, refund: str | None = None) -> str:
    from watcher.cli import client

    path = f"/v1/invoices/{client.part(invoice)}"
    return path if refund is None else f"{path}/refunds/{client.part(refund)}"


def _post(context: typer.Context, path: str, body: dict[str, Any]) -> dict[str, Any]:
    from watcher.cli import client

    given = {name: value for name, value in body.items() if value is not None}
    names = flags() if path.endswith("/refund") else flags(txid="TXID", address="ADDRESS")
    answer: dict[str, Any] = client.run(options.settings(context), lambda api: api.post(path, given, names))
    return answer


def _check_new(file: Path | None) -> None:
    if file is not None and file.exists():
        raise Failure(f"--psbt: {file} is there already; name a new file", WRONG_USAGE)


def _show(invoice: str, one: dict[str, Any], psbt: Path | None, *, as_json: bool) -> None:
    if as_json:
        output.as_json(one)
    else:
        output.fields(_fields(one))
        if one["unsigned"] and one["state"] == "requested":
            typer.echo(f"\nSign this elsewhere and send it, then: {_next(invoice, one)}")
            typer.echo("Its amounts are in base units.\n")
            output.fields(_signing(one["unsigned"], psbt))
        elif one["state"] == "requested":
            typer.echo(f"\nNothing was made to sign yet; make it: {_make(invoice, one)}")
    if psbt is not None:
        _write(invoice, one, psbt)


def _fields(one: dict[str, Any]) -> list[tuple[str, object]]:
    money = f"{one['asset']} on {one['chain']}"
    less = " (the network's fee is taken from it)" if one["arrives"] != one["amount"] else ""
    return [
        ("refund", one["id"]),
        ("state", one["state"]),
        ("amount", f"{one['amount']} {money}"),
        ("arrives", f"{one['arrives']} {one['asset']}{less}"),
        ("to", one["address"] or "not known yet"),
        ("transaction", one["txid"]),
        *((name, one[name]) for name in ("reason", "by")),
        *((name, one[name]) for name in ("requested_at", "sent_at", "confirmed_at", "cancelled_at")),
    ]


def _next(invoice: str, one: dict[str, Any]) -> str:
    return f"watcher refund sent {invoice} {one['id']} TXID"


def _make(invoice: str, one: dict[str, Any]) -> str:
    """Return how to ask what to sign for a refund that a policy requested."""
    return f"watcher refund address {invoice} {one['id']}" + ("" if one["address"] else " ADDRESS")


def _signing(unsigned: dict[str, Any], psbt: Path | None) -> list[tuple[str, object]]:
    """Return what is to be signed, the PSBT last, if it does not go to a file."""
    pairs: list[tuple[str, object]] = []
    for name, value in sorted(unsigned.items(), key=lambda pair: pair[0] == "psbt"):
        if name == "psbt" and psbt is not None:
            continue
        items = value if isinstance(value, list) else [value]
        pairs += [(name, _flat(item)) for item in items]
    return pairs


def _flat(value: object) -> object:
    if not isinstance(value, dict):
        return value
    return ", ".join(f"{name} {inner}" for name, inner in value.items() if inner is not None)


def _write(invoice: str, one: dict[str, Any], file: Path) -> None:
    """Write the PSBT; what fails here leaves the refund as it is, and says so."""
    unsigned = one["unsigned"] or {}
    text = unsigned.get("psbt")
    if text is None:
        why = unsigned.get("note") or f"there is none on {one['chain']}"
        raise Failure(f"--psbt: {one['id']} is {one['state']}, but nothing is written: {why}")
    try:
        with file.open("xb") as opened:
            opened.write(base64.b64decode(text))
    except OSError as error:
        again = f"watcher refund show {invoice} {one['id']} --psbt FILE"
        reason = error.strerror
        raise Failure(f"--psbt: {file} cannot be written ({reason}); the refund stands: {again}") from None
