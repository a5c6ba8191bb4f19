"""What is refused over HTTP is told with what to write instead, and never in the words of the machinery."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from sqlalchemy.exc import OperationalError

import watcher.actions as actions_module

if TYPE_CHECKING:
    from api_server import Api

DRAFT = {"chain": "fake", "asset": "COIN", "amount": "1.50"}
ADDRESS = "fake100009999"
AMOUNT = 'is not a decimal number; write up to 78 digits with at most one point, such as "25.50"'
BLOCKS = 'write a number of blocks (0 to 100000), "safe" or "finalized"'
KEY_NAME = "write 1 to 64 letters, digits, spaces and . _ @ -, beginning with a letter or digit"
HEIGHT = "write a height of 0 or more"


async def refusal(api: Api, path: str, body: Any) -> tuple[int, str | None, str]:
    reply = await api.post(path, body)
    error = reply.json["error"]
    return reply.status, error.get("field"), error["message"]


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        pytest.param({"amount": "-1"}, "amount", AMOUNT, id="negative amount"),
        pytest.param({"amount": "1e5"}, "amount", AMOUNT, id="amount with an exponent"),
        pytest.param({"amount": "1,5"}, "amount", AMOUNT, id="amount with a comma"),
        pytest.param({"amount": "9" * 82}, "amount", AMOUNT, id="amount of too many digits"),
        pytest.param({"tolerance": {"percent": "x"}}, "tolerance.percent", AMOUNT, id="percentage"),
        pytest.param({"confirmations": "x"}, "confirmations", BLOCKS, id="unknown finality"),
        pytest.param({"confirmations": -1}, "confirmations", BLOCKS, id="negative confirmations"),
        pytest.param(
            {"customer_email": "jo"},
            "customer_email",
            'is no email address of up to 254 characters, such as "jo@shop.example"',
            id="email",
        ),
        pytest.param(
            {"return_url": "shop"},
            "return_url",
            'is no web address of up to 2000 characters, such as "https://shop.example/paid"',
            id="web address",
        ),
        pytest.param({"expires_in": 1}, "expires_in", "must be greater than or equal to 60", id="too short"),
    ],
)
async def test_a_faulty_field_of_an_invoice_is_told_with_what_to_write(
    api: Api, change: dict[str, Any], field: str, message: str
) -> None:
    assert (422, field, message) == await refusal(api, "/v1/invoices", {**DRAFT, **change})


@pytest.mark.parametrize("confirmations", [0, 3, None])
async def test_confirmations_are_a_number_of_blocks_or_left_out(api: Api, confirmations: int | None) -> None:
    reply = await api.post("/v1/invoices", {**DRAFT, "confirmations": confirmations})

    assert 201 == reply.status, reply.body


@pytest.mark.parametrize(
    ("path", "body", "field", "message"),
    [
        pytest.param("/v1/keys", {"name": "a/b"}, "name", KEY_NAME, id="name of a key"),
        pytest.param("/v1/chains/fake/rescan", {"from": -1}, "from", HEIGHT, id="negative height"),
    ],
)
async def test_a_faulty_field_of_another_resource_is_told_with_what_to_write(
    api: Api, path: str, body: dict[str, Any], field: str, message: str
) -> None:
    assert (422, field, message) == await refusal(api, path, body)


async def test_a_number_of_thousands_of_digits_is_refused_in_one_line_of_ours(api: Api) -> None:
    reply = await api.call("POST", "/v1/invoices", data=b'{"expires_in": ' + b"9" * 5000 + b"}")

    message = "the body is not JSON: a number has more than 4000 digits"
    assert (400, message) == (reply.status, reply.json["error"]["message"])


@pytest.mark.parametrize(
    ("path", "body", "field", "message"),
    [
        ("/v1/invoices", {"tolerance": {"x": 1}}, "tolerance.x", "unknown field"),
        (
            "/v1/invoices",
            {"tolerance": {"percnt": "1"}},
            "tolerance.percnt",
            "unknown field; did you mean percent?",
        ),
        (
            "/v1/invoices",
            {"options": [{**DRAFT, "adress": "x"}]},
            "options.0.adress",
            "unknown field; did you mean address?",
        ),
        (
            "/v1/chains/fake/rescan",
            {"from": 1, "form": 1},
            "form",
            "unknown field; did you mean from?",
        ),
    ],
    ids=["nothing is near", "inside an object", "inside a list", "by the name that callers write"],
)
async def test_a_misspelt_field_is_told_with_the_nearest_of_its_own_object(
    api: Api, path: str, body: dict[str, Any], field: str, message: str
) -> None:
    assert (422, field, message) == await refusal(api, path, body)


# --- what would make an invoice that no payment can serve


@pytest.mark.parametrize("absolute", ["1.5", "2"])
async def test_an_absolute_tolerance_of_the_whole_amount_is_refused(api: Api, absolute: str) -> None:
    found = await refusal(api, "/v1/invoices", {**DRAFT, "tolerance": {"absolute": absolute}})

    assert (422, "tolerance.absolute", "is not below the amount; write less than 1.5") == found


@pytest.mark.parametrize("tolerance", [{"absolute": "1.49999999"}, {"percent": "100"}])
async def test_a_tolerance_below_the_amount_and_any_percentage_is_taken(
    api: Api, tolerance: dict[str, str]
) -> None:
    made = await api.invoice(amount="1.5", tolerance=tolerance)

    assert "0.00000001" == made["options"][0]["minimum"]


async def test_the_contract_of_a_token_is_no_address_to_pay_to(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    coin, token = api.adapter.assets()
    monkeypatch.setattr(api.adapter, "assets", lambda: (coin, replace(token, contract=ADDRESS)))

    found = await refusal(api, "/v1/invoices", {**DRAFT, "address": ADDRESS})

    assert (422, "address", f"is the contract of {token.symbol}; what is sent there is lost") == found


async def test_an_address_of_zeros_is_no_address_to_pay_to(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.adapter, "key", lambda address: bytes(20) if address == ADDRESS else b"another")

    found = await refusal(api, "/v1/invoices", {**DRAFT, "address": ADDRESS})

    assert (422, "address", "belongs to nobody: it is all zeros") == found


# --- a database that cannot be written


async def test_h122_a_full_disk_is_503_with_one_line_in_the_log_and_no_traceback(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: Any) -> None:
        raise OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full"))

    monkeypatch.setattr(actions_module.Actions, "rescan", full)
    with structlog.testing.capture_logs() as logs:
        reply = await api.post("/v1/chains/fake/rescan", {"from": 1})

    (failed,) = [entry for entry in logs if entry["log_level"] == "error"]
    assert 503 == reply.status
    assert {
        "code": "storage_unavailable",
        "message": "the database cannot be written now: database or disk is full",
    } == reply.json["error"]
    assert ("request.storage", "database or disk is full", False) == (
        failed["event"],
        failed["reason"],
        "exc_info" in failed,
    )
