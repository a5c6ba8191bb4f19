"""Shops of other systems at the end of the line: a real notifier, real HTTP, and what their plugins check."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from sqlalchemy import insert

from format_scene import ID, ORDER, deposited, told
from invoice_facts import CLOSED, NOTHING, PAID, POOL, deposit, facts, invoice
from outbox_db import NOW, OutboxDb
from plugin_shops import KEY, BtcPayShop, OxaPayShop
from running_notifier import Daemon, Shop, running
from watcher import endpoints, signing
from watcher.deliveries import redeliver
from watcher.ids import new_id
from watcher.model import EventType
from watcher.receivers import Rotation
from watcher.tables import STANDING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from watcher.model import Event

NEW = "another-merchant-secret"
CUSTOMER = {"id": "adr_7", "chain": "one", "address": "address 0", "confirmations": "{}", "from_height": 0}
CUSTOMER |= {"from_hash": "a0", "created_at": NOW, "metadata_json": "{}", "sequence": 0}


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    db = OutboxDb(tmp_path / "formats.db")
    await db.create()
    await db.invoice("inv", "one")
    async with db.store.write() as conn:
        await conn.execute(insert(STANDING).values(**CUSTOMER))
    async with running(Daemon(db)) as daemon:
        yield daemon
    await db.store.close()


async def _endpoint(daemon: Daemon, url: str, form: str, **values: Any) -> str:
    return await daemon.db.endpoint(url, format=form, secrets=signing.stored([KEY]), **values)


def _fresh(event: Event) -> Event:
    return replace(event, id=new_id("evt"))


def _verify(form: str, key: str, headers: dict[str, str], body: bytes) -> None:
    """Check a signature as the issue says: over the bytes as they came, before anything reads them."""
    if form == "oxapay":
        assert hmac.new(key.encode(), body, hashlib.sha512).hexdigest() == headers["hmac"]
    else:
        wanted = "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
        assert wanted == headers["btcpay-sig"]


@pytest.mark.parametrize("form", ["oxapay", "btcpay"])
async def test_retry_and_redelivery_send_the_same_bytes_under_the_same_id_after_a_rotation_too(
    daemon: Daemon, shop: Shop, form: str
) -> None:
    endpoint = await _endpoint(daemon, shop.url, form)
    shop.answers = [500, 200]
    await daemon.publish(told(EventType.INVOICE_PAID, replace(PAID, invoice=ORDER)))
    await daemon.settled("pending 1")
    daemon.advance(6)
    await daemon.settled("delivered 2")
    ((delivery,),) = (await daemon.db.deliveries(),)
    async with daemon.db.store.write() as conn:
        await endpoints.rotate(conn, endpoint, Rotation(secret=NEW, overlap_seconds=0), daemon.clock())
        await redeliver(conn, delivery.id, daemon.clock())
    daemon.bus.published()
    await shop.until(3)
    await daemon.settled("delivered 1")

    assert 1 == len({(headers["webhook-id"], body) for headers, body in shop.got})
    assert [ID] * 3 == shop.ids
    for key, (headers, body) in zip([KEY, KEY, NEW], shop.got, strict=True):
        _verify(form, key, headers, body)


async def test_the_two_messages_of_one_event_go_one_after_the_other(daemon: Daemon, shop: Shop) -> None:
    await _endpoint(daemon, shop.url, "btcpay")
    shop.answers = [500, 200, 200, 200]
    await daemon.publish(
        told(EventType.INVOICE_UNDERPAID, CLOSED), _fresh(told(EventType.INVOICE_REVERTED, CLOSED))
    )
    await daemon.settled("pending 1", "pending 0", "pending 0")
    daemon.advance(6)
    await daemon.settled("delivered 2", "delivered 1", "delivered 1")

    assert 1 == shop.most
    assert [ID, ID, f"{ID}.2"] == shop.ids[:3]
    assert ["InvoiceExpired", "InvoiceExpired", "InvoiceExpiredPaidPartial", "InvoiceInvalid"] == [
        json.loads(body)["type"] for _, body in shop.got
    ]
    for headers, body in shop.got:
        assert headers["webhook-id"] == json.loads(body)["deliveryId"]
        _verify("btcpay", KEY, headers, body)


@pytest.mark.parametrize(
    ("form", "success_body", "answer", "taken"),
    [
        pytest.param("oxapay", None, (200, "ok"), True, id="oxapay: ok"),
        pytest.param(
            "oxapay", None, (200, "Received payment callback: {}OK"), True, id="oxapay: their plugin"
        ),
        pytest.param("oxapay", None, (200, "thank you"), False, id="oxapay: something else"),
        pytest.param("oxapay", None, (200, ""), False, id="oxapay: nothing"),
        pytest.param("oxapay", None, (202, "ok"), False, id="oxapay: another status"),
        pytest.param("oxapay", "taken", (200, "taken"), True, id="oxapay: the merchant's own"),
        pytest.param("oxapay", "taken", (200, "ok"), False, id="oxapay: the merchant's own goes before"),
        pytest.param("btcpay", None, (204, ""), True, id="btcpay: any 2xx"),
        pytest.param("btcpay", None, (200, "thank you"), True, id="btcpay: whatever it says"),
        pytest.param("btcpay", None, (302, "ok"), False, id="btcpay: a redirect"),
    ],
)
async def test_success_is_what_the_other_system_takes_for_it(
    daemon: Daemon, shop: Shop, form: str, success_body: str | None, answer: tuple[int, str], *, taken: bool
) -> None:
    async def say(_: web.Request) -> web.Response:
        return web.Response(status=answer[0], text=answer[1])

    shop.otherwise = say
    await _endpoint(daemon, shop.url, form, success_body=success_body)
    await daemon.publish(told(EventType.INVOICE_PAID, PAID))

    await daemon.settled("delivered 1" if taken else "pending 1")


async def test_an_answer_that_ends_beyond_what_is_read_is_no_success(daemon: Daemon, shop: Shop) -> None:
    async def page(_: web.Request) -> web.Response:
        return web.Response(text="x" * 5000 + "OK")

    shop.answers = [page]
    await _endpoint(daemon, shop.url, "oxapay")
    await daemon.publish(told(EventType.INVOICE_PAID, PAID))
    await daemon.settled("pending 1")

    ((attempt,),) = (await daemon.db.attempts(),)
    assert (200, 4096) == (attempt.status, len(attempt.answer))


@pytest.mark.parametrize(
    "order",
    [
        pytest.param("A-1001", id="plain"),
        pytest.param('"; DROP TABLE orders; -- </script>\\u0022', id="quotes"),
        pytest.param("🎉/é" * 66, id="200 characters that PHP writes as 12 bytes each"),
    ],
)
async def test_an_oxapay_shop_takes_every_step_of_an_order_at_the_first_attempt(
    daemon: Daemon, order: str
) -> None:
    mine = invoice(order_id=order, description=order * 2)
    steps = [
        (EventType.INVOICE_CREATED, NOTHING),
        (EventType.INVOICE_CONFIRMING, POOL),
        (EventType.INVOICE_PAID, facts(*(deposit(20, name=f"p{n}", txid="f" * 64) for n in range(5)))),
    ]
    async with OxaPayShop().open() as shop:
        await _endpoint(daemon, shop.url, "oxapay")
        await daemon.publish(*(_fresh(told(kind, replace(some, invoice=mine))) for kind, some in steps))
        await daemon.settled("delivered 1", "delivered 1")

    assert {order: "completed"} == shop.orders


async def test_an_oxapay_shop_hears_of_an_order_that_expired_if_it_asks(daemon: Daemon) -> None:
    async with OxaPayShop().open() as silent, OxaPayShop().open() as shop:
        await _endpoint(daemon, silent.url, "oxapay")
        await _endpoint(daemon, shop.url, "oxapay", events=["*", "invoice.expired"])
        await daemon.publish(told(EventType.INVOICE_EXPIRED, replace(NOTHING, invoice=ORDER)))
        await daemon.settled("delivered 1")

    assert ({}, {"A-1001": "failed"}) == (silent.orders, shop.orders)


async def test_a_btcpay_shop_takes_every_step_of_an_order(daemon: Daemon) -> None:
    steps = [
        (EventType.INVOICE_CREATED, NOTHING),
        (EventType.PAYMENT_DETECTED, POOL),
        (EventType.INVOICE_CONFIRMING, POOL),
        (EventType.PAYMENT_CONFIRMED, PAID),
        (EventType.INVOICE_PAID, PAID),
    ]
    shop = BtcPayShop(orders={"inv": "new"})
    async with shop.open():
        await _endpoint(daemon, shop.url, "btcpay")
        await daemon.publish(*(_fresh(told(kind, some, "p")) for kind, some in steps))
        await daemon.settled(*["delivered 1"] * 5)

    assert {"inv": "settled"} == shop.orders


@pytest.mark.parametrize(
    ("shop", "form", "state", "answer"),
    [
        pytest.param(OxaPayShop(), "oxapay", "pending 1", "400 orderId is required", id="oxapay"),
        pytest.param(
            BtcPayShop(), "btcpay", "delivered 1", "200 No order found for this invoiceId.", id="btcpay"
        ),
    ],
)
async def test_a_test_reaches_a_shop_past_its_signature_and_pays_nothing(
    daemon: Daemon, shop: OxaPayShop | BtcPayShop, form: str, state: str, answer: str
) -> None:
    async with shop.open():
        endpoint = await _endpoint(daemon, shop.url, form)
        async with daemon.db.store.write() as conn:
            await endpoints.test(conn, endpoint, daemon.clock())
        daemon.bus.published()
        await daemon.settled(state)

    assert ({}, [answer]) == (shop.orders, shop.notes)


async def test_an_older_status_does_not_come_after_a_newer_one_that_went_ahead(daemon: Daemon) -> None:
    async with OxaPayShop(answers=[500, 500, 500]).open() as shop:
        await _endpoint(daemon, shop.url, "oxapay")
        confirming, paid = (
            _fresh(told(kind, replace(some, invoice=ORDER)))
            for kind, some in ((EventType.INVOICE_CONFIRMING, POOL), (EventType.INVOICE_PAID, PAID))
        )
        await daemon.publish(confirming, paid)
        await daemon.settled("pending 1", "pending 0")
        daemon.advance(6)
        await daemon.settled("pending 2", "pending 0")
        daemon.advance(34)
        await daemon.settled("cancelled 3", "delivered 1")
        daemon.advance(400)
        await daemon.settled("cancelled 3", "delivered 1")

    assert {"A-1001": "completed"} == shop.orders


@pytest.mark.parametrize(
    ("form", "kinds", "expected"),
    [
        pytest.param(
            "btcpay", ["invoice.paid", "invoice.reverted"], "cancelled 3", id="a status by a status"
        ),
        pytest.param("btcpay", ["payment.confirmed", "invoice.paid"], "pending 3", id="not a payment"),
        pytest.param(
            "btcpay", ["invoice.confirming", "payment.confirmed"], "pending 3", id="not by a payment"
        ),
        pytest.param("btcpay", ["invoice.paid", "invoice.late_payment"], "pending 3", id="not by late money"),
        pytest.param(
            "btcpay",
            ["invoice.late_payment", "invoice.paid"],
            "cancelled 3",
            id="late money, by a status",
        ),
        pytest.param("oxapay", ["deposit.confirmed", "deposit.confirmed"], "pending 3", id="not a deposit"),
        pytest.param("standard", ["invoice.paid", "invoice.reverted"], "pending 3", id="not with a sequence"),
    ],
)
async def test_what_a_newer_message_overtakes_is_left_out_only_where_it_is_an_older_status(
    daemon: Daemon, shop: Shop, form: str, kinds: list[str], expected: str
) -> None:
    await daemon.db.endpoint(shop.url, format=form)
    shop.answers = [500, 500, 500]
    await daemon.publish(*(_fresh(_any(EventType(kind))) for kind in kinds))
    await daemon.settled("pending 1", "pending 0")
    daemon.advance(6)
    await daemon.settled("pending 2", "pending 0")
    daemon.advance(34)

    await daemon.settled(expected, "delivered 1")


async def test_what_an_event_says_in_one_way_is_not_left_out_because_it_was_heard_in_the_other(
    daemon: Daemon, shop: Shop
) -> None:
    """BTCPay Server's plugins know InvoiceExpired, and take InvoiceExpiredPaidPartial without a deed."""
    await daemon.db.endpoint(shop.url, format="btcpay")
    shop.answers = [500, 500, 500]
    await daemon.publish(_any(EventType.INVOICE_UNDERPAID))
    for pause, states in [(0, ("pending 1", "pending 0")), (6, ("pending 2", "pending 0"))]:
        daemon.advance(pause)
        await daemon.settled(*states)
    daemon.advance(34)
    await daemon.settled("pending 3", "delivered 1")
    daemon.advance(400)
    await daemon.settled("delivered 4", "delivered 1")

    assert "InvoiceExpired" == json.loads(shop.got[-1][1])["type"]


def _any(kind: EventType) -> Event:
    return deposited(kind) if kind.startswith("deposit.") else told(kind, PAID, "p")
