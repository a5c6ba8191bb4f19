"""Refunds in the dashboard: promised on a page that says what follows, signed elsewhere, sent, withdrawn."""

from __future__ import annotations

import asyncio
import html
import re
from typing import TYPE_CHECKING, Any

import pytest

from chains.base import Unsigned
from dashboard import Dashboard, sign_in
from dashboard_forms import PAYER, act, buttons, fields, place, requested, shown, text, trail
from merchant_stages import staged
from watcher.apikeys import Scope
from world import COIN

if TYPE_CHECKING:
    from api_server import Api

OTHER = "fake100000998"
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}"


@pytest.fixture
async def merchant(api: Api) -> Dashboard:
    return await sign_in(api, Scope.WRITE)


async def test_a_refund_states_what_goes_where_and_is_promised_only_after_that(
    api: Api, merchant: Dashboard
) -> None:
    invoice = await staged(api, "expired with late money")
    path = place(invoice, "/refund")
    preview = await act(merchant, path, address=f" {PAYER} ", amount="0.3", reason="too late")
    words = text(preview)

    assert "Request a refund of 0.3 COIN" in words
    assert f"0.3 COIN on Fake is to go to {PAYER}." in words
    assert "You will have to send it yourself, from your wallet: the daemon holds no key." in words
    assert "The invoice becomes refunding" in words
    assert [] == (await shown(api, invoice))["refunds"]
    done = await merchant.post(path, **fields(preview))
    (refund,) = (await shown(api, invoice))["refunds"]
    assert [303, place(invoice, f"/refunds/{refund['id']}?done=refund")] == [
        done.status,
        done.headers["Location"],
    ]
    assert [PAYER, "0.3", "too late", "requested"] == [
        refund[name] for name in ("address", "amount", "reason", "state")
    ]
    assert [("refund.request", "a write", "too late")] == await trail(api, invoice)


async def test_a_refund_of_which_the_fee_is_taken_says_what_arrives(api: Api, merchant: Dashboard) -> None:
    invoice = await staged(api, "underpaid")
    preview = await act(merchant, place(invoice, "/refund"), address=PAYER)

    assert "0.39999 COIN of it arrives: the network's fee is taken from it." in text(preview)


async def test_giving_back_the_excess_leaves_the_invoice_paid(api: Api, merchant: Dashboard) -> None:
    invoice = await staged(api, "overpaid")
    preview = await act(merchant, place(invoice, "/refund"), address=PAYER)
    await merchant.post(place(invoice, "/refund"), **fields(preview))

    assert "The invoice stays paid. The shop is told refund.requested." in text(preview)
    after = await shown(api, invoice)
    assert ["paid", "0.5"] == [after["status"], after["refunds"][0]["amount"]]


async def test_of_several_assets_one_is_chosen(api: Api, merchant: Dashboard) -> None:
    invoice = await staged(api, "overpaid")
    api.chain.pay(invoice["options"][0]["address"], 5, asset="TOKEN")
    api.chain.mine()
    await api.scan()
    asked = await merchant.get(place(invoice, "/refund"))
    await requested(merchant, invoice, asset="TOKEN fake")

    assert ["COIN fake", "TOKEN fake"] == re.findall(r'<option value="([^"]*)"', asked.body.decode())
    assert "TOKEN" == (await shown(api, invoice))["refunds"][0]["asset"]


async def test_the_address_that_the_payer_named_stands_in_the_form(api: Api, merchant: Dashboard) -> None:
    option = {"chain": "fake", "asset": "COIN", "amount": "1", "refund_address": PAYER}
    draft = {"chain": None, "asset": None, "amount": None, "options": [option]}
    invoice = (await api.post("/v1/invoices", {k: v for k, v in draft.items() if v})).json
    api.chain.pay(invoice["options"][0]["address"], COIN)
    api.chain.mine()
    await api.scan()

    page = (await merchant.get(place(invoice, "/refund"))).body.decode()
    assert (
        f'name="address" autocomplete="off" spellcheck="false" autocapitalize="off" value="{PAYER}"' in page
    )


