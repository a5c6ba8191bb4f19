"""What HTTP says around a node's answer: who asks, where to, how long to wait, and why nothing came.

Pure; nothing here repeats a user, a password, a path or a query.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    from yarl import URL

LONGEST_WAIT = 3600.0
"""Seconds for which a node is left alone at most, whatever it asks for: a mistake must not last for ever."""


def authorization(address: URL) -> dict[str, str]:
    """Return the header that holds the URL's user and password, if it has any."""
    if not address.user and not address.password:
        return {}
    return {"Authorization": aiohttp.encode_basic_auth(address.user or "", address.password or "")}


def shown(address: URL) -> str:
    """Return the URL without what may be a secret: providers put their keys into path and query."""
    rest = "/…" if address.path not in {"", "/"} or address.query_string else ""
    return f"{address.origin()}{rest}"


def seconds(header: str | None) -> float | None:
    """Return the seconds of a Retry-After header; its other form, a date, counts as absent."""
    if header is None or not header.isascii() or not header.isdigit():
        return None
    return min(float(header), LONGEST_WAIT)


def reason(error: BaseException) -> str:
    """Return what went wrong without anything of the request."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect: {error.os_error.strerror or type(error.os_error).__name__}"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the node closed the connection"
    return type(error).__name__
