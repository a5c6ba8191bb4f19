"""What the receivers of webhooks owe to the rest of the configuration: networks, chains and each other."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from watcher.dialects import silence
from watcher.egress import literal, misplaced, refusal
from watcher.secret import STANDARD, signature_of
from watcher.settings_errors import guess

if TYPE_CHECKING:
    from collections.abc import Collection

    from watcher.settings import EndpointSettings, WebhookSettings
    from watcher.settings_errors import Faults, Loc


def check(webhooks: WebhookSettings, chains: Collection[str], faults: Faults) -> None:
    """Record literal private addresses, chains that there are not, and addresses that stand there twice."""
    for index, network in enumerate(webhooks.allow_private):
        wrong = misplaced(network)
        if wrong:
            faults.add(("webhooks", "allow_private", index), wrong)
    seen: set[str] = set()
    for index, endpoint in enumerate(webhooks.endpoints):
        at: Loc = ("webhooks", "endpoints", index)
        _check_address(endpoint, webhooks, at, faults)
        _check_chains(endpoint, chains, at, faults)
        _check_secret(endpoint, webhooks, at, faults)
        unheard = silence(endpoint.format, endpoint.events)
        if unheard:
            faults.add((*at, "events"), unheard)
        if endpoint.url in seen:
            faults.add((*at, "url"), "stands there twice; name it once, with all its events")
        seen.add(endpoint.url)


def _check_address(endpoint: EndpointSettings, webhooks: WebhookSettings, at: Loc, faults: Faults) -> None:
    """Refuse a literal private address; a name that leads to one is refused when it is dialled."""
    address = literal(urlsplit(endpoint.url).hostname or "")
    wrong = refusal(address, webhooks.allow_private) if address else None
    if wrong:
        faults.add((*at, "url"), wrong)


def _check_chains(endpoint: EndpointSettings, chains: Collection[str], at: Loc, faults: Faults) -> None:
    for place, name in enumerate(endpoint.chains):
        if name not in chains:
            faults.add((*at, "chains", place), f"there is no such chain; {guess(name, chains)}")


def _check_secret(endpoint: EndpointSettings, webhooks: WebhookSettings, at: Loc, faults: Faults) -> None:
    """Refuse a private key of `[webhooks]` for a format whose receivers would have to know it."""
    texts = [secret.text.get_secret_value() for secret in webhooks.secret if secret.text]
    private = webhooks.signature == "ed25519" or any(signature_of(text) == "ed25519" for text in texts)
    if private and endpoint.secret is None and endpoint.format != STANDARD:
        wrong = (
            "is missing; that of [webhooks] is an ed25519 key, which this format cannot use: write another"
        )
        faults.add((*at, "secret"), wrong)
