"""Pays an invoice of a running sandbox and mines the blocks that confirm it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from watcher.cli import client, options
from watcher.cli.failure import WRONG_USAGE, Failure
from watcher.money import parse_amount
from watcher.sandbox import wallet
from watcher.sandbox.rpc import CallError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from watcher.cli.client import Api
    from watcher.sandbox.place import Place

_WITHIN = 30.0
"""Seconds for the daemon to see what was paid."""

_PAUSE = 0.1
_FINAL = 8
"""Blocks after which a block of the test chains is safe and finalized."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to pay: an invoice's id or "latest", and what is not left to the invoice."""

    invoice: str
    amount: str | None = None
    chain: str | None = None
    asset: str | None = None


def run(place: Place, wanted: Wanted) -> str:
    """Pay, and return a line about it; Failure where no sandbox runs."""
    absent = f"no sandbox runs in {place.folder}; start one with: watcher sandbox"
    record = place.recall()
    if record is None:
        raise Failure(absent)
    settings = options.load(place.config, {})

    async def whole() -> str:
        async with client.connect(settings, required=absent) as api:
            return await _pay(api, record, wanted)

    try:
        return asyncio.run(whole())
    except CallError as error:
        raise Failure(f"the node refused the payment: {error.message}") from None
    except OSError as error:
        raise Failure(f"the node does not answer ({error}); start the sandbox again") from None


async def _pay(api: Api, record: Mapping[str, Any], wanted: Wanted) -> str:
    invoice = await _invoice(api, wanted.invoice)
    option = _option(invoice, wanted)
    asset = await _asset(api, option)
    amount = wanted.amount or option["missing"]
    units = _units(amount, asset["decimals"])
    if units == 0:
        raise Failure(f"{invoice['id']} is {invoice['status']} and lacks nothing; name a sum with --amount")
    purse = wallet.connect(record["chains"][option["chain"]])
    txid = await asyncio.to_thread(purse.pay, option["address"], asset["contract"], units)
    await asyncio.to_thread(purse.mine, 1)
    payment = await _until(api, invoice["id"], txid, {"pending", "confirmed", "ignored"})
    needed = payment["required_confirmations"]
    blocks = (needed if isinstance(needed, int) else _FINAL) - 1
    if blocks > 0:
        await asyncio.to_thread(purse.mine, blocks)
    payment = await _until(api, invoice["id"], txid, {"confirmed", "ignored"})
    after = await _invoice(api, invoice["id"])
    paid = f"paid {payment['amount']} {payment['asset']} on {payment['chain']} to {payment['address']}"
    return f"{paid} in {txid}, {payment['status']}; {after['id']} is {after['status']}"


async def _invoice(api: Api, name: str) -> dict[str, Any]:
    if name != "latest":
        return dict(await api.get(f"/v1/invoices/{client.part(name)}"))
    newest = (await api.get("/v1/invoices", {"limit": 1}))["data"]
    if not newest:
        raise Failure("there is no invoice yet; make one first")
    return dict(newest[0])


def _option(invoice: Mapping[str, Any], wanted: Wanted) -> dict[str, Any]:
    """Return the first way to pay that fits."""
    for option in invoice["options"]:
        if wanted.chain in (None, option["chain"]) and wanted.asset in (None, option["asset"]):
            return dict(option)
    ways = ", ".join(f"{option['asset']} on {option['chain']}" for option in invoice["options"])
    raise Failure(
        f"--chain, --asset: {invoice['id']} cannot be paid like that; it takes: {ways}", WRONG_USAGE
    )


async def _asset(api: Api, option: Mapping[str, Any]) -> dict[str, Any]:
    chains = (await api.get("/v1/chains"))["data"]
    assets = next(chain["assets"] for chain in chains if chain["name"] == option["chain"])
    return dict(next(asset for asset in assets if asset["symbol"] == option["asset"]))


def _units(amount: str, decimals: int) -> int:
    try:
        return parse_amount(amount, decimals)
    except ValueError as error:
        raise Failure(f"--amount: {error}", WRONG_USAGE) from None


async def _until(api: Api, invoice_id: str, txid: str, states: set[str]) -> dict[str, Any]:
    """Wait for a payment to be in one of these states."""
    try:
        async with asyncio.timeout(_WITHIN):
            while True:
                for payment in (await _invoice(api, invoice_id))["payments"]:
                    if payment["txid"] == txid and payment["status"] in states:
                        return dict(payment)
                await asyncio.sleep(_PAUSE)
    except TimeoutError:
        line = f"{txid} is sent, but the daemon does not follow; see: watcher explain {invoice_id}"
        raise Failure(line) from None
