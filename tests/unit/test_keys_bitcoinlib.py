"""The four unsafe places of bitcoinlib, each shown to be wrong still and shown to be fenced.

When one of the first tests of a pair fails, bitcoinlib has mended that place: its fence may go.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from chains import keys_bitcoinlib
from chains.base import AddressError
from chains.keys import EvmPublicKey, PublicKey, address_of, network, script_of

BITCOIN = network("bitcoin", "mainnet")
# BIP-86, account 0 and its first receiving address.
XPUB = json.loads((Path(__file__).parent / "vectors" / "bip32.json").read_text(encoding="utf-8"))["accounts"][
    "BIP-86"
]
TYPO = f"{XPUB[:82]}e{XPUB[83:]}"
TAPROOT = "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr"
# BIP-350.
VERSION_2 = "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs"
VERSION_2_SCRIPT = "5210751e76e8199196d454941c45d1b3a323"


def test_bitcoinlib_derives_from_an_extended_key_whose_checksum_is_wrong() -> None:
    right, wrong = (keys_bitcoinlib.load().keys.HDKey.from_wif(key).child_public(0) for key in (XPUB, TYPO))

    assert wrong.public_hex != right.public_hex


def test_a_key_whose_checksum_is_wrong_does_not_reach_bitcoinlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_bitcoinlib, "load", lambda: pytest.fail("bitcoinlib was asked"))

    with pytest.raises(AddressError, match="its checksum is wrong"):
        PublicKey.parse(TYPO, BITCOIN)
    with pytest.raises(AddressError, match="its checksum is wrong"):
        EvmPublicKey.parse(TYPO)


def test_bitcoinlib_makes_a_wrong_taproot_address() -> None:
    key = keys_bitcoinlib.load().keys.HDKey.from_wif(XPUB).child_public(0).child_public(0)

    assert key.address(script_type="p2tr", encoding="bech32") != TAPROOT


def test_the_taproot_address_of_the_second_opinion_is_right() -> None:
    assert keys_bitcoinlib.address(XPUB, 0, "p2tr", BITCOIN) == TAPROOT


def test_bitcoinlib_ignores_that_a_step_is_hardened() -> None:
    key = keys_bitcoinlib.load().keys.HDKey.from_wif(XPUB)

    assert key.key_for_path("0'").public_hex == key.key_for_path("0").public_hex
    assert key.child_public(2**31).depth == key.depth + 1


def test_a_hardened_step_does_not_reach_bitcoinlib(monkeypatch: pytest.MonkeyPatch) -> None:
    key = PublicKey.parse(XPUB, BITCOIN)
    monkeypatch.setattr(keys_bitcoinlib, "load", lambda: pytest.fail("bitcoinlib was asked"))

    with pytest.raises(AddressError, match="there is no address"):
        key.address(2**31)


def test_bitcoinlib_makes_a_wrong_script_for_witness_version_2() -> None:
    transactions = keys_bitcoinlib.load().transactions

    assert (
        transactions.Output(1000, address=VERSION_2, network="bitcoin").lock_script.hex() != VERSION_2_SCRIPT
    )
    read = transactions.Output(1000, lock_script=bytes.fromhex(VERSION_2_SCRIPT), network="bitcoin")
    assert read.address != VERSION_2


def test_the_script_of_witness_version_2_is_right() -> None:
    assert script_of(VERSION_2, BITCOIN).hex() == VERSION_2_SCRIPT
    assert address_of(bytes.fromhex(VERSION_2_SCRIPT), BITCOIN) == VERSION_2


DERIVE = f"""
import os, sys
from chains.keys import EvmPublicKey, PublicKey, network
assert not {{"bitcoinlib", "bip_utils"}} & set(sys.modules), "imported before it is needed"
key = PublicKey.parse("{XPUB}", network("bitcoin", "mainnet"), "p2tr")
print(key.address(0), EvmPublicKey.parse("{XPUB}").address(0), os.environ.get("BCL_DATA_DIR"))
"""


@pytest.mark.parametrize("given", [None, "/nowhere"])
def test_bitcoinlib_is_imported_late_and_writes_nothing_into_the_home_directory(
    tmp_path: Path, given: str | None
) -> None:
    home, temporary = tmp_path / "home", tmp_path / "tmp"
    home.mkdir()
    temporary.mkdir()
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("BCL_", "XDG_"))}
    environment |= {
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    environment |= {"BCL_DATA_DIR": given} if given else {}

    done = subprocess.run(
        [sys.executable, "-c", DERIVE],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.split() == [TAPROOT, "0x96551f7dbFedF141c1e8aD25C1A13ad8476866a9", str(given)], (
        done.stderr
    )
    assert done.stderr == ""
    assert sorted(tmp_path.rglob("*")) == [home, temporary]


def test_the_first_two_addresses_may_be_derived_at_once() -> None:
    """Found by the crash test: the first invoices after a start, made at the same moment, failed."""
    program = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from chains import keys_bitcoinlib\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    libraries = list(pool.map(lambda _: keys_bitcoinlib.load(), range(8)))\n"
        "assert len(set(map(id, libraries))) == 1\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert (0, "") == (done.returncode, done.stderr)
