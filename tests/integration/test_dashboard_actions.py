"""What a merchant decides in the dashboard: accepts, extends and cancels, each once and on what was seen."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest

from dashboard import Dashboard, sign_in
from dashboard_forms import act, fields, place, shown, text, trail
from merchant_stages import staged
from watcher.apikeys import Scope
from world import COIN

if TYPE_CHECKING:
    from api_server import Api


@pytest.fixture
async def merchant(api: Api) -> Dashboard:
    return await sign_in(api, Scope.WRITE)


async def test_accepting_what_came_states_the_consequence_and_names_who_did_it(
    api: Api, merchant: Dashboard
) -> None:
    invoice = await staged(api, "underpaid")
    asked = await merchant.get(place(invoice, "/accept"))
    done = await act(merchant, place(invoice, "/accept"), reason="a regular customer")

    assert "The invoice becomes paid although 0.6 of 1 COIN on Fake is missing." in text(asked)
    assert "The shop is told invoice.paid: it may deliver." in text(asked)
    assert "This cannot be undone." in text(asked)
    assert [303, place(invoice, "?done=accept")] == [done.status, done.headers["Location"]]
    assert "paid" == (await shown(api, invoice))["status"]
    assert [("invoice.accept", "a write", "a regular customer")] == await trail(api, invoice)
    words = text(await merchant.get(done.headers["Location"]))
    assert "Done. Accepted." in words
    assert "Accepted by a write Reason: a regular customer" in words


async def test_an_invoice_without_payment_is_accepted_only_with_a_second_yes(
    api: Api, merchant: Dashboard
) -> None:
    invoice = await staged(api, "pending")
    refused = await act(merchant, place(invoice, "/accept"), reason="paid in cash")
    page = refused.body.decode()

    assert refused.status == 409
    assert 'name="without_payment" value="yes" aria-invalid="true"' in page
    assert '<small id="without_payment-wrong" class="wrong" role="alert">tick this as well' in page
    assert "paid in cash</textarea>" in page
    assert "pending" == (await shown(api, invoice))["status"]
    done = await merchant.post(place(invoice, "/accept"), **fields(refused), without_payment="yes")
    assert [303, "paid"] == [done.status, (await shown(api, invoice))["status"]]


@pytest.mark.parametrize(
    ("typed", "minutes"),
    [
        pytest.param({"seconds": "3600"}, 60, id="an hour"),
        pytest.param({"seconds": "86400"}, 24 * 60, id="a day"),
        pytest.param({"seconds": "other", "minutes": " 90 "}, 90, id="minutes of one's own"),
    ],
)
async def test_a_deadline_moves_to_where_the_form_said(
    api: Api, merchant: Dashboard, typed: dict[str, str], minutes: int
) -> None:
    invoice = await staged(api, "underpaid")
    asked = text(await merchant.get(place(invoice, "/extend")))
    done = await act(merchant, place(invoice, "/extend"), reason="on holiday", **typed)
    after = await shown(api, invoice)

    expected = api.clock().timestamp() + minutes * 60
    until = f"{api.clock().fromtimestamp(expected, api.clock().tzinfo):%Y-%m-%d %H:%M:%S} UTC"
    assert [303, place(invoice, "?done=extend")] == [done.status, done.headers["Location"]]
    assert f"{until[:10]}T{until[11:19]}Z" == after["expires_at"]
    assert "minutes" in typed or until in asked
    assert "partial" == after["status"]
    assert [("invoice.extend", "a write", "on holiday")] == await trail(api, invoice)
    assert f"Deadline moved by a write New deadline: {until}" in text(await merchant.get(place(invoice)))


@pytest.mark.parametrize(
    ("typed", "field", "message"),
    [
        pytest.param({}, "seconds", "choose one of the deadlines", id="nothing chosen"),
        pytest.param({"seconds": "5"}, "seconds", "must be greater than or equal to 60", id="too short"),
        pytest.param({"seconds": "other", "minutes": "1.5"}, "minutes", "is no whole", id="a fraction"),
        pytest.param({"seconds": "other", "minutes": "43201"}, "minutes", "is out of range", id="too long"),
        pytest.param({"seconds": "other", "minutes": "9" * 5000}, "minutes", "is no whole", id="very long"),
        pytest.param({"seconds": "3600", "reason": "x" * 501}, "reason", "is no text of up to", id="reason"),
    ],
)
async def test_a_deadline_that_cannot_be_is_refused_at_its_field_and_what_was_typed_stays(
    api: Api, merchant: Dashboard, typed: dict[str, str], field: str, message: str
) -> None:
    invoice = await staged(api, "pending")
    refused = await act(merchant, place(invoice, "/extend"), **{"reason": "asked for it", **typed})
    page = refused.body.decode()

    assert refused.status == 422
    assert re.search(rf'<small id="{field}-wrong" class="wrong" role="alert">[^<]*{message}', page)
    assert re.search(rf'aria-invalid="true" aria-describedby="[a-z-]* {field}-wrong"', page)
    assert f"{typed.get('reason', 'asked for it')}</textarea>" in page
    assert f'value="{typed.get("minutes", "")}"' in page
    assert invoice == await shown(api, invoice)


async def test_cancelling_withdraws_the_invoice(api: Api, merchant: Dashboard) -> None:
    invoice = await staged(api, "pending")
    asked = text(await merchant.get(place(invoice, "/cancel")))
    done = await act(merchant, place(invoice, "/cancel"))

    assert "The invoice over 1 COIN on Fake becomes cancelled, and its payer is told so." in asked
    assert [303, "cancelled"] == [done.status, (await shown(api, invoice))["status"]]
    assert [("invoice.cancel", "a write", None)] == await trail(api, invoice)
    assert "Done. Cancelled." in text(await merchant.get(done.headers["Location"]))


@pytest.mark.parametrize(
    ("stage", "sentence"),
    [
        pytest.param("pending", "nothing that counts has come: 1 COIN on Fake is missing.", id="none"),
        pytest.param(
            "pending with another asset", "0.5 TOKEN on Fake came in its place: it does not count", id="token"
        ),
        pytest.param(
            "underpaid, not confirmed",
            "Of the 0.4 COIN on Fake that was seen, 0 is confirmed",
            id="unconfirmed",
        ),
        pytest.param(
            "expired with late money", "over 1 COIN on Fake becomes paid by what came late.", id="late"
        ),
        pytest.param("refunded with more", "What was given back stays given back.", id="refunded"),
    ],
)
async def test_what_accepting_means_has_the_numbers_of_the_invoice(
    api: Api, merchant: Dashboard, stage: str, sentence: str
) -> None:
    invoice = await staged(api, stage)

    assert sentence in text(await merchant.get(place(invoice, "/accept")))


@pytest.mark.parametrize("one", ["accept", "extend", "cancel"])
async def test_whoever_saw_an_older_state_decides_nothing_and_sees_the_new_one(
    api: Api, merchant: Dashboard, one: str
) -> None:
    invoice = await staged(api, "pending")
    form = fields(await merchant.get(place(invoice, f"/{one}")))
    api.chain.pay(invoice["options"][0]["address"], COIN * 4 // 10)
    await api.scan()
    typed = {"without_payment": "yes"} if one == "accept" else {"seconds": "3600"} if one == "extend" else {}
    refused = await merchant.post(place(invoice, f"/{one}"), **form, **typed, reason="it never came")

    assert refused.status == 409
    assert "Nothing was done: something happened meanwhile." in text(refused)
    assert "now partial" in text(refused)
    assert [] == await trail(api, invoice)
    if one == "cancel":
        assert "This is not possible now: something was seen of it" in text(refused)
    else:
        assert "it never came</textarea>" in refused.body.decode()
        again = await merchant.post(place(invoice, f"/{one}"), **fields(refused), **typed)
        assert 303 == again.status


@pytest.mark.parametrize(
    ("one", "typed", "stage"),
    [
        pytest.param("accept", {}, "underpaid", id="accept"),
        pytest.param("extend", {"seconds": "3600"}, "underpaid", id="extend"),
        pytest.param("cancel", {}, "pending", id="cancel"),
    ],
)
async def test_a_form_that_is_sent_twice_decides_once_and_ends_at_the_same_place(
    api: Api, merchant: Dashboard, one: str, typed: dict[str, str], stage: str
) -> None:
    invoice = await staged(api, stage)
    path = place(invoice, f"/{one}")
    form = {**fields(await merchant.get(path)), **typed}
    both = await asyncio.gather(merchant.post(path, **form), merchant.post(path, **form))
    later = await merchant.post(path, **form)

    assert {(303, place(invoice, f"?done={one}"))} == {
        (reply.status, reply.headers["Location"]) for reply in (*both, later)
    }
    assert 1 == len(await trail(api, invoice))


async def test_a_form_that_was_sent_is_not_sent_again_with_something_else_in_it(
    api: Api, merchant: Dashboard
) -> None:
    invoice = await staged(api, "underpaid")
    form = fields(await merchant.get(place(invoice, "/extend")))
    await merchant.post(place(invoice, "/extend"), **form, seconds="3600")
    refused = await merchant.post(place(invoice, "/extend"), **form, seconds="86400")

    assert refused.status == 409
    assert "Nothing was done: this form was sent before with something else in it" in text(refused)
    assert 1 == len(await trail(api, invoice))


async def test_a_form_without_the_token_of_the_session_or_without_its_own_key_does_nothing(
    api: Api, merchant: Dashboard
) -> None:
    invoice = await staged(api, "underpaid")
    form = fields(await merchant.get(place(invoice, "/accept")))
    forged = await merchant.send(place(invoice, "/accept"), form)
    keyless = await merchant.post(place(invoice, "/accept"), sequence=form["sequence"])

    assert [403, 422] == [forged.status, keyless.status]
    assert [] == await trail(api, invoice)
