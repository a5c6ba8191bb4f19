"""`watcher stats`: how invoices ended, how long payers took, which deadline would do, and what came when."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watcher.buckets import Bucket  # noqa: TC001 - typer reads it
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
    by: Annotated[
        Bucket | None, typer.Option(help="How each day, week or month went, and what money came then.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Tell how invoices ended, how long payers took, and which expires_in 99 % of them would have met."""
    from watcher.cli import client

    query = {"after": after, "before": before, "chain": chain, "asset": asset}
    path = "/v1/stats"
    if by is not None:
        path, query = "/v1/stats/series", query | {"bucket": by.value}
    names = flags(bucket="--by")
    found = client.run(options.settings(context), lambda api: api.get(path, query, names))
    if as_json:
        output.as_json(found)
    elif by is not None:
        _by_time(found)
    else:
        _whole(found)


def _by_time(found: dict[str, Any]) -> None:
    rows = [
        [_day(one["start"]), one["created"], *(one[ending] for ending in _ENDINGS), one["late"]]
        for one in found["invoices"]
    ]
    output.table([found["bucket"], "created", *_ENDINGS, "late"], rows, "no invoice")
    typer.echo()
    columns = [found["bucket"], "asset", "received", "by invoices", "by standing addresses"]
    output.table(columns, _income(found["volume"]), "no money")


def _income(volume: Sequence[dict[str, Any]]) -> list[list[object]]:
    points = [(point, f"{one['asset']} on {one['chain']}") for one in volume for point in one["points"]]
    ordered = sorted(points, key=lambda pair: (pair[0]["start"], pair[1]))
    return [
        [_day(point["start"]), asset, point["amount"], point["invoices"], point["addresses"]]
        for point, asset in ordered
    ]


def _day(start: str) -> str:
    return start.partition("T")[0]


def _whole(found: dict[str, Any]) -> None:
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
