"""Where a connection ends, and what a network of `allow_private` therefore allows."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import pytest

from sample_settings import ENDPOINT
from watcher.egress import literal, misplaced, refusal
from watcher.errors import Refused
from watcher.receivers import Rules, check_url
from watcher.settings import SettingsError, load

if TYPE_CHECKING:
    from pathlib import Path

NOTHING = "allows nothing: a connection into it ends at an IPv4 address; allow that, such as "


@pytest.mark.parametrize(
    ("address", "end"),
    [
        pytest.param("::ffff:10.0.0.1", "10.0.0.1", id="mapped"),
        pytest.param("64:ff9b::a00:1", "10.0.0.1", id="NAT64"),
        pytest.param("2002:a00:1::", "10.0.0.1", id="6to4"),
        pytest.param("2002:a00:1:5::9", "10.0.0.1", id="6to4, a host behind it"),
        pytest.param("2606:4700::5efe:a00:1", "10.0.0.1", id="ISATAP"),
        pytest.param("2606:4700::200:5efe:a00:1", "10.0.0.1", id="ISATAP, a unique address"),
        pytest.param("2002:808:808::5efe:a00:1", "10.0.0.1", id="ISATAP behind 6to4"),
        pytest.param("64:ff9b:1::a00:1", "64:ff9b:1::a00:1", id="NAT64 of the site's own: not readable"),
        pytest.param("2001:0:808:808::f5ff:fffe", "2001:0:808:808::f5ff:fffe", id="Teredo: none of it"),
    ],
)
def test_h131_a_refusal_names_where_the_connection_would_end(address: str, end: str) -> None:
    assert str(refusal(ip_address(address), ())).startswith(f"{ip_address(end)} is a ")


@pytest.mark.parametrize(
    "address",
    [
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2002:808:808::1",
        "2606:4700::5efe:808:808",
        "2606:4700::5eff:a00:1",
    ],
)
def test_what_ends_at_a_public_address_may_be_dialled(address: str) -> None:
    assert refusal(ip_address(address), ()) is None


@pytest.mark.parametrize(
    ("allow", "address", "allowed"),
    [
        pytest.param("10.0.0.0/8", "::ffff:10.1.2.3", True, id="IPv4 is meant in every notation"),
        pytest.param("10.0.0.0/8", "64:ff9b::a01:203", True, id="IPv4 through NAT64"),
        pytest.param("10.0.0.0/8", "2606:4700::5efe:a01:203", True, id="IPv4 through ISATAP"),
        pytest.param("10.0.0.0/8", "fe80::5efe:a01:203", False, id="but not the link that it is on"),
        pytest.param("::/0", "fd00::1", True, id="IPv6"),
        pytest.param("::/0", "::1", True, id="IPv6 loopback"),
        pytest.param("::/0", "127.0.0.1", False, id="all of IPv6 is no IPv4"),
        pytest.param("::/0", "::ffff:127.0.0.1", False, id="nor in another notation"),
        pytest.param("::/0", "64:ff9b::7f00:1", False, id="nor through NAT64"),
        pytest.param("::/0", "2002:7f00:1::", False, id="nor through 6to4"),
        pytest.param("::ffff:0:0/96", "::ffff:10.0.0.1", False, id="mapped networks allow nothing"),
        pytest.param("::ffff:0:0/96", "10.0.0.1", False, id="in no notation"),
        pytest.param(
            "64:ff9b:1::/48", "64:ff9b:1::7f00:1", True, id="a NAT64 of the site's own, by its name"
        ),
        pytest.param("fe80::/10", "fe80::1%1", True, id="a zone does not matter"),
        pytest.param("0.0.0.0/0", "::1", False, id="all of IPv4 is no IPv6"),
        pytest.param("192.0.2.0/24", "192.0.2.9", True, id="a reserved network, by its name"),
        pytest.param("127.0.0.1/32", "127.0.0.2", False, id="one address is one address"),
    ],
)
def test_h131_what_a_network_allows_is_where_connections_end(allow: str, address: str, allowed: bool) -> None:  # noqa: FBT001
    assert allowed == (refusal(ip_address(address), [ip_network(allow)]) is None)


@pytest.mark.parametrize(
    ("network", "meant"),
    [
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:127.0.0.1/128", "127.0.0.1/32"),
        ("64:ff9b::c0a8:0/112", "192.168.0.0/16"),
        ("2002:a00::/24", "10.0.0.0/8"),
        ("2002:a00:1::/48", "10.0.0.1/32"),
        ("2002:a00:1:5::/64", "10.0.0.1/32"),
    ],
)
def test_a_network_that_would_allow_nothing_is_refused_with_the_one_that_is_meant(
    tmp_path: Path, network: str, meant: str
) -> None:
    file = tmp_path / "watcher.toml"
    file.write_text(
        f'[webhooks]\nallow_private = ["fc00::/7", "{network}"]\n{ENDPOINT}url = "https://a.example"\n'
    )
    with pytest.raises(SettingsError) as refused:
        load(file, {})

    assert f"webhooks.allow_private[1]: {NOTHING}{meant}" in str(refused.value)


@pytest.mark.parametrize("network", ["10.0.0.0/8", "fc00::/7", "::/0", "64:ff9b:1::/48", "::1/128"])
def test_every_other_network_is_taken(network: str) -> None:
    assert misplaced(ip_network(network)) is None


@pytest.mark.parametrize(
    "host",
    [
        "8.8.8.8",
        "8.8.8.8.names.example",
        "shop.example.",
        "b\u00fccher.example",
        "a_b.example",
        "[2606:4700::1]",
    ],
)
def test_a_public_address_and_every_name_is_taken(host: str) -> None:
    check_url(f"https://{host}:8443/hooks", Rules((), ()))


@pytest.mark.parametrize(
    "host", ["134744072", "8.8.2056", "0x8.8.8.8", "010.8.8.8", "8.8.8.8.", "8.8.8.256", "1.2.3.4.5"]
)
def test_a_host_that_one_reader_takes_for_a_name_and_another_for_an_address_is_refused(host: str) -> None:
    with pytest.raises(Refused, match="neither a name nor an address; write it as https://"):
        check_url(f"https://{host}/hooks", Rules((), ()))


@pytest.mark.parametrize(
    ("host", "expected"), [("127.0.0.1.", "127.0.0.1"), ("2130706433.", "127.0.0.1"), ("1..", None)]
)
def test_h128_a_dot_at_the_end_hides_no_address(host: str, expected: str | None) -> None:
    assert (ip_address(expected) if expected else None) == literal(host)
