"""Ethereum addresses: one form with a checksum (EIP-55), and the bytes behind it."""

from __future__ import annotations

import pytest

from chains.base import AddressError
from chains.keys import checksum, evm_key

# EIP-55, "Test cases".
EIP55 = [
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]


@pytest.mark.parametrize("address", EIP55)
def test_the_addresses_of_eip_55_are_their_own_checksum_form(address: str) -> None:
    assert checksum(address) == address
    assert checksum(address.lower()) == address
    assert checksum("0x" + address[2:].upper()) == address
    assert evm_key(address).hex() == address[2:].lower()


@pytest.mark.parametrize(
    ("address", "message"),
    [
        pytest.param("0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "its capital letters", id="wrong case"),
        pytest.param("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAee", "its capital letters", id="wrong digit"),
        pytest.param("5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "is not an Ethereum address", id="no 0x"),
        pytest.param("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe", "is not an Ethereum address", id="short"),
        pytest.param(
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed\n", "is not an Ethereum address", id="newline"
        ),
        pytest.param("0x" + "\uff11" * 40, "is not an Ethereum address", id="digits of another script"),
        pytest.param(
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "is not an Ethereum address", id="Bitcoin"
        ),
    ],
)
def test_a_broken_ethereum_address_is_refused(address: str, message: str) -> None:
    with pytest.raises(AddressError, match=message):
        checksum(address)
