"""What an opening of a payment link asks for, and what its statistics say: without any database."""

from __future__ import annotations

from typing import Any

import pytest

from watcher.drafts import TermsDraft
from watcher.drafts_link import LinkDraft, OpeningDraft
from watcher.errors import Refused
from watcher.links_check import check
from watcher.links_choice import chosen
from watcher.links_stats import Statistics
from watcher.model import Status

LIMITS = {"min": "0.00000000000000000000000000001", "max": "9" * 78}
WAYS = [("a", "COIN"), ("b", "COIN"), ("b", "TOKEN")]


def link(amount: object = "1", **terms: Any) -> LinkDraft:
    options = [{"chain": chain, "asset": asset, "amount": amount} for chain, asset in WAYS]
    return LinkDraft.model_validate({"options": options, **terms})


def asked(template: LinkDraft, **said: Any) -> list[tuple[str, str, str]]:
    ways = [one for _, one in template.ways()]
    draft = chosen(template, ways, OpeningDraft.model_validate(said))
    return [(one.chain, one.asset, one.amount) for _, one in draft.ways()]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        pytest.param({}, [0, 1, 2], id="nothing"),
        pytest.param({"chain": "b"}, [1, 2], id="a chain"),
        pytest.param({"asset": "COIN"}, [0, 1], id="an asset"),
        pytest.param({"chain": "b", "asset": "COIN"}, [1], id="both"),
    ],
)
def test_what_the_payer_names_narrows_the_ways_to_pay(said: dict[str, str], found: list[int]) -> None:
    assert [(*WAYS[i], "1") for i in found] == asked(link(), **said)


@pytest.mark.parametrize(
    ("amount", "said", "code", "field"),
    [
        pytest.param("1", {"chain": "c"}, "not_offered", "chain", id="chain"),
        pytest.param("1", {"chain": "a", "asset": "TOKEN"}, "not_offered", "asset", id="both, but apart"),
        pytest.param("1", {"amount": "1"}, "amount_fixed", "amount", id="fixed"),
        pytest.param(LIMITS, {}, "amount_needed", "amount", id="needed"),
        pytest.param(LIMITS, {"amount": "2"}, "choice_needed", "asset", id="one amount, two assets"),
        pytest.param(
            "1", {"asset": "COIN", "refund_address": "x"}, "choice_needed", "chain", id="two chains"
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_field(
    amount: object, said: dict[str, str], code: str, field: str
) -> None:
    with pytest.raises(Refused) as caught:
        asked(link(amount), **said)

    assert (code, field) == (caught.value.code, caught.value.field)


TINY = LIMITS["min"]


@pytest.mark.parametrize("amount", [TINY, LIMITS["max"]], ids=["min", "max"])
def test_both_limits_are_within(amount: str) -> None:
    assert [("b", "TOKEN", amount)] == asked(link(LIMITS), asset="TOKEN", amount=amount)


@pytest.mark.parametrize(
    "amount", [TINY.replace("1", "09"), LIMITS["max"] + TINY.removeprefix("0")], ids=["below", "above"]
)
def test_h98_limits_are_compared_beyond_the_digits_of_a_decimal_context(amount: str) -> None:
    with pytest.raises(Refused, match="has to lie between"):
        asked(link(LIMITS), asset="TOKEN", amount=amount)


def test_an_invoice_of_a_link_asks_for_every_term_of_it() -> None:
    given: dict[str, Any] = {
        "expires_in": 60, "monitor_for": 7, "tolerance": {"percent": "2"}, "fees": {"payer": "customer"},
        "confirmations": "safe", "late": "accept", "policy": {"accept_percent": None, "extend": 60},
        "reminder_before": 3, "language": "fr", "order_id": "a", "description": "b", "metadata": {"c": [1]},
        "webhook_url": "https://shop.example/1", "return_url": "https://shop.example/2",
    }  # fmt: skip
    template = link(**given)

    draft = chosen(template, [one for _, one in template.ways()], OpeningDraft())

    assert set(TermsDraft.model_fields) == set(given), "a new term belongs into this list"
    assert given == draft.model_dump(mode="json", exclude_unset=True, include=set(given))


def test_the_payers_language_goes_before_the_links() -> None:
    template = link(language="fr")
    ways = [one for _, one in template.ways()]

    found = [chosen(template, ways, OpeningDraft(language=said)).language for said in (None, "en")]

    assert ["fr", "en"] == found


async def test_a_template_is_tried_at_both_limits_of_each_asset() -> None:
    tried = []

    async def attempt(draft: Any) -> None:
        tried.append([(one.chain, one.asset, one.amount) for _, one in draft.ways()])

    await check(link({"min": "2", "max": "3"}), attempt)

    assert [
        [(*WAYS[0], "2"), (*WAYS[1], "2")],
        [(*WAYS[2], "2")],
        [(*WAYS[0], "3"), (*WAYS[1], "3")],
        [(*WAYS[2], "3")],
    ] == tried


@pytest.mark.parametrize(
    ("paid", "of", "percent"),
    [
        pytest.param(0, 0, None, id="none"),
        pytest.param(0, 3, "0", id="nobody"),
        pytest.param(1, 3, "33.33", id="a third"),
        pytest.param(2, 3, "66.67", id="rounded"),
        pytest.param(1, 8, "12.5", id="no zero behind"),
        pytest.param(3, 3, "100", id="everybody"),
    ],
)
def test_the_share_of_those_who_paid_is_a_percentage(paid: int, of: int, percent: str | None) -> None:
    statistics = Statistics()
    statistics.statuses[Status.PAID] = paid
    statistics.statuses[Status.EXPIRED] = of - paid

    assert percent == statistics.shown()["paid_percent"]
