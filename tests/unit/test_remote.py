"""The address of a caller: what trusted proxies say of it, and what nobody else can say."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from watcher.api.remote import NOWHERE, bucket, remote

if TYPE_CHECKING:
    from aiohttp import web

PROXIES = tuple(map(ip_network, ("127.0.0.1/32", "10.0.0.0/8", "2001:db8:f::/48")))
CLIENT, OTHER, PROXY, INNER = "203.0.113.7", "198.51.100.66", "127.0.0.1", "10.1.2.3"
X, F = "X-Forwarded-For", "Forwarded"


def request(peer: str | None, *headers: tuple[str, str]) -> web.Request:
    transport = Mock()
    transport.get_extra_info = lambda name, default=None: (
        (peer, 4711) if peer and name == "peername" else default
    )
    return make_mocked_request("GET", "/", headers=CIMultiDict(headers), transport=transport)


@pytest.mark.parametrize(
    ("peer", "headers", "expected"),
    [
        pytest.param(CLIENT, [], CLIENT, id="no proxy"),
        pytest.param(CLIENT, [(X, OTHER)], CLIENT, id="a stranger who claims another address"),
        pytest.param(CLIENT, [(F, f"for={OTHER}")], CLIENT, id="a stranger who claims it by the RFC"),
        pytest.param(CLIENT, [(X, PROXY)], CLIENT, id="a stranger who claims to be the proxy"),
        pytest.param(PROXY, [], PROXY, id="a proxy that says nothing"),
        pytest.param(PROXY, [(X, CLIENT)], CLIENT, id="a proxy"),
        pytest.param(PROXY, [(X, f"{OTHER}, {CLIENT}")], CLIENT, id="a forged one in front"),
        pytest.param(PROXY, [(X, OTHER), (X, CLIENT)], CLIENT, id="a forged line in front"),
        pytest.param(PROXY, [(X, f"{OTHER}, {CLIENT}, {INNER}")], CLIENT, id="two proxies"),
        pytest.param(PROXY, [(X, f"{PROXY}, {CLIENT}")], CLIENT, id="a forged proxy in front"),
        pytest.param(PROXY, [(X, f"{INNER}, 10.9.9.9")], INNER, id="proxies all the way"),
        pytest.param(PROXY, [(X, "")], PROXY, id="nothing"),
        pytest.param(PROXY, [(X, "unknown")], PROXY, id="hidden"),
        pytest.param(PROXY, [(X, f"{CLIENT}, unknown")], PROXY, id="hidden behind the proxy"),
        pytest.param(PROXY, [(X, f"{CLIENT}, unknown, {INNER}")], INNER, id="hidden between proxies"),
        pytest.param(PROXY, [(X, "1.2.3.4.5")], PROXY, id="no address"),
        pytest.param(PROXY, [(X, "127.0.0.1' OR 1=1")], PROXY, id="nonsense"),
        pytest.param(PROXY, [(X, "0x7f.1")], PROXY, id="an odd notation"),
        pytest.param(PROXY, [(X, f"{CLIENT}:5123")], CLIENT, id="with a port"),
        pytest.param(PROXY, [(X, "[2001:db8::7]:5123")], "2001:db8::7", id="IPv6 with a port"),
        pytest.param(PROXY, [(X, "2001:DB8:0::7")], "2001:db8::7", id="IPv6, the long way"),
        pytest.param(PROXY, [(X, f"::ffff:{CLIENT}")], CLIENT, id="IPv4 as IPv6"),
        pytest.param(f"::ffff:{PROXY}", [(X, CLIENT)], CLIENT, id="a proxy on a socket for both"),
        pytest.param("2001:db8:f::1", [(X, CLIENT)], CLIENT, id="a proxy by IPv6"),
        pytest.param("fe80::1%eth0", [], "fe80::1", id="a peer with a zone"),
        pytest.param(PROXY, [(F, f"for={CLIENT}")], CLIENT, id="by the RFC"),
        pytest.param(PROXY, [(F, f"for={OTHER}, for={CLIENT};proto=https")], CLIENT, id="RFC, forged"),
        pytest.param(PROXY, [(F, f"for={OTHER}"), (F, f"proto=https;for={CLIENT}")], CLIENT, id="RFC, lines"),
        pytest.param(PROXY, [(F, f"For={CLIENT};by={INNER}, For={INNER}")], CLIENT, id="RFC, two proxies"),
        pytest.param(PROXY, [(F, 'for="[2001:db8::7]:47"')], "2001:db8::7", id="RFC, IPv6"),
        pytest.param(PROXY, [(F, f'for="{CLIENT}:47"')], CLIENT, id="RFC, a port"),
        pytest.param(PROXY, [(F, 'for="203.0.113\\.7"')], CLIENT, id="RFC, escaped"),
        pytest.param(PROXY, [(F, f"for={CLIENT};")], CLIENT, id="RFC, an end"),
        pytest.param(PROXY, [(F, "for=_hidden")], PROXY, id="RFC, hidden"),
        pytest.param(PROXY, [(F, "for=unknown, for=_x")], PROXY, id="RFC, unknown"),
        pytest.param(PROXY, [(F, "proto=https")], PROXY, id="RFC, nothing of it"),
        pytest.param(PROXY, [(F, f'for="{OTHER}, for={CLIENT}')], PROXY, id="RFC, an open quote"),
        pytest.param(PROXY, [(F, f"for={OTHER};for={CLIENT}")], PROXY, id="RFC, twice"),
        pytest.param(PROXY, [(F, f'for="{OTHER}", for="x, for={CLIENT}"')], PROXY, id="RFC, in a quote"),
        pytest.param(PROXY, [(X, CLIENT), (F, f"for={CLIENT}")], CLIENT, id="both agree"),
        pytest.param(PROXY, [(X, CLIENT), (F, f"for={OTHER}")], PROXY, id="one of both is passed on"),
        pytest.param(None, [(X, CLIENT)], NOWHERE, id="the Unix socket"),
    ],
)
def test_only_a_trusted_proxy_tells_whom_it_speaks_for(
    peer: str | None, headers: list[tuple[str, str]], expected: str
) -> None:
    assert expected == remote(request(peer, *headers), PROXIES)


@pytest.mark.parametrize("header", [X, F])
def test_without_trusted_proxies_nobody_is_believed(header: str) -> None:
    assert PROXY == remote(request(PROXY, (header, f"for={CLIENT}")), ())


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        pytest.param(CLIENT, CLIENT, id="IPv4"),
        pytest.param("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", id="IPv6"),
        pytest.param(NOWHERE, NOWHERE, id="none"),
    ],
)
def test_of_ipv6_the_network_is_one_caller(address: str, expected: str) -> None:
    assert expected == bucket(address)
