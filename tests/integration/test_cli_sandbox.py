"""The newcomer's first five minutes: `watcher sandbox`, and the commands that it prints, run as printed."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from command_line import Running, alive, children, running, shell, watcher
from watcher.sandbox.place import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_WITHIN = 20.0


def commands(sandbox: Running) -> list[str]:
    """Return the commands that it says to copy: the line below each number."""
    sandbox.wait_for("Ctrl-C ends it")
    lines = sandbox.lines
    return [lines[i + 1].strip() for i, line in enumerate(lines) if line[:2] in {"1.", "2.", "3."}]


def received(watch: str, folder: Path) -> list[dict[str, Any]]:
    webhooks: list[dict[str, Any]] = json.loads(shell(watch, folder).stdout)["webhooks"]
    return webhooks


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _WITHIN
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture(scope="module")
def sandbox(
    tmp_path_factory: pytest.TempPathFactory, litecoind_binary: Path, anvil_binary: Path
) -> Iterator[Running]:
    """One sandbox for the tests that only look and pay; both nodes are required."""
    assert litecoind_binary
    assert anvil_binary
    folder = tmp_path_factory.mktemp("sandbox")
    with running("sandbox", cwd=folder) as process:
        commands(process)
        yield process
        process.end(signal.SIGINT)


def test_the_three_printed_commands_make_an_invoice_pay_it_and_show_the_webhook(
    sandbox: Running, tmp_path: Path
) -> None:
    create, pay, watch = commands(sandbox)

    invoice = json.loads(shell(create, tmp_path).stdout)
    paid = shell(pay, tmp_path)

    assert (0, "") == (paid.returncode, paid.stderr)
    assert f"{invoice['id']} is paid" in paid.stdout
    wait_until(lambda: any(w["type"] == "invoice.paid" for w in received(watch, tmp_path)))
    told = next(w for w in received(watch, tmp_path) if w["type"] == "invoice.paid")
    assert (invoice["id"], "paid") == (told["data"]["invoice"]["id"], told["data"]["invoice"]["status"])
    assert "signature verified" in sandbox.wait_for(f"invoice.paid {invoice['id']}")


WAYS = [
    pytest.param("ethereum", "ETH", "0.5", id="the native coin of anvil"),
    pytest.param("ethereum", "USDT", "12.34", id="a token on anvil"),
    pytest.param("litecoin", "LTC", "0.125", id="the coin of litecoind"),
]


@pytest.mark.parametrize(("chain", "asset", "amount"), WAYS)
def test_pay_sends_what_is_missing_and_mines_the_confirmations(
    sandbox: Running, chain: str, asset: str, amount: str
) -> None:
    config = Place(sandbox.folder / ".sandbox").config
    words = ("--chain", chain, "--asset", asset, "--amount", amount, "--json")
    made = json.loads(watcher("--config", config, "invoice", "create", *words, cwd=sandbox.folder).stdout)

    paid = watcher("sandbox", "pay", made["id"], cwd=sandbox.folder)

    assert (0, "") == (paid.returncode, paid.stderr)
    assert paid.stdout.startswith(f"paid {amount} {asset} on {chain} to {made['options'][0]['address']}")
    assert f"{made['id']} is paid" in paid.stdout


def test_pay_sends_a_part_in_the_way_that_is_named(sandbox: Running) -> None:
    config = Place(sandbox.folder / ".sandbox").config
    words = ("--option", "ethereum:ETH:2", "--option", "litecoin:LTC:4", "--json")
    made = json.loads(watcher("--config", config, "invoice", "create", *words, cwd=sandbox.folder).stdout)

    words = ("--chain", "litecoin", "--amount", "1")
    paid = watcher("sandbox", "pay", made["id"], *words, cwd=sandbox.folder)

    assert "paid 1 LTC on litecoin" in paid.stdout
    assert f"{made['id']} is partial" in paid.stdout


MISTAKES = [
    pytest.param(["inv_0"], 1, "there is no invoice inv_0", id="an unknown invoice"),
    pytest.param(["latest", "--asset", "BTC"], 2, "it takes:", id="an asset that it does not take"),
    pytest.param(["latest", "--amount", "-1"], 2, "--amount", id="an amount below zero"),
    pytest.param(["latest", "--amount", "0"], 1, "name a sum", id="nothing"),
]


@pytest.mark.parametrize(("words", "status", "told"), MISTAKES)
def test_a_mistake_in_paying_is_one_line(sandbox: Running, words: list[str], status: int, told: str) -> None:
    config = Place(sandbox.folder / ".sandbox").config
    create = ("invoice", "create", "--chain", "ethereum", "--asset", "ETH", "--amount", "1")
    watcher("--config", config, *create, cwd=sandbox.folder)

    done = watcher("sandbox", "pay", *words, cwd=sandbox.folder)

    assert (status, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines())), done.stderr
    assert told in done.stderr


def test_a_second_sandbox_in_the_same_folder_is_refused(sandbox: Running) -> None:
    done = watcher("sandbox", cwd=sandbox.folder)

    assert (1, 1) == (done.returncode, len(done.stderr.splitlines()))
    assert "already" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_daemon_and_every_node_and_the_next_start_is_fresh(
    tmp_path: Path, anvil_binary: Path, number: signal.Signals
) -> None:
    env = {"ANVIL": str(anvil_binary), "LITECOIND": "/nowhere"}
    keys = []
    for _ in range(2):
        with running("sandbox", cwd=tmp_path, env=env) as process:
            create, _, watch = commands(process)
            nodes = children(process.process.pid)
            assert nodes
            assert [] == [w for w in received(watch, tmp_path) if w["type"] == "invoice.created"]
            shell(create, tmp_path)
            keys.append(process.wait_for("Key"))

            assert 0 == process.end(number)

        assert [] == [pid for pid in nodes if alive(pid)]
        assert "Traceback" not in process.text
    assert keys[0] != keys[1]


def test_what_is_missing_is_named_with_its_remedy_and_the_rest_runs(
    tmp_path: Path, anvil_binary: Path
) -> None:
    with running(
        "sandbox", cwd=tmp_path, env={"ANVIL": str(anvil_binary), "LITECOIND": "/nowhere"}
    ) as process:
        assert "litecoind is missing. To have it:" in process.wait_for("litecoind is missing")
        assert "ethereum (anvil: ETH, USDT)" in process.wait_for("Chains")
        process.wait_for("Ctrl-C")
        process.end()


def test_without_any_node_it_says_what_to_install_and_fails(tmp_path: Path) -> None:
    done = watcher("sandbox", cwd=tmp_path, env={"ANVIL": "/nowhere", "LITECOIND": "/nowhere"})

    assert 1 == done.returncode
    assert "anvil is missing. To have it:" in done.stdout
    assert "litecoind is missing. To have it:" in done.stdout
    assert 1 == len(done.stderr.splitlines())


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    kept = tmp_path / "watcher.db"
    kept.write_text("precious")

    done = watcher("sandbox", "--dir", tmp_path, cwd=tmp_path)

    assert (2, 1) == (done.returncode, len(done.stderr.splitlines()))
    assert "precious" == kept.read_text()


def test_settings_of_the_environment_do_not_reach_the_sandbox(tmp_path: Path, anvil_binary: Path) -> None:
    precious = tmp_path / "real.db"
    env = {
        "ANVIL": str(anvil_binary),
        "LITECOIND": "/nowhere",
        "WATCHER_DATABASE__URL": f"sqlite:///{precious}",
    }
    with running("sandbox", cwd=tmp_path, env=env) as process:
        process.wait_for("Ctrl-C")
        process.end()

    assert not precious.exists()


def test_paying_without_a_sandbox_says_how_to_start_one(tmp_path: Path) -> None:
    done = watcher("sandbox", "pay", "latest", cwd=tmp_path)

    assert (1, 1) == (done.returncode, len(done.stderr.splitlines()))
    assert "watcher sandbox" in done.stderr
