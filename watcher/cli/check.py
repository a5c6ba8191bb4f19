"""`watcher check`: asks every node and the mail server, and shows what keeps deposits from being seen."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from watcher.cli import options, output
from watcher.cli.failure import obstacle

if TYPE_CHECKING:
    from chains.base import ChainAdapter, Finding
    from watcher.settings import Settings

_MARKS = {True: "ok", False: "FAILED", None: "warning"}

_NO_CHAIN = "no chain is configured; add one, for example with: watcher init"


def check(context: typer.Context, *, as_json: options.Json = False) -> None:
    """Connect to every node and the database; exit status 1 on what keeps deposits from being seen."""
    settings = options.settings(context)
    if sys.stderr.isatty():
        typer.echo(f"asking {sum(len(c.rpc) for c in settings.chains.values())} node(s) …", err=True)
    rows = asyncio.run(_rows(settings))
    ok = not any(row["ok"] is False for row in rows)
    if as_json:
        output.as_json({"ok": ok, "data": rows})
    else:
        shown = [(row["of"], row["name"], _MARKS[row["ok"]], row["detail"]) for row in rows]
        output.table(["of", "check", "result", "detail"], shown)
    if not ok:
        raise typer.Exit(1)


async def _rows(settings: Settings) -> list[dict[str, Any]]:
    """Return one row for each finding; the chains are asked at the same time."""
    from watcher import mail_check
    from watcher.app import build
    from watcher.pages import check as pages_check

    adapters = build(settings).chains
    found = await asyncio.gather(*(_of(adapter) for adapter in adapters.values()))
    rows = [_row("database", await asyncio.to_thread(_database, settings))]
    rows += [_row("mail", finding) for finding in await mail_check.findings(settings.mail)]
    rows += [_row("checkout", finding) for finding in pages_check.findings(settings.checkout)]
    if not adapters:
        rows.append({"of": "chains", "name": "chains", "ok": False, "detail": _NO_CHAIN})
    for name, findings in zip(adapters, found, strict=True):
        rows += [_row(name, finding) for finding in findings]
    return rows


def _row(of: str, finding: Finding) -> dict[str, Any]:
    return {"of": of, **asdict(finding)}


async def _of(adapter: ChainAdapter) -> tuple[Finding, ...]:
    try:
        return await adapter.check()
    finally:
        await adapter.close()


def _database(settings: Settings) -> Finding:
    from chains.base import Finding
    from watcher import migrate

    path = settings.database.path
    try:
        return Finding("schema", ok=True, detail=f"{path}: {migrate.state(path)}")
    except migrate.MigrationError as error:
        return Finding("schema", ok=False, detail=str(error))
    except OSError as error:
        return Finding("schema", ok=False, detail=str(obstacle(error, path)))
