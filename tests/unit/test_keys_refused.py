"""What is refused where an extended public key belongs: typing mistakes, private keys, other networks."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from chains.base import AddressError
from chains.keys import EvmPublicKey, Network, PublicKey, checksum, network
from chains.keys_encoding import base58check_decode, base58check_encode
from chains.keys_networks import MULTISIG, NETWORKS, PRIVATE, Prefix

BIP32 = json.loads((Path(__file__).parent / "vectors" / "bip32.json").read_text(encoding="utf-8"))
BITCOIN = network("bitcoin", "mainnet")
REGTEST = network("bitcoin", "regtest")
LITECOIN = network("litecoin", "mainnet")
DOGECOIN = network("dogecoin", "mainnet")
XPUB = BIP32["accounts"]["BIP-86"]
ZPUB = BIP32["accounts"]["BIP-84"]
VERSIONS = {each.name: each.version for where in NETWORKS for each in where.prefixes}
VERSIONS |= {each.name: each.version for each in MULTISIG} | PRIVATE


def renamed(key: str, prefix: str) -> str:
    """Return the same key with another prefix."""
    return base58check_encode(VERSIONS[prefix] + base58check_decode(key)[4:])


@pytest.mark.parametrize("key", [pytest.param(key, id=name) for name, key in BIP32["invalid"]])
def test_the_invalid_keys_of_bip_32_are_refused(key: str) -> None:
    with pytest.raises(AddressError):
        PublicKey.parse(key, BITCOIN)
    with pytest.raises(AddressError):
        EvmPublicKey.parse(key)


BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def typos(key: str, count: int) -> list[str]:
    """Return different copies of the key with one wrong character each."""
    chance = random.Random(32)
    found: set[str] = set()
    while len(found) < count:
        place = chance.randrange(len(key))
        found.add(key[:place] + chance.choice(BASE58.replace(key[place], "")) + key[place + 1 :])
    return sorted(found)


@pytest.mark.parametrize(
    ("key", "where"),
    [
        pytest.param(XPUB, BITCOIN, id="xpub"),
        pytest.param(ZPUB, BITCOIN, id="zpub"),
        pytest.param(renamed(XPUB, "tpub"), REGTEST, id="tpub"),
        pytest.param(renamed(XPUB, "Ltub"), LITECOIN, id="Ltub"),
        pytest.param(renamed(XPUB, "dgub"), DOGECOIN, id="dgub"),
    ],
)
def test_300_typos_of_a_key_are_all_refused(key: str, where: Network) -> None:
    PublicKey.parse(key, where)

    for typo in typos(key, 300):
        with pytest.raises(AddressError):
            PublicKey.parse(typo, where)


WORDS = "abandon " * 11 + "about"
SECRETS = {
    "xprv": BIP32["private"]["key"],
    "xprv mistyped": BIP32["private"]["key"][:-1] + "j",
    "xprv cut short": "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk",
    "xprv in a descriptor": "wpkh([d34db33f/84h/0h/0h]xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stb/0/*)",
    "WIF": "KyFAjQ5rgrKvhXvNMtFB5PCSKUYD1yyPEe3xr3T34TZSUHycXtMM",
    "WIF mistyped": "KyFAjQ5rgrKvhXvNMtFB5PCSKUYD1yyPEe3xr3T34TZSUHycXtMN",
    "WIF of an uncompressed key": "5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ",
    "BIP-38": "6PYM8wAnnmAK5mHYoF7zqj88y5HtK7eiPeqPdu4WnYEFkYKEEoMFEVfuDg",
    "hex": "e8f32e723decf4051aefac8e2c93c9c5b214313817cdb01a1494b917c8436b35",
    "hex with 0x": "0xE8F32E723DECF4051AEFAC8E2C93C9C5B214313817CDB01A1494B917C8436B35",
    "seed in hex": "fffcf9f6f3f0edeae7e4e1dedbd8d5d2cfccc9c6c3c0bdbab7b4b1aeaba8a5a2" * 2,
    "12 words": WORDS,
    "24 words": "letter advice cage absurd amount doctor acoustic avoid " * 3,
    "24 words on lines": "legal winner thank year wave sausage worth useful\n" * 3,
    "word missing": " ".join(WORDS.split()[1:]),
}


@pytest.mark.parametrize("secret", [pytest.param(text, id=name) for name, text in SECRETS.items()])
def test_a_private_key_is_refused_by_name_and_never_repeated(secret: str) -> None:
    for parse in (lambda text: PublicKey.parse(text, BITCOIN), EvmPublicKey.parse, checksum):
        with pytest.raises(AddressError, match=r"private (key|seed).*: never give it to a server") as caught:
            parse(f" {secret}\n")

        assert "\n" not in str(caught.value)
        assert not [word for word in secret.split() if word in str(caught.value)]
        assert caught.value.__context__ is None or secret not in str(caught.value.__context__)


@pytest.mark.parametrize("name", PRIVATE)
def test_every_prefix_of_a_private_key_is_known(name: str) -> None:
    key = renamed(XPUB, name)

    assert key.startswith(name)
    with pytest.raises(AddressError, match="an extended private key"):
        PublicKey.parse(key, BITCOIN)


@pytest.mark.parametrize("prefix", {each for where in NETWORKS for each in where.prefixes} | MULTISIG)
def test_every_prefix_of_a_public_key_reads_as_its_name(prefix: Prefix) -> None:
    for filler in (b"\x00", b"\xff"):
        assert base58check_encode(prefix.version + filler * 74)[:4] == prefix.name


@pytest.mark.parametrize(
    ("key", "where", "message"),
    [
        pytest.param(
            "tpub", BITCOIN, "tpub is a key of bitcoin testnet; bitcoin mainnet takes xpub or ypub or zpub"
        ),
        pytest.param(
            "xpub", REGTEST, "xpub is a key of bitcoin mainnet; bitcoin regtest takes tpub or upub or vpub"
        ),
        pytest.param(
            "Ltub", BITCOIN, "Ltub is a key of litecoin mainnet; bitcoin mainnet takes xpub or ypub or zpub"
        ),
        pytest.param(
            "zpub", DOGECOIN, "zpub is a key of bitcoin mainnet; dogecoin mainnet takes dgub or xpub"
        ),
        pytest.param(
            "Zpub",
            BITCOIN,
            "Zpub is the key of a multisig wallet; bitcoin mainnet takes xpub or ypub or zpub",
        ),
    ],
)
def test_a_prefix_of_another_network_is_refused_naming_it_and_the_right_ones(
    key: str, where: Network, message: str
) -> None:
    with pytest.raises(AddressError) as caught:
        PublicKey.parse(renamed(XPUB, key), where)

    assert str(caught.value) == message


@pytest.mark.parametrize("prefix", ["tpub", "zpub", "Ltub"])
def test_an_ethereum_like_chain_takes_an_xpub_alone(prefix: str) -> None:
    with pytest.raises(AddressError, match=f"{prefix} is a key of .*; an Ethereum-like chain takes xpub"):
        EvmPublicKey.parse(renamed(XPUB, prefix))


@pytest.mark.parametrize(
    ("prefix", "where", "script", "message"),
    [
        pytest.param(
            "ypub", BITCOIN, "p2wpkh", "ypub is a key for p2sh-p2wpkh, but script is p2wpkh", id="ypub"
        ),
        pytest.param("zpub", BITCOIN, "p2tr", "zpub is a key for p2wpkh, but script is p2tr", id="zpub"),
        pytest.param("Mtub", LITECOIN, "p2wpkh", "Mtub is a key for p2sh-p2wpkh, but script is", id="Mtub"),
        pytest.param(
            "dgub", DOGECOIN, "p2wpkh", "dogecoin mainnet has no script p2wpkh; it takes p2pkh", id="doge"
        ),
        pytest.param(
            "xpub", BITCOIN, "p2wsh", "bitcoin mainnet has no script p2wsh; it takes p2pkh or", id="p2wsh"
        ),
    ],
)
def test_a_prefix_or_coin_that_contradicts_script_is_refused(
    prefix: str, where: Network, script: str, message: str
) -> None:
    with pytest.raises(AddressError, match=message):
        PublicKey.parse(renamed(XPUB, prefix), where, script)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("xpub", id="prefix alone"),
        pytest.param(f"wpkh({XPUB}/0/*)", id="descriptor"),
        pytest.param("1BxrAr2pHpeBheusmd6fHDP2tSLAUa3qsW", id="address"),
        pytest.param("0339a36013301597daef41fbe593a02cc513d0b55527ec2df1050e2e8ff49c85c2", id="public key"),
        pytest.param(f"{XPUB}\u0661", id="digit of another script"),
        pytest.param(base58check_encode(base58check_decode(XPUB) + b"\0"), id="a byte too long"),
        pytest.param("1" * 100_000, id="very long"),
    ],
)
def test_what_is_no_extended_public_key_is_refused_saying_what_belongs_there(text: str) -> None:
    with pytest.raises(AddressError, match=r"^this is not an extended public key \(xpub or ypub or zpub\)"):
        PublicKey.parse(text, BITCOIN)


@pytest.mark.parametrize(
    ("coin", "name", "message"),
    [
        pytest.param(
            "bitcoin",
            "mainet",
            "bitcoin has no network 'mainet': it is one of mainnet, testnet",
            id="network",
        ),
        pytest.param(
            "dogecoin", "signet", "dogecoin has no network 'signet': it is one of mainnet, te", id="other"
        ),
        pytest.param(
            "bitcon", "mainnet", "unknown coin 'bitcon': it is one of bitcoin, litecoin, dogecoin", id="coin"
        ),
    ],
)
def test_an_unknown_coin_or_network_is_refused_naming_those_that_exist(
    coin: str, name: str, message: str
) -> None:
    with pytest.raises(AddressError, match=message):
        network(coin, name)


@pytest.mark.parametrize("key", ["xpub…", "zpub…", "vpub…"])
def test_a_key_that_nobody_filled_in_is_called_a_placeholder(key: str) -> None:
    for parse in (lambda: PublicKey.parse(key, BITCOIN), lambda: EvmPublicKey.parse(key)):
        with pytest.raises(AddressError, match="still the placeholder: fill in the account's key"):
            parse()
