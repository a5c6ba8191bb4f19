"""Rows into nouns: what the ledger and the API read back from the database. Decides nothing."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - part of a record
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import bindparam, select

from chains.base import BlockRef
from watcher.model import (
    Decision,
    Deposit,
    ExcessPolicy,
    FeePayer,
    Finality,
    Invoice,
    LatePolicy,
    Option,
    Policy,
    Refund,
    RefundState,
    Resolution,
    ResolutionKind,
    ReturnPolicy,
    Standing,
    View,
)
from watcher.tables import ADDRESS, CHAIN, DEPOSIT, INVOICE, OPTION, REFUND, RESOLUTION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import BindParameter
    from sqlalchemy.ext.asyncio import AsyncConnection

    from watcher.model import Confirmations

_CHUNK = 500
"""Identifiers in one statement, well below SQLite's limit of 32,766 variables."""


@dataclass(frozen=True, slots=True)
class Record:
    """An invoice with the last decision about it and what its merchant decided."""

    invoice: Invoice
    decision: Decision
    resolutions: tuple[Resolution, ...]
    paid_at: datetime | None
    closed_at: datetime | None
    refunds: tuple[Refund, ...] = ()


def encode_decision(decision: Decision) -> str:
    """Return a decision as it is kept in the invoice's row."""
    return msgspec.json.encode(decision).decode()


def decode_decision(text: str) -> Decision:
    """Return a kept decision."""
    return msgspec.json.decode(text, type=Decision)


def encode_confirmations(confirmations: Confirmations) -> str:
    """Return a confirmation rule as text: "2", "safe" or "finalized"."""
    return str(confirmations)


def decode_confirmations(text: str) -> Confirmations:
    """Return a kept confirmation rule."""
    return int(text) if text.isdigit() else Finality(text)


def encode_policy(policy: Policy) -> str:
    """Return a policy as it is kept in the invoice's row; a share is a fraction: "97/100"."""
    return json.dumps(
        {
            "accept_share": None if policy.accept_share is None else str(policy.accept_share),
            "extend": policy.extend,
            "underpaid": policy.underpaid.value,
            "overpaid": policy.overpaid.value,
            "wrong_asset": policy.wrong_asset.value,
        }
    )


def decode_policy(text: str) -> Policy:
    """Return a kept policy; nothing happens by itself where it says nothing, as that of an older invoice."""
    kept, default = json.loads(text), Policy()
    share = kept.get("accept_share")
    return Policy(
        accept_share=None if share is None else Fraction(share),
        extend=kept.get("extend", default.extend),
        underpaid=ReturnPolicy(kept.get("underpaid", default.underpaid)),
        overpaid=ExcessPolicy(kept.get("overpaid", default.overpaid)),
        wrong_asset=ReturnPolicy(kept.get("wrong_asset", default.wrong_asset)),
    )


def chunks(ids: Iterable[str]) -> Iterator[list[str]]:
    """Split identifiers into lists that fit one statement."""
    every = list(dict.fromkeys(ids))
    for start in range(0, len(every), _CHUNK):
        yield every[start : start + _CHUNK]


_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_INVOICES = select(INVOICE).where(INVOICE.c.id.in_(_IDS))
_OPTIONS = select(OPTION).where(OPTION.c.invoice_id.in_(_IDS)).order_by(OPTION.c.position)
_RESOLUTIONS = select(RESOLUTION).where(RESOLUTION.c.invoice_id.in_(_IDS)).order_by(RESOLUTION.c.id)
_REFUNDS = select(REFUND).where(REFUND.c.invoice_id.in_(_IDS)).order_by(REFUND.c.at, REFUND.c.id)
_MINE = (ADDRESS.c.chain == DEPOSIT.c.chain) & (ADDRESS.c.address == DEPOSIT.c.address)
_DEPOSITS = select(ADDRESS.c.invoice_id, DEPOSIT).join_from(ADDRESS, DEPOSIT, _MINE)
_DEPOSITS = _DEPOSITS.where(ADDRESS.c.invoice_id.in_(_IDS))
_OF_REFUND = (REFUND.c.chain == DEPOSIT.c.chain) & (REFUND.c.address == DEPOSIT.c.address)
_SENT = select(REFUND.c.invoice_id, DEPOSIT)
_SENT = _SENT.join_from(REFUND, DEPOSIT, _OF_REFUND & (REFUND.c.txid == DEPOSIT.c.txid))
_SENT = _SENT.where(REFUND.c.invoice_id.in_(_IDS))
_CHAINS = select(CHAIN)
"""Built once: to build them costs more than to run them."""


async def load(connection: AsyncConnection, ids: Iterable[str]) -> dict[str, Record]:
    """Return the records of these invoices; unknown identifiers are left out."""
    records: dict[str, Record] = {}
    for some in chunks(ids):
        options = await _options(connection, some)
        resolutions = await resolutions_of(connection, some)
        refunds = await refunds_of(connection, some)
        for row in await connection.execute(_INVOICES, {"ids": some}):
            records[row.id] = Record(
                invoice=_invoice(row, tuple(options[row.id])),
                decision=decode_decision(row.decision),
                resolutions=tuple(resolutions[row.id]),
                paid_at=row.paid_at,
                closed_at=row.closed_at,
                refunds=tuple(refunds.get(row.id, ())),
            )
    return records


