"""What a merchant decides, by command: beside the daemon and without one, in one line or as JSON."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from embit.psbt import PSBT

from command_line import BOTH, as_json, configure, daemon, done, watcher
from public_keys import account

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from watcher.sandbox.anvil import Anvil
    from watcher.sandbox.litecoind import Litecoind

CREATE = ("invoice", "create", "--chain", "ethereum", "--asset", "ETH", "--amount", "0.5")
ETHER = 10**18
_WITHIN = 30
_LITECOIN = """
[chains.litecoin]
preset = "litecoin-regtest"
rpc = ["{url}"]
xpub = "{xpub}"
confirmations = 1
poll_interval = 0.2
stalled_after = 0
"""


def seen(id_: str, what: Callable[[dict[str, Any]], bool], cwd: Path) -> dict[str, Any]:
    """Return the invoice once it is as wanted."""
    deadline = time.monotonic() + _WITHIN
    while time.monotonic() < deadline:
        one: dict[str, Any] = as_json("invoice", "show", id_, cwd=cwd)
        if what(one):
            return one
        time.sleep(0.3)
    raise AssertionError(f"not within {_WITHIN} s: {one}")


def refused(*words: str, cwd: Path) -> tuple[int, str]:
    """Run a command that has to fail in one line, and return its status and the line."""
    result = watcher(*words, cwd=cwd)
    assert ("", 1) == (result.stdout, len(result.stderr.splitlines())), result.stderr
    return result.returncode, result.stderr.rstrip("\n")


@BOTH
def test_an_invoice_is_extended_accepted_and_cancelled(
    tmp_path: Path, anvil: Anvil, beside: Callable[[Path], Any]
) -> None:
    configure(tmp_path, anvil)
    one, two = (as_json(*CREATE, "--expires-in", "60", cwd=tmp_path)["id"] for _ in range(2))
    with beside(tmp_path):
        longer = done("invoice", "extend", one, "--seconds", "600", "--reason", "on the phone", cwd=tmp_path)
        taken = done("invoice", "accept", one, "--without-payment", "--reason", "cash", cwd=tmp_path)
        gone = as_json("invoice", "cancel", two, cwd=tmp_path)
        told = done("explain", one, cwd=tmp_path)

    assert longer.startswith(f"{one} is pending, and can be paid until 20")
    assert f"{one} is paid\n" == taken
    assert (two, "cancelled") == (gone["id"], gone["status"])
    for words in (
        "extend by local: on the phone",
        "accept by local: cash",
        "invoice.accept by local: cash",
        "not extend: already_paid",
        "Waits for you: none.",
    ):
        assert words in told


@BOTH
def test_too_much_is_given_back_by_a_transaction_that_the_chain_confirms(
    tmp_path: Path, anvil: Anvil, beside: Callable[[Path], Any]
) -> None:
    configure(tmp_path, anvil)
    payer = anvil.accounts[5]
    made = as_json(*CREATE, "--refund-address", payer, cwd=tmp_path)
    id_ = made["id"]
    anvil.send(made["options"][0]["address"], ETHER * 7 // 10)
    anvil.mine()
    with daemon(tmp_path):
        seen(id_, lambda one: bool(one["status"] == "paid"), tmp_path)
    with beside(tmp_path):
        asked = done("invoice", "refund", id_, "--reason", "too much", cwd=tmp_path)
        refund = as_json("invoice", "show", id_, cwd=tmp_path)["refunds"][0]["id"]
        txid = anvil.send(payer, ETHER // 5)
        anvil.mine()
        sent = done("refund", "sent", id_, refund, txid, cwd=tmp_path)
    with daemon(tmp_path):
        after = seen(id_, lambda one: bool(one["refunds"][0]["state"] == "confirmed"), tmp_path)
        shown = done("refund", "show", id_, refund, cwd=tmp_path)

    for words in (
        "0.2 ETH on ethereum",
        f"then: watcher refund sent {id_} {refund} TXID",
        f"value {ETHER // 5}",
        "too much",
        "arrives       0.2 ETH\n",
    ):
        assert words in asked
    assert payer in asked.lower()
    assert (True, True, "paid") == (
        "state         sent" in sent,
        "state         confirmed" in shown,
        after["status"],
    )
    assert "Sign this" not in shown


def test_a_refund_gets_an_address_and_is_withdrawn(tmp_path: Path, anvil: Anvil) -> None:
    configure(tmp_path, anvil)
    made = as_json(*CREATE, cwd=tmp_path)
    id_, (one, two) = made["id"], anvil.accounts[5:7]
    anvil.send(made["options"][0]["address"], ETHER)
    anvil.mine()
    with daemon(tmp_path):
        seen(id_, lambda invoice: bool(invoice["status"] == "paid"), tmp_path)
        unknown = refused("invoice", "refund", id_, cwd=tmp_path)
        refund = as_json("invoice", "refund", id_, "--address", one, "--amount", "0.1", cwd=tmp_path)["id"]
        moved = as_json("refund", "address", id_, refund, two, "--reason", "they moved", cwd=tmp_path)
        file = refused("refund", "show", id_, refund, "--psbt", "watcher.toml", cwd=tmp_path)
        none = watcher("refund", "show", id_, refund, "--psbt", "new.psbt", cwd=tmp_path)
        gone = done("refund", "cancel", id_, refund, cwd=tmp_path)
        again = refused("refund", "cancel", id_, refund, cwd=tmp_path)

    assert (2, "--address: is required: the payer named no refund_address") == unknown
    assert (two, "requested") == (moved["address"].lower(), moved["state"])
    assert (2, "--psbt: watcher.toml is there already; name a new file") == file
    assert (1, True) == (none.returncode, "nothing is written: there is none on ethereum" in none.stderr)
    assert "state         cancelled" in gone
    assert (1, "this refund was withdrawn already") == again


@BOTH
def test_what_to_sign_goes_to_a_file_that_wallets_read(
    tmp_path: Path, litecoind: Litecoind, beside: Callable[[Path], Any]
) -> None:
    configure(tmp_path)
    text = _LITECOIN.format(url=litecoind.url, xpub=account("84'/1'/0'", test=True))
    with (tmp_path / "watcher.toml").open("a") as file:
        file.write(text)
    payer = litecoind.rpc("getnewaddress")
    made = as_json("invoice", "create", "--option", "litecoin:LTC:1", cwd=tmp_path)
    litecoind.rpc("sendtoaddress", made["options"][0]["address"], "1.5")
    with daemon(tmp_path):
        litecoind.rpc("generatetoaddress", 1, payer)
        seen(made["id"], lambda one: bool(one["status"] == "paid"), tmp_path)
    words = ("--address", payer, "--psbt", "refund.psbt")
    with beside(tmp_path):
        asked = done("invoice", "refund", made["id"], *words, cwd=tmp_path)

    psbt = PSBT.parse((tmp_path / "refund.psbt").read_bytes())
    paid = [output.value for output in psbt.tx.vout]
    assert 50_000_000 in paid
    assert ("0.5 LTC on litecoin" in asked, "fee_rate" in asked, "cHNidP8" in asked) == (True, True, False)


# --- Mistakes


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("daemon")
    configure(folder)
    with daemon(folder):
        yield folder


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        pytest.param(("invoice", "accept", "inv_0"), 1, "there is no invoice inv_0", id="accept"),
        pytest.param(("invoice", "extend", "inv_0"), 1, "there is no invoice inv_0", id="extend"),
        pytest.param(("invoice", "cancel", "inv_0"), 1, "there is no invoice inv_0", id="cancel"),
        pytest.param(("invoice", "refund", "inv_0"), 1, "there is no invoice inv_0", id="refund"),
        pytest.param(("refund", "show", "inv_0", "ref_0"), 1, "there is no invoice inv_0", id="show"),
        pytest.param(("refund", "cancel", "inv_0", "ref_0"), 1, "there is no invoice inv_0", id="withdraw"),
        pytest.param(("refund", "sent", "inv_0", "ref_0", "ab"), 2, "TXID: is no transaction id", id="sent"),
        pytest.param(("invoice", "extend", "inv_0", "--seconds", "5"), 2, "--seconds: ", id="too short"),
        pytest.param(
            ("invoice", "refund", "inv_0", "--amount", "x"), 2, "--amount: is not a", id="no amount"
        ),
        pytest.param(
            ("invoice", "accept", "inv_0", "--reason", "x" * 501), 2, "--reason: ", id="a reason without end"
        ),
    ],
)
def test_a_mistake_is_one_line_in_the_users_words(
    known: Path, words: tuple[str, ...], status: int, told: str
) -> None:
    found, line = refused(*words, cwd=known)

    assert (status, True) == (found, line.startswith(told)), line


def test_what_cannot_be_done_now_is_one_line_with_the_reason(tmp_path: Path, anvil: Anvil) -> None:
    configure(tmp_path, anvil)
    id_ = as_json(*CREATE, cwd=tmp_path)["id"]

    accepted = refused("invoice", "accept", id_, cwd=tmp_path)
    refunded = refused("invoice", "refund", id_, cwd=tmp_path)
    changed = refused("invoice", "cancel", id_, "--sequence", "7", cwd=tmp_path)

    assert (1, "it is pending, and nothing that could be taken for a payment has come") == (
        accepted[0],
        accepted[1].partition(";")[0],
    )
    assert "without_payment" in accepted[1]
    assert 1 == refunded[0]
    assert (1, True) == (changed[0], changed[1].startswith("--sequence: it is at sequence 1 by now"))
