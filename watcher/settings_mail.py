"""`[mail]`: the server that takes reminders, who they are from, where the texts are. Opens none of them."""

from __future__ import annotations

import re
from email.headerregistry import Address, HeaderRegistry
from ipaddress import ip_address
from pathlib import Path  # noqa: TC003 - pydantic needs it when it runs
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from chains.config import Section

PORTS = {"starttls": 587, "tls": 465, "none": 25}
"""RFC 8314 and RFC 5321: where servers listen if nothing else is said."""

LANGUAGE = r"[a-z]{2,3}(-[a-z0-9]{2,8})*"
"""A language tag in lower case: "en", "pt-br" (BCP 47)."""

_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}")
_HOST = re.compile(r"[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*")
_SENDER = 'is not one sender; write it as "Shop <pay@shop.example>"'


def mailbox(text: str) -> Address:
    """Return one address as every mail server takes it, the domain in ASCII; ValueError for anything else."""
    local, _, domain = text.rpartition("@")
    host = domain.encode("idna").decode("ascii")
    if not _LOCAL.fullmatch(local) or not _HOST.fullmatch(host):
        raise ValueError("is not an address that every mail server takes")
    return Address(addr_spec=f"{local}@{host}")


def _sender(text: str) -> str:
    _parsed(text)
    return text


def _parsed(text: str) -> Address:
    """Return a sender with its display name; ValueError, in one line, unless it is exactly one."""
    if not text.isprintable():
        raise ValueError(_SENDER)
    header = HeaderRegistry()("from", text)
    found: list[Address] = [] if header.defects else list(getattr(header, "addresses", ()))
    try:
        (one,) = found
        address = mailbox(one.addr_spec)
    except ValueError:
        raise ValueError(_SENDER) from None
    return Address(one.display_name, addr_spec=address.addr_spec)


def _host(text: str) -> str:
    if not re.fullmatch(r"[^\s/@]+", text):
        raise ValueError('is not the name of a server; write it without port and scheme: "smtp.shop.example"')
    return text


def _language(text: str) -> str:
    if not re.fullmatch(LANGUAGE, text):
        raise ValueError('is not a language; write its code in small letters, such as "en" or "pt-br"')
    return text


class MailSettings(Section):
    """`[mail]`. Without it no mail is sent. `port` None: the usual one of `security`."""

    host: Annotated[str, AfterValidator(_host)]
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: Annotated[str, Field(min_length=1)] | None = None
    password: Annotated[SecretStr, Field(min_length=1)] | None = None
    sender: Annotated[str, AfterValidator(_sender)]
    language: Annotated[str, AfterValidator(_language)] = "en"
    templates: Path | None = None

    @model_validator(mode="after")
    def _logs_in_safely(self) -> Self:
        if self.password is not None and self.username is None:
            raise ValueError("username: is missing; add it, or take the password out")
        if self.username is not None and self.password is None:
            raise ValueError("password: is missing; add it, or take the username out")
        if self.password is not None and self.security == "none" and not _is_here(self.host):
            raise ValueError('security: would show the password to the network; write "starttls" or "tls"')
        return self

    @property
    def from_(self) -> Address:
        """The sender: what payers see (`display_name`), and the address."""
        return _parsed(self.sender)

    @property
    def shop(self) -> str:
        """What the shop is called in mails."""
        return self.from_.display_name or self.from_.addr_spec

    @property
    def at(self) -> int:
        """The port that is dialled."""
        return self.port or PORTS[self.security]


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
