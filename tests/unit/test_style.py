"""What a reader of the code can rely on: short files and functions, a docstring each, no float near money."""

from __future__ import annotations

import ast

import pytest

from source_tree import sources

LONGEST_FILE = 320
LONGEST_FUNCTION = 40
LONGEST_IN_A_LONG_FILE = 10

LONG_FILES = {
    "watcher.model": "the nouns: declarations without behaviour, read as one glossary",
    "watcher.tables": "the rows: declarations without behaviour, read as one schema",
    "chains.base": "what is said of a chain: types and one protocol, read as one contract",
}
MIGRATIONS = "watcher.migrations.versions."
"""A migration is written once, from the tables, and never changed."""

MONEY = [
    f"watcher.{file}"
    for file in (
        *("money", "sums", "matcher", "happenings", "decisions", "deposits", "facts", "ledger"),
        *("links_choice", "links_check", "links_stats", "links_shown", "render_payer"),
        *("terms", "actions", "drafts", "render", "explain", "tables"),
        *("stats", "stats_tally", "stats_series", "stats_volume", "export", "export_items", "export_csv"),
    )
]
DIVISIONS = {"watcher.money": ["(net + fixed) / (1 - share)"]}
"""Of exact fractions."""
FLOATS = {
    "chains.config": "seconds",
    "chains.rpc": "seconds",
    "chains.rpc_envelope": "seconds",
    "chains.rpc_http": "seconds",
    "chains.rpc_node": "seconds",
    "chains.rpc_survey": "seconds",
    "chains.rpc_verdicts": "seconds",
    "chains.bitcoin": "seconds",
    "chains.bitcoin_mempool": "seconds",
    "chains.bitcoin_recovery": "seconds",
    "chains.evm": "seconds",
    "chains.evm_config": "seconds",
}
"""Files of `chains/` with a float, and what it is: never an amount."""

BROAD = {
    "watcher.api.guard": "one request's bug must neither show itself to a stranger nor stop the scanners",
}
"""Where any exception at all is caught, and why; elsewhere the unexpected ends the process."""

MODULES = list(sources())
OWN = [name for name in MODULES if not name.startswith(MIGRATIONS)]


def _lengths(module: str) -> dict[str, int]:
    """Return the lines of each function below its signature: a command's options are a table."""
    return {f.name: (f.end_lineno or 0) - f.body[0].lineno + 1 for f in sources()[module].functions()}


@pytest.mark.parametrize("module", [name for name in OWN if name not in LONG_FILES])
def test_a_file_is_short(module: str) -> None:
    assert sources()[module].lines <= LONGEST_FILE


@pytest.mark.parametrize("module", LONG_FILES)
def test_a_long_file_only_declares(module: str) -> None:
    assert max(_lengths(module).values(), default=0) <= LONGEST_IN_A_LONG_FILE


@pytest.mark.parametrize("module", OWN)
def test_a_function_is_short(module: str) -> None:
    lengths = _lengths(module)

    assert {} == {name: length for name, length in lengths.items() if length > LONGEST_FUNCTION}


@pytest.mark.parametrize("module", OWN)
def test_a_file_says_in_one_to_five_lines_what_it_knows(module: str) -> None:
    said = ast.get_docstring(sources()[module].tree) or ""

    assert 1 <= len([line for line in said.splitlines() if line]) <= 5


@pytest.mark.parametrize("module", [name for name in MODULES if name in MONEY or name.startswith("chains")])
def test_no_float_comes_near_an_amount(module: str) -> None:
    source = sources()[module]
    floats = [n.value for n in source.nodes() if isinstance(n, ast.Constant) and isinstance(n.value, float)]
    floats += [call for call in source.calls() if call == "float"]

    assert bool(floats) is (module in FLOATS), floats


@pytest.mark.parametrize("module", MONEY)
def test_nothing_near_an_amount_is_divided_into_a_float(module: str) -> None:
    divisions = [
        ast.unparse(node)
        for node in sources()[module].nodes()
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
    ]

    assert DIVISIONS.get(module, []) == divisions


def test_every_money_path_is_there() -> None:
    assert set() == set(MONEY) - set(MODULES)


def test_the_unexpected_is_caught_in_one_place() -> None:
    catching = {
        module
        for module in MODULES
        for node in sources()[module].nodes()
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"})
    }

    assert set(BROAD) == catching