async def deposits_of(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, list[Deposit]]:
    """Return every recorded deposit to the addresses of these invoices (at most a chunk of them)."""
    found: dict[str, list[Deposit]] = defaultdict(list)
    for row in await connection.execute(_DEPOSITS, {"ids": ids}):
        found[row.invoice_id].append(deposit(row))
    return found


async def resolutions_of(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, list[Resolution]]:
    """Return what the merchants of these invoices decided, oldest first (at most a chunk of them)."""
    found: dict[str, list[Resolution]] = defaultdict(list)
    for row in await connection.execute(_RESOLUTIONS, {"ids": ids}):
        found[row.invoice_id].append(
            Resolution(ResolutionKind(row.kind), row.at, row.by, row.reason, row.until)
        )
    return found


async def refunds_of(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, list[Refund]]:
    """Return the refunds of these invoices, oldest first (at most a chunk of them)."""
    found: dict[str, list[Refund]] = defaultdict(list)
    for row in await connection.execute(_REFUNDS, {"ids": ids}):
        found[row.invoice_id].append(_refund(row))
    return found


async def sent_of(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, list[Deposit]]:
    """Return what the transactions of these invoices' refunds were seen to pay (at most a chunk of them)."""
    found: dict[str, list[Deposit]] = defaultdict(list)
    for row in await connection.execute(_SENT, {"ids": ids}):
        found[row.invoice_id].append(deposit(row))
    return found


def _refund(row: Any) -> Refund:
    """Return a refund row as a refund."""
    return Refund(
        id=row.id,
        chain=row.chain,
        asset=row.asset,
        decimals=row.decimals,
        amount=row.amount,
        arrives=row.arrives,
        confirmations=decode_confirmations(row.confirmations),
        by=row.by,
        at=row.at,
        address=row.address,
        reason=row.reason,
        covers=frozenset(json.loads(row.covers)),
        settles=row.settles,
        state=RefundState(row.state),
        txid=row.txid,
        sent_at=row.sent_at,
        confirmed_at=row.confirmed_at,
        cancelled_at=row.cancelled_at,
        unsigned=json.loads(row.unsigned) if row.unsigned else None,
    )


async def views(connection: AsyncConnection) -> dict[str, View]:
    """Return how much of each chain is proven."""
    return {row.name: view(row) for row in await connection.execute(_CHAINS)}


def view(row: Any) -> View:
    """Return a chain row as a view."""
    head = BlockRef(row.height, row.hash, row.parent, row.time)
    return View(row.name, head, row.as_of, row.safe, row.finalized)


def deposit(row: Any) -> Deposit:
    """Return a deposit row as a deposit."""
    block = None
    if row.block_height is not None:
        block = BlockRef(row.block_height, row.block_hash, row.block_parent, row.block_time)
    return Deposit(
        id=row.id,
        chain=row.chain,
        asset=row.asset,
        txid=row.txid,
        slot=row.slot,
        address=row.address,
        amount=row.amount,
        standing=Standing(row.standing),
        arrived_at=row.arrived_at,
        block=block,
        maturity=row.maturity,
        risk=row.risk,
    )


async def _options(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, list[Option]]:
    found: dict[str, list[Option]] = defaultdict(list)
    for row in await connection.execute(_OPTIONS, {"ids": ids}):
        found[row.invoice_id].append(_option(row))
    return found


def _option(row: Any) -> Option:
    return Option(
        position=row.position,
        chain=row.chain,
        asset=row.asset,
        asset_id=row.asset_id,
        decimals=row.decimals,
        address=row.address,
        amount=row.amount,
        expected=row.expected,
        minimum=row.minimum,
        confirmations=decode_confirmations(row.confirmations),
        from_height=row.from_height,
        fee_percent=Fraction(row.fee_percent),
        fee_fixed=row.fee_fixed,
        dust=row.dust,
        from_hash=row.from_hash,
        refund_address=row.refund_address,
    )


def _invoice(row: Any, options: tuple[Option, ...]) -> Invoice:
    return Invoice(
        id=row.id,
        options=options,
        created_at=row.created_at,
        expires_at=row.expires_at,
        monitor_until=row.monitor_until,
        fee_payer=FeePayer(row.fee_payer),
        late=LatePolicy(row.late),
        policy=decode_policy(row.policy),
        reminder_before=row.reminder_before,
        reminded_for=row.reminded_for,
        sequence=row.sequence,
        reverted=row.reverted,
        language=row.language,
        link_id=row.link_id,
        order_id=row.order_id,
        description=row.description,
        metadata=json.loads(row.metadata_json),
        customer_email=row.customer_email,
        webhook_url=row.webhook_url,
        return_url=row.return_url,
    )
