"""What the daemon is configured with: typed, checked, and the same from the file or the environment.

Names no chain: the keys of `[chains.NAME]` are checked by the kind that the chain says it is of.
"""

from __future__ import annotations

from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from chains.config import ChainConfig, DecimalText, HttpUrl, Section
from watcher import settings_chains, settings_files, settings_receivers, settings_source
from watcher.model import EVENT_FILTERS, LatePolicy
from watcher.secret import Secret, Signature, fault, mismatch, reveal_all, unspoken
from watcher.settings_checkout import CheckoutSettings
from watcher.settings_errors import Faults, SettingsError, guess
from watcher.settings_mail import MailSettings  # noqa: TC001 - pydantic needs it when it runs
from watcher.settings_policy import PolicySettings
from watcher.settings_source import Source, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from watcher.settings_source import Tree

__all__ = [
    "DatabaseSettings",
    "EndpointSettings",
    "InvoiceSettings",
    "LogSettings",
    "ServerSettings",
    "Settings",
    "SettingsError",
    "WebhookSettings",
    "load",
    "of_mapping",
]

_SQLITE = settings_files.SQLITE


def _public(url: str) -> str:
    if "@" in urlsplit(url).netloc:
        raise ValueError("holds a user or password; write the address without them")
    return url


def _base(url: str) -> str:
    parts = urlsplit(url)
    if parts.path.strip("/") or parts.query or parts.fragment:
        shown = f"{parts.scheme}://{parts.netloc}"
        raise ValueError(f'the pages need a host of their own, without a path; write "{shown}"')
    return url.rstrip("/")


def _own_address(server: dict[str, Any]) -> str:
    """Return how the daemon reaches itself: what payers are told as long as nothing else is configured."""
    host = str(server["host"])
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - read, not bound
    return f"http://[{host}]:{server['port']}" if ":" in host else f"http://{host}:{server['port']}"


def _sqlite(url: str) -> str:
    if url.startswith("postgres"):
        raise ValueError('PostgreSQL is not built into this version; write "sqlite:///watcher.db"')
    if not url.startswith(_SQLITE) or "?" in url or url.removeprefix(_SQLITE) in ("", ":memory:"):
        raise ValueError('is not the URL of a database file; write "sqlite:///watcher.db"')
    return url


def _network(text: object) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text if isinstance(text, str) else "")
    except ValueError:
        raise ValueError('is not a CIDR block; write the first address and a length: "10.0.0.0/8"') from None


def _proxy(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    if not network.prefixlen:
        raise ValueError('believes everyone; name the proxies themselves, for example "127.0.0.1/32"')
    return network


def _percentage(text: str) -> str:
    if Decimal(text) > 100:  # noqa: PLR2004 - the whole
        raise ValueError('is above 100; write a number from "0" to "100"')
    return text


def _event(name: str) -> str:
    if name not in EVENT_FILTERS:
        raise ValueError(f"unknown event; {guess(name, EVENT_FILTERS)}")
    return name


def _events(names: tuple[str, ...]) -> tuple[str, ...]:
    return names or ("*",)


def _listed(value: object) -> object:
    items = value if isinstance(value, list | tuple) else [value]
    return [{"text": item} if isinstance(item, str) else item for item in items]


Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]

Secrets = Annotated[tuple[Secret, ...], BeforeValidator(_listed), Field(min_length=1)]
"""Newest first: all of them sign."""


class ServerSettings(Section):
    """`[server]`: where the API, the dashboard and the checkout listen, how payers reach them, and how much.

    `rate` and `public_rate`: requests a second of one key, and of one address without a key; 0 is no limit.
    `concurrency`: requests under way at once.
    """

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    public_url: Annotated[HttpUrl, AfterValidator(_public), AfterValidator(_base)] = Field(
        default_factory=_own_address
    )
    trusted_proxies: tuple[Annotated[Network, AfterValidator(_proxy)], ...] = ()
    rate: Annotated[int, Field(ge=0, le=1_000_000)] = 1000
    public_rate: Annotated[int, Field(ge=0, le=1_000_000)] = 50
    concurrency: Annotated[int, Field(ge=1, le=100_000)] = 400


class DatabaseSettings(Section):
    """`[database]`: `url` is absolute once loaded."""

    url: Annotated[str, AfterValidator(_sqlite)] = "sqlite:///watcher.db"

    @property
    def path(self) -> Path:
        """The database's file."""
        return Path(self.url.removeprefix(_SQLITE))


