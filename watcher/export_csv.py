"""The export as lines of CSV (RFC 4180): one for each movement, made of what the JSON export shows. Pure.

Columns are only ever added, at the end. Amounts are decimal text; a cell never becomes a formula.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from watcher.money import format_amount, parse_amount

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

COLUMNS = (
    *("kind", "id", "invoice_id", "address_id", "order_id", "label", "status", "exceptions", "late"),
    *("counted", "chain", "asset", "asset_id", "amount", "expected", "gross", "fee", "net"),
    *("txid", "slot", "address", "block_height", "created_at", "expires_at", "seen_at", "mined_at"),
    *("confirmed_at", "paid_at", "closed_at", "by", "reason", "description"),
)
"""What each line says; the README explains them."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Beginnings that a spreadsheet may calculate with; the last four are the full-width forms of the first."""


def header() -> bytes:
    """Return the first line."""
    return _written([COLUMNS])


def lines(items: Iterable[Mapping[str, Any]]) -> bytes:
    """Return the lines of invoices and deposits."""
    movements = (movement for item in items for movement in _movements(item))
    return _written([_cell(movement.get(column)) for column in COLUMNS] for movement in movements)


def _written(rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _cell(value: object) -> str:
    """Return a value as text; an apostrophe keeps a spreadsheet from reading it as a formula."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case _:
            text = str(value)
            return f"'{text}" if text.startswith(_FORMULA) else text


def _movements(item: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a line for each of an invoice's ways to pay, payments and refunds; or that of a deposit."""
    if item["kind"] == "deposit":
        yield _deposit(item)
        return
    own = {"invoice_id": item["id"], "order_id": item["order_id"]}
    for option in item["options"]:
        yield own | _option(item, option)
    for payment in item["payments"]:
        yield own | _payment(payment)
    for refund in item["refunds"]:
        yield own | _refund(refund)


def _option(item: Mapping[str, Any], option: Mapping[str, Any]) -> dict[str, Any]:
    decided: Mapping[str, Any] = item["decisions"][-1] if item["decisions"] else {}
    times = ("created_at", "expires_at", "paid_at", "closed_at")
    what = ("chain", "asset", "asset_id", "amount", "expected", "net", "address")
    return {
        "kind": "invoice",
        **{name: item[name] for name in ("id", "status", "description", *times)},
        **{name: option[name] for name in what},
        "exceptions": " ".join(item["exceptions"]),
        "late": "late" in item["exceptions"],
        "gross": option["seen"],
        "fee": option["fees"],
        "by": decided.get("by"),
        "reason": decided.get("reason"),
    }


def _payment(payment: Mapping[str, Any]) -> dict[str, Any]:
    return {"kind": "payment", **_moved(payment), "late": payment["late"]}


def _deposit(deposit: Mapping[str, Any]) -> dict[str, Any]:
    own = {name: deposit[name] for name in ("address_id", "label")}
    return {"kind": "deposit", **own, **_moved(deposit)}


def _moved(one: Mapping[str, Any]) -> dict[str, Any]:
    """Return what every movement towards us says."""
    what = ("id", "status", "counted", "chain", "asset", "asset_id", "fee", "net")
    where = ("txid", "slot", "address", "block_height", "mined_at")
    same = {name: one[name] for name in (*what, *where)}
    return same | {"gross": one["amount"], "seen_at": one["first_seen_at"]}


def _refund(refund: Mapping[str, Any]) -> dict[str, Any]:
    same = ("id", "chain", "asset", "asset_id", "txid", "address", "confirmed_at", "by", "reason")
    return {
        "kind": "refund",
        **{name: refund[name] for name in same},
        "status": refund["state"],
        "counted": refund["state"] == "confirmed",
        "gross": refund["amount"],
        "fee": _less(refund["amount"], refund["arrives"]),
        "net": refund["arrives"],
        "created_at": refund["requested_at"],
        "seen_at": refund["sent_at"],
        "closed_at": refund["cancelled_at"],
    }


def _less(whole: str, part: str) -> str:
    """Return the difference of two amounts of one asset, exactly."""
    decimals = max(len(text.partition(".")[2]) for text in (whole, part))
    return format_amount(parse_amount(whole, decimals) - parse_amount(part, decimals), decimals)
