"""Which key may call what: every route stands here, and nowhere else. None needs no key."""

from __future__ import annotations

from watcher.apikeys import Scope

SCOPES: dict[tuple[str, str], Scope | None] = {
    ("GET", "/healthz"): None,
    ("GET", "/readyz"): None,
    ("GET", "/metrics"): None,
    ("GET", "/openapi.json"): None,
    ("GET", "/v1/invoices"): Scope.READ,
    ("GET", "/v1/invoices/{id}"): Scope.READ,
    ("GET", "/v1/invoices/{id}/explain"): Scope.READ,
    ("GET", "/v1/webhooks"): Scope.READ,
    ("GET", "/v1/webhooks/{id}"): Scope.READ,
    ("GET", "/v1/deliveries"): Scope.READ,
    ("GET", "/v1/events"): Scope.READ,
    ("GET", "/v1/events/stream"): Scope.READ,
    ("GET", "/v1/chains"): Scope.READ,
    ("GET", "/v1/chains/{id}/ledger"): Scope.READ,
    ("GET", "/v1/chains/{id}/addresses"): Scope.READ,
    ("GET", "/v1/chains/{id}/deposits"): Scope.READ,
    ("GET", "/v1/keys"): Scope.READ,
    ("POST", "/v1/invoices"): Scope.WRITE,
    ("POST", "/v1/webhooks"): Scope.ADMIN,
    ("PATCH", "/v1/webhooks/{id}"): Scope.ADMIN,
    ("DELETE", "/v1/webhooks/{id}"): Scope.ADMIN,
    ("POST", "/v1/webhooks/{id}/test"): Scope.ADMIN,
    ("POST", "/v1/webhooks/{id}/rotate"): Scope.ADMIN,
    ("POST", "/v1/webhooks/{id}/replay"): Scope.ADMIN,
    ("POST", "/v1/deliveries/{id}/redeliver"): Scope.ADMIN,
    ("POST", "/v1/chains/{id}/rescan"): Scope.ADMIN,
    ("POST", "/v1/keys"): Scope.ADMIN,
    ("DELETE", "/v1/keys/{id}"): Scope.ADMIN,
}
