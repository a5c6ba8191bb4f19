"""Logs: one line of JSON per event, and no secret in any of them."""

from __future__ import annotations

import io
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from watcher.log import conceal, configure, scrub

if TYPE_CHECKING:
    from collections.abc import Iterator

CANARY = "c4n4ry-Xk9"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_of_json_with_level_and_time(stream: io.StringIO) -> None:
    configure(stream=stream)

    structlog.get_logger().info("chain.scanned", chain="bitcoin", height=7)

    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert {"event": "chain.scanned", "level": "info", "chain": "bitcoin", "height": 7} == line


def test_a_terminal_gets_readable_lines() -> None:
    terminal = Terminal()
    configure(stream=terminal)

    structlog.get_logger().info("chain.scanned", height=7)

    assert "chain.scanned" in terminal.getvalue()
    with pytest.raises(json.JSONDecodeError):
        json.loads(terminal.getvalue())


def test_what_is_below_the_level_is_left_out(stream: io.StringIO) -> None:
    configure(level="warning", stream=stream)

    structlog.get_logger().info("chain.scanned")

    assert [] == lines(stream)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"password": CANARY}, id="a password"),
        pytest.param({"webhook_secret": CANARY}, id="a secret"),
        pytest.param({"headers": {"Authorization": f"Bearer {CANARY}"}}, id="a header"),
        pytest.param({"note": f"sent Bearer {CANARY}"}, id="a bearer token in a text"),
        pytest.param({"api_key": CANARY}, id="an API key"),
        pytest.param({"note": f"dwk_{CANARY}"}, id="an API key inside a text"),
        pytest.param({"note": f"whsk_{CANARY}="}, id="a signing key inside a text"),
        pytest.param({"xpub": CANARY}, id="a public key"),
        pytest.param({"note": f"no account zpub{CANARY * 2}".replace("-", "")}, id="one inside a text"),
        pytest.param({"customer_email": CANARY}, id="a mail address"),
        pytest.param({"error": f"550 <{CANARY}@shop.example>: unknown"}, id="one inside a text of a server"),
        pytest.param({"idempotency_key": CANARY}, id="an idempotency key"),
        pytest.param({"url": f"http://user:{CANARY}@127.0.0.1:8332/"}, id="a URL"),
        pytest.param({"url": f"http://{CANARY}@127.0.0.1:8332/"}, id="a URL with a user only"),
        pytest.param({"error": f"cannot reach http://u:{CANARY}@h/: refused"}, id="a URL inside a text"),
        pytest.param({"urls": [f"http://u:p@{CANARY}@h/"]}, id="a URL with two at signs, in a list"),
        pytest.param({"error": OSError(f"http://u:{CANARY}@h/")}, id="an exception as a value"),
        pytest.param({"deep": {"rpc": ({"url": f"http://u:{CANARY}@h"},)}}, id="deep inside"),
    ],
)
def test_h137_no_secret_reaches_the_log(stream: io.StringIO, fields: dict[str, Any]) -> None:
    configure(level="debug", stream=stream)

    structlog.get_logger().error("node.failed", **fields)

    assert len(lines(stream)) == 1
    assert CANARY not in stream.getvalue()


def test_h137_what_the_configuration_calls_secret_is_taken_out_of_everything(stream: io.StringIO) -> None:
    configure(stream=stream)
    conceal([CANARY, "", "ab"])
    try:
        structlog.get_logger().error("node.failed", reason=f"no project {CANARY}", path=["ab", f"/{CANARY}"])
        logging.getLogger("aiohttp.client").error("url %s", f"https://node.example/v3/{CANARY}")
    finally:
        conceal([])

    assert CANARY not in stream.getvalue()
    assert "no project [redacted]" in stream.getvalue()
    assert "ab" in lines(stream)[0]["path"]


def test_h137_no_secret_reaches_the_log_through_a_traceback(stream: io.StringIO) -> None:
    configure(stream=stream)

    try:
        raise OSError(f"cannot reach http://user:{CANARY}@127.0.0.1/")  # noqa: TRY301 - to have a traceback
    except OSError:
        structlog.get_logger().exception("node.failed")

    assert "OSError" in lines(stream)[0]["exception"]
    assert CANARY not in stream.getvalue()


def test_h137_no_secret_reaches_the_log_through_a_library(stream: io.StringIO) -> None:
    configure(stream=stream)

    logging.getLogger("aiohttp.client").error("cannot reach %s", f"http://user:{CANARY}@h/")

    assert lines(stream)[0]["event"] == "cannot reach http://h/"


@pytest.mark.parametrize("name", ["web3.providers", "aiohttp.access", "sqlalchemy.engine", "aiosqlite"])
def test_libraries_say_nothing_below_a_warning(stream: io.StringIO, name: str) -> None:
    configure(level="debug", stream=stream)

    logging.getLogger(name).info("body")
    logging.getLogger(name).warning("trouble")

    assert ["trouble"] == [line["event"] for line in lines(stream)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("http://u:p@host:1/x?y=1", "http://host:1/x?y=1", id="credentials"),
        pytest.param("http://host/a@b", "http://host/a@b", id="an at sign in a path"),
        pytest.param("ann@shop.example", "ann@shop.example", id="a mail address"),
        pytest.param("whsec_MfKQ9r8GKYqrTwjU", "whsec_[redacted]", id="a webhook secret"),
        pytest.param(f"key xprv9s21{'A' * 30}", "key xprv[redacted]", id="a private key"),
        pytest.param("xpub6C" + "A" * 30, "xpub6C" + "A" * 30, id="a public key"),
    ],
)
def test_only_what_is_secret_is_taken_out_of_a_text(text: str, expected: str) -> None:
    assert expected == scrub(text)


def test_control_characters_cannot_forge_a_line(stream: io.StringIO) -> None:
    configure(stream=stream)

    structlog.get_logger().info("invoice.created", description='x"}\n{"event": "forged"}')

    assert ["invoice.created"] == [line["event"] for line in lines(stream)]
