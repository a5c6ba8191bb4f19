"""One attempt to deliver: sign, post, read the answer, judge it. Keeps nothing and knows no database.

Whatever a receiver or the way to it can do wrong becomes a failed result; nothing of it is raised.
"""

from __future__ import annotations

import re
from datetime import timedelta
from http import HTTPStatus
from time import monotonic
from typing import TYPE_CHECKING, Self

import aiohttp

from watcher import signing
from watcher.egress import Blocked, guard
from watcher.egress_resolver import PatientResolver
from watcher.formats_oxapay import is_ok
from watcher.results import Result
from watcher.retry import parse_retry_after
from watcher.untrusted import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Network, IPv6Network

    from watcher.claims import Claim
    from watcher.model import Clock

CONNECT_SECONDS = 5
WHOLE_SECONDS = 20
ANSWER_BYTES = 4096
ERROR_LENGTH = 300
_URL = re.compile(r"https?://\S+")
BODIES = {"oxapay": "ok"}
"""Formats in which 200 with a body is success, where the endpoint names no other one."""
KEEP_SECONDS = 2
"""Shorter than any usual server keeps an idle connection: a POST on one that it just closed fails."""


class Sender:
    """The HTTP session that all webhooks go through; an asynchronous context manager."""

    def __init__(
        self,
        version: str,
        allow_private: Sequence[IPv4Network | IPv6Network],
        invoice_secrets: Sequence[str],
        clock: Clock,
    ) -> None:
        """`invoice_secrets` sign where an endpoint has no secret of its own."""
        self._version, self._allow = version, allow_private
        self._invoice_secrets, self._clock = invoice_secrets, clock

    async def __aenter__(self) -> Self:
        """Open the session; only the guard makes its sockets, and no shop sees another one's cookies."""
        self._resolver = PatientResolver()
        connector = aiohttp.TCPConnector(
            limit=0,
            resolver=self._resolver,
            socket_factory=guard(self._allow),
            keepalive_timeout=KEEP_SECONDS,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=WHOLE_SECONDS, connect=CONNECT_SECONDS),
            headers={
                "content-type": "application/json",
                "accept-encoding": "identity",
                "user-agent": f"deposit-watcher/{self._version}",
            },
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=ANSWER_BYTES,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        await self._session.close()
        await self._resolver.close()

    async def send(self, claim: Claim) -> Result:
        """Make one attempt; never longer than WHOLE_SECONDS."""
        at, began = self._clock(), monotonic()
        status: int | None = None
        answer = bytearray()
        retry_after: timedelta | None = None
        secrets = signing.current(claim.secrets, at) or self._invoice_secrets
        secrets = signing.in_turn(claim.format, secrets, claim.attempts)
        headers = signing.headers(claim.format, secrets, claim.message_id, at, claim.body)
        try:
            async with self._session.post(
                claim.url, data=claim.body, headers=headers, allow_redirects=False
            ) as response:
                status = response.status
                retry_after = parse_retry_after(response.headers.get("retry-after"), at)
                await _read(response.content, answer)
                error = _fault(status, bytes(answer), claim)
        except (aiohttp.ClientError, OSError, UnicodeError) as failure:  # the last: a host that IDNA refuses
            error = None if _accepted(status, claim) else _broken(status, _reason(failure))
        return Result(
            claim=claim,
            at=at,
            duration=timedelta(seconds=monotonic() - began),
            status=status,
            error=error,
            answer=None if status is None else bytes(answer),
            retry_after=retry_after,
        )


async def _read(stream: aiohttp.StreamReader, answer: bytearray) -> None:
    """Read the first bytes of the answer as they come; a longer one closes the connection (hazard 132)."""
    while len(answer) < ANSWER_BYTES and (piece := await stream.read(ANSWER_BYTES - len(answer))):
        answer += piece


def _accepted(status: int | None, claim: Claim) -> bool:
    """Whether the status alone already said yes: a broken body after it takes nothing back."""
    return status is not None and _fault(status, b"", claim) is None


def _wanted(claim: Claim) -> str | None:
    """Return the body that is success, None where any 2xx is."""
    return claim.success_body or BODIES.get(claim.format)


def _fault(status: int, answer: bytes, claim: Claim) -> str | None:
    """Return why an answer is no success, None if it is one."""
    wanted = _wanted(claim)
    if wanted is not None:
        if status != HTTPStatus.OK:
            return f"the receiver answered {status}; 200 with the body {wanted!r} is success"
        return None if _says(answer, wanted, claim) else f"the answer is not {wanted!r}"
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return f"the receiver answered {status}; redirects are not followed"
    return (
        None if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES else f"the receiver answered {status}"
    )


def _says(answer: bytes, wanted: str, claim: Claim) -> bool:
    """Whether an answer is the wanted one: exactly, or as the shop plugins of a format write it."""
    if claim.success_body is not None:
        return answer == wanted.encode()
    return is_ok(answer)


def _broken(status: int | None, reason: str) -> str:
    return reason if status is None else f"the receiver answered {status}, then: {reason}"


def _reason(failure: aiohttp.ClientError | OSError | UnicodeError) -> str:
    """Return one line about why there was no answer; never the URL, which may hold a token."""
    match failure:
        case aiohttp.ClientConnectorCertificateError():
            text = f"the certificate is not accepted: {failure.certificate_error}"
        case aiohttp.ClientConnectorError(os_error=Blocked()):
            text = str(failure.os_error)
        case aiohttp.ClientConnectorError():
            why = str(failure.os_error).removeprefix("[Errno None] Multiple exceptions: ")
            text = f"cannot connect to {failure.host}: {why}"
        case aiohttp.ConnectionTimeoutError():
            text = f"no connection within {CONNECT_SECONDS} seconds"
        case TimeoutError():
            text = f"no answer within {WHOLE_SECONDS} seconds"
        case aiohttp.ClientResponseError():
            text = f"the answer is not HTTP: {failure.message}"
        case aiohttp.ServerDisconnectedError():
            text = "the receiver closed the connection without an answer"
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError() | UnicodeError():
            text = "the URL cannot be dialled"
        case _:
            text = f"{type(failure).__name__}: {failure}"
    return one_line(_URL.sub("the URL", text), ERROR_LENGTH)
