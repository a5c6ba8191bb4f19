"""The loop that sends mails: what is not sent any more, deaths and stops, and what is shown of it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from prometheus_client import generate_latest

from mail_office import open_office
from mail_rows import EMAIL, Desk, reminded, settings
from watcher import mail_check, mailer
from watcher.told_mails import mails_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from mail_office import Office
    from world import World


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    async with open_office() as one:
        yield one


# What is not sent any more


async def test_a_paid_invoice_is_not_reminded(world: World, office: Office) -> None:
    desk = Desk(world, settings(office))
    made = await reminded(world, desk)
    world.chains["fake"].pay(made.address, 10**8)
    await world.scan()

    await desk.work()

    row = await desk.row()
    assert ("confirming", "failed", "paid meanwhile", 0) == (
        await made.status(), row.state, row.error, len(office.sessions),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        pytest.param("cancel", "cancelled meanwhile", id="cancelled"),
        pytest.param("extend", "the deadline was moved meanwhile", id="extended"),
    ],
)
async def test_a_merchants_decision_makes_a_reminder_needless(
    world: World, office: Office, kind: str, reason: str
) -> None:
    desk = Desk(world, settings(office))
    made = await reminded(world, desk)
    await world.resolve(made, kind, world.clock() + timedelta(hours=3) if kind == "extend" else None)

    await desk.work()

    row = await desk.row()
    assert ("failed", reason, 0) == (row.state, row.error, len(office.sessions))


async def test_a_deadline_that_the_clock_has_passed_is_not_reminded_of(world: World, office: Office) -> None:
    """The chain may be behind, and the invoice still pending: the payer would be told of no time at all."""
    desk = Desk(world, settings(office))
    made = await reminded(world, desk)
    world.clock.advance(3600)

    await desk.work()

    row = await desk.row()
    assert ("pending", "failed", "too late", 0) == (
        await made.status(), row.state, row.error, len(office.sessions),
    )  # fmt: skip


async def test_an_expired_invoice_is_not_reminded(world: World, office: Office) -> None:
    desk = Desk(world, settings(office))
    made = await reminded(world, desk)
    await world.mine(2, apart=3600)
    assert "expired" == await made.status()

    await desk.work()

    assert ("failed", "too late") == ((row := await desk.row()).state, row.error)


# The loop


async def test_what_a_dead_process_was_sending_is_uncertain_for_ever(world: World, office: Office) -> None:
    office.hold = asyncio.Event()
    dead = Desk(world, settings(office))
    await reminded(world, dead)
    turn = asyncio.create_task(dead.mailer.turn())
    await office.until(1)
    turn.cancel()
    await asyncio.gather(turn, return_exceptions=True)
    assert ["sending 1"] == await dead.states()

    desk = Desk(world, settings(office))
    running = asyncio.create_task(desk.mailer.run())
    async with asyncio.timeout(10):
        while desk.beats < 2:  # noqa: ASYNC110 - what is awaited happens elsewhere
            await asyncio.sleep(0.01)
    desk.mailer.stop()
    await running

    row = await desk.row()
    assert ("uncertain", "the daemon ended before the server's answer was recorded", 1) == (
        row.state, row.error, len(office.got),
    )  # fmt: skip


async def test_it_stops_soon_and_knows_what_came_of_the_mails_under_way(
    world: World, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailer, "GRACE", 0.5)
    office.hold = asyncio.Event()
    desk = Desk(world, settings(office))
    await reminded(world, desk)
    running = asyncio.create_task(desk.mailer.run())
    await office.until(1)

    desk.mailer.stop()
    async with asyncio.timeout(20):  # less than a mail may take
        await running

    assert ["uncertain 1"] == await desk.states()


async def test_many_are_sent_each_once_and_counted(world: World, office: Office) -> None:
    desk = Desk(world, settings(office))
    for _ in range(9):
        await reminded(world, desk)
    running = asyncio.create_task(desk.mailer.run())
    await office.until(9)
    desk.mailer.stop()
    await running

    assert ["sent 1"] * 9 == await desk.states()
    assert 9 == len({mail["Message-ID"] for mail in office.got})
    assert 'watcher_mails{state="pending"} 9.0' in generate_latest(desk.metrics.registry).decode()


async def test_a_template_that_fails_on_one_invoice_fails_that_mail_alone(
    world: World, office: Office, tmp_path: Path
) -> None:
    text = 'Subject: x\nPay\n{% if order_id == "odd" %}{{ nothing }}{% endif %}\n'
    (tmp_path / "reminder.en.txt").write_text(text)
    desk = Desk(world, settings(office, templates=tmp_path))
    await reminded(world, desk, order_id="odd")
    await reminded(world, desk)

    await desk.work()

    states = {row.state: row.error for row in await desk.rows()}
    assert {"failed": f"{tmp_path}/reminder.en.txt:3: 'nothing' is undefined", "sent": None} == states


# What is shown


async def test_an_invoices_mails_are_told_with_what_came_of_them(world: World, office: Office) -> None:
    desk = Desk(world, settings(office))
    made = await reminded(world, desk)
    await reminded(world, desk)
    office.recipient += ["550 no"] * 2
    await desk.work()

    async with world.store.read() as conn:
        (told,) = await mails_of(conn, made.id)

    assert told.pop("id").startswith("mai_")
    assert {
        "recipient": EMAIL,
        "deadline": "2026-01-01T13:00:00Z",
        "state": "failed",
        "attempts": 1,
        "error": "recipient: 550 no",
        "next_at": None,
        "created_at": "2026-01-01T12:00:00Z",
        "sent_at": None,
    } == told


async def test_check_names_a_server_that_is_away_and_a_text_that_is_broken(
    office: Office, tmp_path: Path
) -> None:
    (tmp_path / "reminder.fr.txt").write_text("Subject: x\n\n{{ nothing }}\n")
    broken = settings(office, port=1, templates=tmp_path)

    well = await mail_check.findings(settings(office))
    texts, server = await mail_check.findings(broken)

    assert [("texts", True, "en, fr"), ("server", True, f"127.0.0.1 port {office.port}: takes our mail")] == [
        (one.name, one.ok, one.detail) for one in well
    ]
    assert (False, f"{tmp_path}/reminder.fr.txt:3: 'nothing' is undefined") == (texts.ok, texts.detail)
    assert server.ok is None
    assert server.detail.startswith("127.0.0.1 port 1: connection: Error connecting to 127.0.0.1 on port 1")
    assert () == await mail_check.findings(None)