@pytest.mark.parametrize(
    ("typed", "status", "field", "message"),
    [
        pytest.param({}, 422, "address", "is required: the payer named no refund_address", id="no address"),
        pytest.param({"address": "nowhere"}, 422, "address", "", id="no address of the chain"),
        pytest.param({"address": HOSTILE}, 422, "address", "", id="hostile"),
        pytest.param({"address": PAYER, "amount": "2"}, 409, "amount", "is more than the 0.4", id="much"),
        pytest.param({"address": PAYER, "amount": "0"}, 422, "amount", "is zero", id="zero"),
        pytest.param({"address": PAYER, "amount": HOSTILE}, 422, "amount", "is not a dec", id="no number"),
    ],
)
async def test_a_refund_that_cannot_be_is_refused_at_its_field_and_what_was_typed_stays(
    api: Api, merchant: Dashboard, typed: dict[str, str], status: int, field: str, message: str
) -> None:
    invoice = await staged(api, "underpaid")
    refused = await act(merchant, place(invoice, "/refund"), reason="because", **typed)
    page = refused.body.decode()

    assert status == refused.status
    assert re.search(rf'<small id="{field}-wrong" class="wrong" role="alert">{message}', page)
    assert f'aria-invalid="true" aria-describedby="{field}-help {field}-wrong"' in page
    for value in typed.values():
        assert f'value="{html.escape(value).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")}"' in page
    assert "because</textarea>" in page
    assert [] == (await shown(api, invoice))["refunds"]


async def test_a_refund_is_promised_once_however_often_its_form_is_sent(
    api: Api, merchant: Dashboard
) -> None:
    invoice = await staged(api, "underpaid")
    path = place(invoice, "/refund")
    form = fields(await act(merchant, path, address=PAYER))
    replies = await asyncio.gather(*(merchant.post(path, **form) for _ in range(3)))
    (refund,) = (await shown(api, invoice))["refunds"]

    assert {place(invoice, f"/refunds/{refund['id']}?done=refund")} == {
        reply.headers["Location"] for reply in replies
    }


async def test_a_refund_is_not_promised_if_something_came_since_the_form_was_opened(
    api: Api, merchant: Dashboard
) -> None:
    invoice = await staged(api, "underpaid")
    preview = await act(merchant, place(invoice, "/refund"), address=PAYER)
    api.chain.pay(invoice["options"][0]["address"], COIN)
    await api.scan()
    refused = await merchant.post(place(invoice, "/refund"), **fields(preview))

    assert refused.status == 409
    assert "Nothing was done: something happened meanwhile." in text(refused)
    assert [] == (await shown(api, invoice))["refunds"]