class InvoiceSettings(Section):
    """`[invoices]`: the defaults of a new invoice. Times in seconds."""

    expires_in: Annotated[int, Field(ge=60, le=2_592_000)] = 3600
    monitor_for: Annotated[int, Field(ge=0, le=31_536_000)] = 86_400
    tolerance_percent: Annotated[DecimalText, AfterValidator(_percentage)] = "0"
    late: LatePolicy = LatePolicy.HOLD
    reminder_before: Annotated[int, Field(ge=0, le=2_592_000)] = 0
    policy: PolicySettings = PolicySettings()

    @model_validator(mode="after")
    def _policy_means_something(self) -> Self:
        self.policy.check_beside(self.tolerance_percent)
        return self


class EndpointSettings(Section):
    """One of `[[webhooks.endpoints]]`. Without `secret`, that of `[webhooks]` signs.

    `signature` says for what a secret is made whose file is not there yet.
    """

    url: Annotated[HttpUrl, AfterValidator(_public), Field(repr=False)]
    secret: Secrets | None = None
    signature: Signature | None = None
    events: Annotated[tuple[Annotated[str, AfterValidator(_event)], ...], AfterValidator(_events)] = ("*",)
    chains: tuple[str, ...] = ()
    format: Literal["standard", "oxapay", "btcpay"] = "standard"
    description: str | None = None
    success_body: str | None = None

    @model_validator(mode="after")
    def _secret_fits(self) -> Self:
        if self.signature and not self.secret:
            raise ValueError('signature: needs a secret beside it; write secret = { file = "hook.key" } too')
        _check_secrets(self.secret or (), self.format, self.signature)
        return self


class WebhookSettings(Section):
    """`[webhooks]`: `secret` signs for each invoice's own `webhook_url` and for endpoints without one."""

    allow_private: tuple[Network, ...] = ()
    secret: Secrets
    signature: Signature | None = None
    endpoints: tuple[EndpointSettings, ...] = ()

    @model_validator(mode="after")
    def _secret_fits(self) -> Self:
        _check_secrets(self.secret, "standard", self.signature)
        return self

    def secrets(self, endpoint: EndpointSettings | None = None) -> tuple[str, ...]:
        """Return what signs for an endpoint (None: an invoice's own URL), newest first.

        Makes the secret's file when there is none yet; OSError where that is not allowed.
        """
        if endpoint and endpoint.secret:
            return reveal_all(endpoint.secret, endpoint.signature or "hmac")
        return reveal_all(self.secret, self.signature or "hmac")


class LogSettings(Section):
    """`[log]`: `format` "auto" is readable lines on a terminal and JSON elsewhere."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"


class Settings(Section):
    """The whole configuration. `file` is where it came from."""

    file: Path
    server: ServerSettings = Field(default_factory=ServerSettings)
    database: DatabaseSettings = DatabaseSettings()
    invoices: InvoiceSettings = InvoiceSettings()
    webhooks: WebhookSettings
    checkout: CheckoutSettings = CheckoutSettings()
    mail: MailSettings | None = None
    log: LogSettings = LogSettings()
    chains: dict[str, ChainConfig] = Field(default_factory=dict)


SECTIONS = [name for name in Settings.model_fields if name != "file"]


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Return the settings from a file (None: the first of the usual places) and the environment.

    Raises SettingsError, one line for the user, for the first thing that is wrong.
    """
    return _checked(settings_source.read(path, environ, SECTIONS))


def of_mapping(tree: Mapping[str, Any]) -> Settings:
    """Return the settings from what a file would hold; SettingsError as from one. Looks at no environment.

    Paths are relative to the present folder.
    """
    return _checked(Source(Path("settings"), plain(dict(tree))))


def _checked(source: Source) -> Settings:
    faults = Faults()
    tree = settings_files.resolve(source, faults)
    chains = settings_chains.read(tree.get("chains", {}), faults)
    settings = _validated(source, tree | {"chains": chains}, faults)
    if settings:
        settings_receivers.check(settings.webhooks, tree.get("chains", {}), faults)
    first = faults.first()
    if first or settings is None:
        loc, message = first or ((), "cannot be used")
        raise SettingsError(f"{source.name(loc)}: {message}")
    return settings


def _validated(source: Source, tree: Tree, faults: Faults) -> Settings | None:
    try:
        if "file" in tree:
            faults.add(("file",), f"unknown key; {guess('file', SECTIONS)}")
        return Settings.model_validate(tree | {"file": source.file})
    except ValidationError as error:
        faults.add_all(error, Settings)
        return None


def _check_secrets(secrets: tuple[Secret, ...], form: str, signature: Signature | None) -> None:
    """Raise ValueError for a secret that cannot sign so; one whose file is not there yet will be made so."""
    texts = [secret.text.get_secret_value() for secret in secrets if secret.text]
    for text in texts:
        if wrong := fault(text, form):
            raise ValueError(f"secret: {wrong}")
    newest_is_known = texts and secrets[0].text
    if wrong := unspoken(signature, form) or (mismatch(texts[0], signature) if newest_is_known else None):
        raise ValueError(f"signature: {wrong}")
