"""A user's mistakes: each is one line that says what is wrong, exit status 2, and never a traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from command_line import running, watcher
from public_keys import account

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

XPUB = account("84'/0'/0'")
TPUB = account("84'/1'/0'", test=True)
GOOD = f'[chains.bitcoin]\npreset = "bitcoin"\nrpc = ["http://u:p@127.0.0.1:1"]\nxpub = "{XPUB}"\n'
_REPLACED = "x" if XPUB[20] != "x" else "y"
TYPO = XPUB[:20] + _REPLACED + XPUB[21:]
XPRV = (
    "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvv"
    "NKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi"
)
"""Of test vector 1 of BIP-32."""

BROKEN = "\udcff"
"""How Python writes the byte FF, which begins no character, in an argument."""

LISTS = ["key", "list"]
CREATE = ["invoice", "create", "--chain", "bitcoin", "--asset", "BTC", "--amount", "1"]

MISTAKES = [
    pytest.param([], GOOD, "Missing command", id="no command"),
    pytest.param(["frob"], GOOD, "No such command 'frob'", id="an unknown command"),
    pytest.param(["--bogus", "run"], GOOD, "--bogus", id="an unknown option"),
    pytest.param(["key"], GOOD, "watcher key", id="a noun without a verb"),
    pytest.param(["key", "create"], GOOD, "Missing argument", id="a missing argument"),
    pytest.param(
        ["key", "create", "a", "--scope", "root"], GOOD, "'read', 'write', 'admin'", id="an unknown scope"
    ),
    pytest.param(["rescan", "bitcoin"], GOOD, "--from", id="a missing option"),
    pytest.param(["rescan", "bitcoin", "--from", "-1"], GOOD, "--from", id="a height below zero"),
    pytest.param(
        ["invoice", "create", "--option", "BTC:1"], GOOD, "CHAIN:ASSET:AMOUNT", id="an option cut short"
    ),
    pytest.param([*CREATE, "--body", "-"], GOOD, "cannot stand beside --body", id="flags beside a body"),
    pytest.param(
        ["invoice", "create", "--body", "absent.json"], GOOD, "absent.json", id="a body that is not there"
    ),
    pytest.param(["invoice", "create", "--body", "-"], GOOD, "not JSON", id="a body that is not JSON"),
    pytest.param(["invoice", "list", "--limit", "0"], GOOD, "--limit", id="a limit of nothing"),
    pytest.param(["init", "new.toml"], GOOD, "bitcoin", id="a configuration for no chain"),
    pytest.param(
        ["init", "new.toml", "--chain", "bitcon"], GOOD, 'did you mean "bitcoin"', id="a misspelt preset"
    ),
    pytest.param(
        ["--config", "absent.toml", *LISTS], GOOD, "watcher init absent.toml", id="a file that is not there"
    ),
    pytest.param(LISTS, None, "watcher init", id="no configuration at all"),
    pytest.param(
        ["run"], "[server]\nprot = 1\n", 'server.prot: unknown key; did you mean "port"', id="a misspelt key"
    ),
    pytest.param(["run"], "[server\n", "not valid TOML", id="broken TOML"),
    pytest.param(["run"], GOOD.replace("http://u:p@", "tcp://"), "chains.bitcoin.rpc", id="a bad URL"),
    pytest.param(["run"], GOOD.replace(XPUB, XPRV), "private key", id="a private key for a public one"),
    pytest.param(
        ["run"], GOOD.replace(XPUB, TYPO), "chains.bitcoin.xpub", id="an xpub with a wrong character"
    ),
    pytest.param(["check"], GOOD.replace(XPUB, TPUB), "chains.bitcoin.xpub", id="an xpub of another network"),
    pytest.param(
        ["check"], GOOD.replace("preset =", "prest ="), 'did you mean "preset"', id="a misspelt preset key"
    ),
]

REFUSED = [
    pytest.param(["key", "create", ""], "NAME", id="an empty name"),
    pytest.param(["rescan", "bitcoin", "--from", "9", "--to", "8"], "--to", id="heights the wrong way round"),
    pytest.param(["invoice", "create"], "--chain", id="an invoice for nothing"),
    pytest.param([*CREATE[:-1], "1,5"], "--amount", id="an amount with a comma"),
    pytest.param([*CREATE[:-1], "0"], "--amount: is zero", id="an amount of nothing"),
    pytest.param([*CREATE, "--expires-in", "5"], "--expires-in", id="too short a time to pay"),
    pytest.param([*CREATE, "--confirmations", "many"], "--confirmations", id="confirmations in words"),
    pytest.param([*CREATE, "--tolerance-percent", "101"], "--tolerance-percent", id="a tolerance above all"),
    pytest.param([*CREATE, "--address", "bc1qnothing"], "--address", id="a broken address"),
    pytest.param(
        [*CREATE, "--address", "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"],
        "--address",
        id="an address of another network",
    ),
    pytest.param([*CREATE, "--option", "bitcoin:BTC:1"], "--chain", id="one way to pay beside several"),
    pytest.param(
        ["invoice", "create", "--option", "dogecoin:DOGE:1"],
        "--option dogecoin:DOGE:1",
        id="an option on a chain that is not configured",
    ),
    pytest.param(["invoice", "list", "--status", "payed"], "--status", id="an unknown status"),
    pytest.param(["invoice", "list", "--created-after", "noon"], "--created-after", id="a time in words"),
    pytest.param(["delivery", "list", "--state", "lost"], "--state", id="an unknown state"),
    pytest.param(["webhook", "add", "shop.example"], "URL", id="a receiver that is no URL"),
    pytest.param(["webhook", "add", "http://127.0.0.1/"], "allow_private", id="a private receiver"),
    pytest.param(
        ["webhook", "add", "https://shop.example/", "--event", "invoice.payed"],
        "--event",
        id="an unknown event",
    ),
    pytest.param(
        ["webhook", "add", "https://shop.example/", "--secret", "short"], "--secret", id="a weak secret"
    ),
]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a daemon that never reaches its node: it judges requests all the same."""
    folder = tmp_path_factory.mktemp("daemon")
    (folder / "watcher.toml").write_text(f"[server]\nport = 0\n{GOOD}")
    with running("run", cwd=folder) as process:
        process.wait_for("api.listening")
        yield folder


