"""Addresses and output scripts: the vectors of BIP-173 and 350, other networks, one address per script."""

from __future__ import annotations

import json
from pathlib import Path

import bip_utils
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains import keys_bitcoinlib
from chains.base import AddressError
from chains.keys import Network, address_of, network, script_of
from chains.keys_encoding import BECH32, BECH32M, base58check_encode, bech32_decode
from chains.keys_networks import NETWORKS

VECTORS = json.loads((Path(__file__).parent / "vectors" / "bech32.json").read_text(encoding="utf-8"))
BITCOIN = network("bitcoin", "mainnet")
TESTNET = network("bitcoin", "testnet")
REGTEST = network("bitcoin", "regtest")
LITECOIN = network("litecoin", "mainnet")
LITECOIN_REGTEST = network("litecoin", "regtest")
DOGECOIN = network("dogecoin", "mainnet")
H160 = bytes.fromhex("751e76e8199196d454941c45d1b3a323f1433bd6")
P2PKH = b"\x76\xa9\x14" + H160 + b"\x88\xac"
P2SH = b"\xa9\x14" + H160 + b"\x87"


@pytest.mark.parametrize("text", VECTORS["bech32"])
def test_the_valid_strings_of_bip_173_are_bech32(text: str) -> None:
    assert bech32_decode(text)[2] == BECH32


@pytest.mark.parametrize("text", VECTORS["bech32m"])
def test_the_valid_strings_of_bip_350_are_bech32m(text: str) -> None:
    assert bech32_decode(text)[2] == BECH32M


@pytest.mark.parametrize("text", [pytest.param(text, id=reason) for reason, text in VECTORS["broken"]])
def test_the_invalid_strings_of_bip_173_and_350_are_neither(text: str) -> None:
    with pytest.raises(ValueError, match=r"^its? "):
        bech32_decode(text)


@pytest.mark.parametrize(("address", "script"), VECTORS["addresses"])
def test_the_addresses_of_bip_173_and_350_give_their_scripts_and_back(address: str, script: str) -> None:
    where = TESTNET if address.startswith("tb") else BITCOIN

    assert script_of(address, where).hex() == script
    assert address_of(bytes.fromhex(script), where) == address.lower()


@pytest.mark.parametrize(
    "address", [pytest.param(a, id=reason) for reason, a in VECTORS["invalid_addresses"]]
)
def test_the_invalid_addresses_of_bip_173_and_350_are_refused(address: str) -> None:
    where = TESTNET if address.startswith("tb") else BITCOIN

    with pytest.raises(AddressError):
        script_of(address, where)


@pytest.mark.parametrize(
    ("where", "p2pkh", "p2sh"),
    [
        pytest.param(BITCOIN, "1", "3", id="bitcoin mainnet"),
        pytest.param(TESTNET, "m", "2", id="bitcoin testnet"),
        pytest.param(LITECOIN, "L", "M", id="litecoin mainnet"),
        pytest.param(network("litecoin", "testnet"), "m", "Q", id="litecoin testnet"),
        pytest.param(LITECOIN_REGTEST, "m", "Q", id="litecoin regtest"),
        pytest.param(DOGECOIN, "D", "A", id="dogecoin mainnet"),
        pytest.param(network("dogecoin", "testnet"), "n", "2", id="dogecoin testnet"),
        pytest.param(network("dogecoin", "regtest"), "m", "2", id="dogecoin regtest"),
    ],
)
def test_base58_addresses_begin_as_their_network_prints_them(where: Network, p2pkh: str, p2sh: str) -> None:
    assert [p2pkh, p2sh] == [str(address_of(script, where))[0] for script in (P2PKH, P2SH)]


@pytest.mark.parametrize(
    ("where", "begin"),
    [
        pytest.param(BITCOIN, "bc1q", id="bitcoin"),
        pytest.param(network("bitcoin", "testnet4"), "tb1q", id="testnet4"),
        pytest.param(network("bitcoin", "signet"), "tb1q", id="signet"),
        pytest.param(REGTEST, "bcrt1q", id="regtest"),
        pytest.param(LITECOIN, "ltc1q", id="litecoin"),
        pytest.param(network("litecoin", "testnet"), "tltc1q", id="litecoin testnet"),
        pytest.param(LITECOIN_REGTEST, "rltc1q", id="litecoin regtest"),
    ],
)
def test_witness_addresses_begin_as_their_network_prints_them(where: Network, begin: str) -> None:
    assert str(address_of(b"\x00\x14" + H160, where)).startswith(begin)


