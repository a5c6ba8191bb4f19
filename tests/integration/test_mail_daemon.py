"""The installed daemon with `[mail]`: killed, told to stop, refused for a broken text."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from daemon import Daemon
from fake_clock import FakeClock
from mail_office import open_office
from mail_rows import Desk, settings
from outbox_db import SECRET
from watcher import migrate
from world import World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from mail_office import Office

RUNNING_OUT = 20.0


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    async with open_office() as one:
        yield one


def configured(folder: Path, office: Office, more: str = "") -> Daemon:
    mail = f'[mail]\nhost = "127.0.0.1"\nport = {office.port}\nsecurity = "none"\n'
    return Daemon(folder, f'{mail}sender = "Shop <pay@shop.example>"\n{more}', "http://127.0.0.1:9/", SECRET)


async def remind(daemon: Daemon, office: Office) -> str:
    """Make the daemon's database with an invoice and its mail in it."""
    world = World(daemon.config.parent, FakeClock(datetime.now(UTC)))
    await asyncio.to_thread(migrate.upgrade, world.path)
    try:
        world.add()
        await world.scan()
        return await Desk(world, settings(office)).remind(await world.invoice(order_id="A-1"))
    finally:
        await world.store.close()


def rows(daemon: Daemon) -> list[tuple[Any, ...]]:
    with sqlite3.connect(daemon.config.with_name("watcher.db")) as connection:
        return connection.execute("SELECT state, attempts, error FROM mail").fetchall()


async def until(daemon: Daemon, state: str) -> tuple[Any, ...]:
    async with asyncio.timeout(RUNNING_OUT):
        while rows(daemon)[0][0] != state:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)
    return rows(daemon)[0]


async def test_the_daemon_sends_a_reminder_once_and_shows_it_in_the_metrics(
    tmp_path: Path, office: Office
) -> None:
    daemon = configured(tmp_path, office)
    mail = await remind(daemon, office)
    try:
        await daemon.start()
        assert ("sent", 1, None) == await until(daemon, "sent")
        assert 0 == daemon.terminate()
    finally:
        daemon.kill()

    (message,) = office.got
    assert f"<{mail}@shop.example>" == message["Message-ID"]
    assert message["Subject"].endswith(" left to pay order A-1")


async def test_killed_between_the_handover_and_the_record_it_never_sends_a_second_mail(
    tmp_path: Path, office: Office
) -> None:
    daemon = configured(tmp_path, office)
    await remind(daemon, office)
    office.hold = asyncio.Event()
    try:
        await daemon.start()
        await office.until(1)
        daemon.kill()
        assert [("sending", 1, None)] == rows(daemon)

        office.hold.set()
        await daemon.start()
        error = "the daemon ended before the server's answer was recorded"
        assert ("uncertain", 1, error) == await until(daemon, "uncertain")
        await asyncio.sleep(2.5)
        assert 0 == daemon.terminate()
    finally:
        daemon.kill()

    assert [("uncertain", 1, error)] == rows(daemon)
    assert 1 == len(office.got)


@pytest.mark.parametrize(
    ("point", "state", "mails"),
    [
        pytest.param("mail.written", "sent", 1, id="taken, not committed: it is sent once"),
        pytest.param("mail.committed", "uncertain", 0, id="committed, not handed over: it is given up"),
        pytest.param("mail.answered", "uncertain", 1, id="answered, not recorded: it is not sent again"),
        pytest.param("mailed.written", "uncertain", 1, id="written, not committed: the same"),
        pytest.param("mailed.committed", "sent", 1, id="recorded"),
        pytest.param("unsure.written", "sent", 1, id="at the start"),
        pytest.param("unsure.committed", "sent", 1, id="after the start"),
    ],
)
async def test_h107_killed_anywhere_a_payer_gets_at_most_one_mail(
    tmp_path: Path, office: Office, monkeypatch: pytest.MonkeyPatch, point: str, state: str, mails: int
) -> None:
    daemon = configured(tmp_path, office)
    await remind(daemon, office)
    try:
        monkeypatch.setenv("WATCHER_FAILPOINT", point)
        daemon.process = daemon._spawn()
        async with asyncio.timeout(RUNNING_OUT):
            assert -signal.SIGKILL == await asyncio.to_thread(daemon.process.wait)
        monkeypatch.delenv("WATCHER_FAILPOINT")
        await daemon.start()
        await until(daemon, state)
        assert 0 == daemon.terminate()
    finally:
        daemon.kill()

    assert mails == len(office.got)


async def test_told_to_stop_while_the_server_is_silent_it_ends_within_its_time(
    tmp_path: Path, office: Office
) -> None:
    daemon = configured(tmp_path, office)
    await remind(daemon, office)
    office.hold = asyncio.Event()
    try:
        await daemon.start()
        await office.until(1)
        status = await asyncio.to_thread(daemon.terminate)
    finally:
        daemon.kill()

    assert 0 == status
    assert [("uncertain", 1, "message: no answer in time")] == rows(daemon)


async def test_a_broken_text_keeps_the_daemon_from_starting_with_one_line(
    tmp_path: Path, office: Office
) -> None:
    (tmp_path / "texts").mkdir()
    text = tmp_path / "texts" / "reminder.en.txt"
    text.write_text("Subject: {{ shop }}\nPay\n\n{% if partly_paid %}the rest\n")
    daemon = configured(tmp_path, office, 'templates = "texts"\n')

    ran, checked = [
        await asyncio.to_thread(daemon.command, *words) for words in (("run",), ("check", "--json"))
    ]

    fault = f"{text}:4: Unexpected end of template."
    assert (2, 1) == (ran.returncode, len(ran.stderr.strip().splitlines()))
    assert f"{daemon.config}: {fault}" in ran.stderr
    assert not (tmp_path / "watcher.db").exists()
    assert 1 == checked.returncode
    found = {row["name"]: row for row in json.loads(checked.stdout)["data"] if row["of"] == "mail"}
    assert (False, True) == (found["texts"]["ok"], found["server"]["ok"])
    assert found["texts"]["detail"].startswith(fault)


async def test_without_mail_nothing_is_sent_and_nothing_is_lost(tmp_path: Path, office: Office) -> None:
    daemon = configured(tmp_path, office)
    await remind(daemon, office)
    text = daemon.config.read_text()
    daemon.config.write_text(text.partition("[mail]")[0])
    try:
        await daemon.start()
        await asyncio.sleep(1.5)
        assert 0 == daemon.terminate()
        assert ([("pending", 0, None)], []) == (rows(daemon), office.got)

        daemon.config.write_text(text)
        await daemon.start()
        await until(daemon, "sent")
    finally:
        daemon.kill()
