"""Compact block filters, against the published vectors of SipHash and BIP-158."""

from __future__ import annotations

import pytest

from chains.bitcoin_filters import matching, siphash
from chains.bitcoin_wire import WireError

# The first block of Bitcoin's test network, from BIP-158's list of test vectors.
GENESIS = "000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943"
PAID = bytes.fromhex(
    "4104678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b"
    "8d578a4c702b6bf11d5fac"
)
FILTER = bytes.fromhex("019dfca8")


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        pytest.param(0, 0x726FDB47DD0E0E31, id="nothing"),
        pytest.param(1, 0x74F839C593DC67FD, id="one byte"),
        pytest.param(8, 0x93F5F5799A932462, id="a whole word"),
        pytest.param(15, 0xA129CA6149BE45E5, id="a word and a rest"),
    ],
)
def test_siphash_is_the_published_one(size: int, expected: int) -> None:
    """Vectors of the reference implementation: key 00 to 0f, data 00, 01, 02, …."""
    assert expected == siphash(bytes(range(16)), bytes(range(size)))


def test_a_script_of_the_block_matches() -> None:
    assert {PAID} == matching(FILTER, GENESIS, [PAID])


def test_other_scripts_do_not_match() -> None:
    assert set() == matching(FILTER, GENESIS, [PAID[:-1], b"\x51", b""])


def test_an_empty_filter_matches_nothing() -> None:
    assert set() == matching(b"\0", GENESIS, [PAID])


@pytest.mark.parametrize("size", range(len(FILTER)))
def test_a_truncated_filter_is_refused(size: int) -> None:
    with pytest.raises(WireError, match="truncated"):
        matching(FILTER[:size], GENESIS, [PAID])
