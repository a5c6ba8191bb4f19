"""The only place that talks to a mail server: one message, one connection, one outcome.

A server is responsible for a message once it has answered its end with success (RFC 5321, 4.2.5 and 6.1).
What fails before the message is handed over, or is refused by an answer, was certainly not sent; a connection
that is lost in between leaves it open.
"""

from __future__ import annotations

import asyncio
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiosmtplib import SMTP, SMTPException, SMTPResponseException, SMTPServerDisconnected

from watcher.mails import MailState, Outcome

if TYPE_CHECKING:
    from watcher.mail_message import Envelope
    from watcher.settings_mail import MailSettings

CONNECT = 10.0
"""Seconds for the connection, and for each answer."""
WHOLE = 30.0
"""Seconds for all."""
_TROUBLE = (SMTPException, OSError, ValueError)
"""What a server can do: refuse, break off, be silent, show no valid certificate, answer nonsense."""

_GO_ON, _DONE, _TEMPORARY, _PERMANENT, _NONSENSE = 354, 200, 400, 500, 600
_LONGEST = 300


@dataclass(slots=True)
class Handover:
    """How far one message is."""

    step: str = "connection"
    handed: bool = False

    def broken(self, reason: str) -> Outcome:
        """Return what it means that nothing more is heard of the server."""
        state = MailState.UNCERTAIN if self.handed else MailState.PENDING
        return Outcome(state, _short(f"{self.step}: {reason}"))

    def refused(self, error: SMTPResponseException) -> Outcome:
        """Return what an answer means. A session that is refused is not the message's fault."""
        text = _short(f"{self.step}: {error.code} {error.message}")
        if not _TEMPORARY <= error.code < _NONSENSE:
            return self.broken(f"{error.code} {error.message}")
        final = error.code >= _PERMANENT and self.step not in ("connection", "login")
        return Outcome(MailState.FAILED if final else MailState.PENDING, text)


class MailServer:
    """The configured server."""

    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings

    async def send(self, envelope: Envelope, handover: Handover) -> Outcome:
        """Hand one message over; `handover` tells how far it came where the caller loses patience."""
        client = self._client()
        try:
            await self._greet(client, handover)
            await _hand_over(client, envelope, handover)
        except SMTPResponseException as error:
            return handover.refused(error)
        except _TROUBLE as error:
            return handover.broken(str(error) or type(error).__name__)
        finally:
            _leave(client)
        return Outcome(MailState.SENT)

    async def try_out(self) -> str | None:
        """Connect and log in without sending anything; return what is wrong, None if nothing is."""
        client, handover = self._client(), Handover()
        try:
            async with asyncio.timeout(WHOLE):
                await self._greet(client, handover)
        except _TROUBLE as error:
            return _short(f"{handover.step}: {error}")
        finally:
            _leave(client)
        return None

    def _client(self) -> SMTP:
        security = self._settings.security
        return SMTP(
            hostname=self._settings.host,
            port=self._settings.at,
            local_hostname=_own_name(),
            timeout=CONNECT,
            use_tls=security == "tls",
            start_tls=security == "starttls",
        )

    async def _greet(self, client: SMTP, handover: Handover) -> None:
        await client.connect()
        username, password = self._settings.username, self._settings.password
        if username is not None and password is not None:
            handover.step = "login"
            await client.login(username.encode(), password.get_secret_value().encode())


async def _hand_over(client: SMTP, envelope: Envelope, handover: Handover) -> None:
    """Go through RFC 5321, 3.3. The library's own DATA would not tell whether the message had gone out."""
    handover.step = "sender"
    await client.mail(envelope.sender)
    handover.step = "recipient"
    await client.rcpt(envelope.recipient)
    handover.step = "message"
    answer = await client.execute_command(b"DATA")
    if answer.code != _GO_ON:
        raise SMTPResponseException(answer.code, answer.message)
    protocol = client.protocol
    if protocol is None:
        raise SMTPServerDisconnected("Connection lost")
    protocol.write(_stuffed(envelope.message))
    handover.handed = True
    answer = await protocol.read_response(timeout=None)
    if answer.code // 100 * 100 != _DONE:
        raise SMTPResponseException(answer.code, answer.message)


def _stuffed(message: bytes) -> bytes:
    """Return a message with its end; a line's own leading dot is doubled (RFC 5321, 4.5.2)."""
    return re.sub(rb"(?m)^\.", b"..", message) + b".\r\n"


def _leave(client: SMTP) -> None:
    """Say goodbye and wait for no answer: nothing that happens now changes the outcome."""
    if client.is_connected and client.protocol is not None:
        client.protocol.write(b"QUIT\r\n")
    client.close()


def _own_name() -> str:
    """Return what we call ourselves: a full name, or an address literal (RFC 5321, 4.1.4)."""
    name = socket.gethostname()
    return name if re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", name) else "[127.0.0.1]"


def _short(text: str) -> str:
    """Return what a server said as one line that can be shown."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
