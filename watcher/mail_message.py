"""A reminder as the bytes that a mail server takes. No value can make a header or a second recipient."""

from __future__ import annotations

from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING

from watcher.settings_mail import mailbox

if TYPE_CHECKING:
    from datetime import datetime
    from email.headerregistry import Address

_POLICY = policy.SMTP  # ASCII with CRLF: any server takes it, whatever it offers


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is handed over: the two addresses of the transport, and the message."""

    sender: str
    recipient: str
    message: bytes


@dataclass(frozen=True, slots=True)
class Letter:
    """What a mail says. `id` is the mail's own: a copy of it has the same Message-ID."""

    id: str
    language: str
    subject: str
    body: str


def envelope(letter: Letter, sender: Address, recipient: str, now: datetime) -> Envelope:
    """Return a letter to one recipient; ValueError for an address that not every mail server takes."""
    to = mailbox(recipient)
    message = EmailMessage(policy=_POLICY)
    message["From"] = sender
    message["To"] = to
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{letter.id}@{sender.domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no robot answers it
    message.set_content(letter.body, cte="quoted-printable")
    message["Content-Language"] = letter.language
    return Envelope(sender.addr_spec, to.addr_spec, message.as_bytes())
