"""Who calls: the address that a connection comes from, or the one that a trusted proxy says it speaks for.

Knows the headers that proxies write (X-Forwarded-For; Forwarded, RFC 7239), and believes nobody else's.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from ipaddress import IPv4Address, IPv4Network

    from aiohttp import web

    Address = IPv4Address | IPv6Address
    Network = IPv4Network | IPv6Network

NOWHERE = "local"
"""What a caller through the Unix socket is: it has no address."""

_PAIR = re.compile(r"""\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)=("(?:[^"\\]|\\.)*"|[^\s",;]*)\s*(;|,|$)""")
_PORT = re.compile(r"\[([^\]]*)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+")


def remote(request: web.Request, trusted_proxies: Sequence[Network]) -> str:
    """Return the caller's address: the peer's, or the rightmost untrusted one that trusted proxies report.

    A list is read from its right, where the nearest proxy writes; whatever stands to the left of the first
    address that is no proxy of ours was written by who knows whom. Where both headers are there and disagree,
    a proxy passed one of them on from its caller: neither is believed.
    """
    peer = _address(request.remote or "")
    if peer is None:
        return NOWHERE
    if not _trusted(peer, trusted_proxies):
        return str(peer)
    lists = (_x_forwarded_for(request), _forwarded(request))
    told = {_rightmost(hops, peer, trusted_proxies) for hops in lists if hops is not None}
    return str(told.pop() if len(told) == 1 else peer)


def bucket(address: str) -> str:
    """Return what one caller can hardly leave: an IPv4 address, and of IPv6 the network of 64 bits."""
    known = _address(address)
    if isinstance(known, IPv6Address):
        return str(IPv6Network((known, 64), strict=False))
    return address


def _rightmost(hops: Sequence[str], peer: Address, trusted: Sequence[Network]) -> Address:
    """Return the first address from the right that is no proxy of ours, or the last that is not hidden."""
    nearest = peer
    for hop in reversed(hops):
        address = _address(hop)
        if address is None:
            return nearest
        nearest = address
        if not _trusted(address, trusted):
            return nearest
    return nearest


def _trusted(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)


def _x_forwarded_for(request: web.Request) -> list[str] | None:
    lines = request.headers.getall("X-Forwarded-For", [])
    return ",".join(lines).split(",") if lines else None


def _forwarded(request: web.Request) -> list[str] | None:
    """Return `for` of every element; of what is not written as RFC 7239 says, one that is no address."""
    lines = request.headers.getall("Forwarded", [])
    return [_for(pairs) for pairs in _elements(",".join(lines))] if lines else None


def _elements(text: str) -> Iterator[dict[str, str] | None]:
    """Yield each element as its pairs, None for the rest of a text that cannot be read."""
    pairs: dict[str, str] = {}
    at = 0
    while at < len(text):
        found = _PAIR.match(text, at)
        if not found or found[1].lower() in pairs:
            yield None
            return
        pairs[found[1].lower()] = found[2]
        at = found.end()
        if found[3] != ";" or at == len(text):
            yield pairs
            pairs = {}


def _for(pairs: dict[str, str] | None) -> str:
    value = (pairs or {}).get("for", "")
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value


def _address(text: str) -> Address | None:
    """Return an address as it is compared: without port, brackets and zone, IPv4 where it is mapped."""
    text = text.strip()
    wrapped = _PORT.fullmatch(text)
    if wrapped:
        text = wrapped[1] or wrapped[2]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
