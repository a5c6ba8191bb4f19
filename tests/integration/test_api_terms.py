"""What of an invoice's life is settled when it is made: policies, reminder, language, the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fake_chain import COIN, TOKEN
from watcher.settings import InvoiceSettings

if TYPE_CHECKING:
    from api_server import Api

DRAFT = {"chain": "fake", "asset": COIN, "amount": "1"}
USUAL = {"accept_percent": None, "extend": 0, "underpaid": "hold", "overpaid": "keep", "wrong_asset": "hold"}
PAYER = "fake100000777"


def configure(api: Api, **invoices: Any) -> None:
    """Let the daemon have other defaults."""
    usual = InvoiceSettings.model_validate(invoices)
    changed = api.context.settings.model_copy(update={"invoices": usual})
    api.context.actions._settings = changed


async def test_an_invoice_says_what_happens_to_it_by_itself(api: Api) -> None:
    plain = await api.invoice()
    own = {"accept_percent": "97.50", "extend": 600, "underpaid": "refund", "wrong_asset": "refund"}

    other = await api.invoice(policy=own, late="refund", language="fr", reminder_before=60)

    assert (USUAL, "hold", "en", 0, None) == tuple(
        plain[name] for name in ("policy", "late", "language", "reminder_before", "link_id")
    )
    assert ({**USUAL, **own, "accept_percent": "97.5"}, "refund", "fr", 60) == tuple(
        other[name] for name in ("policy", "late", "language", "reminder_before")
    )


async def test_what_a_policy_leaves_out_is_as_configured_and_null_is_never(api: Api) -> None:
    configure(api, policy={"accept_percent": "95", "overpaid": "refund"})

    plain = await api.invoice()
    own = await api.invoice(policy={"underpaid": "refund"})
    none = await api.invoice(policy={"accept_percent": None})

    assert [("95", "hold"), ("95", "refund"), (None, "hold")] == [
        (one["policy"]["accept_percent"], one["policy"]["underpaid"]) for one in (plain, own, none)
    ]
    assert ["refund"] * 3 == [one["policy"]["overpaid"] for one in (plain, own, none)]


async def test_a_later_configuration_changes_no_invoice(api: Api) -> None:
    made = await api.invoice()

    configure(api, policy={"underpaid": "refund"})

    assert made == (await api.get(f"/v1/invoices/{made['id']}")).json


async def test_a_usual_reminder_that_is_longer_than_an_invoice_lives_is_left_out(api: Api) -> None:
    configure(api, reminder_before=900)

    short, long = await api.invoice(expires_in=900), await api.invoice(expires_in=901)

    assert (0, 900) == (short["reminder_before"], long["reminder_before"])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param({"policy": {"accept_percent": "0"}}, "policy.accept_percent", id="accepts nothing"),
        pytest.param(
            {"policy": {"accept_percent": "100"}}, "policy.accept_percent", id="accepts what is paid"
        ),
        pytest.param({"policy": {"accept_percent": "101"}}, "policy.accept_percent", id="more than all"),
        pytest.param({"policy": {"accept_percent": 97}}, "policy.accept_percent", id="percent as a number"),
        pytest.param(
            {"policy": {"accept_percent": "99"}, "tolerance": {"percent": "1"}},
            "policy.accept_percent",
            id="no wider than the tolerance",
        ),
        pytest.param(
            {"policy": {"accept_percent": "50"}, "tolerance": {"absolute": "0.5"}},
            "policy.accept_percent",
            id="no wider than the absolute tolerance",
        ),
        pytest.param({"policy": {"extend": 59}}, "policy.extend", id="extends by too little"),
        pytest.param({"policy": {"extend": 2_592_001}}, "policy.extend", id="extends by too much"),
        pytest.param(
            {"policy": {"underpaid": "keep"}}, "policy.underpaid", id="a policy of another exception"
        ),
        pytest.param({"policy": {"overpayed": "keep"}}, "policy.overpayed", id="a misspelt policy"),
        pytest.param({"expires_in": 600, "reminder_before": 600}, "reminder_before", id="reminds at once"),
        pytest.param({"reminder_before": 3600}, "reminder_before", id="reminds before the usual time"),
        pytest.param({"language": "French"}, "language", id="no language"),
        pytest.param({"refund_address": "other123"}, "refund_address", id="refund to another network"),
        pytest.param(
            {"address": "fake100000501", "refund_address": "FAKE100000501"},
            "refund_address",
            id="refund to itself",
        ),
        pytest.param({"refund_address": ""}, "refund_address", id="refund to nobody"),
        pytest.param(
            {
                **dict.fromkeys(DRAFT),
                "options": [
                    {**DRAFT, "refund_address": PAYER},
                    {**DRAFT, "asset": TOKEN, "refund_address": "x"},
                ],
            },
            "options.1.refund_address",
            id="refund of one of several options",
        ),
        pytest.param(
            {**dict.fromkeys(DRAFT), "options": [DRAFT], "refund_address": PAYER},
            "refund_address",
            id="beside options",
        ),
    ],
)
async def test_terms_without_effect_are_refused_with_their_field_and_take_no_address(
    api: Api, change: dict[str, Any], field: str
) -> None:
    draft = {k: v for k, v in {**DRAFT, **change}.items() if v is not None}

    reply = await api.post("/v1/invoices", draft)
    made = await api.invoice()

    assert (422, field) == (reply.status, reply.json["error"].get("field")), reply.body
    assert made["options"][0]["address"] == api.adapter.derive(0)


async def test_a_refund_never_goes_to_a_contract(api: Api) -> None:
    (token,) = [asset for asset in api.adapter.assets() if asset.symbol == TOKEN]
    assert token.contract is not None

    reply = await api.post("/v1/invoices", {**DRAFT, "refund_address": token.contract})

    assert (422, "refund_address") == (reply.status, reply.json["error"]["field"])


async def test_a_wider_tolerance_that_is_configured_is_no_mistake_of_an_invoice(api: Api) -> None:
    configure(api, policy={"accept_percent": "97"})

    made = await api.invoice(tolerance={"percent": "5"})

    assert "97" == made["policy"]["accept_percent"]
