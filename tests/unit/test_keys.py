"""Extended public keys: the official vectors, and two libraries that must agree on every address."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import bip_utils
import pytest

from chains import keys_bip_utils, keys_bitcoinlib
from chains.base import AddressError
from chains.keys import EvmPublicKey, Network, PublicKey, network
from chains.keys_encoding import base58check_decode, base58check_encode
from chains.keys_networks import MULTISIG, NETWORKS, PRIVATE

if TYPE_CHECKING:
    from types import ModuleType

BIP32 = json.loads((Path(__file__).parent / "vectors" / "bip32.json").read_text(encoding="utf-8"))
BITCOIN = network("bitcoin", "mainnet")
TESTNET = network("bitcoin", "testnet")
REGTEST = network("bitcoin", "regtest")
LITECOIN = network("litecoin", "mainnet")
DOGECOIN = network("dogecoin", "mainnet")

ABANDON = "abandon " * 11 + "about"
JUNK = "test " * 11 + "junk"
XPUB = BIP32["accounts"]["BIP-86"]
UPUB = BIP32["accounts"]["BIP-49"]
ZPUB = BIP32["accounts"]["BIP-84"]


@cache
def account(words: str, path: str, prefix: str = "xpub") -> str:
    """Return the account's key as a wallet would export it."""
    seed = bip_utils.Bip39SeedGenerator(words).Generate()
    key = bip_utils.Bip32Slip10Secp256k1.FromSeedAndPath(seed, path)
    return renamed(key.PublicKey().ToExtended(), prefix)


def renamed(key: str, prefix: str) -> str:
    """Return the same key with another prefix."""
    versions = {each.name: each.version for where in NETWORKS for each in where.prefixes}
    versions |= {each.name: each.version for each in MULTISIG} | PRIVATE
    return base58check_encode(versions[prefix] + base58check_decode(key)[4:])


@pytest.mark.parametrize(
    ("key", "where", "script", "addresses"),
    [
        # BIP-44 has no vectors of its own: the published first address of its usual mnemonic.
        pytest.param(
            account(ABANDON, "m/44'/0'/0'"),
            BITCOIN,
            "p2pkh",
            ["1LqBGSKuX5yYUonjxT5qGfpUsXKYYWeabA"],
            id="BIP-44",
        ),
        pytest.param(UPUB, TESTNET, None, ["2Mww8dCYPUpKHofjgcXcBCEGmniw9CoaiD2"], id="BIP-49"),
        pytest.param(
            ZPUB,
            BITCOIN,
            None,
            ["bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu", "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g"],
            id="BIP-84",
        ),
        pytest.param(
            XPUB,
            BITCOIN,
            "p2tr",
            [
                "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr",
                "bc1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0was9fqzwh",
            ],
            id="BIP-86",
        ),
        # Published first addresses of the same mnemonic (Trezor's and bip_utils' tests).
        pytest.param(
            account(ABANDON, "m/44'/2'/0'", "Ltub"),
            LITECOIN,
            "p2pkh",
            ["LUWPbpM43E2p7ZSh8cyTBEkvpHmr3cB8Ez"],
            id="Litecoin p2pkh",
        ),
        pytest.param(
            account(ABANDON, "m/49'/2'/0'", "Mtub"),
            LITECOIN,
            None,
            ["M7wtsL7wSHDBJVMWWhtQfTMSYYkyooAAXM"],
            id="Litecoin p2sh-p2wpkh",
        ),
        pytest.param(
            account(ABANDON, "m/84'/2'/0'", "zpub"),
            LITECOIN,
            None,
            ["ltc1qjmxnz78nmc8nq77wuxh25n2es7rzm5c2rkk4wh"],
            id="Litecoin p2wpkh",
        ),
        pytest.param(
            account(ABANDON, "m/44'/3'/0'", "dgub"),
            DOGECOIN,
            None,
            ["DBus3bamQjgJULBJtYXpEzDWQRwF5iwxgC"],
            id="Dogecoin",
        ),
    ],
)
def test_published_addresses_are_derived(
    key: str, where: Network, script: str | None, addresses: list[str]
) -> None:
    parsed = PublicKey.parse(key, where, script)

    assert [parsed.address(index) for index in range(len(addresses))] == addresses


@pytest.mark.parametrize(
    ("words", "addresses"),
    [
        # The accounts that anvil and hardhat print at start.
        pytest.param(
            JUNK,
            ["0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"],
            id="anvil",
        ),
        pytest.param(ABANDON, ["0x9858EfFD232B4033E47d90003D41EC34EcaEda94"], id="BIP-39"),
    ],
)
def test_published_ethereum_addresses_are_derived(words: str, addresses: list[str]) -> None:
    key = EvmPublicKey.parse(account(words, "m/44'/60'/0'"))

    assert [key.address(index) for index in range(len(addresses))] == addresses


@pytest.mark.parametrize("step", [pytest.param(each, id=each["id"]) for each in BIP32["public_steps"]])
def test_both_libraries_take_the_public_steps_of_bip_32(step: dict) -> None:
    first = bip_utils.Bip32Slip10Secp256k1.FromExtendedKey(step["parent"]).ChildKey(step["index"])
    second = keys_bitcoinlib.load().keys.HDKey.from_wif(step["parent"]).child_public(step["index"])

    assert first.PublicKey().ToExtended() == step["child"]
    assert second.wif_public(witness_type="legacy") == step["child"]


@pytest.mark.parametrize("vector", [pytest.param(each, id=each["id"]) for each in BIP32["seeds"]])
def test_the_seeds_of_bip_32_lead_to_their_public_keys(vector: dict) -> None:
    key = bip_utils.Bip32Slip10Secp256k1.FromSeedAndPath(bytes.fromhex(vector["seed"]), vector["path"])

    assert key.PublicKey().ToExtended() == vector["key"]


