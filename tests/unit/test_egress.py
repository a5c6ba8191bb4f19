from __future__ import annotations

import socket
from ipaddress import ip_address, ip_network

import pytest

from watcher.egress import Blocked, guard, literal, refusal

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "168.63.129.15",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "192.169.0.0",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2001:4860:4860::8888",
    "3ffe::1",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
]
PRIVATE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "::",
    "::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%1",
    "fec0::1",
    "::ffff:127.0.0.1",
    "::ffff:a00:1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2002:c0a8:101::5",
]
RESERVED = [
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.7",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::127.0.0.1",
    "::8.8.8.8",
    "64:ff9b:1::7f00:1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "ff02::1",
    "ff0e::1",
    "64:ff9b::e000:1",
    "2002:e000:1::",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_dialled(address: str) -> None:
    assert refusal(ip_address(address), ()) is None


@pytest.mark.parametrize("address", PRIVATE)
def test_h128_a_private_address_may_not(address: str) -> None:
    assert "is a private address; allow it in [webhooks] allow_private" in str(
        refusal(ip_address(address), ())
    )


@pytest.mark.parametrize("address", RESERVED)
def test_h131_a_reserved_address_may_not_although_is_global_says_yes_to_some(address: str) -> None:
    assert "is a reserved address" in str(refusal(ip_address(address), ()))


def test_the_refusal_names_the_address_that_would_be_reached() -> None:
    expected = "127.0.0.1 is a private address; allow it in [webhooks] allow_private"

    assert expected == refusal(ip_address("::ffff:7f00:1"), ())


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        pytest.param("10.1.2.3", True, id="inside"),
        pytest.param("10.2.0.0", False, id="one above"),
        pytest.param("10.0.255.255", False, id="one below"),
        pytest.param("::ffff:10.1.2.3", True, id="mapped, inside"),
        pytest.param("64:ff9b::a01:203", True, id="translated, inside"),
        pytest.param("fd12::9", True, id="IPv6, inside"),
        pytest.param("fd13::9", False, id="IPv6, outside"),
        pytest.param("127.0.0.1", False, id="another private one"),
    ],
)
def test_only_a_network_that_is_named_is_allowed(address: str, allowed: bool) -> None:  # noqa: FBT001
    allow = (ip_network("10.1.0.0/16"), ip_network("fd12::/16"))

    assert allowed == (refusal(ip_address(address), allow) is None)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0x7f.0.0.1", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("0", "0.0.0.0"),
        ("::1", "::1"),
        ("[::1]", "::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("shop.example", None),
        ("localhost", None),
        ("1.2.3.4.5", None),
        ("256.0.0.1", None),
        ("", None),
    ],
)
def test_h128_an_address_is_recognised_in_every_notation(host: str, expected: str | None) -> None:
    assert (ip_address(expected) if expected else None) == literal(host)


def test_the_socket_factory_makes_sockets_for_allowed_addresses_only() -> None:
    factory = guard([ip_network("127.0.0.0/8")])
    with factory((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 1))) as made:
        assert made.family == socket.AF_INET

    with pytest.raises(Blocked, match=r"blocked: ::1 is a private address; allow it in \[webhooks\]"):
        factory((socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 1, 0, 0)))


def test_a_dial_to_something_that_is_no_address_is_not_let_out() -> None:
    with pytest.raises(OSError, match="blocked"):
        guard([])((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("shop.example", 1)))
