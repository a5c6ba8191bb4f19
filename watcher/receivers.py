"""What a receiver of webhooks may be: its URL, filters, format and secret, checked before anything is stored.

Every refusal is one line with the field's name; none repeats a secret. Knows no database.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from yarl import URL

from watcher import secret as secret_rules
from watcher.dialects import FORMATS, silence
from watcher.egress import literal, refusal
from watcher.errors import Refused
from watcher.model import EVENT_FILTERS
from watcher.secret import Signature  # noqa: TC001 - pydantic reads it

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from ipaddress import IPv4Network, IPv6Network

_ALL = ["*"]

_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
"""A host that ends in one is an address or nothing, https://url.spec.whatwg.org/#ends-in-a-number-checker."""

Url = Annotated[str, Field(min_length=1, max_length=2048)]
Names = Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=100)]
Note = Annotated[str, Field(max_length=500)]
OwnSecret = Annotated[str | None, Field(max_length=200, repr=False)]


class EndpointDraft(BaseModel):
    """The body of `POST /v1/webhooks`. No `events` are all events, no `chains` all chains.

    Without a `secret` one is made: for `signature` hmac, which is also the default, or ed25519.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Url
    events: Names = Field(default_factory=lambda: list(_ALL))
    chains: Names = Field(default_factory=list)
    format: Annotated[str, Field(max_length=20)] = "standard"
    secret: OwnSecret = None
    signature: Signature | None = None
    description: Note | None = None
    success_body: Annotated[str, Field(min_length=1, max_length=200)] | None = None


class EndpointPatch(BaseModel):
    """The body of `PATCH /v1/webhooks/{id}`: what is absent stays."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Url | None = None
    events: Names | None = None
    chains: Names | None = None
    description: Note | None = None
    success_body: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    state: Literal["active", "disabled"] | None = None


class Rotation(BaseModel):
    """The body of `POST /v1/webhooks/{id}/rotate`: for so many seconds the earlier secret signs as well.

    Without `secret` and `signature` the new secret signs as the earlier one does.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    overlap_seconds: Annotated[int, Field(ge=0, le=30 * 86_400, strict=True)] = 86_400
    secret: OwnSecret = None
    signature: Signature | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """An endpoint of the configuration; without `secrets` (newest first) that of `[webhooks]` signs."""

    url: str
    secrets: Sequence[str] = field(default=(), repr=False)
    events: Sequence[str] = ("*",)
    chains: Sequence[str] = ()
    format: str = "standard"
    description: str | None = None
    success_body: str | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """What the configuration allows: private networks that may be dialled, and the chains that there are.

    `invoice_secrets`, newest first, sign for an invoice's own URL.
    """

    allow_private: Sequence[IPv4Network | IPv6Network]
    chains: Collection[str]
    invoice_secrets: Sequence[str] = field(default=(), repr=False)


def check_url(url: str, rules: Rules, where: str = "url") -> None:
    """Refuse what cannot be dialled, and a literal private address; a name is judged when it is dialled."""
    fault = _url_fault(url)
    address = None if fault else literal(URL(url).host or "")
    reason = refusal(address, rules.allow_private) if address else None
    if reason is not None:
        raise Refused("private_address", f"{where}: {reason}", field=where)
    fault = fault or _host_fault(URL(url))
    if fault is not None:
        raise Refused("invalid_url", f"{where} {fault}; write it as https://shop.example/hooks", field=where)


def origin(url: str) -> str:
    """Return scheme, host and port: what follows may be a token, and stays out of what is kept for ever."""
    return str(URL(url).origin())


def _url_fault(url: str) -> str | None:
    if not url.isprintable() or any(character.isspace() for character in url):
        return "holds a space or a control character"
    try:
        parsed = URL(url)
        (parsed.host or "").encode("idna")
    except ValueError:
        return "is not a URL"
    if parsed.scheme not in {"http", "https"} or not parsed.host or parsed.port == 0:
        return "is not an http or https URL with a host"
    return "holds a user or password" if parsed.user or parsed.password else None


def _host_fault(url: URL) -> str | None:
    """Return why a host is refused that one reader takes for a name, and another for an address."""
    host = url.raw_host or ""
    if ":" in host and literal(host):
        return None
    odd = _NUMBER.fullmatch(host.removesuffix(".").rpartition(".")[2]) and str(literal(host)) != host
    return None if _NAME.fullmatch(host) and not odd else "has a host that is neither a name nor an address"


def check_filters(events: Sequence[str], chains: Sequence[str], rules: Rules) -> None:
    """Refuse names of events and chains that do not exist."""
    for name in events:
        if name not in EVENT_FILTERS:
            message = (
                f'unknown event {name!r}; write "*", a family such as "invoice.*", or a name as in the README'
            )
            raise Refused("unknown_event", message, field="events")
    for name in chains:
        if name not in rules.chains:
            known = ", ".join(sorted(rules.chains)) or "none"
            raise Refused("unknown_chain", f"unknown chain {name!r}; configured: {known}", field="chains")


def check_format(name: str, events: Sequence[str] = ()) -> None:
    """Refuse a format that there is not, and events of which it tells none."""
    if name not in FORMATS:
        known = ", ".join(f'"{one}"' for one in FORMATS)
        raise Refused("unsupported_format", f"unknown format {name!r}; write one of {known}", field="format")
    fault = silence(name, events) if events else None
    if fault is not None:
        raise Refused("not_in_format", fault, field="events")


def check_secret(secret: str, form: str) -> None:
    """Refuse a secret that cannot sign in this format."""
    fault = secret_rules.fault(secret, form)
    if fault is not None:
        raise Refused("invalid_secret", f"secret {fault}", field="secret")


def chosen_secret(given: str | None, signature: Signature | None, form: str) -> str:
    """Return the secret that a request brings, or a new one that signs in the way it names."""
    fault = secret_rules.unspoken(signature, form)
    if fault is None and given is not None:
        check_secret(given, form)
        fault = secret_rules.mismatch(given, signature)
    if fault is not None:
        raise Refused("invalid_signature", f"signature {fault}", field="signature")
    return secret_rules.new_secret(signature or "hmac") if given is None else given


def check_configured(endpoints: Sequence[Configured], rules: Rules) -> None:
    """Refuse a configuration that the API would refuse, and a URL that is there twice."""
    seen: set[str] = set()
    for one in endpoints:
        check_url(one.url, rules)
        check_filters(one.events, one.chains, rules)
        check_format(one.format, one.events)
        for secret in one.secrets:
            check_secret(secret, one.format)
        if one.url in seen:
            raise Refused(
                "duplicate_url", "url is there twice; name it once, with all its events", field="url"
            )
        seen.add(one.url)
