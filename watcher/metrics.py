"""What /metrics shows, in a registry of our own. Knows names and units, no rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from watcher.model import ChainState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from watcher.model import ChainStatus


class Metrics:
    """Every measurement of one daemon. Labels never carry URLs, secrets or invoice ids."""

    def __init__(self) -> None:
        """Start at zero, apart from every other daemon in the same process."""
        self.registry = CollectorRegistry()
        self.deliveries = Counter(
            "watcher_deliveries", "Webhook attempts by result.", ["result"], registry=self.registry
        )
        self.delivery_seconds = Histogram(
            "watcher_delivery_seconds", "How long one webhook attempt took.", registry=self.registry
        )
        self.deliveries_pending = Gauge(
            "watcher_deliveries_pending", "Deliveries that wait to be sent.", registry=self.registry
        )
        self.requests = Counter(
            "watcher_api_requests",
            "HTTP requests by route and status.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.failed_keys = Counter(
            "watcher_api_failed_keys",
            "Requests without a valid API key, by reason: absent, malformed, unknown, revoked.",
            ["reason"],
            registry=self.registry,
        )
        self.streams = Gauge("watcher_event_streams", "Open event streams.", registry=self.registry)
        self.mails = Gauge("watcher_mails", "Reminders by mail, by state.", ["state"], registry=self.registry)
        self._add_chains()

    def _add_chains(self) -> None:
        self.chain_height = Gauge(
            "watcher_chain_height", "Absorbed height of a chain.", ["chain"], registry=self.registry
        )
        self.chain_lag_blocks = Gauge(
            "watcher_chain_lag_blocks", "Blocks behind the node's head.", ["chain"], registry=self.registry
        )
        self.chain_lag_seconds = Gauge(
            "watcher_chain_lag_seconds",
            "How long ago the chain was last proven.",
            ["chain"],
            registry=self.registry,
        )
        self.chain_live = Gauge(
            "watcher_chain_live", "1 while a chain is followed live.", ["chain"], registry=self.registry
        )
        self.unused_addresses = Gauge(
            "watcher_unused_addresses",
            "Addresses of a chain in a row, up to the newest, that were shown and never paid.",
            ["chain"],
            registry=self.registry,
        )

    def mailed(self, counts: Mapping[str, int]) -> None:
        """Show how many mails are in each state."""
        for state, count in counts.items():
            self.mails.labels(state).set(count)

    def chain(self, name: str, status: ChainStatus) -> None:
        """Show how well a chain is being followed."""
        self.chain_live.labels(name).set(status.state is ChainState.LIVE)
        if status.scanned is not None:
            self.chain_height.labels(name).set(status.scanned.height)
        if status.lag_blocks is not None:
            self.chain_lag_blocks.labels(name).set(status.lag_blocks)
        if status.lag_seconds is not None:
            self.chain_lag_seconds.labels(name).set(status.lag_seconds)
