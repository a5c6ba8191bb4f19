"""`watcher explain`: why an invoice has its status, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from watcher.cli import options, output

if TYPE_CHECKING:
    from collections.abc import Iterator


def explain(
    context: typer.Context,
    invoice: Annotated[str, typer.Argument(metavar="INVOICE", help="Its id.")],
    *,
    as_json: options.Json = False,
) -> None:
    """Tell why an invoice has its status: payments and their rule, decisions, events, delivery attempts."""
    from watcher.cli import client

    answer = client.run(
        options.settings(context), lambda api: api.get(f"/v1/invoices/{client.part(invoice)}/explain")
    )
    if as_json:
        output.as_json(answer)
        return
    for line in _lines(answer):
        typer.echo(line)


def _lines(answer: dict[str, Any]) -> Iterator[str]:
    yield f"{answer['invoice_id']} is {answer['status']}."
    yield from (f"  {reason}" for reason in answer["reasons"])
    yield from (f"  {_unread(one)}" for one in answer["unread_blocks"])
    yield from _part("Payments", [line for one in answer["payments"] for line in _payment(one)])
    yield from _part("Decisions", [_decision(one) for one in answer["decisions"]])
    yield from _part("Refunds", [line for one in answer["refunds"] for line in _refund(one)])
    yield from _part("By itself", answer["policies"])
    yield from _part("Waits for you", answer["waits"])
    yield from _part("You may", [_action(one) for one in answer["actions"]])
    yield from _part("Who did what", [_audit(one) for one in answer["audit"]])
    yield from _part("Events", [_event(one) for one in answer["events"]])
    yield from _part("Deliveries", [line for one in answer["deliveries"] for line in delivery(one)])
    yield from _part("Mails", [_mail(one) for one in answer["mails"]])


def _part(title: str, lines: list[str]) -> Iterator[str]:
    yield ""
    yield f"{title}:" if lines else f"{title}: none."
    yield from (f"  {line}" for line in lines)


def _payment(one: dict[str, Any]) -> Iterator[str]:
    place = f"block {one['block_height']}" if one["block_height"] is not None else "in no block"
    money = f"{one['amount']} {one['asset']} on {one['chain']}"
    yield f"{money}, {one['status']}, {place}, seen {one['first_seen_at']}"
    yield f"  {one['txid']} {one['slot']} to {one['address']}"
    yield f"  {one['confirmations']} of {one['required_confirmations']} confirmations. {one['why']}"


def _unread(one: dict[str, Any]) -> str:
    blocks = f"blocks {one['from']} to {one['to']} of {one['chain']}"
    return f"Not read yet: {blocks} ({one['reason']}). No deadline passes before they are."


def _decision(one: dict[str, Any]) -> str:
    reason = f": {one['reason']}" if one["reason"] else ""
    return f"{one['at']} {one['kind']} by {one['by']}{reason}"


def _refund(one: dict[str, Any]) -> Iterator[str]:
    to = one["address"] or "an address that is not known yet"
    yield f"{one['id']}: {one['amount']} {one['asset']} on {one['chain']} to {to}, {one['state']}"
    reason = f": {one['reason']}" if one["reason"] else ""
    yield f"  asked for {one['requested_at']} by {one['by']}{reason}"
    yield f"  {one['why']}"


def _action(one: dict[str, Any]) -> str:
    if one["possible"]:
        return f"{one['action']}: {one['condition']}"
    return f"not {one['action']}: {one['code']}"


def _audit(one: dict[str, Any]) -> str:
    reason = f": {one['reason']}" if one["reason"] else ""
    return f"{one['at']} {one['action']} by {one['actor']}{reason}"


def _event(one: dict[str, Any]) -> str:
    return f"{one['occurred_at']} {one['type']} (sequence {one['sequence']}, {one['id']})"


def delivery(one: dict[str, Any]) -> Iterator[str]:
    """Yield what is to be told of one delivery: its attempts and what the receiver answered."""
    following = f", next attempt {one['next_at']}" if one["state"] == "pending" else ""
    yield f"{one['event_type']} to {one['webhook_id']}: {one['state']}{following} ({one['id']})"
    for attempt in one["history"]:
        yield f"  {attempt['at']} attempt {attempt['number']}: {outcome(attempt)}"
        yield from (f"    | {line}" for line in (attempt["answer"] or "").splitlines())


def _mail(one: dict[str, Any]) -> str:
    error = f", {one['error']}" if one["error"] else ""
    return f"{one['created_at']} to {one['recipient']}: {one['state']}, {one['attempts']} attempts{error}"


def outcome(attempt: dict[str, Any]) -> str:
    """Return what came of one attempt to deliver."""
    answer = f"status {attempt['status']}" if attempt["status"] is not None else "no answer"
    error = f", {attempt['error']}" if attempt["error"] else ""
    return f"{answer} after {attempt['duration_ms']} ms{error}"
