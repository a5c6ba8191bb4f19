"""An invoice in the dashboard: what its page shows in every situation, and to whom."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert

from dashboard import Dashboard, sign_in
from dashboard_forms import PAYER, act, buttons, place, requested, text
from merchant_stages import STAGES, staged
from watcher.apikeys import Scope
from watcher.model import GapReason, Status
from watcher.rules import TABLE, Act, Condition
from watcher.tables import ATTEMPT, GAP, MAIL
from world import COIN

if TYPE_CHECKING:
    from api_server import Api

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}\u202e"
ACTS_OF_A_REFUND = ("sent", "address", "withdraw")

POSSIBLE_THERE = {
    "pending": "accept extend cancel",
    "pending with another asset": "accept extend refund",
    "partial": "accept extend",
    "confirming": "",
    "paid": "refund",
    "overpaid": "refund",
    "underpaid": "accept extend refund",
    "underpaid, not confirmed": "accept extend",
    "expired": "extend",
    "expired with late money": "accept extend refund",
    "accepted": "refund",
    "refunding": "",
    "refunded": "",
    "refunded with more": "accept refund",
    "cancelled": "",
    "cancelled with money": "accept refund",
}


@pytest.fixture
async def merchant(api: Api) -> Dashboard:
    return await sign_in(api, Scope.WRITE)


async def test_the_buttons_are_those_acts_that_the_rules_allow_and_the_others_say_why_not(
    api: Api, merchant: Dashboard
) -> None:
    found = {}
    for stage in STAGES:
        invoice = await staged(api, stage)
        reply = await merchant.get(place(invoice))
        found[stage] = " ".join(buttons(reply, place(invoice)))
        await _check_pages(merchant, invoice, text(reply), found[stage])

    assert POSSIBLE_THERE == found


async def _check_pages(merchant: Dashboard, invoice: dict[str, Any], words: str, possible: str) -> None:
    """Each act has its form or the reason why not, which stands on the invoice's page as well."""
    table = TABLE[Status(invoice["status"])]
    for one in Act:
        asked = await merchant.get(place(invoice, f"/{one}"))
        why = re.search(r"This is not possible now: (.*?)\.", text(asked))

        assert (one in possible) == (why is None) == ("<form method" in asked.body.decode().split("<main")[1])
        assert why is None or f"not now, {why[1]}" in words
        assert one in possible or table[one].condition is not Condition.ALWAYS
        assert one not in possible or table[one].condition is not None


def test_every_status_is_among_the_situations_that_are_tried() -> None:
    assert set(STAGES) == set(POSSIBLE_THERE)
    assert set(Status) == {status for status in Status if any(status in stage for stage in STAGES)}


async def test_a_page_shows_what_was_asked_what_came_and_what_waits(api: Api, merchant: Dashboard) -> None:
    invoice = await staged(api, "underpaid")
    words = text(await merchant.get(place(invoice)))

    for part in (
        "underpaid",
        "Waits for you Too little came: accept it, give it back, or extend the deadline.",
        "COIN on Fake 1 0.4 0.4 0.6 0",
        "Counted: it arrived by the deadline.",
        "The deadline passed on every chain with something, but not enough.",
        "Too little at the deadline waits for the merchant.",
        "Payment seen 0.4 COIN on Fake, transaction",
        "The deadline passed with too little",
        "Created by a admin",
    ):
        assert part in words
    assert "Simulate" not in words


async def test_a_page_of_no_invoice_is_not_found(merchant: Dashboard) -> None:
    for then in ("", "/accept", "/refund", "/refunds/ref_x", "/refunds/ref_x/psbt", "/refunds/ref_x/sent"):
        reply = await merchant.get(place({"id": "inv_x"}, then))

        assert reply.status == 404
        assert "There is no invoice inv_x." in text(reply)


async def test_a_key_that_may_only_read_sees_no_buttons_and_is_refused(api: Api) -> None:
    reader = await sign_in(api, Scope.READ)
    invoice = await staged(api, "refunding")
    refund = f"/refunds/{invoice['refunds'][0]['id']}"
    page = await reader.get(place(invoice))
    other = await reader.get(place(await staged(api, "underpaid")))
    known = [reader.get(place(invoice, refund)), reader.get(place(invoice, f"{refund}/psbt"))]

    assert "sign in with a key of scope write" in text(page)
    assert b'<form method="get"' not in page.body + other.body
    assert [200, 404] == [reply.status for reply in await asyncio.gather(*known)]
    assert b'<form method="get"' not in (await reader.get(place(invoice, refund))).body
    for then in ("accept", "extend", "cancel", "refund", *(f"{refund[1:]}/{x}" for x in ACTS_OF_A_REFUND)):
        read = await reader.get(place(invoice, f"/{then}"))
        sent = await reader.post(place(invoice, f"/{then}"), once="x", sequence="1")

        assert [403, 403] == [read.status, sent.status]
        assert "This needs a key of scope write" in text(sent)


