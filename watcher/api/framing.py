"""What a request may look like so that no proxy in front reads it differently: beyond what aiohttp refuses.

Knows HTTP/1.1 (RFC 9112); knows no route.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aiohttp import HttpVersion10, HttpVersion11, hdrs

if TYPE_CHECKING:
    from aiohttp import web

_HOST = re.compile(r"([A-Za-z0-9._~%-]*|\[[0-9A-Fa-f:.]+\])(:[0-9]*)?")


def fault(request: web.Request) -> str | None:
    """Return why a request is refused, and its connection ended; None if every reader sees the same in it."""
    hosts = request.headers.getall("Host", [])
    codings = request.headers.getall("Transfer-Encoding", [])
    if request.version not in {HttpVersion10, HttpVersion11}:
        return "only HTTP/1.0 and HTTP/1.1 are spoken here"
    if request.method == hdrs.METH_CONNECT:
        return "this is no proxy"
    if len(hosts) > 1 or (request.version == HttpVersion11 and not hosts):
        return "send one Host"
    if not all(_HOST.fullmatch(host) for host in hosts):
        return "Host is not a name with or without a port"
    if [coding.lower() for coding in codings] not in ([], ["chunked"]):
        return "of Transfer-Encoding only chunked is understood"
    return None
