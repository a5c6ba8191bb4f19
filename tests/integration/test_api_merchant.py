"""What a merchant decides over HTTP: accepted, extended or cancelled, once, with who, when and why."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from merchant_stages import STAGES, staged
from watcher.api.schema import Invoice
from watcher.api.schema_explain import Explanation
from watcher.apikeys import Scope
from watcher.rules import Act

if TYPE_CHECKING:
    from api_server import Api, Reply

SATOSHI = 100_000_000
ACTS = ("accept", "extend", "cancel", "refund")


def paying(api: Api, invoice: dict[str, Any], amount: int, asset: str = "COIN") -> str:
    return api.chain.pay(invoice["options"][0]["address"], amount, asset=asset)


async def underpaid(api: Api, **fields: Any) -> dict[str, Any]:
    """Return an invoice over 1 COIN to which 0.4 came in time."""
    made = await api.invoice(expires_in=60, **fields)
    paying(api, made, 4 * SATOSHI // 10)
    api.chain.mine()
    api.clock.advance(120)
    await api.scan()
    return dict((await api.get(f"/v1/invoices/{made['id']}")).json)


async def act(api: Api, invoice: dict[str, Any], name: str, body: Any = None, **options: Any) -> Reply:
    return await api.post(f"/v1/invoices/{invoice['id']}/{name}", body, **options)


async def explained(api: Api, id_: str) -> Explanation:
    reply = await api.get(f"/v1/invoices/{id_}/explain")
    return Explanation.model_validate(reply.json, extra="forbid")


# --- Each of them


async def test_an_underpaid_invoice_that_is_accepted_is_paid_and_says_who_did_it_when_and_why(
    api: Api,
) -> None:
    short = await underpaid(api)

    reply = await act(api, short, "accept", {"reason": "a good customer"})

    paid = Invoice.model_validate(reply.json, extra="forbid")
    assert (200, "underpaid", "paid", ["accepted"]) == (
        reply.status,
        short["status"],
        paid.status,
        paid.exceptions,
    )
    (decision,) = (await explained(api, short["id"])).decisions
    assert ("accept", "a admin", "a good customer", api.clock()) == (
        decision.kind,
        decision.by,
        decision.reason,
        decision.at,
    )


async def test_an_extended_deadline_lets_the_rest_arrive_in_time(api: Api) -> None:
    short = await underpaid(api)

    reply = await act(api, short, "extend", {"seconds": 600})
    paying(api, short, 6 * SATOSHI // 10)
    api.chain.mine()
    await api.scan()

    later = (await api.get(f"/v1/invoices/{short['id']}")).json
    assert (200, "partial", "paid", []) == (
        reply.status,
        reply.json["status"],
        later["status"],
        later["exceptions"],
    )


async def test_an_extension_without_a_length_is_an_hour_after_now_or_the_old_deadline(api: Api) -> None:
    fresh, old = await api.invoice(expires_in=7200), await underpaid(api)

    longer = await act(api, fresh, "extend")
    again = await act(api, old, "extend")

    hour = timedelta(hours=1)
    assert datetime.fromisoformat(fresh["expires_at"]) + hour == until(longer)
    assert api.clock() + hour == until(again)


def until(reply: Reply) -> datetime:
    return datetime.fromisoformat(reply.json["expires_at"])


async def test_a_cancelled_invoice_reports_money_that_comes_nevertheless(api: Api) -> None:
    made = await api.invoice()

    reply = await act(api, made, "cancel", {"reason": "a mistake"})
    paying(api, made, SATOSHI)
    api.chain.mine()
    await api.scan()

    later = (await api.get("/v1/invoices?needs_action=true")).json["data"]
    assert (200, "cancelled") == (reply.status, reply.json["status"])
    assert [(made["id"], "cancelled")] == [(one["id"], one["status"]) for one in later]


async def test_an_invoice_that_nobody_paid_can_be_accepted_only_on_purpose(api: Api) -> None:
    made = await api.invoice()

    refused = await act(api, made, "accept")
    taken = await act(api, made, "accept", {"without_payment": True, "reason": "paid in cash"})

    assert (409, "nothing_received") == (refused.status, refused.json["error"]["code"])
    assert "without_payment" in refused.json["error"]["message"]
    assert (200, "paid") == (taken.status, taken.json["status"])


# --- What is not possible


@pytest.mark.parametrize("stage", STAGES)
async def test_every_action_answers_in_every_status_as_explain_said_it_would(api: Api, stage: str) -> None:
    found = {}
    for name in ACTS:
        invoice = await staged(api, stage)
        said = {one.action: one for one in (await explained(api, invoice["id"])).actions}
        body = {
            "accept": {"without_payment": True},
            "refund": {"address": "fake100000777", "amount": "0.1"},
        }.get(name)
        reply = await act(api, invoice, name, body)
        one = said[Act(name)]
        found[name] = (reply.status < 300, None if reply.status < 300 else reply.json["error"]["code"])

        assert (one.possible, one.code) == found[name], (stage, name, reply.body)


@pytest.mark.parametrize("name", ACTS)
async def test_an_unknown_invoice_is_404_for_every_action(api: Api, name: str) -> None:
    reply = await act(api, {"id": "inv_none"}, name)

    assert (404, "not_found") == (reply.status, reply.json["error"]["code"])


@pytest.mark.parametrize("name", ACTS)
async def test_a_key_that_may_only_read_decides_nothing(api: Api, name: str) -> None:
    made = await api.invoice()

    reply = await act(api, made, name, scope=Scope.READ)

    assert 403 == reply.status
    assert made == (await api.get(f"/v1/invoices/{made['id']}")).json


@pytest.mark.parametrize(
    ("name", "body", "field"),
    [
        pytest.param("extend", {"seconds": 59}, "seconds", id="too short"),
        pytest.param("extend", {"seconds": 2_592_001}, "seconds", id="more than 30 days"),
        pytest.param("extend", {"seconds": "60"}, "seconds", id="a length as text"),
        pytest.param("accept", {"reason": "x" * 501}, "reason", id="a reason without end"),
        pytest.param("accept", {"reason": "\x1b[2J"}, "reason", id="a reason that moves the cursor"),
        pytest.param("cancel", {"reason": 1}, "reason", id="a reason that is no text"),
        pytest.param("accept", {"resaon": "x"}, "resaon", id="a misspelt field"),
        pytest.param("accept", {"sequence": -1}, "sequence", id="no sequence"),
        pytest.param("refund", {"amount": "-1"}, "amount", id="less than nothing"),
        pytest.param("refund", {"amount": "0"}, "amount", id="nothing"),
        pytest.param("refund", {"amount": "0.000000001"}, "amount", id="more decimals than the asset has"),
        pytest.param("refund", {"address": "other1"}, "address", id="an address of another network"),
        pytest.param("refund", {"address": ""}, "address", id="no address"),
        pytest.param("refund", {}, "address", id="nobody said where to"),
    ],
)
async def test_what_cannot_be_read_is_refused_with_its_field(
    api: Api, name: str, body: dict[str, Any], field: str
) -> None:
    short = await underpaid(api)

    reply = await act(api, short, name, body)

    assert (422, field) == (reply.status, reply.json["error"].get("field")), reply.body
    assert short == (await api.get(f"/v1/invoices/{short['id']}")).json


# --- Once


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("accept", {}),
        ("extend", {"seconds": 600}),
        ("refund", {"address": "fake100000777"}),
    ],
)
async def test_a_repeated_request_decides_nothing_twice(api: Api, name: str, body: dict[str, Any]) -> None:
    short = await underpaid(api)
    headers = {"Idempotency-Key": "decision-1"}

    first = await act(api, short, name, body, headers=headers)
    api.clock.advance(5)
    second = await act(api, short, name, body, headers=headers)
    other = await act(api, short, name, {**body, "reason": "another"}, headers=headers)

    assert (first.status, first.body, "true") == (
        second.status,
        second.body,
        second.headers["Idempotent-Replay"],
    )
    assert (409, "idempotency_conflict") == (other.status, other.json["error"]["code"])
    told = await explained(api, short["id"])
    assert 1 == len(told.decisions) + len(told.refunds)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(("accept", {}), ("accept", {}), id="both accept"),
        pytest.param(
            ("accept", {}), ("refund", {"address": "fake100000777", "sequence": True}), id="accept and refund"
        ),
        pytest.param(
            ("extend", {"sequence": True}), ("extend", {"sequence": True}), id="both extend what they saw"
        ),
        pytest.param(
            ("refund", {"address": "fake100000777"}),
            ("refund", {"address": "fake100000777"}),
            id="both refund",
        ),
        pytest.param(
            ("refund", {"address": "fake100000777"}), ("extend", {"sequence": True}), id="refund and extend"
        ),
    ],
)
async def test_two_merchants_at_once_leave_one_decision(
    api: Api, first: tuple[str, dict[str, Any]], second: tuple[str, dict[str, Any]]
) -> None:
    for _ in range(5):
        short = await underpaid(api)
        seen = {"sequence": short["sequence"]}
        requests = [
            act(api, short, name, {**body, **(seen if "sequence" in body else {})})
            for name, body in (first, second)
        ]
        replies = await asyncio.gather(*requests)

        told = await explained(api, short["id"])
        codes = [r.json["error"]["code"] for r in replies if r.status == 409]
        assert 1 == len(told.decisions) + len(told.refunds), [r.body for r in replies]
        assert 1 == len(codes), codes


async def test_a_merchant_who_saw_another_state_is_told_to_look_again(api: Api) -> None:
    short = await underpaid(api)

    reply = await act(api, short, "accept", {"sequence": short["sequence"] - 1})

    assert (409, "changed", "sequence") == (
        reply.status,
        reply.json["error"]["code"],
        reply.json["error"]["field"],
    )


# --- The trail


async def test_the_audit_trail_names_the_key_of_every_act(api: Api) -> None:
    made = await api.invoice()
    await act(api, made, "extend", {"seconds": 600}, scope=Scope.WRITE)
    await act(api, made, "cancel", {"reason": "not wanted"})

    entries = (await explained(api, made["id"])).audit

    assert [
        ("invoice.create", "a admin", None),
        ("invoice.extend", "a write", None),
        ("invoice.cancel", "a admin", "not wanted"),
    ] == [(one.action, one.actor, one.reason) for one in entries if one.actor != "chain"]
