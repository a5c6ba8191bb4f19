"""The ledger's side of `watcher reconcile`: what it claims to know of one chain, asked through the API."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from watcher.cli import client
from watcher.reconcile import claims

if TYPE_CHECKING:
    from collections.abc import Iterable

    from watcher.cli.client import Api
    from watcher.reconcile.claims import Row
    from watcher.reconcile.compare import Wanted

_TRANSACTIONS = 40
"""Transactions asked for in one request: an address line is short."""
_ALL = sys.maxsize
_MODES = {"traces", "parity", "logs", "balance"}


async def extent(api: Api, name: str) -> dict[str, Any]:
    """Return how far the chain is read; Failure if it was never reached."""
    found: dict[str, Any] = await api.get(f"{_path(name)}/ledger")
    return found


async def addresses(api: Api, name: str) -> list[dict[str, Any]]:
    """Return every watched address."""
    return list((await api.listing(f"{_path(name)}/addresses", {}, _ALL))["data"])


async def rows(api: Api, name: str, wanted: Wanted) -> list[Row]:
    """Return the deposits that are recorded in these blocks."""
    return await _deposits(api, name, {"from": wanted.first, "to": wanted.last})


async def rows_of(api: Api, name: str, txids: Iterable[str]) -> list[Row]:
    """Return the deposits of some transactions, wherever they are recorded."""
    found: list[Row] = []
    asked = sorted(set(txids))
    for start in range(0, len(asked), _TRANSACTIONS):
        found += await _deposits(api, name, {"txid": ",".join(asked[start : start + _TRANSACTIONS])})
    return found


async def mode(api: Api, name: str) -> str | None:
    """Return how a running daemon finds coins inside contracts; None where nobody knows."""
    for chain in (await api.listing("/v1/chains", {}, _ALL))["data"] if api.daemon else ():
        if chain["name"] == name and chain["contract_transfers"] in _MODES:
            return str(chain["contract_transfers"])
    return None


async def _deposits(api: Api, name: str, query: dict[str, Any]) -> list[Row]:
    page = await api.listing(f"{_path(name)}/deposits", query, _ALL)
    return [claims.row(each) for each in page["data"]]


def _path(name: str) -> str:
    return f"/v1/chains/{client.part(name)}"
