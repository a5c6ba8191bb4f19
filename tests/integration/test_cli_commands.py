"""The commands as people use them: beside a running daemon, and without one."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from command_line import BOTH, as_json, configure, daemon, done, watcher
from watcher.lock import own

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from watcher.sandbox.anvil import Anvil

CREATE = ("invoice", "create", "--chain", "ethereum", "--asset", "ETH", "--amount", "0.50")


@BOTH
def test_a_key_stands_alone_on_the_first_line_and_can_be_revoked(
    tmp_path: Path, beside: Callable[[Path], Any]
) -> None:
    configure(tmp_path)
    with beside(tmp_path):
        key = done("key", "create", "shop", "--scope", "read", cwd=tmp_path, quiet=False).splitlines()
        done("key", "revoke", "shop", cwd=tmp_path)
        (listed,) = as_json("key", "list", cwd=tmp_path)["data"]

    assert [True] == [line.startswith("dwk_") and " " not in line for line in key]
    assert ("shop", "read", True) == (listed["name"], listed["scope"], listed["revoked_at"] is not None)


def test_an_invoice_is_made_listed_shown_and_explained(tmp_path: Path, anvil: Anvil) -> None:
    configure(tmp_path, anvil)
    made = as_json(*CREATE, "--order-id", "A-1", "--expires-in", "600", cwd=tmp_path)
    with daemon(tmp_path):
        id_, option = made["id"], made["options"][0]

        assert ("0.5", "A-1") == (option["amount"], made["order_id"])
        listed = as_json("invoice", "list", "--order-id", "A-1", cwd=tmp_path)["data"]
        assert [id_] == [one["id"] for one in listed]
        for words, expected in (("a-1", [id_]), ("a-2", [])):
            found = as_json("invoice", "list", "--search", words, cwd=tmp_path)["data"]
            assert expected == [one["id"] for one in found]
        assert made == as_json("invoice", "show", id_, cwd=tmp_path)
        assert "pending" == as_json("explain", id_, cwd=tmp_path)["status"]
        for words in (("invoice", "list"), ("invoice", "show", id_), ("explain", id_)):
            assert id_ in done(*words, cwd=tmp_path)
        shown = done(*CREATE, cwd=tmp_path)
        for what in ("id ", "address ", "0.5 ETH", "uri ", "checkout "):
            assert what in shown


def test_an_invoice_can_be_given_as_json_with_several_ways_to_pay(tmp_path: Path, anvil: Anvil) -> None:
    configure(tmp_path, anvil)
    body = {"options": [{"chain": "ethereum", "asset": "ETH", "amount": "1"}], "metadata": {"a": 1}}

    result = watcher("invoice", "create", "--body", "-", "--json", cwd=tmp_path, stdin=json.dumps(body))

    assert {"a": 1} == json.loads(result.stdout)["metadata"]


def test_an_invoice_on_a_chain_that_was_never_reached_is_refused(tmp_path: Path) -> None:
    configure(tmp_path)

    words = ("--chain", "bitcoin", "--asset", "BTC", "--amount", "1")
    result = watcher("invoice", "create", *words, cwd=tmp_path)

    assert (1, 1) == (result.returncode, len(result.stderr.splitlines())), result.stderr
    assert "never reached" in result.stderr


def test_an_endpoint_is_added_listed_rotated_and_removed(tmp_path: Path) -> None:
    configure(tmp_path)
    with daemon(tmp_path):
        added = done("webhook", "add", "https://shop.example/hooks", "--event", "invoice.paid", cwd=tmp_path)
        (listed,) = as_json("webhook", "list", cwd=tmp_path)["data"]
        rotated = done("webhook", "rotate", listed["id"], "--overlap", "60", cwd=tmp_path, quiet=False)
        done("webhook", "remove", listed["id"], cwd=tmp_path)

        assert "whsec_" in added
        assert ["invoice.paid"] == listed["events"]
        assert rotated.startswith("whsec_")
        assert [] == as_json("webhook", "list", cwd=tmp_path)["data"]


def test_a_secret_can_come_from_standard_input(tmp_path: Path) -> None:
    configure(tmp_path)

    secret = f"whsec_{'B' * 40}"

    result = watcher(
        "webhook", "add", "https://s.example/", "--secret", "-", "--json", cwd=tmp_path, stdin=f"{secret}\n"
    )

    assert secret == json.loads(result.stdout)["secret"]


@pytest.fixture
async def shop() -> AsyncIterator[tuple[str, list[str]]]:
    """Where a receiver listens that takes everything but what comes to /no, and the ids that it was sent."""
    ids: list[str] = []

    async def take(request: web.Request) -> web.Response:
        ids.append(request.headers["webhook-id"])
        return web.Response(status=404 if request.path == "/no" else 204)

    app = web.Application()
    app.router.add_post("/{any:.*}", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}", ids
    await runner.cleanup()


async def test_a_test_webhook_tells_what_came_of_it_and_can_be_sent_again(
    tmp_path: Path, shop: tuple[str, list[str]]
) -> None:
    url, ids = shop
    configure(tmp_path)
    with daemon(tmp_path):
        good, bad = [(await _json("webhook", "add", url + path, cwd=tmp_path))["id"] for path in ("/", "/no")]
        taken = await asyncio.to_thread(watcher, "webhook", "test", good, cwd=tmp_path)
        refused = await asyncio.to_thread(watcher, "webhook", "test", bad, cwd=tmp_path)
        (delivery,) = (await _json("delivery", "list", "--webhook", good, cwd=tmp_path))["data"]
        again = await asyncio.to_thread(watcher, "delivery", "redeliver", delivery["id"], cwd=tmp_path)
        async with asyncio.timeout(20):
            while ids.count(delivery["event_id"]) < 2:  # noqa: ASYNC110 - a process delivers
                await asyncio.sleep(0.05)

    assert (0, True) == (taken.returncode, taken.stdout.startswith("delivered: status 204"))
    assert (1, True) == (refused.returncode, refused.stderr.startswith("not delivered: status 404"))
    assert (0, "") == (again.returncode, again.stderr)


async def _json(*words: str, cwd: Path) -> Any:
    return await asyncio.to_thread(as_json, *words, cwd=cwd)


def test_blocks_are_read_again_up_to_what_was_read(tmp_path: Path, anvil: Anvil) -> None:
    configure(tmp_path, anvil)
    anvil.mine(5)
    done(*CREATE, cwd=tmp_path)

    told = done("rescan", "ethereum", "--from", "2", "--to", "4", cwd=tmp_path)

    assert "blocks 2 to 4 of ethereum will be read again when the daemon runs\n" == told


UNKNOWN = [
    pytest.param(["invoice", "show", "inv_0"], id="an invoice"),
    pytest.param(["explain", "inv_0"], id="an invoice to explain"),
    pytest.param(["key", "revoke", "nobody"], id="a key"),
    pytest.param(["webhook", "test", "whk_0"], id="an endpoint to test"),
    pytest.param(["webhook", "remove", "whk_0"], id="an endpoint to remove"),
    pytest.param(["delivery", "redeliver", "dlv_0"], id="a delivery"),
    pytest.param(["rescan", "moon", "--from", "1"], id="a chain"),
    pytest.param(["invoice", "show", "../keys?x=ä"], id="what is no id at all"),
]


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("daemon")
    configure(folder)
    with daemon(folder):
        yield folder


@pytest.mark.parametrize("words", UNKNOWN)
def test_what_is_unknown_is_one_line_and_status_1(known: Path, words: list[str]) -> None:
    result = watcher(*words, cwd=known)

    assert (1, "", 1) == (result.returncode, result.stdout, len(result.stderr.splitlines())), result.stderr


EMPTY = [("key", "list"), ("invoice", "list"), ("webhook", "list"), ("delivery", "list")]


@pytest.mark.parametrize("words", EMPTY, ids=" ".join)
def test_every_list_can_be_empty_and_takes_json(known: Path, words: tuple[str, ...]) -> None:
    assert {"data": [], "next": None} == as_json(*words, cwd=known)
    assert done(*words, cwd=known).startswith("no ")


def test_a_table_in_a_pipe_keeps_each_value_whole(tmp_path: Path) -> None:
    configure(tmp_path)
    url = f"https://shop.example/{'x' * 300}"
    done("webhook", "add", url, cwd=tmp_path)

    assert url in done("webhook", "list", cwd=tmp_path)


def test_a_leftover_socket_does_not_keep_commands_from_working(tmp_path: Path) -> None:
    configure(tmp_path)
    with daemon(tmp_path) as process:
        process.process.kill()
        process.process.wait()

    assert (tmp_path / "watcher.db.sock").exists()
    assert done("key", "create", "shop", cwd=tmp_path, quiet=False).startswith("dwk_")


def test_a_lock_without_an_answer_names_who_holds_it(tmp_path: Path) -> None:
    configure(tmp_path)
    with own(tmp_path / "watcher.db"):
        result = watcher("key", "list", cwd=tmp_path)

    assert (1, 1) == (result.returncode, len(result.stderr.splitlines()))
    assert f"process id {os.getpid()}" in result.stderr


def test_help_and_version_need_no_configuration(tmp_path: Path) -> None:
    assert "invoice" in done("--help", cwd=tmp_path)
    assert done("--version", cwd=tmp_path).startswith("deposit-watcher ")
