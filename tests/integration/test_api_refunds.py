"""Refunds over HTTP: promised with what to sign, sent by a transaction, confirmed by the chain alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from merchant_stages import staged
from watcher.api.schema import Invoice, SignableRefund
from watcher.api.schema_explain import Explanation

if TYPE_CHECKING:
    from api_server import Api, Reply

SATOSHI = 100_000_000
PAYER = "fake100000777"
OTHER = "fake100000778"


async def ask(api: Api, invoice: dict[str, Any], body: Any = None, **options: Any) -> Reply:
    return await api.post(f"/v1/invoices/{invoice['id']}/refund", body, **options)


async def about(
    api: Api, invoice: dict[str, Any], refund: dict[str, Any], verb: str, body: Any = None, **options: Any
) -> Reply:
    path = f"/v1/invoices/{invoice['id']}/refunds/{refund['id']}/{verb}"
    return await api.post(path, body, **options)


async def shown(api: Api, invoice: dict[str, Any]) -> dict[str, Any]:
    reply = await api.get(f"/v1/invoices/{invoice['id']}")
    Invoice.model_validate(reply.json, extra="forbid")
    return dict(reply.json)


async def explained(api: Api, invoice: dict[str, Any]) -> Explanation:
    reply = await api.get(f"/v1/invoices/{invoice['id']}/explain")
    return Explanation.model_validate(reply.json, extra="forbid")


async def mined(api: Api) -> None:
    api.chain.mine()
    await api.scan()


def code(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.json["error"]["code"]


async def test_an_underpaid_invoice_is_refunded_by_a_transaction_that_the_chain_confirms(api: Api) -> None:
    short = await staged(api, "underpaid")
    seen = []

    asked = await ask(api, short, {"address": PAYER.upper(), "reason": "too little"})
    seen.append(await shown(api, short))
    txid = api.chain.pay(PAYER, int(float(asked.json["arrives"]) * SATOSHI))
    await about(api, short, asked.json, "sent", {"txid": txid})
    seen.append(await shown(api, short))
    await mined(api)
    seen.append(await shown(api, short))

    refund = SignableRefund.model_validate(asked.json, extra="forbid")
    assert (201, PAYER, "0.4", "requested", "too little", "a admin") == (
        asked.status,
        refund.address,
        refund.amount,
        refund.state,
        refund.reason,
        refund.by,
    )
    assert refund.unsigned is not None
    assert [
        ("refunding", "requested", True),
        ("refunding", "sent", False),
        ("refunded", "confirmed", False),
    ] == [(one["status"], one["refunds"][0]["state"], one["needs_action"]) for one in seen]
    assert "unsigned" not in seen[0]["refunds"][0]


async def test_explain_says_of_a_refund_what_is_to_come(api: Api) -> None:
    short = await staged(api, "underpaid")
    refund = (await ask(api, short, {"address": PAYER})).json
    asked = await explained(api, short)
    txid = api.chain.pay(PAYER, SATOSHI)
    await about(api, short, refund, "sent", {"txid": txid, "reason": "wallet 3"})
    sent = await explained(api, short)

    assert [f"Refund {refund['id']} of 0.4 COIN on fake: {asked.refunds[0].why}"] == asked.waits
    assert "Sign and send it elsewhere" in asked.refunds[0].why
    assert ([], True) == (sent.waits, "looked for on the chain" in sent.refunds[0].why)
    assert ("refund.sent", "a admin", "wallet 3") in [(e.action, e.actor, e.reason) for e in sent.audit]


async def test_the_excess_of_a_paid_invoice_goes_back_by_default_and_leaves_it_paid(api: Api) -> None:
    over = await staged(api, "overpaid")

    asked = await ask(api, over, {"address": PAYER})
    again = await ask(api, over, {"address": PAYER})

    assert ("0.5", "paid") == (asked.json["amount"], (await shown(api, over))["status"])
    assert 409 == again.status, again.body


async def test_refunds_in_parts_add_up_and_more_than_came_is_refused(api: Api) -> None:
    short = await staged(api, "underpaid")

    first = await ask(api, short, {"address": PAYER, "amount": "0.3"})
    second = await ask(api, short, {"address": PAYER, "amount": "0.2"})
    third = await ask(api, short, {"address": PAYER, "amount": "0.1"})
    fourth = await ask(api, short, {"address": PAYER, "amount": "0.00000001"})

    assert (201, 201) == (first.status, third.status)
    assert (409, "amount_exceeds_received") == code(second)
    assert "0.1 COIN" in second.json["error"]["message"]
    assert (409, "already_refunding") == code(fourth)


async def test_a_refund_goes_where_the_payer_said_at_the_beginning(api: Api) -> None:
    made = await api.invoice(expires_in=60, refund_address=PAYER.upper())
    api.chain.pay(made["options"][0]["address"], SATOSHI // 2)
    await mined(api)
    api.clock.advance(120)
    await mined(api)

    asked = await ask(api, made)

    assert (PAYER, PAYER) == (made["options"][0]["refund_address"], asked.json["address"])


async def test_a_policy_asks_for_a_refund_and_the_merchant_says_where_it_goes(api: Api) -> None:
    made = await api.invoice(expires_in=60, policy={"underpaid": "refund"})
    api.chain.pay(made["options"][0]["address"], SATOSHI // 2)
    await mined(api)
    api.clock.advance(120)
    await mined(api)
    before = await shown(api, made)
    (refund,) = before["refunds"]
    wanted = await explained(api, made)

    txid = {"txid": "ab" * 32}
    too_early = await about(api, made, refund, "sent", txid)
    told = await about(api, made, refund, "address", {"address": PAYER, "reason": "by mail"})

    assert ("refunding", "policy", None) == (before["status"], refund["by"], refund["address"])
    assert ["give it an address"] == [w.rpartition(": ")[2].rstrip(".") for w in wanted.waits]
    assert (409, "no_destination") == code(too_early)
    assert (200, PAYER, True) == (told.status, told.json["address"], told.json["unsigned"] is not None)


async def test_a_refund_can_be_taken_back_before_it_is_sent_and_not_afterwards(api: Api) -> None:
    short = await staged(api, "underpaid")
    first = (await ask(api, short, {"address": PAYER})).json

    withdrawn = await about(api, short, first, "cancel", {"reason": "they will pay"})
    again = await about(api, short, first, "cancel")
    after = await shown(api, short)
    second = (await ask(api, short, {"address": PAYER})).json
    await about(api, short, second, "sent", {"txid": api.chain.pay(PAYER, SATOSHI)})
    await api.scan()
    too_late = await about(api, short, second, "cancel")

    assert (200, "cancelled", "underpaid") == (withdrawn.status, withdrawn.json["state"], after["status"])
    assert (409, "already_cancelled") == code(again)
    assert (409, "already_sent") == code(too_late)


async def test_a_refund_that_is_dropped_is_to_be_sent_again(api: Api) -> None:
    short = await staged(api, "underpaid")
    refund = (await ask(api, short, {"address": PAYER})).json
    txid = api.chain.pay(PAYER, SATOSHI)
    await about(api, short, refund, "sent", {"txid": txid})
    await api.scan()
    api.chain.drop(txid)
    await api.scan()
    dropped = await shown(api, short)
    said = await explained(api, short)
    await about(api, short, refund, "sent", {"txid": api.chain.pay(PAYER, SATOSHI)})
    await mined(api)

    assert ("refunding", "requested", True) == (
        dropped["status"],
        dropped["refunds"][0]["state"],
        dropped["needs_action"],
    )
    assert "went away again" in said.refunds[0].why
    assert "refunded" == (await shown(api, short))["status"]


async def test_a_transaction_that_pays_too_little_or_another_is_no_refund(api: Api) -> None:
    short = await staged(api, "underpaid")
    refund = (await ask(api, short, {"address": PAYER})).json

    little = await about(api, short, refund, "sent", {"txid": api.chain.pay(PAYER, SATOSHI // 100)})
    other = await about(api, short, refund, "sent", {"txid": api.chain.pay(OTHER, SATOSHI)})

    assert [(409, "refund_mismatch")] * 2 == [code(little), code(other)]
    assert f"pays 0.01 COIN to {PAYER}; the refund needs" in little.json["error"]["message"]


@pytest.mark.parametrize(
    ("verb", "body", "field"),
    [
        pytest.param("sent", {}, "txid", id="no transaction"),
        pytest.param("sent", {"txid": "0x12"}, "txid", id="no id of a transaction"),
        pytest.param("sent", {"txid": "ab" * 32, "reason": "x" * 501}, "reason", id="a reason without end"),
        pytest.param("address", {"address": "other1"}, "address", id="another network"),
        pytest.param("cancel", {"reason": "\x00"}, "reason", id="a reason that is no text"),
    ],
)
async def test_what_cannot_be_read_is_refused_with_its_field(
    api: Api, verb: str, body: dict[str, Any], field: str
) -> None:
    short = await staged(api, "underpaid")
    refund = (await ask(api, short, {"address": PAYER})).json

    reply = await about(api, short, refund, verb, body)

    assert (422, field) == (reply.status, reply.json["error"].get("field")), reply.body
    assert refund == (await api.get(f"/v1/invoices/{short['id']}/refunds/{refund['id']}")).json


@pytest.mark.parametrize("verb", ["sent", "address", "cancel", ""])
async def test_an_unknown_refund_is_404_and_so_is_that_of_another_invoice(api: Api, verb: str) -> None:
    short, other = await staged(api, "underpaid"), await api.invoice()
    refund = (await ask(api, short, {"address": PAYER})).json
    body = {"sent": {"txid": "ab" * 32}, "address": {"address": PAYER}}.get(verb)

    found = []
    for invoice, one in ((short, {"id": "ref_none"}), (other, refund)):
        path = f"/v1/invoices/{invoice['id']}/refunds/{one['id']}"
        found.append(await (api.post(f"{path}/{verb}", body) if verb else api.get(path)))

    assert [(404, "not_found")] * 2 == [code(reply) for reply in found]


@pytest.mark.parametrize("verb", ["sent", "address", "cancel"])
async def test_a_repeated_request_does_nothing_twice(api: Api, verb: str) -> None:
    short = await staged(api, "underpaid")
    refund = (await ask(api, short, {"address": PAYER})).json
    body = {"sent": {"txid": "ab" * 32}, "address": {"address": OTHER}, "cancel": {}}[verb]
    headers = {"Idempotency-Key": "refund-1"}

    first = await about(api, short, refund, verb, body, headers=headers)
    second = await about(api, short, refund, verb, body, headers=headers)
    other = await about(api, short, refund, verb, {**body, "reason": "x"}, headers=headers)

    assert (200, first.body, "true") == (first.status, second.body, second.headers["Idempotent-Replay"])
    assert (409, "idempotency_conflict") == code(other)
    actions = [entry.action for entry in (await explained(api, short)).audit]
    assert 1 == actions.count(f"refund.{verb}")


async def test_one_transaction_is_not_two_refunds(api: Api) -> None:
    short = await staged(api, "underpaid")
    one, two = [(await ask(api, short, {"address": PAYER, "amount": "0.2"})).json for _ in range(2)]
    txid = api.chain.pay(PAYER, SATOSHI)

    first = await about(api, short, one, "sent", {"txid": txid})
    second = await about(api, short, two, "sent", {"txid": txid})

    assert (200, (409, "txid_in_use")) == (first.status, code(second))


async def test_what_came_in_another_asset_goes_back_while_the_invoice_stays_open(api: Api) -> None:
    made = await staged(api, "pending with another asset")

    asked = await ask(api, made, {"address": PAYER})
    after = await shown(api, made)

    assert ("TOKEN", "0.5", "pending") == (asked.json["asset"], asked.json["amount"], after["status"])


async def test_an_invoice_paid_in_two_assets_is_refunded_in_each(api: Api) -> None:
    ways = [
        {"chain": "fake", "asset": "COIN", "amount": "1"},
        {"chain": "fake", "asset": "TOKEN", "amount": "10"},
    ]
    made = await api.invoice(chain=None, asset=None, amount=None, options=ways)
    for option, amount in zip(made["options"], (SATOSHI // 2, 5_000_000), strict=True):
        api.chain.pay(option["address"], amount, asset=option["asset"])
    await mined(api)
    paid = await shown(api, made)

    unclear = await ask(api, made, {"address": PAYER})
    parts = [
        await ask(api, made, {"address": PAYER, "asset": asset, "amount": amount})
        for asset, amount in (("COIN", "0.5"), ("TOKEN", "5"))
    ]

    assert ("paid", (422, "invalid"), "asset") == (
        paid["status"],
        code(unclear),
        unclear.json["error"]["field"],
    )
    assert [(201, "0.5"), (201, "5")] == [(r.status, r.json["amount"]) for r in parts]
    assert "refunding" == (await shown(api, made))["status"]