@pytest.mark.parametrize("script", ["p2pkh", "p2sh-p2wpkh", "p2wpkh", "p2tr"])
@pytest.mark.parametrize(
    "key",
    [pytest.param(each["key"], id=each["id"]) for each in BIP32["public_keys"]]
    + [pytest.param(each["child"], id=each["id"]) for each in BIP32["public_steps"]],
)
def test_each_public_key_of_bip_32_is_read_at_its_depth_and_the_libraries_agree(
    key: str, script: str
) -> None:
    parsed = PublicKey.parse(key, BITCOIN, script)

    assert parsed.xpub == key
    assert parsed.address(2**31 - 1) != parsed.address(0)


@pytest.mark.parametrize(
    ("prefix", "where", "script", "chosen"),
    [
        pytest.param("xpub", BITCOIN, None, "p2wpkh", id="xpub is p2wpkh"),
        pytest.param("ypub", BITCOIN, None, "p2sh-p2wpkh", id="ypub is p2sh-p2wpkh"),
        pytest.param("zpub", BITCOIN, None, "p2wpkh", id="zpub is p2wpkh"),
        pytest.param("tpub", REGTEST, None, "p2wpkh", id="tpub is p2wpkh"),
        pytest.param("vpub", TESTNET, "p2wpkh", "p2wpkh", id="vpub says what script says"),
        pytest.param("xpub", BITCOIN, "p2tr", "p2tr", id="xpub can be p2tr"),
        pytest.param("Ltub", LITECOIN, None, "p2wpkh", id="Ltub is p2wpkh"),
        pytest.param("Mtub", LITECOIN, None, "p2sh-p2wpkh", id="Mtub is p2sh-p2wpkh"),
        pytest.param("xpub", DOGECOIN, None, "p2pkh", id="dogecoin is p2pkh"),
    ],
)
def test_script_or_else_the_prefix_decides_the_script(
    prefix: str, where: Network, script: str | None, chosen: str
) -> None:
    assert PublicKey.parse(renamed(XPUB, prefix), where, script).script == chosen


def test_a_key_without_room_for_two_more_steps_is_refused() -> None:
    data = base58check_decode(XPUB)

    PublicKey.parse(base58check_encode(data[:4] + b"\xfd" + data[5:]), BITCOIN).address(0)
    with pytest.raises(AddressError, match="lies too deep"):
        PublicKey.parse(base58check_encode(data[:4] + b"\xfe" + data[5:]), BITCOIN)


def test_blanks_around_a_key_from_a_file_do_not_matter() -> None:
    assert PublicKey.parse(f" {XPUB}\n", BITCOIN) == PublicKey.parse(XPUB, BITCOIN)


@pytest.mark.parametrize("index", [-1, 2**31, 2**31 + 5, 2**40])
def test_a_hardened_or_impossible_index_is_refused(index: int) -> None:
    for key in (PublicKey.parse(XPUB, BITCOIN), EvmPublicKey.parse(XPUB)):
        with pytest.raises(AddressError, match=f"there is no address 0/{index} below a public key"):
            key.address(index)


def test_two_libraries_agree_on_every_script_of_every_network() -> None:
    for where in NETWORKS:
        key = renamed(XPUB, where.prefixes[0].name)
        addresses = [
            PublicKey.parse(key, where, script).address(index) for script in where.scripts for index in (0, 7)
        ]

        assert len(addresses) == len(set(addresses)) == 2 * len(where.scripts)


@pytest.mark.parametrize("library", [keys_bip_utils, keys_bitcoinlib], ids=["bip_utils", "bitcoinlib"])
def test_an_address_on_which_the_libraries_differ_is_not_shown(
    library: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, evm_original = library.address, library.evm_address
    monkeypatch.setattr(library, "address", lambda xpub, index, *rest: original(xpub, index + 1, *rest))
    monkeypatch.setattr(library, "evm_address", lambda xpub, index: evm_original(xpub, index + 1))

    for key in (PublicKey.parse(XPUB, BITCOIN), EvmPublicKey.parse(XPUB)):
        with pytest.raises(AddressError, match="the two key libraries disagree about address 0/5"):
            key.address(5)


def fingerprint(prefix: str, where: Network, script: str | None = None) -> str:
    return PublicKey.parse(renamed(XPUB, prefix), where, script).fingerprint


def test_keys_have_one_fingerprint_exactly_when_they_give_the_same_addresses() -> None:
    same = {
        fingerprint("xpub", BITCOIN),
        fingerprint("zpub", BITCOIN),
        PublicKey.parse(renamed(XPUB, "xpub"), BITCOIN, "p2wpkh").fingerprint,
    }
    others = [
        fingerprint("ypub", BITCOIN),
        fingerprint("xpub", BITCOIN, "p2tr"),
        fingerprint("xpub", BITCOIN, "p2pkh"),
        fingerprint("tpub", TESTNET),
        fingerprint("tpub", REGTEST),
        fingerprint("xpub", LITECOIN),
        EvmPublicKey.parse(XPUB).fingerprint,
        PublicKey.parse(renamed(ZPUB, "xpub"), BITCOIN).fingerprint,
    ]

    assert len(same) == 1
    assert len({*same, *others}) == 1 + len(others)
    assert fingerprint("tpub", TESTNET) == fingerprint("tpub", network("bitcoin", "signet"))


def test_a_key_does_not_show_in_its_repr() -> None:
    assert XPUB[4:] not in repr(PublicKey.parse(XPUB, BITCOIN))
    assert XPUB[4:] not in repr(EvmPublicKey.parse(XPUB))
