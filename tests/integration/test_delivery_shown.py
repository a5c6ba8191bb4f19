"""What the merchant reads of deliveries and may send again, by API and by command."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from sqlalchemy import insert, update

from command_line import as_json, configure, daemon, done, watcher
from running_notifier import open_shop
from watcher.api.schema import DeliveryWithBody
from watcher.render import moment
from watcher.tables import ATTEMPT, DELIVERY

if TYPE_CHECKING:
    from pathlib import Path

    from api_server import Api

URL = "https://shop.example/hooks"
RUDE = b"\x1b[31mno\x07\r\nsecond \xff line" + b"." * 600
SHOWN = "\\x1b[31mno\\x07\nsecond \\xff line"


async def _hook(api: Api) -> str:
    return str((await api.post("/v1/webhooks", {"url": URL})).json["id"])


async def _delivery(api: Api) -> dict[str, Any]:
    (found,) = (await api.get("/v1/deliveries")).json["data"]
    return dict(found)


@pytest.mark.parametrize(
    ("answer", "listed", "whole"),
    [
        pytest.param(None, None, None, id="no answer"),
        pytest.param(b"", "", "", id="an empty one"),
        pytest.param(b"x" * 500, "x" * 500, "x" * 500, id="one that fits a list"),
        pytest.param(b"x" * 501, "x" * 500 + "…", "x" * 501, id="one that does not"),
        pytest.param(b"\x00" * 4096, "\\x00" * 500 + "…", "\\x00" * 4096, id="the worst"),
        pytest.param(RUDE, None, None, id="a rude one"),
    ],
)
async def test_h138_the_answer_is_shown_with_its_attempt(
    api: Api, answer: bytes | None, listed: str | None, whole: str | None
) -> None:
    await _hook(api)
    invoice = await api.invoice()
    found = await _delivery(api)
    attempt = {
        "number": 1,
        "at": api.clock(),
        "duration_ms": 12,
        "status": 500,
        "error": "no",
        "answer": answer,
    }
    async with api.context.store.write() as conn:
        await conn.execute(insert(ATTEMPT).values(delivery_id=found["id"], **attempt))
    one = await api.get(f"/v1/deliveries/{found['id']}")
    (explained,) = (await api.get(f"/v1/invoices/{invoice['id']}/explain")).json["deliveries"]

    DeliveryWithBody.model_validate(one.json, extra="forbid")
    if answer == RUDE:
        listed = SHOWN + "." * (500 - len(RUDE) + 600) + "…"
        whole = SHOWN + "." * 600
    for shown in (await _delivery(api), explained):
        assert [listed] == [entry["answer"] for entry in shown["history"]]
    assert [whole] == [entry["answer"] for entry in one.json["history"]]


async def test_a_delivery_that_there_is_not_is_404(api: Api) -> None:
    reply = await api.get("/v1/deliveries/dlv_none")

    assert (404, "not_found") == (reply.status, reply.json["error"]["code"])


@pytest.fixture
async def history(api: Api) -> str:
    """An endpoint with four deliveries, a second apart: delivered, dead, pending, delivered."""
    hook = await _hook(api)
    for _ in range(4):
        await api.invoice()
    states = ("delivered", "dead", "pending", "delivered")
    async with api.context.store.write() as conn:
        for row, state in zip((await api.get("/v1/deliveries")).json["data"][::-1], states, strict=True):
            attempts = 0 if state == "pending" else 3
            values = {"state": state, "attempts": attempts, "next_at": None if attempts else api.clock()}
            await conn.execute(update(DELIVERY).where(DELIVERY.c.id == row["id"]).values(**values))
    return hook


@pytest.mark.parametrize(
    ("after", "before", "state", "expected"),
    [
        pytest.param(0, None, None, [1, 1, 1, 1], id="all"),
        pytest.param(1, None, None, [0, 1, 1, 1], id="from a moment on, which is within"),
        pytest.param(0, 2, None, [1, 1, 0, 0], id="until before a moment"),
        pytest.param(1, 3, None, [0, 1, 1, 0], id="a span"),
        pytest.param(0, None, "dead", [0, 1, 0, 0], id="what failed for good"),
        pytest.param(0, None, "delivered", [1, 0, 0, 1], id="what was taken"),
        pytest.param(2, None, "pending", [0, 0, 1, 0], id="what waits"),
        pytest.param(3, 4, "dead", [0, 0, 0, 0], id="nothing"),
    ],
)
async def test_a_replay_takes_a_span_of_time_and_a_state(
    api: Api, history: str, after: int, before: int | None, state: str | None, expected: list[int]
) -> None:
    first = api.clock() - timedelta(seconds=3)
    body = {"after": moment(first + timedelta(seconds=after)), "state": state}
    body["before"] = None if before is None else moment(first + timedelta(seconds=before))
    api.clock.advance(60)
    reply = await api.post(f"/v1/webhooks/{history}/replay", body)

    rows = (await api.get("/v1/deliveries")).json["data"][::-1]
    now = moment(api.clock())
    assert (202, sum(expected)) == (reply.status, reply.json["deliveries"])
    assert expected == [
        int((one["state"], one["attempts"], one["next_at"]) == ("pending", 0, now)) for one in rows
    ]
    (entry,) = (await api.get("/v1/audit?action=webhook.replay")).json["data"]
    assert {name: value for name, value in body.items() if value} | {"deliveries": sum(expected)} == entry[
        "detail"
    ]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"after": "2026-01-01T12:00:00Z", "before": "2026-01-01T12:00:00Z"}, "before"),
        ({"after": "2026-01-01T12:00:00Z", "before": "2025-01-01T12:00:00Z"}, "before"),
        ({"after": "2026-01-01T12:00:00Z", "state": "cancelled"}, "state"),
        ({"after": "2026-01-01T12:00:00Z", "until": "2026-01-01T12:00:00Z"}, "until"),
        ({"before": "2026-01-01T12:00:00Z"}, "after"),
        ({"after": "yesterday"}, "after"),
    ],
)
async def test_a_replay_that_makes_no_sense_is_refused(api: Api, history: str, body: Any, field: str) -> None:
    reply = await api.post(f"/v1/webhooks/{history}/replay", body)

    assert (422, field) == (reply.status, reply.json["error"]["field"])
    assert [] == (await api.get("/v1/audit?action=webhook.replay")).json["data"]


async def test_the_commands_show_answers_and_send_a_span_again(tmp_path: Path) -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=503, body=RUDE)

    configure(tmp_path)
    async with open_shop() as shop:
        shop.answers = [refuse]
        with daemon(tmp_path):
            hook = (await asyncio.to_thread(as_json, "webhook", "add", shop.url, cwd=tmp_path))["id"]
            await asyncio.to_thread(watcher, "webhook", "test", hook, cwd=tmp_path)
            table = await asyncio.to_thread(done, "delivery", "list", cwd=tmp_path)
            (one,) = (await asyncio.to_thread(as_json, "delivery", "list", cwd=tmp_path))["data"]
            shown = await asyncio.to_thread(done, "delivery", "show", one["id"], cwd=tmp_path)
            replay = ("webhook", "replay", hook, "--after", one["created_at"])
            none = await asyncio.to_thread(done, *replay, "--state", "dead", cwd=tmp_path)
            wrong = await asyncio.to_thread(watcher, *replay, "--before", one["created_at"], cwd=tmp_path)
            again = await asyncio.to_thread(done, *replay, cwd=tmp_path)
            await shop.until(2)

    assert 1 == len(set(shop.ids))
    assert "status 503" in table
    assert "\\x1b[31mno\\x07 second \\xff line" in table
    assert "    | \\x1b[31mno\\x07\n    | second \\xff line..." in shown
    assert ("0 deliveries are sent again\n", "1 deliveries are sent again\n") == (none, again)
    assert (2, True) == (wrong.returncode, "--before: must be later than after" in wrong.stderr)
    assert "\x1b" not in table + shown
