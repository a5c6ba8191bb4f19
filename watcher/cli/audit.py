"""`watcher audit`: who decided what, when and why."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from watcher.cli import options, output
from watcher.cli.names import flags


def audit(  # noqa: PLR0913 - one for each filter
    context: typer.Context,
    *,
    invoice: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="About this invoice and its refunds; can be repeated, as can all."),
    ] = None,
    subject: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="About this key, webhook, chain, …")
    ] = None,
    actor: Annotated[
        list[str] | None, typer.Option(help="A key's name, local, payer, policy or chain.")
    ] = None,
    action: Annotated[list[str] | None, typer.Option(help="Such as invoice.accept.")] = None,
    limit: options.Limit = 50,
    as_json: options.Json = False,
) -> None:
    """Show the newest decisions and administrative acts, oldest of them first."""
    from watcher.cli import client

    query = {"subject": [*(invoice or []), *(subject or [])], "actor": actor, "action": action}
    answer = client.run(
        options.settings(context), lambda api: api.listing("/v1/audit", query, limit, flags())
    )
    if as_json:
        output.as_json(answer)
        return
    columns = ["id", "at", "actor", "action", "subject", "reason", "detail"]
    output.table(columns, [_row(one) for one in reversed(answer["data"])], "no entry")


def _row(one: dict[str, Any]) -> list[object]:
    detail = [f"{name}: {_plain(value)}" for name, value in one["detail"].items()]
    return [
        one["id"],
        output.time(one["at"]),
        one["actor"],
        one["action"],
        one["subject"],
        one["reason"],
        detail,
    ]


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
