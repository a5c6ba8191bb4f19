"""`make bench`: runs every benchmark, prints what it found and writes it as JSON.

Targets are ratios within one run. One that is missed is shown and fails nothing: the machine may be busy.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

import isolated
from harness import FULL, TINY, Unavailable
from machine import facts

if TYPE_CHECKING:
    from harness import Figure, Report, Scale

BENCHMARKS = (
    *("bitcoin_block", "evm_block", "catch_up", "webhook", "standing_addresses"),
    *("deliveries", "neighbours", "survival", "invoices", "payer_page"),
)


def main() -> None:
    chosen = _arguments()
    console = Console()
    machine = facts()
    console.print(", ".join(f"{name} {value}" for name, value in machine.items()))
    found = {name: _run(name, TINY if chosen.tiny else FULL, console) for name in chosen.only}
    chosen.json.write_text(json.dumps({"machine": machine, "benchmarks": found}, indent=2) + "\n")
    console.print(f"written to {chosen.json}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python tests/benchmarks", description=__doc__)
    parser.add_argument("json", nargs="?", type=Path, default=Path("bench.json"), help="where to write")
    parser.add_argument("--only", action="append", choices=BENCHMARKS, help="may be given several times")
    parser.add_argument("--tiny", action="store_true", help="prove that it runs; the figures say nothing")
    chosen = parser.parse_args()
    chosen.only = chosen.only or BENCHMARKS
    return chosen


def _run(name: str, scale: Scale, console: Console) -> dict[str, Any]:
    """Run one benchmark; one that cannot run says so, and the others go on."""
    console.print()
    try:
        report = isolated.report(name, scale)
    except Unavailable as error:
        console.print(f"[bold]{name}[/] cannot run here: {escape(str(error))}")
        return {"unavailable": str(error)}
    console.print(_table(report))
    for note in report.notes:
        console.print(escape(note), style="dim")
    return _plain(report)


def _table(report: Report) -> Table:
    table = Table(title=report.title, title_justify="left", title_style="bold")
    table.add_column("")
    table.add_column("measured", justify="right")
    table.add_column("target", justify="right")
    for figure in report.figures:
        table.add_row(figure.label, f"{_number(figure.value)} {figure.unit}".strip(), _target(figure))
    return table


def _target(figure: Figure) -> str:
    if figure.met is None:
        return ""
    sign, bound = (
        ("at least", figure.at_least) if figure.at_least is not None else ("at most", figure.at_most)
    )
    return f"{sign} {bound:g} " + ("[green]met[/]" if figure.met else "[red]missed[/]")


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _plain(report: Report) -> dict[str, Any]:
    return {
        "title": report.title,
        "figures": {figure.key: _entry(figure) for figure in report.figures},
        "notes": report.notes,
    }


def _entry(figure: Figure) -> dict[str, Any]:
    entry = {"label": figure.label, "value": round(figure.value, 4), "unit": figure.unit}
    bounds = {"at_least": figure.at_least, "at_most": figure.at_most, "met": figure.met}
    return entry | {name: bound for name, bound in bounds.items() if bound is not None}


if __name__ == "__main__":
    main()
