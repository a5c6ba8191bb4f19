"""Which answers of an OxaPay shop take a callback; its plugin's own is short enough to be read whole."""

from __future__ import annotations

import json
from typing import Any

import pytest

from format_scene import ENDPOINT, read, told
from invoice_facts import BASE, deposit, facts, invoice
from watcher import sending
from watcher.formats_oxapay import ECHO_LIMIT, bodies, is_ok
from watcher.model import EventType

ECHO = "Received payment callback: "
"""What OxaPay's own plugin for WooCommerce answers, before the body and "OK"."""


def _echo(body: bytes) -> bytes:
    """Return what PHP's plugin answers: ASCII alone, with slashes escaped."""
    text = json.dumps(json.loads(body, parse_float=lambda number: number), separators=(",", ":"))
    return (ECHO + text.replace("/", "\\/") + "OK").encode()


@pytest.mark.parametrize(
    ("fields", "payments", "kept"),
    [
        pytest.param({}, 1, 1, id="one payment"),
        pytest.param({}, 300, 8, id="300 payments"),
        pytest.param({"description": "🎉" * 500}, 3, 1, id="a description of emoji"),
        pytest.param({"order_id": "🎉" * 200, "description": "é/" * 250}, 5, 1, id="all of it"),
    ],
)
def test_a_plugin_that_repeats_the_body_in_its_answer_can_be_read_to_its_ok(
    fields: dict[str, Any], payments: int, kept: int
) -> None:
    many = [
        deposit(1, BASE + 1, name=f"p{n}", txid=f"{n:064x}", arrived=10 + n / 1000) for n in range(payments)
    ]
    some = facts(*many, of=invoice(**{"order_id": "A-1001", **fields}))
    (body,) = bodies(told(EventType.INVOICE_PARTIALLY_PAID, some), ENDPOINT)

    shown, answer = read(body), _echo(body)
    assert len(answer) < sending.ANSWER_BYTES
    assert is_ok(answer)
    assert len(ECHO) + ECHO_LIMIT + 2 < sending.ANSWER_BYTES
    assert fields.get("order_id", "A-1001") == shown["order_id"]
    assert kept <= len(shown["txs"]) <= payments
    assert f"{payments - 1:064x}" == shown["txs"][-1]["tx_hash"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(b"ok", True, id="as documented"),
        pytest.param(b"OK", True, id="capitals"),
        pytest.param(b"Ok\r\n", True, id="a new line behind"),
        pytest.param(b"\xef\xbb\xbf\n ok", True, id="a byte order mark"),
        pytest.param(b'Received payment callback: {"status":"Paid"}OK', True, id="their plugin"),
        pytest.param(b"", False, id="nothing"),
        pytest.param(b"orderId is required", False, id="refused"),
        pytest.param(b"Invalid HMAC signature", False, id="a wrong key"),
        pytest.param(b"<html><body>Facebook</body></html>", False, id="a page"),
        pytest.param(b"all is ok", False, id="small letters in a longer text"),
        pytest.param(b"NOT OK", False, id="not ok"),
        pytest.param(b"The order is not\nOK", False, id="not ok, in small letters"),
        pytest.param(b"status=Not_OK", False, id="not ok, as one word"),
        pytest.param(b"FACEBOOK", False, id="the end of a word"),
        pytest.param(b"OK, later", False, id="at the beginning"),
        pytest.param(b"\xff\xfe\x00", False, id="no text"),
    ],
)
def test_an_answer_takes_the_callback(answer: bytes, expected: bool) -> None:  # noqa: FBT001 - a table
    assert expected == is_ok(answer)
