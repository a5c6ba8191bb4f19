"""Every way in which an invoice can go wrong, and what its merchant does then, with real things only.

The installed command, anvil, litecoind, a shop that checks each signature, a mail server; and kill -9 between
any two steps of each story.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import life_place
import life_verdict
import refund_signer
from life_town import MINUTE, Then

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from pathlib import Path

    from life_town import Town
    from watcher.sandbox.anvil import Anvil
    from watcher.sandbox.litecoind import Litecoind

ETH = {"chain": "dev", "asset": "ETH"}
USDT = {"chain": "dev", "asset": "USDT"}
LTC = {"chain": "litecoin", "asset": "LTC"}
PAYER = f"0x{'51' * 20}"


@pytest.fixture
async def town(tmp_path: Path, anvil: Anvil, litecoind: Litecoind) -> AsyncIterator[Town]:
    async with life_place.open_town(tmp_path, anvil, litecoind) as town:
        yield town


def told(town: Town, id_: str) -> list[str]:
    """Return what the shop heard of an invoice; whether a look fell between two blocks is no matter."""
    heard = [type_ for type_ in town.shop.types(id_) if type_.startswith("invoice.")]
    return [type_.removeprefix("invoice.") for type_ in heard if type_ != "invoice.confirming"]


def where(invoice: dict[str, object]) -> str:
    options = invoice["options"]
    assert isinstance(options, list)
    return str(options[0]["address"])


async def too_little_and_the_rest_after_an_extension(town: Town) -> AsyncGenerator[Then]:
    one = await town.invoice(**ETH, amount="1", expires_in=MINUTE)
    town.pay_ether(where(one), "0.4")
    yield Then.LATE
    await town.becomes(one["id"], "underpaid")
    longer = await town.does("invoice", "extend", one["id"], "--reason", "on the phone")
    assert ("partial", "0.6") == (longer["status"], longer["options"][0]["missing"])
    town.pay_ether(where(one), "0.6", blocks=0)
    yield Then.DEAD
    town.anvil.mine(2)
    yield Then.STARTED
    await town.becomes(one["id"], "paid")
    await town.shop.heard(one["id"], "invoice.paid")
    steps = ["created", "partially_paid", "underpaid", "extended"]
    assert [[*steps, "paid"], [*steps, "partially_paid", "paid"]].count(told(town, one["id"]))
    assert "already_paid" == await town.refused(one["id"], "extend")


async def too_little_given_back_in_ether_and_reorganised_away(town: Town) -> AsyncGenerator[Then]:
    one = await town.invoice(**ETH, amount="2", expires_in=MINUTE, refund_address=PAYER)
    town.pay_ether(where(one), "0.7")
    yield Then.LATE
    await town.becomes(one["id"], "underpaid")
    refund = await town.does("invoice", "refund", one["id"], "--reason", "too little")
    assert ("0.7", PAYER, "requested") == (refund["amount"], refund["address"].lower(), refund["state"])
    yield Then.STARTED
    txid = town.send_unsigned(refund)
    await town.does("refund", "sent", one["id"], refund["id"], txid)
    town.anvil.mine(3)
    await town.becomes(one["id"], "refunded")
    town.anvil.rpc("anvil_reorg", 3, [])  # in this very step, so that it takes no other story's blocks away
    del town.book.moved[txid]
    yield Then.STARTED
    await town.becomes(one["id"], "refunding")
    again = await town.does("refund", "show", one["id"], refund["id"])
    assert refund["unsigned"]["transaction"] == again["unsigned"]["transaction"]
    txid = town.send_unsigned(again)
    await town.does("refund", "sent", one["id"], refund["id"], txid)
    yield Then.DEAD
    town.anvil.mine(2)
    yield Then.STARTED
    await town.becomes(one["id"], "refunded")
    await town.shop.heard(one["id"], "refund.reverted")
    assert ["refunding", "refunded", "refunding", "refunded"] == told(town, one["id"])[-4:]


async def too_little_given_back_in_litecoin_by_a_psbt(town: Town) -> AsyncGenerator[Then]:
    one = await town.invoice(**LTC, amount="1", expires_in=MINUTE)
    town.pay_litecoin(where(one), "0.4")
    yield Then.LATE
    await town.becomes(one["id"], "underpaid")
    file = town.daemon.config.with_name("refund.psbt")
    words = ("--address", town.litecoind.new_address(), "--amount", "0.3", "--psbt", str(file))
    refund = await town.does("invoice", "refund", one["id"], *words)
    assert "already_refunding" == await town.refused(one["id"], "accept")
    more = {"address": town.litecoind.new_address(), "amount": "0.10000001"}
    assert "amount_exceeds_received" == await town.refused(one["id"], "refund", **more)
    txid = town.send_psbt(file, refund)
    yield Then.DEAD
    assert txid == (await town.does("refund", "sent", one["id"], refund["id"], txid))["txid"]
    assert "refunding" == (await town.does("invoice", "show", one["id"]))["status"]
    town.litecoind.mine()
    yield Then.STARTED
    shown = await town.becomes(one["id"], "refunded")
    assert ["confirmed"] == [each["state"] for each in shown["refunds"]]


async def late_money_accepted_by_the_merchant_without_a_daemon(town: Town) -> AsyncGenerator[Then]:
    one = await town.invoice(**ETH, amount="0.5", expires_in=MINUTE, late="hold")
    yield Then.LATE
    await town.becomes(one["id"], "expired")
    assert "nothing_received" == await town.refused(one["id"], "accept")
    town.pay_ether(where(one), "0.5")
    await town.shop.heard(one["id"], "invoice.late_payment")
    yield Then.DEAD
    shown = await town.does("invoice", "accept", one["id"], "--reason", "an old customer")
    assert ("paid", ["late", "accepted"], [True]) == (
        *(shown[name] for name in ("status", "exceptions")),
        [payment["late"] for payment in shown["payments"]],
    )
    yield Then.STARTED
    await town.shop.heard(one["id"], "invoice.paid")
    assert ["created", "expired", "late_payment", "paid"] == told(town, one["id"])


async def too_much_in_a_token_and_the_excess_given_back_by_policy(town: Town) -> AsyncGenerator[Then]:
    back = {"policy": {"overpaid": "refund"}, "refund_address": PAYER}
    one = await town.invoice(**USDT, amount="25.5", order_id="=too much", **back)
    town.pay_tether(where(one), "30")
    yield Then.STARTED
    shown = await town.until(lambda: town.show(one["id"]), lambda now: bool(now["refunds"]))
    (asked,) = shown["refunds"]
    assert ("paid", "4.5", "policy") == (shown["status"], asked["amount"], asked["by"])
    make = f"refund address {one['id']} {asked['id']}"
    assert f"make it: watcher {make}\n" in await town.text("refund", "show", one["id"], asked["id"])
    refund = await town.does(*make.split())
    txid = town.send_unsigned(refund)
    town.anvil.mine(2)
    yield Then.STARTED
    await town.does("refund", "sent", one["id"], refund["id"], txid)
    yield Then.STARTED
    await town.shop.heard(one["id"], "refund.confirmed")
    assert "paid" == (await town.show(one["id"]))["status"]
    assert "overpaid" in told(town, one["id"])


async def nearly_enough_taken_as_configured(town: Town) -> AsyncGenerator[Then]:
    one = await town.invoice(**LTC, amount="1", expires_in=MINUTE)
    town.pay_litecoin(where(one), "0.97")
    yield Then.LATE
    shown = await town.becomes(one["id"], "paid")
    assert ["accepted"] == shown["exceptions"]


async def late_money_taken_as_configured(town: Town) -> AsyncGenerator[Then]:
    one = await town.invoice(**LTC, amount="0.2", expires_in=MINUTE)
    yield Then.LATE
    await town.becomes(one["id"], "expired")
    town.pay_litecoin(where(one), "0.2", blocks=0)
    yield Then.STARTED
    town.litecoind.mine()
    shown = await town.becomes(one["id"], "paid")
    assert ["late"] == shown["exceptions"]


async def a_link_opened_and_paid(town: Town) -> AsyncGenerator[Then]:
    words = ("--chain", "dev", "--asset", "ETH", "--amount", "0.1-5", "--max-uses", "1")
    link = await town.does("link", "create", *words)
    yield Then.STARTED
    looked, offer = await town.public("GET", f"/pay/{link['id']}")
    less, refusal = await town.public("POST", f"/pay/{link['id']}", {"amount": "0.09"})
    status, one = await town.public("POST", f"/pay/{link['id']}", {"amount": "0.25"})
    assert (200, 422, 201) == (looked, less, status), (offer, refusal, one)
    assert (409, "used_up") == await _refused(town, link["id"])
    town.pay_ether(where(one), "0.25")
    yield Then.STARTED
    await town.becomes(one["id"], "paid")
    assert "paid" == (await town.public("GET", f"/i/{one['id']}"))[1]["status"]
    statistics = (await town.does("link", "show", link["id"]))["statistics"]
    assert [("ETH", "0.25")] == [(each["asset"], each["amount"]) for each in statistics["received"]]


async def _refused(town: Town, link: str) -> tuple[int, str]:
    status, answer = await town.public("POST", f"/pay/{link}", {"amount": "0.25"})
    return status, answer["error"]["code"]


async def too_much_and_the_excess_given_back_by_the_merchant(town: Town) -> AsyncGenerator[Then]:
    one = await town.invoice(**LTC, amount="1")
    town.pay_litecoin(where(one), "1.25")
    yield Then.STARTED
    await town.becomes(one["id"], "paid")
    refund = await town.does("invoice", "refund", one["id"], "--address", town.litecoind.new_address())
    assert "0.25" == refund["amount"]
    txid = town.litecoind.rpc("sendrawtransaction", refund_signer.signed(refund["unsigned"]["psbt"]))
    town.book.note(txid, "refund", "LTC", refund["arrives"])
    await town.does("refund", "sent", one["id"], refund["id"], txid)
    town.litecoind.mine()
    yield Then.STARTED
    await town.shop.heard(one["id"], "refund.confirmed")
    assert "paid" == (await town.show(one["id"]))["status"]


async def three_deposits_of_one_customer(town: Town) -> AsyncGenerator[Then]:
    mine = await town.does("address", "create", "--chain", "dev", "--label", "customer 7")
    yield Then.DEAD
    town.pay_ether(mine["address"], "0.1", kind="deposit")
    yield Then.STARTED
    town.pay_ether(mine["address"], "0.2", kind="deposit")
    yield Then.STARTED
    town.pay_tether(mine["address"], "7.5", kind="deposit")
    path = f"/v1/addresses/{mine['id']}"
    shown = await town.until(lambda: town.daemon.call("GET", path), lambda one: bool(one["sequence"] == 6))
    assert [("ETH", "0.3"), ("USDT", "7.5")] == [(t["asset"], t["confirmed"]) for t in shown["totals"]]


async def half_in_one_coin_and_half_in_another(town: Town) -> AsyncGenerator[Then]:
    one = await town.invoice(options=[{**LTC, "amount": "1"}, {**ETH, "amount": "0.5"}])
    town.pay_litecoin(where(one), "0.5")
    yield Then.STARTED
    await town.becomes(one["id"], "partial")
    town.pay_ether(one["options"][1]["address"], "0.25")
    yield Then.STARTED
    await town.becomes(one["id"], "paid")
    assert ["created", "partially_paid", "paid"] == told(town, one["id"])


async def a_payer_reminded_once(town: Town) -> AsyncGenerator[Then]:
    payer = {"customer_email": "payer@shop.example", "language": "fr"}
    one = await town.invoice(**LTC, amount="1", expires_in=MINUTE, reminder_before=MINUTE - 10, **payer)
    town.pay_litecoin(where(one), "0.1")
    yield Then.STARTED
    await town.shop.heard(one["id"], "invoice.reminder")
    await town.office.until(1)
    yield Then.LATE
    await town.becomes(one["id"], "underpaid")
    (mail,) = town.office.got
    text = mail.get_content()
    assert "payer@shop.example" == mail["To"]
    assert all(words in text for words in ("0.9 LTC", where(one), f"/i/{one['id']}", "Il vous reste")), text
    listed = await town.daemon.call("GET", "/v1/invoices?needs_action=true")
    assert one["id"] in [each["id"] for each in listed["data"]]


STORIES = [
    too_little_and_the_rest_after_an_extension,
    too_little_given_back_in_ether_and_reorganised_away,
    too_little_given_back_in_litecoin_by_a_psbt,
    late_money_accepted_by_the_merchant_without_a_daemon,
    nearly_enough_taken_as_configured,
    late_money_taken_as_configured,
    a_payer_reminded_once,
    too_much_in_a_token_and_the_excess_given_back_by_policy,
    too_much_and_the_excess_given_back_by_the_merchant,
    a_link_opened_and_paid,
    three_deposits_of_one_customer,
    half_in_one_coin_and_half_in_another,
]
"""Those that run out come first: they are made within the same few seconds, and wait together."""


@pytest.mark.timeout(600)
async def test_every_exception_and_what_the_merchant_does_through_kills_of_the_daemon(town: Town) -> None:
    await town.live(STORIES)
    town.daemon.kill()
    await town.daemon.start()
    await town.daemon.ready()

    await life_verdict.assert_every_event_arrived_once_and_in_order(town)
    await life_verdict.assert_the_reports_agree(town)
    await life_verdict.assert_the_exports_hold_what_moved(town)
    await life_verdict.assert_the_ledger_is_the_chain(town)
    assert 1 == len(town.office.got)
