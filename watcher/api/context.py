"""What a request may use: the services behind the API, who calls, and the checked input. Knows no route."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from watcher.api.guessing import Guessing
from watcher.api.streams import Streams

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from chains.base import ChainAdapter
    from watcher.actions import Actions
    from watcher.apikeys import Scope
    from watcher.bus import Bus
    from watcher.customers import Customers
    from watcher.feed import Feed
    from watcher.idempotency import Idempotency
    from watcher.links import PaymentLinks
    from watcher.merchant import Merchant
    from watcher.merchant_refunds import Refunds
    from watcher.metrics import Metrics
    from watcher.model import ChainStatus, Clock
    from watcher.payer_feed import PayerFeed
    from watcher.render import Links
    from watcher.settings import Settings
    from watcher.store import Store
    from watcher.testbed import Bed


REPORTS = 2
"""Statistics that are read at once, each over all invoices: a crowd must not take every connection."""
DOCUMENT: web.AppKey[dict[str, Any]] = web.AppKey("document", dict)
"""Where an application keeps its OpenAPI document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiContext:
    """The services behind the API, made by the composition root; several servers may share them."""

    settings: Settings
    store: Store
    chains: Mapping[str, ChainAdapter]
    actions: Actions
    customers: Customers
    payment_links: PaymentLinks
    merchant: Merchant
    refunds: Refunds
    bus: Bus
    clock: Clock
    chain_status: Callable[[str], ChainStatus]
    links: Links
    metrics: Metrics
    version: str
    feed: Feed
    payer_feed: PayerFeed
    testbed: Bed | None = None
    streams: Streams = field(default_factory=Streams)
    guessing: Guessing = field(default_factory=Guessing)
    reports: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(REPORTS))


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request: an API key, or "local" through the Unix socket."""

    id: str
    name: str
    scope: Scope


@dataclass(frozen=True, slots=True)
class Call:
    """One request with everything checked that can be checked before its handler: key, query and body."""

    context: ApiContext
    caller: Caller
    request: web.Request
    query: Any
    body: Any
    idempotency: Idempotency | None

    @property
    def id(self) -> str:
        """The identifier in the path."""
        return self.request.match_info["id"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler answers: a status and what becomes JSON; None is an empty body."""

    content: Any
    status: int = 200
