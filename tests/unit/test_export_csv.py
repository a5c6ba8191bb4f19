"""The lines of the CSV export: one for each movement, readable by any spreadsheet and harmless to it."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_tree import ROOT
from watcher.export_csv import COLUMNS, header, lines

TIME = "2026-11-22T12:00:00Z"
OPTION = {
    "chain": "dev", "asset": "USDT", "asset_id": "eip155:1/erc20:0x1", "address": "0xa", "amount": "25.5",
    "expected": "26", "seen": "30", "fees": "0.5", "net": "29.5",
}  # fmt: skip
PAYMENT = {
    "id": "pay_1", "chain": "dev", "asset": "USDT", "asset_id": "eip155:1/erc20:0x1", "txid": "0xt",
    "slot": "log:0", "address": "0xa", "amount": "30", "fee": "0.5", "net": "29.5", "status": "confirmed",
    "counted": True, "late": False, "block_height": 7, "first_seen_at": TIME, "mined_at": TIME,
}  # fmt: skip
REFUND = {
    "id": "ref_1", "chain": "dev", "asset": "USDT", "asset_id": "eip155:1/erc20:0x1", "txid": "0xr",
    "address": "0xp", "amount": "4.5", "arrives": "4.499999999999999999", "state": "confirmed",
    "reason": "too much", "by": "shop", "requested_at": TIME, "sent_at": TIME, "confirmed_at": TIME,
    "cancelled_at": None,
}  # fmt: skip
INVOICE: dict[str, Any] = {
    "kind": "invoice", "id": "inv_1", "order_id": "A-1", "status": "paid", "exceptions": ["overpaid", "late"],
    "description": 'Two "books", bound', "options": [OPTION], "payments": [PAYMENT], "refunds": [REFUND],
    "created_at": TIME, "expires_at": TIME, "paid_at": TIME, "closed_at": TIME,
    "decisions": [{"by": "shop", "reason": "first"}, {"by": "boss", "reason": "@last"}],
}  # fmt: skip
DEPOSIT = {**PAYMENT, "kind": "deposit", "address_id": "adr_1", "label": "customer 7", "status": "pending"}
DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - that is the point


def read(raw: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((header() + raw).decode(), newline="")))


def test_an_invoice_is_a_line_for_each_way_to_pay_each_payment_and_each_refund() -> None:
    found = read(lines([{**INVOICE, "options": [OPTION, {**OPTION, "asset": "DAI"}]}]))

    kinds = [(line["kind"], line["id"], line["invoice_id"], line["order_id"]) for line in found]
    own = ("inv_1", "A-1")
    assert [
        ("invoice", "inv_1", *own),
        ("invoice", "inv_1", *own),
        ("payment", "pay_1", *own),
        ("refund", "ref_1", *own),
    ] == kinds
    assert ["USDT", "DAI"] == [line["asset"] for line in found[:2]]


def test_a_line_of_an_invoice_says_what_was_asked_and_what_came() -> None:
    line = read(lines([INVOICE]))[0]

    amounts = ("amount", "expected", "gross", "fee", "net")
    assert ("25.5", "26", "30", "0.5", "29.5") == tuple(line[name] for name in amounts)
    assert ("boss", "'@last") == (line["by"], line["reason"])
    assert ("paid", "overpaid late", "yes") == (line["status"], line["exceptions"], line["late"])
    assert ('Two "books", bound', TIME, TIME) == (line["description"], line["paid_at"], line["closed_at"])


def test_a_line_of_a_payment_says_where_it_is_and_what_remains() -> None:
    line = read(lines([INVOICE]))[1]

    assert ("30", "0.5", "29.5", "") == (line["gross"], line["fee"], line["net"], line["amount"])
    assert ("0xt", "log:0", "0xa", "7") == tuple(line[n] for n in ("txid", "slot", "address", "block_height"))
    assert ("confirmed", "yes", "no") == (line["status"], line["counted"], line["late"])


def test_a_line_of_a_refund_says_what_left_and_what_arrives_to_the_last_digit() -> None:
    line = read(lines([INVOICE]))[2]

    assert ("4.5", "0.000000000000000001", "4.499999999999999999") == (
        line["gross"],
        line["fee"],
        line["net"],
    )
    assert ("0xr", "0xp", "shop", "too much") == (line["txid"], line["address"], line["by"], line["reason"])
    assert ("confirmed", "yes", TIME) == (line["status"], line["counted"], line["confirmed_at"])


def test_a_deposit_to_a_standing_address_is_one_line_without_an_invoice() -> None:
    (line,) = read(lines([DEPOSIT]))

    assert ("deposit", "", "adr_1", "customer 7") == tuple(
        line[name] for name in ("kind", "invoice_id", "address_id", "label")
    )
    assert ("pending", "30") == (line["status"], line["gross"])


@pytest.mark.parametrize("beginning", DANGEROUS)
@pytest.mark.parametrize("place", ["order_id", "description"])
def test_what_a_customer_writes_never_becomes_a_formula(place: str, beginning: str) -> None:
    text = f"{beginning}HYPERLINK(1)"
    found = read(lines([{**INVOICE, place: text}]))

    assert f"'{text}" == found[0][place]


@pytest.mark.parametrize("text", ["A-1", "2=2", " =1", "é=1", "'=1", ""])
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert text == read(lines([{**INVOICE, "order_id": text}]))[0]["order_id"]


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20))
def test_any_text_comes_back_from_the_file_in_one_line_per_movement(text: str) -> None:
    found = read(lines([{**INVOICE, "order_id": text, "description": text}]))

    assert 3 == len(found)
    assert text == found[0]["description"].removeprefix("'") or text.startswith("'")
    assert not found[0]["description"].startswith(DANGEROUS)


def test_lines_end_as_rfc_4180_says_and_quote_what_needs_it() -> None:
    raw = lines([{**INVOICE, "payments": [], "refunds": []}])

    assert header().endswith(b"\r\n")
    assert (1, b'"Two ""books"", bound"\r\n') == (raw.count(b"\r\n"), raw[-24:])


def test_every_line_has_every_column_in_the_order_of_the_readme() -> None:
    table = (ROOT / "README.md").read_text().partition("### Export")[2].partition("\n### ")[0]
    named = re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (.*?) \|", table, re.MULTILINE)))

    assert list(COLUMNS) == header().decode().strip().split(",")
    assert [*COLUMNS] == named
