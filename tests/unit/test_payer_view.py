"""What the page of an invoice says, in each state that its payer may meet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from watcher.model import Status
from watcher.pages import languages
from watcher.pages.payer_view import PAYMENTS, Depth, State, view

DEADLINE = datetime(2026, 1, 1, 12, tzinfo=UTC)
BEFORE = DEADLINE - timedelta(seconds=1)


def option(**fields: Any) -> dict[str, Any]:
    return {"chain": "one", "asset": "COIN", "seen": "0", "missing": "1", "uri": "bitcoin:x"} | fields


def payment(**fields: Any) -> dict[str, Any]:
    plain = {"chain": "one", "asset": "COIN", "txid": "ab", "amount": "1", "status": "pending"}
    return plain | {"confirmations": 0, "required_confirmations": 2} | fields


def refund(**fields: Any) -> dict[str, Any]:
    plain = {"chain": "one", "asset": "COIN", "state": "requested", "address": "x", "txid": None}
    return plain | fields


def invoice(status: str = "pending", **fields: Any) -> dict[str, Any]:
    """Return what a payer may see of an invoice, as far as the page decides by it."""
    plain = {"status": status, "expires_at": DEADLINE.isoformat(), "exceptions": [], "return_url": None}
    return plain | {"options": [option()], "payments": [], "refunds": []} | fields


def state(now: datetime = BEFORE, **fields: Any) -> State:
    return view(invoice(**fields), now, None).state


DEEP = payment(confirmations=1)
FINAL = payment(confirmations=9, required_confirmations="finalized")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"status": "pending"}, State.WAITING, id="nothing seen"),
        pytest.param({"status": "partial", "payments": [payment()]}, State.PARTIAL, id="a part seen"),
        pytest.param({"status": "pending", "now": DEADLINE}, State.CLOSING, id="over, not proven yet"),
        pytest.param({"status": "partial", "now": DEADLINE}, State.CLOSING, id="over with a part"),
        pytest.param({"status": "confirming", "payments": [payment()]}, State.SEEN, id="in no block yet"),
        pytest.param({"status": "confirming", "payments": [DEEP]}, State.CONFIRMING, id="in a block"),
        pytest.param(
            {"status": "confirming", "payments": [DEEP, payment()]}, State.SEEN, id="one of two in no block"
        ),
        pytest.param({"status": "confirming", "payments": [FINAL]}, State.FINALISING, id="until it is final"),
        pytest.param(
            {"status": "confirming", "payments": [DEEP], "now": DEADLINE},
            State.CONFIRMING,
            id="in a block before the deadline that has passed",
        ),
        pytest.param({"status": "paid"}, State.PAID, id="paid"),
        pytest.param({"status": "underpaid"}, State.UNDERPAID, id="underpaid"),
        pytest.param({"status": "expired"}, State.EXPIRED, id="expired"),
        pytest.param({"status": "expired", "exceptions": ["late"]}, State.LATE, id="late"),
        pytest.param({"status": "refunding", "refunds": [refund()]}, State.REFUNDING, id="refunding"),
        pytest.param(
            {"status": "refunding", "refunds": [refund(address=None)]},
            State.RETURNING,
            id="refunding to nobody knows where",
        ),
        pytest.param({"status": "refunded"}, State.REFUNDED, id="refunded"),
        pytest.param({"status": "cancelled"}, State.CANCELLED, id="cancelled"),
    ],
)
def test_each_situation_of_a_payer_has_its_state(fields: dict[str, Any], expected: State) -> None:
    assert expected is state(**fields)


def test_money_is_asked_for_in_nothing_that_is_configured_no_longer() -> None:
    gone = option(uri=None)
    found = view(invoice(options=[gone, option(), gone]), BEFORE, "1")

    assert ([1], 1, True) == (found.ways, found.chosen, found.asks)
    assert State.UNPAYABLE is state(options=[gone, gone])
    assert State.UNDERPAID is state(status="underpaid", options=[gone])


@pytest.mark.parametrize("status", [*Status])
def test_money_is_asked_for_only_while_it_may_be_sent(status: Status) -> None:
    asking = {Status.PENDING, Status.PARTIAL}

    assert (status in asking) == view(invoice(status), BEFORE, None).asks
    assert not view(invoice(status), DEADLINE, None).asks


@pytest.mark.parametrize("language", languages.load(None).all, ids=lambda one: one.code)
@pytest.mark.parametrize("shown", [*State])
def test_each_state_has_its_words_in_our_languages(language: Any, shown: State) -> None:
    assert language.text(f"invoice_{shown}")
    assert "{" not in language.text(f"invoice_{shown}_text", amount="1", asset="COIN")


@pytest.mark.parametrize(
    ("payments", "expected"),
    [
        pytest.param([DEEP], Depth(1, 2), id="one"),
        pytest.param([DEEP, payment(confirmations=1, required_confirmations=6)], Depth(1, 6), id="the least"),
        pytest.param([payment(confirmations=3)], Depth(2, 2), id="no more than it takes"),
        pytest.param([FINAL], None, id="no number of blocks"),
        pytest.param([payment()], None, id="in no block"),
    ],
)
def test_the_confirmations_shown_are_those_of_the_payment_that_needs_most(
    payments: list[dict[str, Any]], expected: Depth | None
) -> None:
    assert expected == view(invoice("confirming", payments=payments), BEFORE, None).depth


ODD = payment(asset="OTHER", status="ignored")
BACK, ODD_BACK, WITHDRAWN = refund(), refund(asset="OTHER"), refund(state="cancelled")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"status": "paid", "exceptions": ["overpaid"]}, ["overpaid"], id="too much"),
        pytest.param({"status": "paid", "exceptions": ["late"]}, ["late_too"], id="late beside the paid"),
        pytest.param({"status": "expired", "exceptions": ["late"]}, [], id="late, which the state says"),
        pytest.param({"exceptions": ["wrong_asset"], "payments": [ODD]}, ["wrong_asset"], id="wrong asset"),
        pytest.param({"payments": [payment(status="replaced")]}, ["gone_again"], id="replaced"),
        pytest.param({"payments": [payment(status="reverted")]}, ["gone_again"], id="reverted"),
        pytest.param(
            {"status": "expired", "payments": [payment(status="reverted")]}, ["gone"], id="gone, over"
        ),
        pytest.param({"status": "paid", "payments": [payment(status="replaced")]}, [], id="replaced, paid"),
        pytest.param(
            {"status": "paid", "exceptions": ["overpaid"], "refunds": [BACK]},
            ["overpaid_back"],
            id="too much, which goes back",
        ),
        pytest.param(
            {"status": "paid", "exceptions": ["overpaid"], "refunds": [WITHDRAWN, ODD_BACK]},
            ["overpaid"],
            id="too much, and something else goes back",
        ),
        pytest.param(
            {"status": "refunding", "exceptions": ["late"], "refunds": [BACK]},
            ["late_too_back"],
            id="late, and goes back",
        ),
        pytest.param(
            {"exceptions": ["wrong_asset"], "payments": [ODD], "refunds": [ODD_BACK]},
            ["wrong_asset_back"],
            id="wrong asset, which goes back",
        ),
        pytest.param(
            {"exceptions": ["wrong_asset"], "payments": [ODD], "refunds": [BACK]},
            ["wrong_asset"],
            id="wrong asset, and something else goes back",
        ),
    ],
)
def test_what_is_out_of_the_ordinary_is_remarked(fields: dict[str, Any], expected: list[str]) -> None:
    found = view(invoice(**fields), BEFORE, None).remarks

    assert [f"invoice_{name}" for name in expected] == [*found]
    assert all(one.text(name, unasked="OTHER") for one in languages.load(None).all for name in found)


def test_what_nobody_asked_for_is_named_once() -> None:
    elsewhere = payment(chain="two", asset="COIN")

    assert "OTHER, COIN" == view(invoice(payments=[ODD, ODD, elsewhere, payment()]), BEFORE, None).unasked


OPTIONS = [option(), option(asset="TOKEN", seen="0.5"), option(asset="THIRD")]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        pytest.param("1", 0, id="the first"),
        pytest.param("3", 2, id="the last"),
        pytest.param(None, 1, id="none: the one that was paid"),
        pytest.param("0", 1, id="none before the first"),
        pytest.param("4", 1, id="none after the last"),
        pytest.param("-1", 1, id="negative"),
        pytest.param("²", 1, id="no digit of ours"),
        pytest.param("x" * 5000, 1, id="anything"),
    ],
)
def test_the_way_shown_is_the_chosen_one(wanted: str | None, expected: int) -> None:
    assert expected == view(invoice(options=OPTIONS), BEFORE, wanted).chosen


def test_without_a_choice_and_without_money_the_first_way_is_shown() -> None:
    assert 0 == view(invoice(options=[option(), option(asset="TOKEN")]), BEFORE, None).chosen


@pytest.mark.parametrize(
    ("uri", "offered"),
    [
        *(
            pytest.param(f"{name}:x", True, id=name)
            for name in ("bitcoin", "litecoin", "dogecoin", "ethereum")
        ),
        pytest.param("javascript:alert(1)", False, id="a script"),
        pytest.param(" javascript:alert(1)", False, id="a script behind a space"),
        pytest.param("data:text/html,x", False, id="data"),
        pytest.param("https://shop.example", False, id="a page"),
        pytest.param("fake:x", False, id="another"),
        pytest.param(None, False, id="none"),
    ],
)
def test_only_links_of_our_chains_open_a_wallet(uri: str | None, *, offered: bool) -> None:
    assert (uri if offered else None) == view(invoice(options=[option(uri=uri)]), BEFORE, None).wallet


@pytest.mark.parametrize(
    ("url", "offered"),
    [
        pytest.param("https://shop.example/thanks", True, id="https"),
        pytest.param("http://shop.example/thanks", True, id="http"),
        pytest.param("javascript:alert(1)", False, id="a script"),
        pytest.param("JavaScript:alert(1)", False, id="a script in capitals"),
        pytest.param("java\nscript:alert(1)", False, id="a script in two lines"),
        pytest.param("//shop.example", False, id="no scheme"),
        pytest.param(None, False, id="none"),
    ],
)
def test_the_way_back_is_a_page_and_nothing_else(url: str | None, *, offered: bool) -> None:
    assert (url if offered else None) == view(invoice("paid", return_url=url), BEFORE, None).back


def test_the_newest_payments_are_shown_first_and_the_others_counted() -> None:
    many = [payment(txid=str(number)) for number in range(PAYMENTS + 3)]
    found = view(invoice(payments=many), BEFORE, None)

    assert [str(number) for number in range(PAYMENTS + 2, 2, -1)] == [one["txid"] for one in found.payments]
    assert 3 == found.more_payments


def test_a_refund_that_was_withdrawn_is_not_shown() -> None:
    refunds = [refund(state="cancelled"), refund(state="sent")]

    assert refunds[1:] == view(invoice(refunds=refunds), BEFORE, None).refunds
