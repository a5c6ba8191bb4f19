"""The secrets of endpoints: made or brought, rotated, and shown to those alone who need them."""

from __future__ import annotations

from typing import Any

import pytest

from outbox_db import NOW, SECRET, OutboxDb, event
from watcher import claims, endpoints, outbox, signing
from watcher.errors import Refused
from watcher.notifier import NotifierOptions
from watcher.receivers import Configured, EndpointDraft, Rotation, Rules
from watcher.secret import Signature, new_secret, signature_of

SHOP = "https://shop.example/hooks"
RULES = Rules(allow_private=(), chains=())
SHOWN = ("signature", "public_key")


async def _create(db: OutboxDb, **values: Any) -> dict[str, Any]:
    async with db.store.write() as conn:
        return await endpoints.create(conn, EndpointDraft(url=SHOP, **values), RULES, NOW)


async def _rotate(db: OutboxDb, endpoint_id: str, **values: Any) -> dict[str, Any]:
    async with db.store.write() as conn:
        return await endpoints.rotate(conn, endpoint_id, Rotation(**values), NOW)


async def _listed(db: OutboxDb) -> list[dict[str, Any]]:
    async with db.store.read() as conn:
        return (await endpoints.page(conn, None, 50))[0]


async def _secrets(db: OutboxDb, endpoint_id: str) -> tuple[str, ...]:
    return signing.current((await db.endpoints())[endpoint_id].secrets, NOW)


async def test_a_private_key_that_is_made_here_is_shown_to_nobody_and_its_public_key_to_all(
    db: OutboxDb,
) -> None:
    made = await _create(db, signature="ed25519")

    (private,) = await _secrets(db, made["id"])
    (listed,) = await _listed(db)
    assert (None, "ed25519") == (made["secret"], made["signature"])
    assert signing.shown(private)["public_key"] == made["public_key"] == listed["public_key"]
    assert private not in repr(made)


async def test_h137_a_private_key_of_the_merchants_own_is_taken_and_stays_out_of_words(db: OutboxDb) -> None:
    key = new_secret("ed25519")
    made = await _create(db, secret=key)

    assert (key, "ed25519") == (made["secret"], made["signature"])
    assert key not in repr(EndpointDraft(url=SHOP, secret=key))
    assert key not in repr(Rotation(secret=key))
    assert key not in repr(Rules((), (), [key]))


async def test_h137_who_sends_does_not_spell_out_what_signs(db: OutboxDb) -> None:
    made = await _create(db)
    await db.publish(event())
    async with db.store.write() as conn:
        (taken,) = await claims.claim(conn, {made["id"]: 1}, 1, NOW)

    assert made["secret"] in taken.secrets
    assert made["secret"] not in repr(taken)
    assert made["secret"] not in repr(NotifierOptions(invoice_secrets=[made["secret"]], version="1"))
    assert made["secret"] not in repr(Configured(url=SHOP, secrets=[made["secret"]]))


@pytest.mark.parametrize(
    ("before", "rotation", "after"),
    [
        pytest.param("hmac", {}, "hmac", id="hmac as before"),
        pytest.param("ed25519", {}, "ed25519", id="ed25519 as before"),
        pytest.param("hmac", {"signature": "ed25519"}, "ed25519", id="to ed25519"),
        pytest.param("ed25519", {"signature": "hmac"}, "hmac", id="to hmac"),
        pytest.param("ed25519", {"secret": SECRET}, "hmac", id="to a secret that is given"),
    ],
)
async def test_h134_a_rotation_keeps_the_way_to_sign_unless_it_names_another(
    db: OutboxDb, before: Signature, rotation: dict[str, str], after: Signature
) -> None:
    made = await _create(db, signature=before)

    got = await _rotate(db, made["id"], **rotation)

    assert [after, before] == [signature_of(secret) for secret in await _secrets(db, made["id"])]
    assert (after, after == "hmac") == (got["signature"], got["secret"] is not None)
    assert (after == "ed25519") == (got["public_key"] is not None)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        pytest.param(
            {"signature": "hmac", "secret": new_secret("ed25519")}, "signature", id="a key for hmac"
        ),
        pytest.param({"signature": "ed25519", "secret": SECRET}, "signature", id="a secret for ed25519"),
        pytest.param({"secret": "whsk_AAAA"}, "secret", id="no key"),
        pytest.param({"secret": "whsec_ž"}, "secret", id="no base64"),
        pytest.param({"secret": ""}, "secret", id="nothing"),
        pytest.param({"format": "oxapay", "signature": "ed25519"}, "signature", id="oxapay knows hmac alone"),
        pytest.param(
            {"format": "btcpay", "secret": new_secret("ed25519")}, "secret", id="btcpay knows hmac alone"
        ),
        pytest.param({"format": "btcpay", "secret": "1234567"}, "secret", id="too short for btcpay"),
    ],
)
async def test_a_secret_that_cannot_sign_so_is_refused(
    db: OutboxDb, values: dict[str, str], field: str
) -> None:
    with pytest.raises(Refused) as refused:
        await _create(db, **values)

    assert field == refused.value.field
    assert values.get("secret") not in str(refused.value).split('"')
    with pytest.raises(Refused) as again:
        await _rotate(db, (await _create(db, format=values.pop("format", "standard")))["id"], **values)
    assert (field, str(refused.value)) == (again.value.field, str(again.value))


@pytest.mark.parametrize("form", ["oxapay", "btcpay"])
async def test_an_endpoint_of_another_format_takes_any_text_and_gets_a_shared_secret(
    db: OutboxDb, form: str
) -> None:
    own = await _create(db, format=form, secret="merchant-secret")
    made = await _create(db, format=form)
    rotated = await _rotate(db, own["id"])

    assert ("merchant-secret", "hmac", None) == (own["secret"], own["signature"], own["public_key"])
    assert [True, True] == [one["secret"].startswith("whsec_") for one in (made, rotated)]
    assert (rotated["secret"], "merchant-secret") == await _secrets(db, own["id"])


async def test_an_invoices_own_url_is_signed_by_the_configuration_and_shows_its_public_key(
    db: OutboxDb,
) -> None:
    await db.invoice("inv_1")
    own, key = outbox.own_endpoint("inv_1"), new_secret("ed25519")
    async with db.store.write() as conn:
        await endpoints.add_own(conn, "inv_1", SHOP, NOW)
        shown = await endpoints.get(conn, own, [key, SECRET])
    with pytest.raises(Refused) as refused:
        await _rotate(db, own)

    assert signing.shown(key) == {name: shown[name] for name in SHOWN}
    assert (409, "managed_by_config") == (refused.value.status, refused.value.code)


async def test_an_endpoint_of_the_configuration_shows_the_public_key_of_its_newest_secret(
    db: OutboxDb,
) -> None:
    key = new_secret("ed25519")
    async with db.store.write() as conn:
        await endpoints.sync(conn, [Configured(url=SHOP, secrets=(key, SECRET))], RULES, NOW)

    (shown,) = await _listed(db)
    assert signing.shown(key) == {name: shown[name] for name in SHOWN}
    assert "secret" not in shown