@pytest.mark.parametrize(("words", "config", "told"), MISTAKES)
def test_a_mistake_is_one_line_and_status_2(
    words: list[str], config: str | None, told: str, tmp_path: Path
) -> None:
    if config is not None:
        (tmp_path / "watcher.toml").write_text(config)

    done = watcher(*words, cwd=tmp_path, stdin="no json")

    assert (2, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines())), done.stderr
    assert told in done.stderr


@pytest.mark.parametrize(("words", "told"), REFUSED)
def test_what_the_daemon_refuses_is_one_line_with_the_option_and_status_2(
    words: list[str], told: str, daemon: Path
) -> None:
    done = watcher(*words, cwd=daemon)

    assert (2, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines())), done.stderr
    assert told in done.stderr


def test_a_private_key_is_never_repeated(tmp_path: Path) -> None:
    (tmp_path / "watcher.toml").write_text(GOOD.replace(XPUB, XPRV))

    assert XPRV[4:] not in watcher("check", cwd=tmp_path).stderr


def test_a_variable_of_the_environment_is_named_when_it_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "watcher.toml").write_text(GOOD)

    done = watcher("check", cwd=tmp_path, env={"WATCHER_SERVER__PORT": "high"})

    assert (2, 1) == (done.returncode, len(done.stderr.splitlines()))
    assert done.stderr.startswith("WATCHER_SERVER__PORT: ")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param(["key", "create", BROKEN], "argument 3 (\\xff)", id="a name"),
        pytest.param([BROKEN], "argument 1 (\\xff)", id="a command"),
        pytest.param(["--config", BROKEN, "check"], "argument 2 (\\xff)", id="a file"),
        pytest.param(["init", "a.toml", "--chain", BROKEN], "argument 4 (\\xff)", id="a preset"),
    ],
)
def test_an_argument_that_is_no_text_is_one_line_and_status_2(
    words: list[str], told: str, tmp_path: Path
) -> None:
    done = watcher(*words, cwd=tmp_path)

    assert (2, f"watcher: {told} is not UTF-8 text\n") == (done.returncode, done.stderr)
