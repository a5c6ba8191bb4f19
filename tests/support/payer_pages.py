"""Payers' pages on a fake chain: a shop with a name, wallet links as of a real chain, and its HTML."""

from __future__ import annotations

import html
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from watcher.api.server import listen
from watcher.pages.site import Site
from watcher.payer_feed import PayerFeed
from watcher.settings import ServerSettings
from watcher.settings_checkout import CheckoutSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from api_server import Api, Reply

HTML = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
CONTRACT = "0xdAC17F958D2ee523a2206206994597C13D831ec7"
EXPLORER = "https://explorer.example/tx/{txid}"
TWO_WAYS: list[dict[str, Any]] = [
    {"chain": "fake", "asset": "COIN", "amount": "1"},
    {"chain": "fake", "asset": "TOKEN", "amount": "20"},
]
_DEADLINE = 3600


@dataclass(frozen=True, slots=True)
class Page:
    """The HTML of an answer, and what a person reads of it."""

    status: int
    headers: Mapping[str, str]
    html: str

    @property
    def text(self) -> str:
        """What stands on it, in one line."""
        body = self.html.partition("<body>")[2]
        return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())

    @property
    def state(self) -> str:
        return self.attribute("data-state")

    def attribute(self, name: str) -> str:
        """Return the value of the first attribute of that name."""
        found = re.search(rf'\b{name}="([^"]*)"', self.html)
        assert found, f"no {name} in {self.html}"
        return html.unescape(found[1])


async def page(api: Api, path: str, **headers: str) -> Page:
    """Read a page as a browser does."""
    reply: Reply = await api.send("GET", path, {**HTML, **headers})
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    return Page(reply.status, reply.headers, reply.body.decode())


async def two_ways(api: Api, **fields: Any) -> dict[str, Any]:
    """Create an invoice that can be paid in two assets."""
    reply = await api.post("/v1/invoices", {"options": TWO_WAYS, "expires_in": _DEADLINE, **fields})
    assert reply.status == 201, reply.body
    return dict(reply.json)


@asynccontextmanager
async def opened(
    api: Api, rate: int = 0, trusted_proxies: tuple[Any, ...] = (), **checkout: Any
) -> AsyncIterator[Api]:
    """Serve the same once more, with titles, an explorer, wallet links, and these `[checkout]` keys."""
    before = api.context.settings
    chains = {
        name: chain.model_copy(update={"title": "Ethereum", "explorer": EXPLORER})
        for name, chain in before.chains.items()
    }
    server = ServerSettings(rate=0, public_rate=rate, trusted_proxies=trusted_proxies)
    settings = before.model_copy(
        update={"checkout": CheckoutSettings(**checkout), "chains": chains, "server": server}
    )
    links = replace(api.context.links, payment_uri=_uri)
    feed = PayerFeed(api.context.store, api.context.bus, links)
    context = replace(api.context, settings=settings, links=links, payer_feed=feed)
    runner = await listen(context, "127.0.0.1", 0, Site.load(settings))
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield replace(api, url=url, context=context, runner=runner)
    finally:
        await runner.cleanup()


def _uri(option: Any, missing: int) -> str | None:
    """Write a link as EIP-681 has it."""
    if not missing:
        return None
    if option.asset == "COIN":
        return f"ethereum:{option.address}@1?value={missing}"
    return f"ethereum:{CONTRACT}@1/transfer?address={option.address}&uint256={missing}"
