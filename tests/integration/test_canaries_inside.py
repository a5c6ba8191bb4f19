"""Secrets stay inside where a configuration is wrong, a handler has a bug, or the database an error."""

from __future__ import annotations

import io
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from sqlalchemy import insert

from watcher import endpoints, log
from watcher.cli.main import run
from watcher.tables import ENDPOINT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from api_server import Api

CANARY = "c4n4ryXk9Zq"
BASE = 'rpc = ["http://127.0.0.1:1"]'
WRONG = {
    "a node's URL": f'[chains.a]\npreset = "ethereum"\nrpc = ["ftp://u:{CANARY}@h/{CANARY}?k={CANARY}"]',
    "a node's password": f'[chains.a]\npreset = "ethereum"\nrpc = ["http://u:{CANARY}#@h:port"]',
    "a node that is no list": f'[chains.a]\npreset = "ethereum"\nrpc = "http://u:{CANARY}@h"',
    "a public key": f'[chains.a]\npreset = "ethereum"\n{BASE}\nxpub = "xpub{CANARY}"',
    "a private key": f'[chains.a]\npreset = "ethereum"\n{BASE}\nxpub = "xprv9s21{CANARY}"',
    "a webhook secret": f'[webhooks]\nsecret = "{CANARY}"',
    "a secret of the wrong type": f'[webhooks]\nsecret = {{ x = "{CANARY}" }}',
    "an endpoint's secret": f'[[webhooks.endpoints]]\nurl = "https://s.example"\nsecret = ["whsec_{CANARY}"]',
    "an endpoint's format": (
        f'[[webhooks.endpoints]]\nurl = "https://shop.example/{CANARY}"\nformat = "x"\nsecret = "{CANARY}"'
    ),
    "an endpoint's URL": f'[[webhooks.endpoints]]\nurl = "ftp://shop.example/{CANARY}"',
    "an endpoint's user": f'[[webhooks.endpoints]]\nurl = "https://u:{CANARY}@shop.example/"',
    "an endpoint inside": f'[[webhooks.endpoints]]\nurl = "http://10.0.0.1/{CANARY}"',
    "a mail password": f'[mail]\nhost = "m"\nsender = "pay@shop.example"\npassword = "{CANARY}"',
    "a mail password in clear": (
        f'[mail]\nhost = "m.example"\nsender = "pay@shop.example"\nsecurity = "none"\n'
        f'username = "u"\npassword = "{CANARY}"'
    ),
    "a mail password that is a number": f'[mail]\nhost = "m"\nsender = "{CANARY}"\npassword = 7',
}  # fmt: skip


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG.keys())
def test_h137_a_wrong_configuration_is_told_without_the_value(
    tmp_path: Path, text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "watcher.toml"
    file.write_text(text)

    status = run(["--config", str(file), "run"])

    out, err = capfd.readouterr()
    assert 2 == status, err
    assert CANARY not in out + err
    assert 1 == len(err.splitlines())


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    text = io.StringIO()
    log.configure("debug", "json", text)
    structlog.configure(cache_logger_on_first_use=False)  # else later tests could not capture what is logged
    yield text
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


async def _clash(conn: Any, draft: Any, *_: Any) -> dict[str, Any]:
    """Write what a unique key forbids: the database's error knows every value of the row."""
    values = {"id": "whk_1", "url": draft.url, "secrets": json.dumps([draft.secret]), "managed": "api"}
    for _ in range(2):
        await conn.execute(insert(ENDPOINT).values(**values, created_at=None))
    raise AssertionError


async def test_h137_a_bug_writes_down_where_it_is_and_no_value(
    api: Api, monkeypatch: pytest.MonkeyPatch, stream: io.StringIO
) -> None:
    monkeypatch.setattr(endpoints, "create", _clash)
    body = {"url": f"https://shop.example/{CANARY}", "secret": CANARY, "format": "oxapay"}
    reply = await api.post("/v1/webhooks", body, headers={"Idempotency-Key": CANARY})

    assert 500 == reply.status
    assert "IntegrityError" in stream.getvalue()
    assert "hidden due to hide_parameters" in stream.getvalue()
    assert CANARY not in stream.getvalue() + reply.body.decode()
