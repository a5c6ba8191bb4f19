"""One invoice, or one deposit to a standing address, as the export shows it. Pure.

An invoice is that of the API, its payments with what an accountant asks for beside: fee, block time, counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from watcher import render
from watcher.money import format_amount
from watcher.receipts import Last, belief, judge
from watcher.render import moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from watcher.facts import Record
    from watcher.model import Deposit, Payment, Resolution, View
    from watcher.receipts import StandingAddress
    from watcher.render import Links


@dataclass(frozen=True, slots=True)
class Known:
    """What only the configuration knows: the links, and each asset's CAIP-19 name by chain and symbol."""

    links: Links
    asset_ids: Mapping[tuple[str, str], str]


def invoice_item(record: Record, views: Mapping[str, View], known: Known) -> dict[str, Any]:
    """Return an invoice with all its payments and refunds."""
    shown = render.invoice(record, views, known.links)
    payments = zip(record.decision.payments, shown["payments"], strict=True)
    return {
        "kind": "invoice",
        **shown,
        "payments": [{**each, **_beside(one, record, known)} for one, each in payments],
        "refunds": [{**each, "asset_id": _asset_id(each, record, known)} for each in shown["refunds"]],
        "decisions": [_decision(each) for each in record.resolutions],
    }


def _beside(payment: Payment, record: Record, known: Known) -> dict[str, Any]:
    """Return what an accountant wants to know of a payment; amounts by the invoice's own decimals."""
    deposit = payment.deposit
    if payment.option is None:
        decimals = known.links.decimals(deposit.chain, deposit.asset)
    else:
        decimals = record.invoice.options[payment.option].decimals
    return {
        "asset_id": _asset_id({"chain": deposit.chain, "asset": deposit.asset}, record, known),
        "amount": format_amount(deposit.amount, decimals),
        "fee": format_amount(deposit.amount - payment.net, decimals),
        "net": format_amount(payment.net, decimals),
        "counted": payment.counted,
        "mined_at": _mined_at(deposit),
    }


def _decision(resolution: Resolution) -> dict[str, Any]:
    return {
        "kind": resolution.kind.value,
        "at": moment(resolution.at),
        "by": resolution.by,
        "reason": resolution.reason,
        "until": moment(resolution.until),
    }


def _asset_id(shown: Mapping[str, Any], record: Record, known: Known) -> str | None:
    asset = (shown["chain"], shown["asset"])
    own = {(option.chain, option.asset): option.asset_id for option in record.invoice.options}
    return own.get(asset) or known.asset_ids.get(asset)


def _mined_at(deposit: Deposit) -> str | None:
    return moment(deposit.block.time) if deposit.block else None


def deposit_item(
    mine: StandingAddress, deposit: Deposit, views: Mapping[str, View], known: Known
) -> dict[str, Any]:
    """Return a deposit to a standing address; `rule` says what it is to it."""
    view, decimals = views.get(deposit.chain), known.links.decimals(deposit.chain, deposit.asset)
    payment = judge(mine, deposit, view, decimals)
    return {
        "kind": "deposit",
        **render.payment(payment, view, known.links),
        "address_id": mine.id,
        "label": mine.label,
        "asset_id": known.asset_ids.get((deposit.chain, deposit.asset)),
        "fee": "0",
        "counted": payment.counted and belief(payment) is not Last.GONE,
        "rule": payment.rule,
        "mined_at": _mined_at(deposit),
    }
