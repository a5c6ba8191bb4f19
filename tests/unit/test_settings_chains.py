"""Wrong keys of a chain: one line each, with the key, the fault and the remedy, and no secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chains.config import ChainConfig
from sample_settings import BITCOIN, CANARY, ETHEREUM, TPUB, XPUB, refused

if TYPE_CHECKING:
    from pathlib import Path

# Test vector 1 of BIP-32.
XPRV = (
    "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3"
    "TGtRBeJgk33yuGBxrMPHi"
)
TYPO = f"{XPUB[:-1]}{'1' if XPUB[-1] != '1' else '2'}"
TOKEN = f"{ETHEREUM}[[chains.ethereum.assets]]\n"
STEP = "{{ up_to = '{}', confirmations = 1 }}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "watcher.toml"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            '[chains.bitcoin]\npreset = "bitcoin"\nrpc = ["127.0.0.1:8332"]',
            "chains.bitcoin.rpc[0]: not an http or https URL; ",
            id="a node without a scheme",
        ),
        pytest.param(
            f'[chains.bitcoin]\npreset = "bitcoin"\nrpc = ["http://u:{CANARY}/x@h:1"]',
            "chains.bitcoin.rpc[0]: not a URL; ",
            id="a password with a slash",
        ),
        pytest.param(
            '[chains.bitcoin]\npreset = "bitcoin"\nrpc = "http://h"',
            "chains.bitcoin.rpc: is not a list; write it in brackets",
            id="a node outside a list",
        ),
        pytest.param(
            '[chains.bitcoin]\npreset = "bitcoin"\nrpc = []',
            "chains.bitcoin.rpc: has too few entries; ",
            id="no node",
        ),
        pytest.param(
            '[chains.bitcoin]\npreset = "bitcoin"', "chains.bitcoin.rpc: is missing; add it", id="no key rpc"
        ),
        pytest.param(
            f"{BITCOIN}confirmations = 'all'", "chains.bitcoin.confirmations: not a confirmation", id="all"
        ),
        *(
            pytest.param(
                f"{BITCOIN}explorer = {url!r}",
                "chains.bitcoin.explorer: not a page of a transaction; write it as "
                '"https://explorer.example/tx/{txid}"',
                id=f"an explorer {name}",
            )
            for name, url in {
                "that is a script": "javascript:alert({txid})",
                "without the place of the id": "https://explorer.example/tx/",
                "with another place": "https://explorer.example/tx/{id}",
                "with two places": "https://explorer.example/{txid}/{txid}",
                "with the id in its host": "https://{txid}.example/",
                "with a password": f"https://u:{CANARY}@explorer.example/{{txid}}",
                "without a host": "https:///tx/{txid}",
                "with a space": "https://explorer.example/tx {txid}",
            }.items()
        ),
        pytest.param(
            f"{BITCOIN}explorer = 'https://explorer.example/\"{{txid}}'",
            "chains.bitcoin.explorer: not a page of a transaction; ",
            id="an explorer with a quote",
        ),
        *(
            pytest.param(f"{BITCOIN}title = {title}", "chains.bitcoin.title: not one line of text ", id=name)
            for name, title in {
                "no title at all": "''",
                "a title of a space": "' '",
                "a title of two lines": r'"two\nlines"',
                "a long title": f"'{'x' * 51}'",
            }.items()
        ),
        pytest.param(
            f"{BITCOIN}confirmations = true", "chains.bitcoin.confirmations: not a confirmation", id="true"
        ),
        pytest.param(f"{BITCOIN}confirmations = -1", "chains.bitcoin.confirmations: out of range; ", id="-1"),
        pytest.param(
            f"{BITCOIN}confirmations = 600",
            "chains.bitcoin.history: is not above the largest",
            id="h8 no history",
        ),
        pytest.param(
            f"{BITCOIN}history = 199",
            "chains.bitcoin.history: is too small; write at least 200",
            id="h8 short history",
        ),
        pytest.param(
            f"{BITCOIN}confirmations_by_amount = [{STEP.format(2)}, {STEP.format(1)}]",
            "chains.bitcoin.confirmations_by_amount: the steps do not rise; ",
            id="steps that fall",
        ),
        pytest.param(
            f"{BITCOIN}fees = {{ percent = '100' }}",
            "chains.bitcoin.fees.percent: takes the whole payment; ",
            id="all",
        ),
        pytest.param(
            f"{TOKEN}symbol = 'X'\ndecimals = 6",
            "chains.ethereum.assets[3].contract: is missing; add it",
            id="a token without an address",
        ),
        pytest.param(
            f"{TOKEN}symbol = 'USDT'\ncontract = '0xdac17F958D2ee523a2206206994597C13D831ec7'",
            "chains.ethereum.assets[2].contract: ",
            id="a token address with a wrong checksum",
        ),
    ],
)
def test_a_mistake_is_one_line_with_the_key_and_the_remedy(file: Path, text: str, expected: str) -> None:
    assert refused(file, text).startswith(f"watcher.toml: {expected}")


@pytest.mark.parametrize(
    ("key", "chain"),
    [
        pytest.param(TYPO, "bitcoin", id="one wrong character"),
        pytest.param(TPUB, "bitcoin", id="a key of the test network"),
        pytest.param(
            XPRV,
            "bitcoin",
            id="a private key",
        ),
        pytest.param(TYPO, "ethereum", id="one wrong character, EVM"),
        pytest.param(
            XPRV,
            "ethereum",
            id="a private key, EVM",
        ),
        pytest.param("abandon " * 11 + "about", "bitcoin", id="a mnemonic"),
    ],
)
def test_a_wrong_key_is_refused_by_name_and_not_repeated(file: Path, key: str, chain: str) -> None:
    table = BITCOIN if chain == "bitcoin" else ETHEREUM

    message = refused(file, table.replace(XPUB, key))

    assert message.startswith(f"watcher.toml: chains.{chain}.xpub: ")
    assert key not in message


def test_a_url_in_messages_and_settings_is_never_shown_with_its_password() -> None:
    config = ChainConfig(kind="x", rpc=(f"http://u:{CANARY}@h",), confirmations=1)

    assert CANARY not in repr(config)
