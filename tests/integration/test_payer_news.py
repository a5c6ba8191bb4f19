"""An open payer's page and the commands of the operator: two processes beside the daemon."""

from __future__ import annotations

import http.client
import json
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from command_line import as_json, configure, daemon

if TYPE_CHECKING:
    from pathlib import Path

    from watcher.sandbox.anvil import Anvil

CREATE = ("invoice", "create", "--chain", "ethereum", "--asset", "ETH", "--amount", "0.5")
ETHER = 10**18
_WITHIN = 30.0
"""Seconds: half of those after which a page hears of everything anyway."""


def _hear(stream: http.client.HTTPResponse, deadline: float) -> dict[str, Any]:
    """Return the next state that a page is told, over what keeps the connection alive."""
    while time.monotonic() < deadline:
        line = stream.readline()
        if line.startswith(b"data: "):
            return dict(json.loads(line.removeprefix(b"data: ")))
    raise AssertionError(f"nothing heard within {_WITHIN} s")


def test_an_open_page_hears_at_once_of_a_refunds_new_address_that_a_command_sets(
    tmp_path: Path, anvil: Anvil
) -> None:
    configure(tmp_path, anvil)
    one, two = anvil.accounts[5:7]
    with daemon(tmp_path) as process:
        address = urlsplit(json.loads(process.wait_for("api.listening"))["url"])
        made = as_json(*CREATE, cwd=tmp_path)
        anvil.send(made["options"][0]["address"], ETHER)
        anvil.mine()
        with closing(http.client.HTTPConnection(address.netloc, timeout=_WITHIN)) as page:
            page.request("GET", f"/i/{made['id']}/events")
            stream = page.getresponse()
            while _hear(stream, time.monotonic() + _WITHIN)["status"] != "paid":
                pass
            refund = as_json(
                "invoice", "refund", made["id"], "--address", one, "--amount", "0.1", cwd=tmp_path
            )
            before = _hear(stream, time.monotonic() + _WITHIN)
            as_json("refund", "address", made["id"], refund["id"], two, cwd=tmp_path)
            after = _hear(stream, time.monotonic() + _WITHIN)

    assert [one, two] == [each["refunds"][0]["address"].lower() for each in (before, after)]
