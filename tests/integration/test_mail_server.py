"""How a real SMTP server is spoken to, what is tried again, and what never is."""

from __future__ import annotations

import asyncio
import logging
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from mail_office import HANG_UP, PASSWORD, USER, make_certificate, open_office
from mail_rows import Desk, reminded, settings
from watcher import mail_server, mailer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from mail_office import Office
    from world import World


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    async with open_office() as one:
        yield one


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls") / "cert.pem")


# How the server is spoken to


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_it_logs_in_over_an_encrypted_connection(
    world: World, certificate: Path, monkeypatch: pytest.MonkeyPatch, security: str
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    login = {"username": USER, "password": PASSWORD}
    async with open_office(security, certificate) as office:
        desk = Desk(world, settings(office, security=security, host="localhost", **login))
        await reminded(world, desk)

        await desk.work()

        assert (["sent 1"], [True], [True]) == (await desk.states(), office.encrypted, office.logged_in)


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_server_that_cannot_prove_its_name_gets_nothing(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, security: str
) -> None:
    other = make_certificate(tmp_path / "cert.pem", "mail.elsewhere.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(other))
    async with open_office(security, other) as office:
        desk = Desk(world, settings(office, security=security, host="localhost"))
        await reminded(world, desk)

        await desk.work()

        assert (["pending 1"], []) == (await desk.states(), office.got)
        assert "certificate" in (await desk.row()).error


async def test_nothing_is_sent_in_the_clear_where_encryption_was_asked_for(
    world: World, office: Office
) -> None:
    desk = Desk(world, settings(office, security="starttls"))
    await reminded(world, desk)

    await desk.work()

    assert (["pending 1"], []) == (await desk.states(), office.got)
    assert "STARTTLS" in (await desk.row()).error


async def test_a_wrong_password_is_tried_again_and_stands_in_no_log(
    world: World, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    async with open_office() as office:
        desk = Desk(world, settings(office, username="someone", password=PASSWORD))
        await reminded(world, desk)

        await desk.work()

        row = await desk.row()
    assert ("pending", []) == (row.state, office.got)
    assert (row.error or "").startswith("login: 535 ")
    written = "".join((*(record.getMessage() for record in caplog.records), *capsys.readouterr()))
    assert PASSWORD not in written + row.error + repr(desk.settings)


# What is tried again, and what is not


def refusing(step: str, answer: str) -> Any:
    return pytest.param(step, answer, id=f"{step}: {answer}")


@pytest.mark.parametrize(
    ("step", "answer"),
    [
        refusing("sender", "451 4.3.0 later"),
        refusing("recipient", "450 4.2.1 greylisted"),
        refusing("message", "452 4.3.1 no room"),
        refusing("sender", HANG_UP),
        refusing("recipient", HANG_UP),
    ],
)
async def test_what_was_certainly_not_taken_is_sent_later_and_once(
    world: World, office: Office, step: str, answer: str
) -> None:
    desk = Desk(world, settings(office))
    await reminded(world, desk)
    getattr(office, step).append(answer)

    await desk.work()

    row = await desk.row()
    assert ("pending", 1, timedelta(seconds=30)) == (row.state, row.attempts, await desk.waits())
    assert (row.error or "").startswith(f"{step}: {'' if answer == HANG_UP else answer}")

    world.clock.advance(29)
    await desk.work()
    assert ["pending 1"] == await desk.states()

    world.clock.advance(1)
    await desk.work()
    assert (["sent 2"], 1, None) == (await desk.states(), len(office.accepted), (await desk.row()).error)


@pytest.mark.parametrize("step", ["sender", "recipient", "message"])
async def test_what_is_refused_for_good_is_not_tried_again(world: World, office: Office, step: str) -> None:
    desk = Desk(world, settings(office))
    await reminded(world, desk)
    getattr(office, step).append("550 5.1.1 no such\tuser")

    await desk.work()
    world.clock.advance(900)
    await desk.work()

    row = await desk.row()
    assert ("failed", 1, None, f"{step}: 550 5.1.1 no such user") == (
        row.state,
        row.attempts,
        row.next_at,
        row.error,
    )


async def test_where_the_connection_breaks_after_the_message_nobody_sends_it_again(
    world: World, office: Office
) -> None:
    desk = Desk(world, settings(office))
    await reminded(world, desk)
    office.message.append(HANG_UP)

    await desk.work()
    world.clock.advance(900)
    await desk.work()

    assert (["uncertain 1"], 1) == (await desk.states(), len(office.got))


async def test_a_server_that_never_answers_the_message_leaves_it_uncertain(
    world: World, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailer, "WHOLE", 0.5)
    office.hold = asyncio.Event()
    desk = Desk(world, settings(office))
    await reminded(world, desk)

    await desk.work()

    row = await desk.row()
    assert ("uncertain", "message: no answer in time") == (row.state, row.error)


async def test_a_server_that_is_silent_from_the_start_is_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail_server, "CONNECT", 0.3)
    gone = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        gone.set()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    async with server, open_office() as office:
        office.port = server.sockets[0].getsockname()[1]
        desk = Desk(world, settings(office))
        await reminded(world, desk)

        await desk.work()

        row = await desk.row()
        await gone.wait()
    assert ("pending", "connection: Timed out waiting for server ready message") == (row.state, row.error)


@pytest.mark.parametrize(
    "greeting",
    [
        pytest.param(b"", id="hangs up"),
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", id="is no mail server"),
        pytest.param(b"554 no\r\n", id="serves nobody"),
        pytest.param(b"220 " + b"x" * 40_000 + b"\r\n", id="babbles"),
    ],
)
async def test_a_server_that_will_not_speak_with_us_is_tried_again(world: World, greeting: bytes) -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server, open_office() as office:
        office.port = server.sockets[0].getsockname()[1]
        desk = Desk(world, settings(office))
        await reminded(world, desk)

        await desk.work()

    assert ["pending 1"] == await desk.states()
    assert (await desk.row()).error.startswith("connection: ")


async def test_the_waits_grow_until_there_is_no_time_left(world: World, office: Office) -> None:
    desk = Desk(world, settings(office, port=1))
    await reminded(world, desk)
    waits = []

    await desk.work()
    while (row := await desk.row()).state == "pending":
        waits.append((await desk.waits()).total_seconds())
        world.clock.advance(waits[-1])
        await desk.work()

    assert [30, 60, 120, 240, 480, 900, 900] == waits
    assert ("failed", 8) == (row.state, row.attempts)
    assert re.fullmatch(r"connection: .*; no time to try again", row.error)
