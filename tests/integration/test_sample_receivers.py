"""The README's receivers, in Python, Node and PHP: what they take, refuse, keep, and keep once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from chain_toml import anvil_chain
from daemon import Daemon, free_port
from sample_receiver import Receiver, receiving
from watcher import signing
from watcher.secret import new_secret

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from watcher.sandbox.anvil import Anvil

SECRET, OLD, KEY, OTHER = new_secret(), new_secret(), new_secret("ed25519"), new_secret("ed25519")
LANGUAGES = [
    pytest.param("python", id="python"),
    pytest.param("js", id="node"),
    pytest.param("php", id="php"),
]


def body(sequence: int, status: str) -> bytes:
    data = {"invoice": {"id": "inv_1", "status": status}, "sequence": sequence, "text": "naïve"}
    return json.dumps({"type": f"invoice.{status}", "data": data}, ensure_ascii=False).encode()


def signed(sent: bytes, *secrets: str, id_: str = "evt_1", late: int = 0) -> dict[str, str]:
    """Return the headers of an attempt that was made so many seconds ago."""
    at = datetime.now(UTC) - timedelta(seconds=late)
    return signing.headers("standard", secrets, id_, at, sent)


def public(key: str) -> str:
    return str(signing.shown(key)["public_key"])


@pytest.fixture(params=LANGUAGES)
async def receiver(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Receiver]:
    """One that trusts a shared secret and a public key, as while one takes the place of the other."""
    async with receiving(request.param, tmp_path, SECRET, public(KEY)) as receiver:
        yield receiver


PAID = body(4, "paid")
REFUSED: dict[str, Callable[[], tuple[dict[str, str], bytes]]] = {
    "by another secret": lambda: (signed(PAID, OLD), PAID),
    "by another key": lambda: (signed(PAID, OTHER), PAID),
    "another body": lambda: (signed(PAID, SECRET, KEY), PAID + b" "),
    "another event": lambda: (signed(PAID, SECRET, KEY) | {"webhook-id": "evt_2"}, PAID),
    "an old attempt": lambda: (signed(PAID, SECRET, KEY, late=301), PAID),
    "from the future": lambda: (signed(PAID, SECRET, KEY, late=-310), PAID),
    "an old attempt with a new time": lambda: (
        signed(PAID, SECRET, KEY, late=301) | {"webhook-timestamp": str(int(datetime.now(UTC).timestamp()))},
        PAID,
    ),
    "no signature": lambda: (signed(PAID, SECRET) | {"webhook-signature": ""}, PAID),
    "empty signatures": lambda: (signed(PAID, SECRET) | {"webhook-signature": "v1, v1a, v1a"}, PAID),
    "the public key as a shared secret": lambda: (
        signed(PAID, "whsec_" + public(KEY).removeprefix("whpk_")),
        PAID,
    ),
    "no headers": lambda: ({}, PAID),
}


async def test_h133_a_receiver_refuses_what_is_forged_or_old_and_keeps_nothing_of_it(
    receiver: Receiver,
) -> None:
    answers = {name: await receiver.post(*make()) for name, make in REFUSED.items()}

    assert dict.fromkeys(REFUSED, 400) == answers
    assert ([], {}) == (receiver.ids(), receiver.statuses())


async def test_a_receiver_keeps_an_event_once_through_a_crash_and_goes_by_its_sequence(
    receiver: Receiver,
) -> None:
    sent: list[tuple[int, str, str]] = [
        (4, "paid", "evt_4"),
        (4, "paid", "evt_4"),
        (3, "confirming", "evt_3"),
    ]
    for sequence, status, id_ in sent:
        made = body(sequence, status)
        assert 200 == await receiver.post(signed(made, SECRET, id_=id_), made)
    receiver.kill()
    _spoil(receiver)
    await receiver.start()
    assert 200 == await receiver.post(signed(PAID, KEY, id_="evt_4"), PAID)

    assert ["evt_4", "evt_3"] == receiver.ids()
    assert {"inv_1": "paid"} == receiver.statuses()
    after = body(5, "refunded")
    assert 200 == await receiver.post(signed(after, OLD, KEY, id_="evt_5"), after)
    assert (["evt_4", "evt_3", "evt_5"], {"inv_1": "refunded"}) == (receiver.ids(), receiver.statuses())


def _spoil(receiver: Receiver) -> None:
    """Leave half a line at the end of a journal, as a power cut in the middle of a write does."""
    if receiver.language == "js":
        with (receiver.folder / "events.jsonl").open("ab") as journal:
            journal.write(b'{"id": "evt_9", "event": {"da')


async def test_a_receiver_reads_no_more_than_could_be_ours(receiver: Receiver) -> None:
    long = PAID + b" " * 65_536

    assert 400 == await receiver.post(signed(long, SECRET), long)


async def test_an_event_that_tells_of_no_invoice_is_kept(receiver: Receiver) -> None:
    stalled = b'{"type":"chain.stalled","data":{"chain":"bitcoin","reason":"lag"}}'

    assert 200 == await receiver.post(signed(stalled, SECRET), stalled)
    assert (["evt_1"], {}) == (receiver.ids(), receiver.statuses())


# Against the daemon


@pytest.fixture
async def daemon(tmp_path: Path, anvil: Anvil) -> AsyncIterator[Daemon]:
    daemon = Daemon(tmp_path, anvil_chain(anvil), f"http://127.0.0.1:{free_port()}/", SECRET)
    await daemon.start()
    await daemon.ready()
    yield daemon
    daemon.kill()


async def test_receivers_take_what_the_daemon_sends_through_a_rotation_and_once_what_comes_again(
    daemon: Daemon, tmp_path: Path
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        receivers = dict(
            [
                await _added(stack, daemon, tmp_path / language, signature)
                for language, signature in (("python", "hmac"), ("js", "ed25519"), ("php", "hmac"))
                if language != "php" or shutil.which("php")
            ]
        )
        for webhook in receivers:
            await daemon.call("POST", f"/v1/webhooks/{webhook}/rotate", {"signature": "ed25519"})
        invoice = (await daemon.invoice(chain="dev", asset="ETH", amount="1"))["id"]
        await daemon.call("POST", f"/v1/invoices/{invoice}/cancel", {})
        for webhook, receiver in receivers.items():
            created, cancelled = await _delivered(daemon, webhook)
            await daemon.call("POST", f"/v1/deliveries/{created['id']}/redeliver", {}, expect=202)
            again, _ = await _delivered(daemon, webhook, attempts=3)

            assert [200, 200] == [attempt["status"] for attempt in again["history"]]
            assert [created["event_id"], cancelled["event_id"]] == receiver.ids()
            assert {invoice: "cancelled"} == receiver.statuses()


async def _added(
    stack: contextlib.AsyncExitStack, daemon: Daemon, folder: Path, signature: str
) -> tuple[str, Receiver]:
    """Add an endpoint and start the receiver behind it, which has only what the answer showed."""
    port = free_port()
    draft = {"url": f"http://127.0.0.1:{port}/hooks", "signature": signature}
    made = await daemon.call("POST", "/v1/webhooks", draft, expect=201)
    key = made["secret"] or made["public_key"]
    return made["id"], await stack.enter_async_context(receiving(folder.name, folder, key, port=port))


async def _delivered(daemon: Daemon, webhook: str, attempts: int = 2) -> list[dict[str, Any]]:
    """Wait until both deliveries were taken, after so many attempts in all; return them, oldest first."""
    async with asyncio.timeout(30):
        while True:
            found = (await daemon.call("GET", f"/v1/deliveries?webhook_id={webhook}"))["data"]
            taken = [one for one in found if one["state"] == "delivered"]
            if len(taken) == 2 and sum(len(one["history"]) for one in taken) >= attempts:
                return taken[::-1]
            await asyncio.sleep(0.05)
