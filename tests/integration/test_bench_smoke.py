"""`make bench` in miniature: that it runs and what it writes, never how fast anything is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
BITCOIN = {
    *(f"{what}_{size}" for what in ("parse_ms", "read_ms", "read_cpu_ms") for size in (10, 20, 40)),
    *("parse_ratio", "parse_ours_ms", "bitcoinlib_ms", "read_ratio"),
    *("faster_than_bitcoinlib", "faster_with_payments", "bytes_per_script"),
}
EVM = {
    *(f"{who}_{clock}_ms" for who in ("ours", "traced", "web3") for clock in ("cpu", "wall")),
    *("less_cpu_than_web3", "less_cpu_traced", "less_cpu_with_payments", "quiet_cpu_ms"),
}
NEIGHBOURS = (("without", "_ms"), ("with", "_ms"), ("ratio", ""))
SURVIVAL = dict.fromkeys(("lost", "disordered", "foreign", "altered", "unfinished"), 0)


def bench(folder: Path, *names: str, **environment: str) -> tuple[dict[str, Any], str]:
    """Return what the benchmarks wrote and what they printed."""
    words = [each for name in names for each in ("--only", name)]
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS), "--tiny", *words, str(folder / "bench.json")],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    written: dict[str, Any] = json.loads((folder / "bench.json").read_text())
    return written, done.stdout


@pytest.mark.usefixtures("litecoind_binary")
def test_block_benchmarks_write_every_figure_and_the_machine(tmp_path: Path) -> None:
    written, printed = bench(tmp_path, "bitcoin_block", "evm_block")

    found = written["benchmarks"]
    assert {"bitcoin_block", "evm_block"} == found.keys()
    assert BITCOIN == found["bitcoin_block"]["figures"].keys()
    assert EVM == found["evm_block"]["figures"].keys()
    figures = [each for one in found.values() for each in one["figures"].values()]
    assert [] == [each for each in figures if not each["value"] > 0]
    assert {"cpu", "cores", "python"} < written["machine"].keys()
    assert "parse and match, 40 watched" in printed


def test_targets_of_the_block_benchmarks_stand_beside_their_figures(tmp_path: Path) -> None:
    written, _ = bench(tmp_path, "evm_block")

    figure = written["benchmarks"]["evm_block"]["figures"]["less_cpu_than_web3"]
    assert (20, figure["value"] >= 20) == (figure["at_least"], figure["met"])


def test_benchmark_without_its_node_says_so_and_the_others_run(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")

    written, printed = bench(tmp_path, "bitcoin_block", "evm_block", LITECOIND=nowhere)

    assert {"unavailable"} == written["benchmarks"]["bitcoin_block"].keys()
    assert nowhere in written["benchmarks"]["bitcoin_block"]["unavailable"]
    assert EVM == written["benchmarks"]["evm_block"]["figures"].keys()
    assert "bitcoin_block cannot run here" in printed


def test_the_benchmark_of_standing_addresses_compares_few_with_many(tmp_path: Path) -> None:
    written, _ = bench(tmp_path, "standing_addresses")

    figures = written["benchmarks"]["standing_addresses"]["figures"]
    expected = {"block_ms_10", "block_cpu_ms_10", "block_ms_20", "block_cpu_ms_20", "block_ratio"}
    assert expected == figures.keys()
    assert 1.2 == figures["block_ratio"]["at_most"]


def test_the_benchmarks_of_deliveries_tell_rates_and_what_bad_neighbours_do(tmp_path: Path) -> None:
    written, _ = bench(tmp_path, "deliveries", "neighbours")

    deliveries, neighbours = (written["benchmarks"][name]["figures"] for name in ("deliveries", "neighbours"))
    assert {"ours_per_s", "bare_per_s", "share", "alone_p50_ms", "alone_p99_ms"} == deliveries.keys()
    expected = {f"{what}_p{p}{unit}" for p in (50, 99) for what, unit in NEIGHBOURS}
    assert expected == neighbours.keys()
    assert 1.5 == neighbours["ratio_p99"]["at_most"]


def test_the_benchmark_of_survival_finds_everything_once_and_in_order(tmp_path: Path) -> None:
    written, _ = bench(tmp_path, "survival")

    figures = written["benchmarks"]["survival"]["figures"]
    assert SURVIVAL == {name: figure["value"] for name, figure in figures.items() if "met" in figure}


@pytest.mark.usefixtures("anvil_binary")
def test_the_benchmark_of_invoices_stands_beside_the_disk_and_the_derivation(tmp_path: Path) -> None:
    written, _ = bench(tmp_path, "invoices")

    figures = written["benchmarks"]["invoices"]["figures"]
    rates = {f"made_{clients}_per_s" for clients in (1, 10, 50)}
    beside = {"commits_per_s", "address_ms", "address_share", "commit_share"}
    assert rates | beside == figures.keys()


@pytest.mark.usefixtures("anvil_binary")
def test_the_benchmark_of_the_payers_page_stands_beside_a_static_one(tmp_path: Path) -> None:
    written, _ = bench(tmp_path, "payer_page")

    figures = written["benchmarks"]["payer_page"]["figures"]
    times = {"first_p50_ms", "first_p99_ms", "again_p50_ms", "static_p50_ms"}
    assert times | {"ratio", "page_bytes", "open_kb", "daemon_mb"} == figures.keys()
    assert 100 == figures["first_p99_ms"]["at_most"]