async def test_a_refund_is_signed_elsewhere_sent_and_confirmed(api: Api, merchant: Dashboard) -> None:
    invoice = await staged(api, "underpaid")
    page = (await requested(merchant, invoice)).headers["Location"].partition("?")[0]
    told = text(await merchant.get(page + "?done=refund"))
    txid = api.chain.pay(PAYER, COIN * 4 // 10)
    wrong = await act(merchant, f"{page}/sent", txid="abc", reason="by hand")
    sent = await act(merchant, f"{page}/sent", txid=f"0x{txid.upper()} ", reason="by hand")
    on_its_way = text(await merchant.get(page))
    api.chain.mine()
    await api.scan()
    confirmed = text(await merchant.get(page))

    assert "requested Sign and send it elsewhere, then name its transaction." in told
    assert "What to sign" in told
    assert f"0.39999 COIN to {PAYER}" in told
    assert [422, 303] == [wrong.status, sent.status]
    assert "is no transaction id; write its 64 hexadecimal digits" in text(wrong)
    assert 'value="abc" aria-invalid="true" aria-describedby="txid-help txid-wrong"' in wrong.body.decode()
    assert "sent Its transaction is looked for on the chain" in on_its_way
    assert "What to sign" not in on_its_way
    assert "confirmed Its transaction is on the chain" in confirmed
    assert "refunded" == (await shown(api, invoice))["status"]
    assert [("refund.request", "a write", None), ("refund.sent", "a write", "by hand")] == await trail(
        api, invoice
    )


async def test_the_address_of_a_refund_changes_and_it_can_be_withdrawn(api: Api, merchant: Dashboard) -> None:
    invoice = await staged(api, "underpaid")
    page = (await requested(merchant, invoice)).headers["Location"].partition("?")[0]
    nowhere = await act(merchant, f"{page}/address", address="nowhere")
    moved = await act(merchant, f"{page}/address", address=OTHER, reason="mistyped")
    there = text(await merchant.get(moved.headers["Location"]))
    asked = text(await merchant.get(f"{page}/withdraw"))
    form = fields(await merchant.get(f"{page}/withdraw"))
    withdrawn = await asyncio.gather(*(merchant.post(f"{page}/withdraw", **form) for _ in range(2)))
    again = await act(merchant, f"{page}/withdraw")

    assert [422, 303] == [nowhere.status, moved.status]
    assert f"0.39999 COIN to {OTHER}" in there
    assert "Done. The address changed." in there
    assert "0.4 COIN on Fake is not to be given back any more: do not send it." in asked
    assert [303, 303, 422] == [*(reply.status for reply in withdrawn), again.status]
    after = await shown(api, invoice)
    assert ["underpaid", "cancelled"] == [after["status"], after["refunds"][0]["state"]]
    assert ["refund.request", "refund.address", "refund.cancel"] == [
        action for action, _, _ in await trail(api, invoice)
    ]
    last = await merchant.get(page)
    assert [] == buttons(last, page)
    assert "It was withdrawn." in text(last)


PSBT = {
    "kind": "psbt",
    "psbt": "cHNidP8BAHEC",
    "inputs": [{"txid": "ab" * 32, "vout": 1, "amount": 40_000_000, "path": "m/84'/0'/0'/0/7"}],
    "outputs": [
        {"address": PAYER, "amount": 30_000_000, "change": False},
        {"address": OTHER, "amount": 9_999_000, "change": True},
    ],
    "fee": 1000,
    "fee_rate": "2.5",
    "vsize": 400,
}
EVM = {
    "kind": "evm",
    "uri": f"ethereum:{PAYER}@1?value=1",
    "transaction": {"chain_id": 1, "to": PAYER, "value": "1", "data": "0xa9059cbb"},
    "from": [{"address": OTHER, "path": "m/44'/60'/0'/0/3", "amount": 40_000_000}],
}


@pytest.mark.parametrize(
    ("fields_", "parts"),
    [
        pytest.param(
            PSBT,
            (
                "cHNidP8BAHEC",
                f"0.4 COIN of {'ab' * 32} , output 1, path m/84'/0'/0'/0/7",
                f"0.3 COIN to {PAYER}",
                f"0.09999 COIN to {OTHER} : change, back to you",
                "The network's fee is 0.00001 COIN : 2.5 base units per virtual byte, 400 virtual bytes.",
            ),
            id="a PSBT",
        ),
        pytest.param(
            {**PSBT, "psbt": None, "fee": None, "note": "no PSBT: pay from your wallet"},
            ("no PSBT: pay from your wallet", f"0.3 COIN to {PAYER}"),
            id="no PSBT",
        ),
        pytest.param(
            EVM,
            (
                f"ethereum:{PAYER}@1?value=1",
                "Value, in base units 1",
                "Data 0xa9059cbb",
                f"{OTHER} : 0.4 COIN , path m/44'/60'/0'/0/3",
            ),
            id="a call of EVM",
        ),
        pytest.param(
            {"kind": "none", "note": "pay this one out of your wallet"},
            ("pay this one out of your wallet",),
            id="spent by another refund",
        ),
    ],
)
async def test_what_to_sign_stands_on_the_page_in_coins(
    api: Api,
    merchant: Dashboard,
    monkeypatch: pytest.MonkeyPatch,
    fields_: dict[str, Any],
    parts: tuple[str, ...],
) -> None:
    async def unsigned(_coins: object, _address: str, _asset: str, amount: int) -> Unsigned:
        return Unsigned(amount, fields_)

    monkeypatch.setattr(api.adapter, "unsigned", unsigned)
    invoice = await staged(api, "refunding")
    page = place(invoice, f"/refunds/{invoice['refunds'][0]['id']}")
    words = text(await merchant.get(page))
    file = await merchant.get(f"{page}/psbt")

    assert [] == [part for part in parts if part not in words]
    if fields_.get("psbt"):
        assert [b"cHNidP8BAHEC", "application/octet-stream"] == [file.body, file.headers["Content-Type"]]
        assert (
            f'attachment; filename="{invoice["refunds"][0]["id"]}.psbt"'
            == file.headers["Content-Disposition"]
        )
        assert f'<a href="{page}/psbt" download>' in (await merchant.get(page)).body.decode()
    else:
        assert [404, True] == [file.status, "There is no PSBT" in text(file)]
