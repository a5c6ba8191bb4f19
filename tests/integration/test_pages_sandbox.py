"""The sandbox's panel, on the fake chain: what its forms ask for, what they refuse, and who sees it."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

import pytest

from api_server import Api, serving
from dashboard import Dashboard, sign_in
from fake_bed import FakeBed
from watcher.apikeys import Scope
from watcher.errors import Refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from api_server import Reply
    from fake_chain import FakeChain
    from fake_clock import FakeClock

PANEL = "/dashboard/sandbox"


class Sandbox:
    """Somebody who is signed in to a sandbox."""

    def __init__(self, api: Api, bed: FakeBed, dashboard: Dashboard) -> None:
        self.api = api
        self.bed = bed
        self.dashboard = dashboard

    async def pay(self, invoice: dict[str, Any], way: str = "0-COIN", **fields: str) -> Reply:
        return await self.dashboard.post(f"{PANEL}/{invoice['id']}/pay", way=way, **fields)

    async def status(self, invoice: dict[str, Any]) -> str:
        await self.api.scan()
        found = (await self.api.get(f"/v1/invoices/{invoice['id']}")).json
        return " ".join([found["status"], *found["exceptions"]])

    @property
    def amounts(self) -> list[tuple[str, str]]:
        return [(sum_.amount, sum_.coin) for sum_ in self.bed.paid]


@pytest.fixture
async def sandbox(tmp_path: Path, clock: FakeClock, fake_chain: FakeChain) -> AsyncIterator[Sandbox]:
    bed = FakeBed(fake_chain, clock)
    async with serving(tmp_path, clock, fake_chain, bed) as api:
        yield Sandbox(api, bed, await sign_in(api, Scope.WRITE))


def alert(reply: Reply) -> str:
    """Return what the page complains of: one line, as people read it."""
    (found,) = re.findall(r'<p[^>]* role="alert"[^>]*>(.*?)</p>', reply.body.decode())
    return html.unescape(found).strip()


def text(reply: Reply) -> str:
    assert reply.status == 200, reply.body
    return html.unescape(reply.body.decode())


async def test_the_panel_shows_the_chains_and_offers_the_newest_invoices(sandbox: Sandbox) -> None:
    invoice = await sandbox.api.invoice(order_id="A-17")

    page = text(await sandbox.dashboard.get(PANEL))

    assert f'href="{PANEL}/{invoice["id"]}"' in page
    assert "A-17" in page
    assert "50 COIN, 50 TOKEN, 50 fake TOKEN" in " ".join(page.split()).replace(" ,", ",")


async def test_an_invoice_can_be_chosen_by_its_id(sandbox: Sandbox) -> None:
    invoice = await sandbox.api.invoice()

    chosen = await sandbox.dashboard.get(f"{PANEL}?invoice={invoice['id']}")
    page = text(await sandbox.dashboard.get(chosen.headers["Location"]))

    assert (303, f"{PANEL}/{invoice['id']}") == (chosen.status, chosen.headers["Location"])
    assert "Missing: 1 COIN." in page.split('id="standing"')[1]
    ways = re.findall(
        r'<option value="(.*?)">(.*?)</option>', page.split('name="way"')[1].split("</select>")[0]
    )
    assert [
        ("0-COIN", "COIN on fake"),
        ("0-TOKEN", "TOKEN for COIN on fake: the wrong token"),
        ("0-fake-TOKEN", "a fake TOKEN for COIN on fake: not the contract of the configuration"),
    ] == ways


async def test_paying_without_an_amount_pays_what_is_missing(sandbox: Sandbox) -> None:
    invoice = await sandbox.api.invoice(amount="1.5")

    reply = await sandbox.pay(invoice)
    await sandbox.dashboard.post(f"{PANEL}/mine", chain="fake", blocks="2", invoice=invoice["id"])

    assert (303, f"{PANEL}/{invoice['id']}") == (reply.status, reply.headers["Location"])
    assert [("1.5", "COIN")] == sandbox.amounts
    assert "paid" == await sandbox.status(invoice)


async def test_any_amount_in_parts_can_be_paid(sandbox: Sandbox) -> None:
    invoice = await sandbox.api.invoice()

    await sandbox.pay(invoice, amount="0.25", parts="3")

    (money,) = sandbox.bed.paid
    assert ("0.25", 3, invoice["options"][0]["address"]) == (money.amount, money.parts, money.address)


async def test_the_wrong_token_is_paid_and_told_as_such(sandbox: Sandbox) -> None:
    invoice = await sandbox.api.invoice()

    await sandbox.pay(invoice, "0-TOKEN", amount="3")
    await sandbox.dashboard.post(f"{PANEL}/mine", chain="fake", blocks="1")

    assert [("3", "TOKEN")] == sandbox.amounts
    assert "pending wrong_asset" == await sandbox.status(invoice)


async def test_a_late_payment_waits_until_the_deadline_has_passed(sandbox: Sandbox) -> None:
    invoice = await sandbox.api.invoice(expires_in=60)

    await sandbox.pay(invoice, when="late")

    ((money, at),) = sandbox.bed.later
    assert ("1", []) == (money.amount, sandbox.bed.paid)
    assert at.isoformat()[:19] > invoice["expires_at"][:19]
    page = text(await sandbox.dashboard.get(PANEL))
    assert "will pay 1 COIN" in page


async def test_a_late_payment_of_an_expired_invoice_is_sent_at_once(sandbox: Sandbox) -> None:
    invoice = await sandbox.api.invoice(expires_in=60)
    sandbox.api.clock.advance(61)

    await sandbox.pay(invoice, when="late")

    assert ([("1", "COIN")], []) == (sandbox.amounts, sandbox.bed.later)


@pytest.mark.parametrize(
    ("transactions", "after"),
    [pytest.param("again", "confirming", id="come again"), pytest.param("gone", "pending", id="vanish")],
)
async def test_a_reorganisation_lets_transactions_come_again_or_vanish(
    sandbox: Sandbox, transactions: str, after: str
) -> None:
    invoice = await sandbox.api.invoice()
    await sandbox.pay(invoice)
    await sandbox.dashboard.post(f"{PANEL}/mine", chain="fake", blocks="2")
    assert "paid" == await sandbox.status(invoice)

    reply = await sandbox.dashboard.post(
        f"{PANEL}/reorganise", chain="fake", depth="2", transactions=transactions
    )

    assert (303, PANEL) == (reply.status, reply.headers["Location"])
    assert f"{after} reverted" == await sandbox.status(invoice)


async def test_a_payment_from_an_invoices_own_page_leads_back_there(sandbox: Sandbox) -> None:
    invoice = await sandbox.api.invoice()

    reply = await sandbox.pay(invoice, back="invoice")

    assert (303, f"/dashboard/invoices/{invoice['id']}") == (reply.status, reply.headers["Location"])


@pytest.mark.parametrize(("scope", "offered"), [(Scope.READ, False), (Scope.WRITE, True)])
async def test_an_invoices_own_page_has_the_form_for_who_may_use_it(
    sandbox: Sandbox, scope: Scope, *, offered: bool
) -> None:
    invoice = await sandbox.api.invoice()
    somebody = await sign_in(sandbox.api, scope)

    page = text(await somebody.get(f"/dashboard/invoices/{invoice['id']}"))

    assert offered == (f'action="{PANEL}/{invoice["id"]}/pay"' in page)


MISTAKES = [
    pytest.param({"parts": "x"}, "Not paid. parts: is no whole number", id="parts that are no number"),
    pytest.param({"parts": "-1"}, "Not paid. parts: is no whole number", id="parts below zero"),
    pytest.param({"parts": "²"}, "Not paid. parts: is no whole number", id="digits that are none"),
    pytest.param({"way": "7-COIN"}, "Not paid. way: ", id="a way that there is not"),
]


@pytest.mark.parametrize(("fields", "told"), MISTAKES)
async def test_a_mistake_is_told_in_the_form_which_keeps_what_was_typed(
    sandbox: Sandbox, fields: dict[str, str], told: str
) -> None:
    invoice = await sandbox.api.invoice()

    reply = await sandbox.pay(invoice, **{"amount": "0.123", "when": "late", **fields})

    assert (422, []) == (reply.status, sandbox.bed.paid)
    assert alert(reply).startswith(told)
    assert 'value="0.123"' in reply.body.decode()
    assert 'value="late" checked' in reply.body.decode()


async def test_nothing_to_pay_has_to_be_said_how_much(sandbox: Sandbox) -> None:
    invoice = await sandbox.api.invoice()
    await sandbox.pay(invoice)
    await sandbox.api.scan()

    reply = await sandbox.pay(invoice)

    assert f"Not paid. amount: nothing is missing of {invoice['id']}; name a sum" == alert(reply)


NODE = "the node refused it: <b>no</b>"
ACTS = [
    pytest.param("{id}/pay", {"way": "0-COIN"}, f"Not paid. {NODE}", id="pay"),
    pytest.param("mine", {"chain": "fake"}, f"Nothing was mined. {NODE}", id="mine"),
    pytest.param("reorganise", {"chain": "fake"}, f"Nothing was replaced. {NODE}", id="reorganise"),
]


@pytest.mark.parametrize(("path", "fields", "told"), ACTS)
async def test_what_a_node_refuses_is_told_in_its_form(
    sandbox: Sandbox, path: str, fields: dict[str, str], told: str
) -> None:
    invoice = await sandbox.api.invoice()
    sandbox.bed.refused = Refused("not_possible", NODE, status=409)

    reply = await sandbox.dashboard.post(f"{PANEL}/{path.format(**invoice)}", **fields)

    assert (409, told) == (reply.status, alert(reply))
    assert b"<b>no</b>" not in reply.body


@pytest.mark.parametrize("path", ["inv_0", "%3Cscript%3E"])
async def test_an_unknown_invoice_is_told_in_the_form(sandbox: Sandbox, path: str) -> None:
    for reply in (
        await sandbox.dashboard.get(f"{PANEL}/{path}"),
        await sandbox.dashboard.post(f"{PANEL}/{path}/pay", way="0-COIN"),
    ):
        assert 404 == reply.status
        assert alert(reply).startswith("there is no invoice ")
        assert b"<script>" not in reply.body


HOSTILE = '"><script>alert(1)</script>'


async def test_hostile_texts_of_an_invoice_are_escaped(sandbox: Sandbox) -> None:
    invoice = await sandbox.api.invoice(order_id=HOSTILE)

    for path in (PANEL, f"{PANEL}/{invoice['id']}"):
        reply = await sandbox.dashboard.get(path)
        assert HOSTILE in text(reply)
        assert b"<script>alert" not in reply.body


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_key_that_may_only_read_is_refused(sandbox: Sandbox, method: str) -> None:
    reader = await sign_in(sandbox.api, Scope.READ)

    reply = await (reader.get(PANEL) if method == "GET" else reader.post(f"{PANEL}/mine", chain="fake"))

    assert 403 == reply.status


async def test_a_form_from_elsewhere_moves_nothing(sandbox: Sandbox) -> None:
    before = sandbox.api.chain.head

    reply = await sandbox.dashboard.send(f"{PANEL}/mine", {"chain": "fake", "csrf": "0" * 64})

    assert (403, before) == (reply.status, sandbox.api.chain.head)


async def test_outside_of_a_sandbox_there_is_no_such_page(api: Api) -> None:
    dashboard = await sign_in(api)

    invoice = await api.invoice()
    own = text(await dashboard.get(f"/dashboard/invoices/{invoice['id']}"))
    shown = await dashboard.get(PANEL)
    sent = [
        await dashboard.post(f"{PANEL}/inv_0/pay", way="0-COIN"),
        await dashboard.post(f"{PANEL}/mine", chain="fake"),
        await dashboard.post(f"{PANEL}/reorganise", chain="fake"),
    ]

    assert [404] * 4 == [reply.status for reply in (shown, *sent)]
    assert "/dashboard/sandbox" not in own
