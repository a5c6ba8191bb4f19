"""`watcher addresses`: every address that was shown, for the wallet that has to find the money on it."""

from __future__ import annotations

import csv
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watcher.cli import options, output

if TYPE_CHECKING:
    from collections.abc import Iterable

_ALL = sys.maxsize
_COLUMNS = ("index", "address", "invoice_id", "used", "address_id")


def addresses(
    context: typer.Context,
    chain: Annotated[str, typer.Argument(metavar="CHAIN", help="Its name in the configuration.")],
    *,
    used: Annotated[bool, typer.Option("--used", help="Only those that received something.")] = False,
    as_json: options.Json = False,
) -> None:
    """Export the addresses of a chain as CSV: index below the key, address, whose it is, whether it was paid.

    A wallet looks only 20 unused addresses ahead: raise its gap limit to the largest index, or import these.
    """
    from watcher.cli import client

    path = f"/v1/chains/{client.part(chain)}/addresses"
    found = client.run(options.settings(context), lambda api: api.listing(path, {}, _ALL))["data"]
    shown = [each for each in found if not each["stray"] and (each["used"] or not used)]
    if as_json:
        output.as_json({"data": shown, "next": None})
        return
    _csv(shown)


def _csv(rows: Iterable[dict[str, Any]]) -> None:
    """Print them; an address that the caller brought has no index."""
    writer = csv.DictWriter(sys.stdout, _COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows({**row, "used": "yes" if row["used"] else "no"} for row in rows)
