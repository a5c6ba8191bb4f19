"""What a receiver of webhooks may be: its URL, filters, format and secret, checked before anything is stored.

Every refusal is one line with the field's name; none repeats a secret. Knows no database.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from yarl import URL

from watcher import secret as secret_rules
from watcher.egress import literal, refusal
from watcher.errors import Refused
from watcher.model import EVENT_FILTERS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from ipaddress import IPv4Network, IPv6Network

_ALL = ["*"]

Url = Annotated[str, Field(min_length=1, max_length=2048)]
Names = Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=100)]
Note = Annotated[str, Field(max_length=500)]


class EndpointDraft(BaseModel):
    """The body of `POST /v1/webhooks`. No `events` are all events, no `chains` all chains."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Url
    events: Names = Field(default_factory=lambda: list(_ALL))
    chains: Names = Field(default_factory=list)
    format: Annotated[str, Field(max_length=20)] = "standard"
    secret: Annotated[str | None, Field(max_length=200, repr=False)] = None
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
    """The body of `POST /v1/webhooks/{id}/rotate`: for so many seconds the earlier secret signs as well."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    overlap_seconds: Annotated[int, Field(ge=0, le=30 * 86_400, strict=True)] = 86_400
    secret: Annotated[str | None, Field(max_length=200, repr=False)] = None


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
    """What the configuration allows: private networks that may be dialled, and the chains that there are."""

    allow_private: Sequence[IPv4Network | IPv6Network]
    chains: Collection[str]


def check_url(url: str, rules: Rules, where: str = "url") -> None:
    """Refuse what cannot be dialled, and a literal private address; a name is judged when it is dialled."""
    fault = _url_fault(url)
    if fault is not None:
        raise Refused("invalid_url", f"{where} {fault}; write it as https://shop.example/hooks", field=where)
    address = literal(URL(url).host or "")
    reason = refusal(address, rules.allow_private) if address else None
    if reason is not None:
        raise Refused("private_address", f"{where}: {reason}", field=where)


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


def check_format(name: str) -> None:
    """Refuse a format that this version does not speak."""
    if name != "standard":
        planned = name in {"oxapay", "btcpay"}
        reason = f"format {name} comes with a later version" if planned else f"unknown format {name!r}"
        raise Refused("unsupported_format", f'{reason}; write "standard"', field="format")


def check_secret(secret: str) -> None:
    """Refuse a secret that cannot sign."""
    fault = secret_rules.fault(secret, "standard")
    if fault is not None:
        raise Refused("invalid_secret", f"secret {fault}", field="secret")


def check_configured(endpoints: Sequence[Configured], rules: Rules) -> None:
    """Refuse a configuration that the API would refuse, and a URL that is there twice."""
    seen: set[str] = set()
    for one in endpoints:
        check_url(one.url, rules)
        check_filters(one.events, one.chains, rules)
        check_format(one.format)
        for secret in one.secrets:
            check_secret(secret)
        if one.url in seen:
            raise Refused(
                "duplicate_url", "url is there twice; name it once, with all its events", field="url"
            )
        seen.add(one.url)
