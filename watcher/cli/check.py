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
    from collections.abc import Iterator, Mapping
    from pathlib import Path

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
    database = await asyncio.to_thread(_database, settings.database.path, adapters)
    rows = [_row("database", finding) for finding in database]
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


def _database(path: Path, adapters: Mapping[str, ChainAdapter]) -> list[Finding]:
    from chains.base import Finding
    from watcher import migrate

    try:
        state = migrate.state(path)
        schema = Finding("schema", ok=True, detail=f"{path}: {state}")
        return [schema, *(_unfollowed(path, adapters) if state == migrate.CURRENT else ())]
    except migrate.MigrationError as error:
        return [Finding("schema", ok=False, detail=str(error))]
    except OSError as error:
        return [Finding("schema", ok=False, detail=str(obstacle(error, path)))]


def _unfollowed(path: Path, adapters: Mapping[str, ChainAdapter]) -> Iterator[Finding]:
    """Yield a warning for each asset that open invoices ask for and the configuration does not have."""
    from chains.base import Finding
    from watcher import app_unfollowed

    for one in app_unfollowed.found_in(path, adapters):
        what = f"{one.open_invoices} ask for {one.asset} on {one.chain} ({one.asset_id})"
        yield Finding("open invoices", ok=None, detail=f"{what}: {one.remedy}")
