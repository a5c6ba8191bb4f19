"""`watcher stats`: how invoices ended, how long payers took, and which deadline would do."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watcher.cli import options, output
from watcher.cli.names import flags

if TYPE_CHECKING:
    from collections.abc import Sequence

_ENDINGS = ("open", "paid", "underpaid", "expired", "refunded", "cancelled")
_PERCENTILES = ("p50", "p75", "p90", "p95", "p99")


def stats(  # noqa: PLR0913 - one for each filter
    context: typer.Context,
    *,
    after: Annotated[str | None, typer.Option(metavar="TIME", help="Made then or later; RFC 3339.")] = None,
    before: Annotated[str | None, typer.Option(metavar="TIME", help="Made before then.")] = None,
    chain: Annotated[list[str] | None, typer.Option(help="Only of this chain; can be repeated.")] = None,
    asset: Annotated[list[str] | None, typer.Option(help="Only in this asset; can be repeated.")] = None,
    as_json: options.Json = False,
) -> None:
    """Tell how invoices ended, how long payers took, and which expires_in 99 % of them would have met."""
    from watcher.cli import client

    query = {"after": after, "before": before, "chain": chain, "asset": asset}
    names = flags()
    found = client.run(options.settings(context), lambda api: api.get("/v1/stats", query, names))
    if as_json:
        output.as_json(found)
        return
    groups = [(f"{one['asset']} on {one['chain']}", one) for one in found["groups"]]
    _shown([*groups, ("total", found["total"])])


def _shown(groups: Sequence[tuple[str, dict[str, Any]]]) -> None:
    output.table(["invoices", "created", *_ENDINGS, "late"], [_ends(*group) for group in groups])
    typer.echo()
    columns = ["time from creation", *_PERCENTILES, "of"]
    output.table(columns, [row for group in groups for row in _times(*group)])
    typer.echo()
    output.table(["expires_in", "for 99 %", "default", "catches"], [_deadline(*group) for group in groups])


def _ends(name: str, one: dict[str, Any]) -> list[object]:
    parts = [f"{one[ending]} ({one['shares'][ending]} %)" for ending in _ENDINGS]
    return [name, one["created"], *parts, one["late"]]


def _times(name: str, one: dict[str, Any]) -> list[list[object]]:
    kinds = (("first payment", one["first_payment"]), ("full payment", one["full_payment"]))
    return [
        [f"{name}: {what}", *(_span(times[p]) for p in _PERCENTILES), times["of"]] for what, times in kinds
    ]


def _deadline(name: str, one: dict[str, Any]) -> list[object]:
    suggested, default = one["suggested_expires_in"], one["default_expires_in"]
    caught = f"{default['caught']} of {default['of']}"
    share = f" ({default['share']} %)" if default["share"] is not None else ""
    would_do = one["no_suggestion"] if suggested is None else f"{suggested} s ({_span(suggested)})"
    return [name, would_do, f"{default['seconds']} s", f"{caught}{share}"]


def _span(seconds: int | None) -> str:
    """Return seconds as hours, minutes and seconds: "0:12:30"."""
    return "" if seconds is None else str(timedelta(seconds=seconds))
