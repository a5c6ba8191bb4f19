"""What a notifier sent, held against the published `standardwebhooks` packages and Node's own crypto."""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from sqlalchemy import update
from standardwebhooks import Webhook, WebhookVerificationError

import npm_packages
from outbox_db import event
from watcher import outbox, signing
from watcher.secret import new_secret
from watcher.tables import ENDPOINT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from running_notifier import Daemon, Shop

OLD, NEW, OTHER = (new_secret() for _ in range(3))
OLD_KEY, NEW_KEY, OTHER_KEY = (new_secret("ed25519") for _ in range(3))


@dataclass(frozen=True)
class Sent:
    """One attempt as it arrived."""

    headers: dict[str, str]
    body: bytes

    def given(self) -> dict[str, Any]:
        return {"headers": self.headers, "body": self.body.decode()}


async def sent(daemon: Daemon, shop: Shop, *secrets: str) -> Sent:
    """Return what the notifier posts to an endpoint with these secrets, newest first."""
    column = signing.stored(secrets[-1:])
    for secret in secrets[-2::-1]:
        column = signing.rotated(column, secret, daemon.clock(), timedelta(hours=24))
    await daemon.db.endpoint(shop.url, secrets=column)
    await daemon.publish(event())
    await daemon.settled("delivered 1")
    ((headers, body),) = shop.got
    return Sent(headers, body)


ROTATIONS = [
    pytest.param([NEW], id="one secret"),
    pytest.param([NEW, OLD], id="hmac to hmac"),
    pytest.param([NEW_KEY], id="one key"),
    pytest.param([NEW_KEY, OLD], id="hmac to ed25519"),
    pytest.param([NEW, OLD_KEY], id="ed25519 to hmac"),
    pytest.param([NEW_KEY, OLD_KEY], id="ed25519 to ed25519"),
]


@pytest.mark.parametrize("secrets", ROTATIONS)
async def test_h134_the_published_packages_take_what_every_secret_signed_and_nothing_else(
    daemon: Daemon, shop: Shop, secrets: list[str]
) -> None:
    found = await sent(daemon, shop, *secrets)
    asked = [*(secret for secret in secrets if secret.startswith("whsec_")), OTHER]
    expected = [json.loads(found.body)] * (len(asked) - 1) + ["No matching signature found"]

    assert expected == [_in_python(secret, found) for secret in asked]
    assert expected == npm_packages.run(
        "verify.cjs", [{"secret": secret, **found.given()} for secret in asked]
    )


@pytest.mark.parametrize("secrets", ROTATIONS)
async def test_h134_nodes_crypto_takes_what_every_key_signed_and_nothing_else(
    daemon: Daemon, shop: Shop, secrets: list[str]
) -> None:
    found = await sent(daemon, shop, *secrets)
    asked = [*(secret for secret in secrets if secret.startswith("whsk_")), OTHER_KEY]
    spoiled = Sent(found.headers, found.body + b" ")

    assert [True] * (len(asked) - 1) + [False] == _by_node(asked, found)
    assert [False] * len(asked) == _by_node(asked, spoiled)


@pytest.mark.parametrize("form", ["oxapay", "btcpay"])
@pytest.mark.parametrize(
    "secret",
    [
        pytest.param("merchant-secret", id="a text"),
        pytest.param("ключ-магазина", id="beyond ascii"),
        pytest.param(NEW, id="a secret of ours"),
    ],
)
def test_the_published_packages_take_other_formats_too(form: str, secret: str) -> None:
    """A text is a raw key for them; a secret of Standard Webhooks is one as ever."""
    body = b'{"type":"invoice","status":"Paid"}'
    found = Sent(signing.headers(form, [secret], "evt_1", datetime.now(UTC), body), body)
    raw = not secret.startswith("whsec_")

    assert json.loads(body) == _in_python(secret.encode() if raw else secret, found)
    if secret.isascii():
        judged = npm_packages.run("verify.cjs", [{"secret": secret, "raw": raw, **found.given()}])
        assert [json.loads(body)] == judged


@pytest.mark.parametrize("known", ["new-secret", "old-secret"])
@pytest.mark.parametrize(
    ("form", "header", "algorithm"), [("oxapay", "hmac", "sha512"), ("btcpay", "btcpay-sig", "sha256")]
)
async def test_h134_a_shop_of_another_format_gets_an_event_whichever_secret_it_has(
    daemon: Daemon, shop: Shop, known: str, form: str, header: str, algorithm: str
) -> None:
    async def strict(request: web.Request) -> web.Response:
        wanted = hmac.digest(known.encode(), await request.read(), algorithm).hex()
        fits = request.headers[header].removeprefix("sha256=") == wanted
        return web.Response(status=200 if fits else 401, text="ok" if fits else "no")

    shop.otherwise = strict
    now = daemon.clock()
    column = signing.rotated(signing.stored(["old-secret"]), "new-secret", now, timedelta(hours=24))
    await daemon.db.endpoint(shop.url, secrets=column)
    async with daemon.db.store.write() as conn:
        await outbox.publish(conn, [event()], now)
        await conn.execute(update(ENDPOINT).values(format=form))
    daemon.bus.published()
    if known == "old-secret":
        await daemon.settled("pending 1")
        daemon.advance(6)
    await daemon.settled("delivered 1" if known == "new-secret" else "delivered 2")

    assert 1 == len({body for _, body in shop.got})


def _in_python(secret: str | bytes, found: Sent) -> Any:
    try:
        return Webhook(secret).verify(found.body, found.headers)
    except WebhookVerificationError as reason:
        return str(reason)


def _by_node(keys: Sequence[str], found: Sent) -> Any:
    publics = [signing.shown(key)["public_key"] for key in keys]
    return npm_packages.run("verify_v1a.cjs", [{"key": key, **found.given()} for key in publics])