def _standard_scripts() -> st.SearchStrategy[bytes]:
    hashes = st.binary(min_size=20, max_size=20)
    programs = st.tuples(st.integers(1, 16), st.binary(min_size=2, max_size=40))
    return st.one_of(
        hashes.map(lambda data: b"\x76\xa9\x14" + data + b"\x88\xac"),
        hashes.map(lambda data: b"\xa9\x14" + data + b"\x87"),
        hashes.map(lambda data: b"\x00\x14" + data),
        st.binary(min_size=32, max_size=32).map(lambda data: b"\x00\x20" + data),
        programs.map(lambda each: bytes((0x50 + each[0], len(each[1]))) + each[1]),
    )


@given(script=_standard_scripts(), where=st.sampled_from(NETWORKS))
def test_h27_every_standard_script_has_one_address_that_leads_back_to_it(
    script: bytes, where: Network
) -> None:
    address = address_of(script, where)

    if address is None:
        assert where.hrp is None
        assert script not in (P2PKH, P2SH)
    else:
        assert script_of(address, where) == script


@given(script=_standard_scripts(), where=st.sampled_from([each for each in NETWORKS if each.hrp]))
def test_h27_upper_case_bech32_is_the_same_address(script: bytes, where: Network) -> None:
    address = str(address_of(script, where))

    if address.startswith(f"{where.hrp}1"):
        assert script_of(address.upper(), where) == script


@given(program=st.binary(min_size=2, max_size=40), version=st.integers(0, 16))
def test_bip_utils_decodes_witness_addresses_alike(program: bytes, version: int) -> None:
    script = bytes((version and 0x50 + version, len(program))) + program
    address = address_of(script, BITCOIN)

    if address is None:
        assert version == 0
        assert len(program) not in (20, 32)
    else:
        assert bip_utils.SegwitBech32Decoder.Decode("bc", address) == (version, program)


@pytest.mark.parametrize("script", [P2PKH, P2SH, b"\x00\x14" + H160, b"\x51\x20" + bytes(32)], ids=bytes.hex)
def test_bitcoinlib_gives_the_same_address_and_script(script: bytes) -> None:
    output = keys_bitcoinlib.load().transactions.Output(1000, lock_script=script, network="bitcoin")
    address = str(address_of(script, BITCOIN))

    assert output.address == address
    assert script_of(address, BITCOIN) == script


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x6a\x04data", id="data carrier"),
        pytest.param(b"\x21\x02" + bytes(32) + b"\xac", id="pay to public key"),
        pytest.param(b"\x00\x10" + bytes(16), id="version 0 of another length"),
        pytest.param(b"\x51\x01\x00", id="program of one byte"),
        pytest.param(b"\x51\x29" + bytes(41), id="program of 41 bytes"),
        pytest.param(b"\x51\x20" + bytes(31), id="push that is cut off"),
        pytest.param(b"\x61\x20" + bytes(32), id="OP_NOP is no version"),
        pytest.param(b"\x50\x20" + bytes(32), id="OP_RESERVED is no version"),
        pytest.param(P2PKH + b"\xac", id="p2pkh with a tail"),
    ],
)
def test_a_script_without_an_address_has_none(script: bytes) -> None:
    assert address_of(script, BITCOIN) is None


def test_dogecoin_has_no_witness_addresses() -> None:
    assert address_of(b"\x00\x14" + H160, DOGECOIN) is None


@pytest.mark.parametrize(
    ("old", "where", "new"),
    [
        pytest.param(0x05, LITECOIN, "M", id="mainnet 3 becomes M"),
        pytest.param(0xC4, LITECOIN_REGTEST, "Q", id="regtest 2 becomes Q"),
    ],
)
def test_litecoins_former_script_addresses_are_written_anew(old: int, where: Network, new: str) -> None:
    script = script_of(base58check_encode(bytes((old,)) + H160), where)

    assert script == P2SH
    assert str(address_of(script, where)).startswith(new)


