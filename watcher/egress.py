"""The guard on outgoing webhook connections: decides on the socket address that is really dialled.

Knows address ranges; knows nothing of webhooks. Names, literals in odd notations and rebinding all end here,
because every connection needs a socket (hazards 128, 129, 131).
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from aiohttp import AddrInfoType

    Address = IPv4Address | IPv6Address
    Network = IPv4Network | IPv6Network

_PRIVATE_4 = tuple(
    ip_network(block)
    for block in (
        "0.0.0.0/8",  # this host, RFC 791
        "10.0.0.0/8",  # RFC 1918
        "100.64.0.0/10",  # carrier-grade NAT, RFC 6598; some clouds' metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's metadata server
        "169.254.0.0/16",  # link-local; most clouds' metadata
        "172.16.0.0/12",  # RFC 1918
        "192.168.0.0/16",  # RFC 1918
    )
)
_RESERVED_4 = tuple(
    ip_network(block)
    for block in (
        "192.0.0.0/24",  # IETF protocol assignments, RFC 6890
        "192.0.2.0/24",  # documentation, RFC 5737
        "192.88.99.0/24",  # 6to4 relays, RFC 7526
        "198.18.0.0/15",  # benchmarks, RFC 2544
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
_GLOBAL_6 = ip_network("2000::/3")
_RESERVED_6 = tuple(
    ip_network(block)
    for block in (
        "2001::/23",  # IETF protocol assignments, Teredo among them, RFC 2928
        "2001:db8::/32",  # documentation, RFC 3849
        "3fff::/20",  # documentation, RFC 9637
    )
)
_PRIVATE_6 = tuple(ip_network(block) for block in ("::/127", "fc00::/7", "fe80::/10", "fec0::/10"))
_LOW_32 = 0xFFFFFFFF
_EMBEDDING = {
    IPv6Network("::ffff:0:0/96"): 96,  # mapped, RFC 4291
    IPv6Network("64:ff9b::/96"): 96,  # NAT64, RFC 6052
    IPv6Network("2002::/16"): 16,  # 6to4, RFC 3056
}
"""IPv6 networks that stand for IPv4, and the bit after which the IPv4 address begins."""
_ISATAP = 0x00005EFE  # RFC 5214: these 32 bits, or the same with 0x02 in front, before an IPv4 address


class Blocked(OSError):  # noqa: N818 - it is the guard's answer, not a failure
    """A connection that the guard did not let out; the message is one line for the merchant."""


def _ends(address: Address) -> Iterator[Address]:
    """Yield where a connection may end: the IPv4 address that stands in another one, else that one itself."""
    if isinstance(address, IPv4Address):
        yield address
        return
    bits = next((bits for network, bits in _EMBEDDING.items() if address in network), None)
    yield address if bits is None else IPv4Address(int(address) >> (96 - bits) & _LOW_32)
    if (int(address) >> 32) & _LOW_32 & ~0x02000000 == _ISATAP:
        yield IPv4Address(int(address) & _LOW_32)


def _kind(address: Address) -> str | None:
    """Return what a forbidden address is, None for a public one."""
    private, reserved = (_PRIVATE_4, _RESERVED_4) if address.version == 4 else (_PRIVATE_6, _RESERVED_6)  # noqa: PLR2004
    if any(address in network for network in private):
        return "private"
    if any(address in network for network in reserved):
        return "reserved"
    return None if address.version == 4 or address in _GLOBAL_6 else "reserved"  # noqa: PLR2004


def refusal(address: Address, allow: Sequence[Network]) -> str | None:
    """Return why this address may not be dialled, None if it may. `allow`: private networks that may be.

    Both judge where the connection ends: 10.0.0.0/8 allows ::ffff:10.0.0.1, and ::/0 allows no IPv4 address.
    """
    for end in _ends(address):
        kind = _kind(end)
        if kind and not any(end in network for network in allow):
            return f"{end} is a {kind} address; allow it in [webhooks] allow_private"
    return None


def misplaced(network: Network) -> str | None:
    """Return why a network of `allow_private` allows nothing, None if it does: it stands for IPv4."""
    if isinstance(network, IPv4Network):
        return None
    bits = next((bits for outer, bits in _EMBEDDING.items() if network.subnet_of(outer)), None)
    if bits is None:
        return None
    inner = int(network.network_address) >> (96 - bits) & _LOW_32
    length = min(network.prefixlen - bits, 32)
    meant = IPv4Network((inner, length), strict=False)
    return f"allows nothing: a connection into it ends at an IPv4 address; allow that, such as {meant}"


def literal(host: str) -> Address | None:
    """Return the address that a host spells in any notation ("127.1", "0x7f000001"), None for a name."""
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host.removesuffix(".")))
    except (OSError, ValueError):
        return None


def guard(allow: Sequence[Network]) -> Callable[[AddrInfoType], socket.socket]:
    """Return a socket factory for `aiohttp.TCPConnector` that raises Blocked in place of a forbidden dial."""

    def factory(info: AddrInfoType) -> socket.socket:
        family, kind, proto, _, target = info
        try:
            reason = refusal(ip_address(target[0]), allow)
        except ValueError:
            reason = f"{target[0]} is not an address"
        if reason is not None:
            raise Blocked(f"blocked: {reason}")
        return socket.socket(family=family, type=kind, proto=proto)

    return factory
