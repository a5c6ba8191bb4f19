"""`key_origin`: where the given key lies below its wallet's master key, checked against the key itself."""

from __future__ import annotations

from typing import Any

import pytest

from chains import bitcoin, evm, keys
from chains.base import AddressError
from public_keys import account

ROOT = "73c5da0a"
"""The fingerprint of the seed that BIP-84's vectors use."""
XPUB = account("m/84'/0'/0'")
ABOVE = account("m/84'")


def test_the_path_is_counted_from_the_root_where_it_is_known() -> None:
    known = keys.origin(XPUB, f"{ROOT}/84h/0h/0h")

    assert ("m/84h/0h/0h/0/7", "m/84h/0h/0h/1/7") == (known.path(0, 7), known.path(1, 7))
    assert ROOT == known.fingerprint.hex()
    assert [2**31 + 84, 2**31, 2**31, 1, 7] == known.below(1, 7)


def test_it_is_counted_from_the_key_where_nobody_said_more() -> None:
    unknown = keys.origin(XPUB, None)

    assert ("0/7", [0, 7]) == (unknown.path(0, 7), unknown.below(0, 7))
    assert 4 == len(unknown.fingerprint)
    assert ROOT != unknown.fingerprint.hex()


@pytest.mark.parametrize(
    "text",
    [f"{ROOT}/84h/0h/0h", f"{ROOT}/84'/0'/0'", f"[{ROOT}/84H/0h/0']", f" {ROOT.upper()}/84h/0h/0h\n"],
)
def test_every_form_that_wallets_show_is_read(text: str) -> None:
    assert keys.origin(XPUB, f"{ROOT}/84h/0h/0h") == keys.origin(XPUB, text)


@pytest.mark.parametrize(
    ("xpub", "text", "said"),
    [
        pytest.param(XPUB, "m/84h/0h/0h", "not a fingerprint and a path", id="no-fingerprint"),
        pytest.param(XPUB, f"{ROOT}/84h/0h/0h/", "not a fingerprint and a path", id="open-end"),
        pytest.param(XPUB, f"{ROOT}/84h/0h/2147483648h", "a number below 2147483648", id="too-large"),
        pytest.param(XPUB, f"{ROOT}/84h/0h", "3 steps below its master key, this path has 2", id="short"),
        pytest.param(XPUB, f"{ROOT}/84h/0h/1h", "own step is 0h, this path ends with 1h", id="other-account"),
        pytest.param(XPUB, f"{ROOT}/84h/0h/0", "own step is 0h, this path ends with 0", id="not-hardened"),
        pytest.param(ABOVE, "d34db33f/84h", f"master key is {ROOT}, not this one", id="other-root"),
    ],
)
def test_what_cannot_be_the_keys_origin_is_refused_in_one_line(xpub: str, text: str, said: str) -> None:
    with pytest.raises(AddressError, match=said) as refusal:
        keys.origin(xpub, text)
    assert "\n" not in str(refusal.value)


CHAINS: dict[str, tuple[Any, dict[str, Any]]] = {
    "bitcoin": (bitcoin.Config, {"coin": "bitcoin", "confirmations": 1}),
    "evm": (evm.Config, {"chain_id": 1, "native": "ETH", "confirmations": 1}),
}


@pytest.mark.parametrize("kind", CHAINS)
@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param({"xpub": XPUB, "key_origin": "84h/0h/0h"}, "key_origin: this is not a", id="form"),
        pytest.param(
            {"xpub": XPUB, "key_origin": f"{ROOT}/84h"}, "key_origin: the key is 3 steps", id="path"
        ),
        pytest.param({"key_origin": f"{ROOT}/84h"}, "key_origin: .* there is none; remove it", id="no-key"),
    ],
)
def test_the_configuration_names_the_key_that_is_wrong(kind: str, given: dict[str, Any], said: str) -> None:
    config, more = CHAINS[kind]

    with pytest.raises(ValueError, match=said):
        config.model_validate({"kind": kind, "rpc": ["http://127.0.0.1:1"], **more, **given})
    assert config.model_validate({"kind": kind, "rpc": ["http://127.0.0.1:1"], **more, "xpub": XPUB})