@pytest.mark.parametrize(
    ("address", "where", "names"),
    [
        pytest.param("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", REGTEST, "bitcoin mainnet", id="bc1"),
        pytest.param(
            "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx",
            BITCOIN,
            "bitcoin testnet, testnet4 or signet",
            id="tb1",
        ),
        pytest.param(str(address_of(P2PKH, BITCOIN)), REGTEST, "bitcoin mainnet", id="1"),
        pytest.param(
            str(address_of(P2PKH, REGTEST)),
            BITCOIN,
            "bitcoin testnet, testnet4, signet or regtest",
            id="m",
        ),
        pytest.param(str(address_of(P2SH, LITECOIN)), BITCOIN, "litecoin mainnet", id="M"),
        pytest.param(
            str(address_of(P2SH, LITECOIN_REGTEST)), LITECOIN, "litecoin testnet or regtest", id="Q"
        ),
        pytest.param(str(address_of(P2PKH, DOGECOIN)), LITECOIN, "dogecoin mainnet", id="D"),
        pytest.param("ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9", BITCOIN, "litecoin mainnet", id="ltc1"),
        pytest.param(
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", DOGECOIN, "bitcoin mainnet", id="no witness"
        ),
    ],
)
def test_another_networks_address_is_refused_naming_both(address: str, where: Network, names: str) -> None:
    with pytest.raises(AddressError) as caught:
        script_of(address, where)

    assert str(caught.value) == (
        f"this is an address of {names}, but the chain is {where}: give one that begins {where.forms}"
    )


def test_testnet_testnet4_and_signet_share_their_addresses() -> None:
    address = "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"

    assert {script_of(address, network("bitcoin", name)) for name in ("testnet", "testnet4", "signet")} == {
        b"\x00\x14" + H160
    }


@pytest.mark.parametrize("begin", ["ltcmweb1", "tmweb1", "LTCMWEB1"])
def test_a_mweb_address_is_refused_because_it_cannot_be_watched(begin: str) -> None:
    with pytest.raises(AddressError, match="MWEB address, which hides what it receives"):
        script_of(begin + "qq" * 50, LITECOIN)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        pytest.param("", "its checksum is wrong", id="empty"),
        pytest.param("1BxrAr2pHpeBheusmd6fHDP2tSLAUa3qsX", "its checksum is wrong", id="typo"),
        pytest.param(
            "1BxrAr2pHpeBheusmd6fHDP2tSLAUa3qs0", "it has a character that base58 does not use", id="0"
        ),
        pytest.param(" 1BxrAr2pHpeBheusmd6fHDP2tSLAUa3qsW", "it has a character that base58", id="space"),
        pytest.param("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", "its checksum is wrong", id="bech32 typo"),
        pytest.param(
            "BC1QW508d6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", "it mixes upper and lower case", id="mixed"
        ),
        pytest.param(
            "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7\u212aV8F3T4", "it has a character that", id="Kelvin sign"
        ),
        pytest.param(
            base58check_encode(b"\x00" + H160 + b"\x00"), "its length is wrong", id="21 bytes hashed"
        ),
        pytest.param(
            base58check_encode(b"\x99" + H160), "it belongs to an unknown coin", id="unknown version"
        ),
        pytest.param("1" * 5000, "it is too long", id="very long"),
    ],
)
def test_a_broken_address_is_refused_with_its_reason(address: str, reason: str) -> None:
    with pytest.raises(AddressError, match=reason):
        script_of(address, BITCOIN)


def test_bip_utils_alone_would_take_a_kelvin_sign_for_a_k() -> None:
    spoofed = "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7\u212aV8F3T4"

    assert bip_utils.SegwitBech32Decoder.Decode("bc", spoofed) == (0, H160)


def test_a_private_key_given_as_an_address_is_refused_by_name_and_not_repeated() -> None:
    secret = "KyFAjQ5rgrKvhXvNMtFB5PCSKUYD1yyPEe3xr3T34TZSUHycXtMM"

    with pytest.raises(AddressError, match=r"private key \(WIF\)") as caught:
        script_of(secret, BITCOIN)

    assert secret not in str(caught.value)