async def test_hostile_words_are_shown_as_words(api: Api, merchant: Dashboard) -> None:
    invoice = await api.invoice(
        order_id=HOSTILE,
        description=HOSTILE,
        metadata={HOSTILE: HOSTILE, "deep": {"x": [HOSTILE]}},
        return_url="https://shop.test/?%22%3E<script>alert(3)</script>",
        expires_in=60,
    )
    api.chain.pay(invoice["options"][0]["address"], COIN * 4 // 10)
    api.chain.mine()
    await api.scan()
    await act(merchant, place(invoice, "/extend"), seconds="3600", reason=HOSTILE)
    api.clock.advance(4000)
    api.chain.mine()
    await api.scan()
    nowhere = await act(merchant, place(invoice, "/refund"), address=HOSTILE, reason=HOSTILE, amount="0.1")
    preview = await act(merchant, place(invoice, "/refund"), address=PAYER, reason=HOSTILE)
    refund = (await requested(merchant, invoice, reason=HOSTILE)).headers["Location"].partition("?")[0]
    refused = await act(merchant, f"{refund}/sent", txid=HOSTILE, reason=HOSTILE)
    pages = [
        nowhere,
        preview,
        refused,
        *[await merchant.get(place(invoice, then)) for then in ("", "/accept", "/extend", "/cancel")],
        *[await merchant.get(refund + then) for then in ("", "/sent", "/address", "/withdraw")],
    ]

    for reply in pages:
        page = reply.body.decode()

        assert [] == re.findall(r"<script(?! defer src=\"/assets/)|<img|onerror=alert[^(]|javascript:", page)
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert ">49<" not in page
        assert "unsafe" not in reply.headers["Content-Security-Policy"]


async def test_a_reorganisation_is_told_with_its_reason(api: Api, merchant: Dashboard) -> None:
    invoice = await staged(api, "paid")
    api.chain.reorg(1, to_pool=False)
    await api.scan()
    words = text(await merchant.get(place(invoice)))

    assert "Payment no longer confirmed, or gone 1 COIN on Fake, transaction" in words
    assert "Its block left the chain: a reorganisation." in words
    assert "Not counted: its block left the chain, and the new branch does not hold it." in words


async def test_a_link_leads_to_the_explorer_where_one_is_configured(
    api: Api, merchant: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoice = await staged(api, "paid")
    txid = invoice["payments"][0]["txid"]
    before = (await merchant.get(place(invoice))).body.decode()
    chains = api.context.settings.chains
    known = chains["fake"].model_copy(
        update={"explorer": "https://explorer.test/tx/{txid}", "title": "Fake <net>"}
    )
    monkeypatch.setitem(chains, "fake", known)
    page = (await merchant.get(place(invoice))).body.decode()

    assert "explorer.test" not in before
    assert f'<a href="https://explorer.test/tx/{txid}" rel="noopener noreferrer external"' in page
    assert "COIN on Fake &lt;net&gt;" in page


async def test_deliveries_mails_and_blocks_that_were_not_read_are_on_the_page(
    api: Api, merchant: Dashboard
) -> None:
    hook = (await api.post("/v1/webhooks", {"url": "https://shop.example/hook"})).json
    invoice = await staged(api, "pending")
    (delivery,) = (await api.get(f"/v1/deliveries?webhook_id={hook['id']}")).json["data"]
    before = text(await merchant.get(place(invoice)))
    now, answer = api.clock(), f"closed {HOSTILE}".encode()
    tried = {"number": 1, "at": now, "duration_ms": 7, "status": 503, "answer": answer}
    mail = {"recipient": "jo@shop.example", "deadline": now, "created_at": now, "sent_at": now}
    gap = {"chain": "fake", "first": 3, "last": 5, "after": 0, "upto": 9, "detail": HOSTILE}
    async with api.context.store.write() as conn:
        await conn.execute(insert(ATTEMPT).values(delivery_id=delivery["id"], **tried))
        await conn.execute(insert(MAIL).values(id="mai_1", invoice_id=invoice["id"], state="sent", **mail))
        await conn.execute(insert(GAP).values(reason=GapReason.QUARANTINED.value, **gap))
    page = await merchant.get(place(invoice))

    assert "To be delivered: invoice.created pending" in before
    assert f'<a href="/dashboard/deliveries/{delivery["id"]}">Not delivered yet' in page.body.decode()
    assert "Not delivered yet: invoice.created failed Attempt 1, " in text(page)
    assert ": answer 503 in 7 ms: closed <script>alert(1)</script>" in text(page)
    assert "Reminder by mail: sent sent To jo@shop.example." in text(page)
    assert f"Fake, block 3 to 5: quarantined ({HOSTILE[:25]}" in text(page)
    assert b"<script>alert" not in page.body


async def test_of_many_payments_the_newest_are_shown(
    api: Api, merchant: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watcher.pages.invoice.MOST", 3)
    invoice = await staged(api, "pending")
    txids = [api.chain.pay(invoice["options"][0]["address"], COIN // 10) for _ in range(5)]
    await api.scan()
    page = await merchant.get(place(invoice))

    shown = [txid for txid in txids if f'title="{txid}"' in page.body.decode().split('id="why"')[0]]
    assert 3 == len(shown)
    assert "These are the newest 3 of 5;" in text(page)
    assert 3 == page.body.decode().split('class="timeline"')[1].count("<li")
