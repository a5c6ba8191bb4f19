"""Every way to lose or invent money that is known and concerns us has a test that names it, or a reason.

A test names its rows in its own name: `test_h50_reverted_ancestor`, `test_h16_h18_…`. They are numbered as in
the project's list of hazards, of which these are the sections on reorganisations, the Bitcoin family, the
Ethereum family, money and time, and storage.
"""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from source_tree import ROOT, sources

SECTIONS = {
    "A, reorganisations and finality": range(1, 16),
    "B, Bitcoin family": [row for row in range(16, 42) if row != 32],
    "C, Ethereum family": [row for row in range(42, 78) if row != 73],
    "F, money, matching, time": range(95, 111),
    "G, storage, outbox, process": range(111, 128),
}
"""There is no row 32 and no row 73."""

ROWS = [pytest.param(row, id=f"h{row}") for rows in SECTIONS.values() for row in rows]

UNTESTED = {
    99: "there is no PostgreSQL yet; amounts have their type of fixed-width text for it already (h95 to h98)",
    116: "there is no PostgreSQL yet, hence no advisory lock; SQLite's owner holds a file lock (h121)",
    117: "there is no PostgreSQL yet; on SQLite writers wait in line and cannot conflict (h120)",
    123: "there is no backup command yet; the README says what a copied database loses",
}
"""Rows that no test can show, each with the reason."""


@cache
def _tested() -> frozenset[int]:
    """Return the rows that the name of any test or the id of any of its cases names."""
    found: set[int] = set()
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            found |= _named(_name(node))
    return frozenset(found)


def _name(node: ast.AST) -> str:
    """Return the name of a test, or the id of a `pytest.param`, as if it were one."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return name
        case ast.keyword(arg="id", value=ast.Constant(value=str(text))):
            return f"test_{text.replace('-', '_')}"
        case _:
            return ""


def _named(test: str) -> set[int]:
    rows = re.match(r"test((?:_h[0-9]+)+)_", test)
    return {int(row) for row in re.findall(r"[0-9]+", rows[1])} if rows else set()


@pytest.mark.parametrize("row", ROWS)
def test_a_hazard_has_a_test_or_a_reason(row: int) -> None:
    assert (row in _tested()) is not (row in UNTESTED), UNTESTED.get(row, "no test names it")


def test_h45_h48_nothing_asks_for_logs_by_range_nor_waits_for_filters_and_subscriptions() -> None:
    """Tokens come from the receipts of whole blocks, found by polling: no list of addresses is ever sent."""
    said = {text for source in sources().values() for text in source.strings()}
    methods = {text for text in said if re.fullmatch(r"eth_[A-Za-z]+", text)}

    assert "eth_getBlockReceipts" in methods
    assert not [method for method in methods if re.search(r"Logs$|[Ff]ilter|ubscri", method)]


def test_a_reason_is_given_for_known_rows_only() -> None:
    known = {row for rows in SECTIONS.values() for row in rows}

    assert set() == set(UNTESTED) - known
    assert all(len(reason) > len("because") for reason in UNTESTED.values())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("test_h50_reverted_ancestor", {50}, id="one"),
        pytest.param("test_h1_h22_h33_after_all", {1, 22, 33}, id="several"),
        pytest.param("test_nothing_h5_here", set(), id="elsewhere in the name"),
        pytest.param("test_hundreds_of_blocks", set(), id="no number"),
        pytest.param("test_h58_false", {58}, id="an id of a case"),
    ],
)
def test_a_test_names_its_hazards_at_its_begin(name: str, expected: set[int]) -> None:
    assert expected == _named(name)
