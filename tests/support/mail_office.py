"""A real SMTP server that keeps what it is given, and answers each step as a test tells it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import TYPE_CHECKING, Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

USER, PASSWORD = "pay", "c4n4ry-Xk9"
HANG_UP = "hang up"
"""An answer that is none: the connection is closed instead."""


@dataclass
class Office:
    """Each list holds the answers to come of its step; when it is empty all is well."""

    port: int = 0
    got: list[EmailMessage] = field(default_factory=list)
    """Every message that came whole, whatever was answered."""
    accepted: list[str] = field(default_factory=list)
    """The Message-ID of each that was answered with success."""
    transports: list[tuple[str, list[str]]] = field(default_factory=list)
    """The envelope's addresses of each message that came whole."""
    encrypted: list[bool] = field(default_factory=list)
    logged_in: list[bool] = field(default_factory=list)
    sessions: list[SMTP] = field(default_factory=list)
    """Every connection."""
    sender: list[str] = field(default_factory=list)
    recipient: list[str] = field(default_factory=list)
    message: list[str] = field(default_factory=list)
    hold: asyncio.Event | None = None
    """Set by a test that lets the answer to a message wait."""

    async def handle_MAIL(  # noqa: N802 - the library's name
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        return self._answer(server, self.sender, lambda: setattr(envelope, "mail_from", address))

    async def handle_RCPT(  # noqa: N802 - the library's name
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        return self._answer(server, self.recipient, lambda: envelope.rcpt_tos.append(address))

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, EmailMessage, policy=default)
        self.transports.append((envelope.mail_from or "", list(envelope.rcpt_tos)))
        assert server.transport is not None
        self.encrypted.append(server.transport.get_extra_info("sslcontext") is not None)
        self.logged_in.append(session.authenticated is True)
        self.got.append(message)
        if self.hold:
            await self.hold.wait()
        return self._answer(server, self.message, lambda: self.accepted.append(message["Message-ID"]))

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
    ) -> AuthResult:
        right = isinstance(data, LoginPassword) and (USER, PASSWORD) == (
            data.login.decode(),
            data.password.decode(),
        )
        return AuthResult(success=right, handled=False)

    @staticmethod
    def _answer(server: SMTP, answers: list[str], well: Any) -> str:
        if not answers:
            well()
            return "250 OK"
        answer = answers.pop(0)
        if answer == HANG_UP:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return answer

    async def until(self, count: int) -> None:
        """Wait until so many messages came."""
        async with asyncio.timeout(30):
            while len(self.got) < count:  # noqa: ASYNC110 - what is awaited happens elsewhere
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def open_office(
    security: str = "none", certificate: Path | None = None, port: int = 0
) -> AsyncIterator[Office]:
    """Open one on a free port of the loopback; `security` as in the configuration."""
    office = Office()
    loop = asyncio.get_running_loop()
    context = _context(certificate) if certificate else None
    options = {"hostname": "mail.test", "loop": loop, "auth_require_tls": False}
    if security == "starttls":
        options |= {"tls_context": context, "require_starttls": True, "auth_require_tls": True}

    def connected() -> SMTP:
        office.sessions.append(SMTP(office, authenticator=office.authenticate, **options))
        return office.sessions[-1]

    tls = context if security == "tls" else None
    server = await loop.create_server(connected, "127.0.0.1", port, ssl=tls)
    office.port = server.sockets[0].getsockname()[1]
    try:
        yield office
    finally:
        if office.hold:
            office.hold.set()
        server.close()
        await _hang_up(office.sessions)


async def _hang_up(sessions: list[SMTP]) -> None:
    """Leave no connection to the garbage collector, which would complain of it in another test."""
    left = [one.transport for one in sessions if one.transport is not None]
    for transport in left:
        assert isinstance(transport, asyncio.Transport)
        transport.abort()
    async with asyncio.timeout(30):
        while any(one.transport is not None for one in sessions):  # noqa: ASYNC110 - the library tells nobody
            await asyncio.sleep(0.01)


def _context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def make_certificate(file: Path, name: str = "localhost") -> Path:
    """Make a certificate of its own authority, with its key in the same file; it is good for a day."""
    key = file.with_suffix(".key")
    line = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subject = ["-days", "1", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    out = ["-keyout", str(key), "-out", str(file)]
    subprocess.run([*line, *subject, *out], check=True, capture_output=True)
    file.write_text(file.read_text() + key.read_text())
    return file
