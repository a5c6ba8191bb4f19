"""The watcher inside another program, over a real node: its calls, its events, its end and its failures."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import structlog
from sqlalchemy import select

import public_keys
from chain_toml import anvil_chain
from daemon import COMMAND
from watcher import Locked, Refused, SettingsError, Status, Watcher, WatcherFailed, consumers
from watcher import settings as configuration
from watcher.actions import Actions
from watcher.sandbox.anvil import Anvil
from watcher.scanner import Scanner
from watcher.tables import CONSUMER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from watcher import Event, EventStream

ETHER = 10**18


@pytest.fixture(scope="module")
def anvil(anvil_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Anvil]:
    """One chain for all: each test has a database of its own, which begins at the head."""
    with Anvil(anvil_binary, tmp_path_factory.mktemp("anvil")) as node:
        yield node


def settings(folder: Path, anvil: Anvil, **server: Any) -> dict[str, Any]:
    """What a file would hold, as a program has it: a path, tuples."""
    return {
        "server": {"port": 0, **server},
        "database": {"url": f"sqlite:///{folder / 'watcher.db'}"},
        "chains": {
            "dev": {
                "kind": "evm",
                "chain_id": 31337,
                "native": "ETH",
                "rpc": (anvil.url,),
                "xpub": public_keys.account("m/44'/60'/0'"),
                "confirmations": 1,
                "poll_interval": 0.1,
                "stalled_after": 0,
            }
        },
    }


@asynccontextmanager
async def running(folder: Path, anvil: Anvil, **options: Any) -> AsyncIterator[Watcher]:
    """A watcher that is ready."""
    async with asyncio.timeout(20), Watcher(settings(folder, anvil), **options) as watcher:
        await watcher.ready()
        yield watcher


async def orders(watcher: Watcher, count: int, start: int = 0) -> None:
    for number in range(start, start + count):
        await watcher.create_invoice(chain="dev", asset="ETH", amount="1", order_id=f"order {number}")


async def read(stream: EventStream, count: int) -> list[Event]:
    return [await anext(stream) for _ in range(count)]


def names(events: list[Event]) -> list[str]:
    return [event.data["invoice"]["order_id"].removeprefix("order ") for event in events]


async def test_a_payment_is_seen_and_told(tmp_path: Path, anvil: Anvil) -> None:
    async with running(tmp_path, anvil) as watcher:
        invoice = await watcher.create_invoice(
            chain="dev", asset="ETH", amount=Decimal("1.50"), order_id="A-1001"
        )
        anvil.send(invoice.options[0].address, 15 * ETHER // 10)
        anvil.mine()
        seen = []
        async for event in watcher.events("gateway", types=["invoice.*"]):
            seen.append((event.type, event.invoice_id))
            await event.ack()
            if event.type == "invoice.paid":
                break
        paid = await watcher.invoice(invoice.id)

    assert ("invoice.created", invoice.id) == seen[0]
    assert ("invoice.paid", invoice.id) == seen[-1]
    assert (Status.PAID, "1.5", "A-1001") == (paid.status, paid.options[0].confirmed, paid.order_id)


async def test_the_merchants_decisions_are_calls(tmp_path: Path, anvil: Anvil) -> None:
    """One invoice extended and accepted, one refunded, one cancelled; each by whom the program names."""
    async with running(tmp_path, anvil) as watcher:
        first, second = [await watcher.create_invoice(chain="dev", asset="ETH", amount="2") for _ in range(2)]
        extended = await watcher.extend(first.id, seconds=7200, by="alice")
        accepted = await watcher.accept(first.id, without_payment=True, reason="a gift")
        cancelled = await watcher.cancel(second.id, sequence=second.sequence)
        third = await watcher.create_invoice(chain="dev", asset="ETH", amount="1")
        anvil.send(third.options[0].address, ETHER)
        anvil.mine()
        async with watcher.events("paid", types=["invoice.paid"]) as events:
            await read(events, 2)
        refund = await watcher.refund(third.id, address=anvil.accounts[1], by="bob")
        txid = anvil.send(refund.address, ETHER)
        anvil.mine()
        sent = await watcher.refund_sent(third.id, refund.id, txid=txid)

    assert extended.expires_at > first.expires_at
    assert [Status.PAID, Status.CANCELLED] == [accepted.status, cancelled.status]
    assert ("bob", "1", True) == (refund.by, refund.amount, refund.unsigned is not None)
    assert txid == sent.txid


async def test_a_standing_address_is_made_and_archived(tmp_path: Path, anvil: Anvil) -> None:
    async with running(tmp_path, anvil) as watcher:
        address = await watcher.create_address(chain="dev", label="customer 7", metadata={"id": 7})
        anvil.send(address.address, ETHER)
        anvil.mine()
        async with watcher.events("deposits", types=["deposit.confirmed"]) as events:
            told = await anext(events)
        await watcher.archive_address(address.id)

    assert {"id": 7} == told.data["address"]["metadata"]
    assert "1" == told.data["payment"]["amount"]


REFUSED: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "a misspelt field": ({"amout": "1"}, "unknown_field", "amout"),
    "a float": ({"amount": 1.5}, "invalid", "amount"),
    "no number": ({"amount": Decimal("NaN")}, "invalid", "amount"),
    "an asset that is not there": ({"asset": "XYZ"}, "unknown_asset", "asset"),
    "what is no JSON": ({"metadata": {"a": object()}}, "invalid", None),
    "a number that JSON has not": ({"metadata": {"a": float("nan")}}, "malformed_json", None),
    "a broken key": ({"idempotency_key": "two words"}, "invalid", "idempotency_key"),
    "somebody else's name": ({"by": "policy"}, "invalid", "by"),
}


async def test_what_is_wrong_is_refused_by_its_name(tmp_path: Path, anvil: Anvil) -> None:
    said = {}
    async with running(tmp_path, anvil) as watcher:
        for case, (fields, _, _) in REFUSED.items():
            wanted: Any = {"chain": "dev", "asset": "ETH", "amount": "1", **fields}
            with pytest.raises(Refused) as refusal:
                await watcher.create_invoice(**wanted)
            said[case] = (refusal.value.code, refusal.value.field)

    assert {case: (code, field) for case, (_, code, field) in REFUSED.items()} == said


async def test_what_is_not_there_or_not_possible_is_refused(tmp_path: Path, anvil: Anvil) -> None:
    async with running(tmp_path, anvil) as watcher:
        invoice = await watcher.create_invoice(chain="dev", asset="ETH", amount="1")
        codes = []
        for call in (
            watcher.invoice("inv_none"),
            watcher.accept(invoice.id),
            watcher.cancel(invoice.id, sequence=0),
            watcher.ready("nowhere"),
            watcher.refund(invoice.id, address=anvil.accounts[1]),
        ):
            with pytest.raises(Refused) as refusal:
                await call
            codes.append((refusal.value.status, refusal.value.code))

    assert [404, 409, 409, 422, 409] == [status for status, _ in codes], codes


async def test_a_call_with_the_same_key_gives_the_same_invoice(tmp_path: Path, anvil: Anvil) -> None:
    async with running(tmp_path, anvil) as watcher:
        made = [
            await watcher.create_invoice(chain="dev", asset="ETH", amount="1", idempotency_key="A-1")
            for _ in range(2)
        ]
        with pytest.raises(Refused) as refusal:
            await watcher.create_invoice(chain="dev", asset="ETH", amount="2", idempotency_key="A-1")

    assert made[0] == made[1]
    assert "idempotency_conflict" == refusal.value.code


# --- events


async def test_what_is_not_acknowledged_comes_again_in_order_under_the_same_id(
    tmp_path: Path, anvil: Anvil
) -> None:
    async with running(tmp_path, anvil) as watcher:
        await orders(watcher, 4)
        async with watcher.events("gateway") as events:
            before = await read(events, 4)
            await before[0].ack()
    async with running(tmp_path, anvil) as watcher, watcher.events("gateway") as events:
        after = await read(events, 3)

    assert [(e.seq, e.id, e.body) for e in before[1:]] == [(e.seq, e.id, e.body) for e in after]


async def test_the_place_is_below_the_oldest_that_is_not_acknowledged(tmp_path: Path, anvil: Anvil) -> None:
    async with running(tmp_path, anvil) as watcher:
        await orders(watcher, 5)
        async with watcher.events("gateway") as events:
            got = await read(events, 5)
            for number in (4, 2, 0):
                await got[number].ack()
                await got[number].ack()
        async with watcher.events("gateway") as events:
            again = names(await read(events, 2))
    async with running(tmp_path, anvil) as watcher, watcher.events("gateway") as events:
        restarted = names(await read(events, 4))

    assert ["1", "3"] == again, "within one process it is known what was acknowledged"
    assert ["1", "2", "3", "4"] == restarted


async def test_many_acknowledgements_at_once_are_written_down(tmp_path: Path, anvil: Anvil) -> None:
    async with running(tmp_path, anvil) as watcher:
        await orders(watcher, 10)
        async with watcher.events("gateway") as events:
            got = await read(events, 10)
            await asyncio.gather(*(event.ack() for event in reversed(got)))
    async with running(tmp_path, anvil) as watcher, watcher.events("gateway") as events:
        await orders(watcher, 1, start=10)
        following = names([await anext(events)])

    assert ["10"] == following


async def test_a_new_reader_begins_at_the_beginning_or_now(tmp_path: Path, anvil: Anvil) -> None:
    async with running(tmp_path, anvil) as watcher:
        await orders(watcher, 1)
        async with watcher.events("all") as all_, watcher.events("new", start="now") as new:
            waiting = asyncio.create_task(anext(new))
            await settled(watcher, "new")
            await orders(watcher, 1, start=1)
            found = names([await anext(all_), await waiting])
    async with running(tmp_path, anvil) as watcher, watcher.events("new", start="now") as new:
        found += names([await anext(new)])

    assert ["0", "1", "1"] == found, "a known reader goes on from its place"


async def settled(watcher: Watcher, name: str) -> None:
    """Wait until a reader's place is written down."""
    async with asyncio.timeout(10):
        while True:
            async with watcher._inside().app.store.read() as conn:
                if await conn.scalar(select(CONSUMER.c.seq).where(CONSUMER.c.name == name)) is not None:
                    return
            await asyncio.sleep(0.01)


async def test_only_the_types_that_are_asked_for_come(tmp_path: Path, anvil: Anvil) -> None:
    async with running(tmp_path, anvil) as watcher:
        await orders(watcher, 3)
        invoice = await watcher.create_invoice(chain="dev", asset="ETH", amount="1")
        await watcher.cancel(invoice.id)
        async with watcher.events("some", types=["invoice.cancelled", "deposit.*"]) as events:
            event = await anext(events)
            await event.ack()
    async with running(tmp_path, anvil) as watcher, watcher.events("some") as events:
        await orders(watcher, 1, start=9)
        following = names([await anext(events)])

    assert "invoice.cancelled" == event.type
    assert ["9"] == following, "what was passed over is behind the place"


async def test_no_more_than_so_many_are_given_before_an_acknowledgement(tmp_path: Path, anvil: Anvil) -> None:
    async with running(tmp_path, anvil) as watcher:
        await orders(watcher, 4)
        async with watcher.events("gateway", in_flight=2) as events:
            got = await read(events, 2)
            third = asyncio.create_task(anext(events))
            await orders(watcher, 1, start=4)
            blocked = not third.done()
            await got[0].ack()
            got.append(await third)

    assert blocked
    assert ["0", "1", "2"] == names(got)


async def test_a_second_iterator_of_a_name_is_refused_until_the_first_is_gone(
    tmp_path: Path, anvil: Anvil
) -> None:
    async with running(tmp_path, anvil) as watcher:
        await orders(watcher, 2)
        async with watcher.events("gateway"):
            with pytest.raises(Refused) as refusal:
                watcher.events("gateway")
        async for event in watcher.events("gateway"):
            await event.ack()
            break
        async for event in watcher.events("gateway"):
            assert ["1"] == names([event])
            break
        with pytest.raises(Refused) as wrong:
            watcher.events("gateway", types=["invoice.payed"])

    assert ("consumer_busy", 409) == (refusal.value.code, refusal.value.status)
    assert "unknown_event" == wrong.value.code


async def test_several_tasks_share_one_stream(tmp_path: Path, anvil: Anvil) -> None:
    """Each event goes to one of them, also while the stream is closed under one that waits."""
    got: list[str] = []

    async def work(stream: EventStream) -> None:
        async for event in stream:
            got.extend(names([event]))
            await event.ack()

    async with running(tmp_path, anvil) as watcher:
        stream = watcher.events("gateway")
        workers = [asyncio.create_task(work(stream)) for _ in range(3)]
        await orders(watcher, 12)
        async with asyncio.timeout(10):
            while len(got) < 12:  # noqa: ASYNC110 - what is awaited happens elsewhere
                await asyncio.sleep(0.01)
        await stream.aclose()
        await asyncio.gather(*workers)

    assert [str(number) for number in range(12)] == sorted(got, key=int)


async def test_a_stream_that_is_closed_while_it_reads_disturbs_no_other(
    tmp_path: Path, anvil: Anvil, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, gate, following = asyncio.Event(), asyncio.Event(), consumers.following

    async def slow(*arguments: Any) -> Any:
        found = await following(*arguments)
        if not reading.is_set():
            reading.set()
            await gate.wait()
        return found

    monkeypatch.setattr(consumers, "following", slow)
    async with running(tmp_path, anvil) as watcher:
        await orders(watcher, 3)
        first = watcher.events("gateway")
        old = asyncio.create_task(anext(first))
        await reading.wait()
        await first.aclose()
        async with watcher.events("gateway") as second:
            got = await read(second, 2)
            gate.set()
            with pytest.raises(StopAsyncIteration):
                await old
            await orders(watcher, 1, start=3)
            got += await read(second, 2)

    assert ["0", "1", "2", "3"] == names(got)


# --- beginning and end


async def test_everything_is_closed_at_the_end(tmp_path: Path, anvil: Anvil) -> None:
    """Started twice, one after another: no task, descriptor, thread, socket file or lock stays behind."""
    async with running(tmp_path, anvil, http=True):
        pass
    before = _held()
    async with running(tmp_path, anvil, http=True) as watcher:
        waiting = asyncio.create_task(anext(watcher.events("gateway")))
        await settled(watcher, "gateway")
    with pytest.raises(StopAsyncIteration):
        await waiting

    async with asyncio.timeout(30):  # a thread that was told to end may take a moment
        while more := [(was, now) for was, now in zip(before, _held(), strict=True) if now > was]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert [] == more
    assert not (tmp_path / "watcher.db.sock").exists()


def _held() -> tuple[int, int, int]:
    """Count tasks, descriptors and threads. What other tests left may end meanwhile: only more is ours."""
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    threads = [t for t in threading.enumerate() if not t.name.startswith("asyncio_")]
    return len(tasks), len(os.listdir("/proc/self/fd")), len(threads)  # noqa: PTH208 - numbers, not paths


async def test_what_belongs_to_the_host_is_left_alone(
    tmp_path: Path, anvil: Anvil, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody listens"))
    monkeypatch.setenv("WATCHDOG_USEC", "2000000")
    before = _hosts()
    async with running(tmp_path, anvil):
        during = _hosts()

    assert before == during == _hosts()


def _hosts() -> list[object]:
    root = logging.getLogger()
    handlers = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE)]
    mask = os.umask(0o22)
    os.umask(mask)
    place = (sys.excepthook, os.getcwd(), mask)  # noqa: PTH109 - as text
    return [root.level, tuple(root.handlers), structlog.is_configured(), handlers, place]


async def test_two_databases_at_once(tmp_path: Path, anvil: Anvil) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    async with running(one, anvil) as first, running(two, anvil) as second:
        await orders(first, 1)
        await orders(second, 1, start=1)
        async with first.events("gateway") as here, second.events("gateway") as there:
            found = names([await anext(here), await anext(there)])

    assert ["0", "1"] == found


async def test_h121_a_second_one_on_the_same_database_is_told_who_has_it(
    tmp_path: Path, anvil: Anvil
) -> None:
    async with running(tmp_path, anvil) as watcher:
        await orders(watcher, 1)
        with pytest.raises(Locked, match=f"process id {os.getpid()}"):
            async with Watcher(settings(tmp_path, anvil)):
                pass
        await orders(watcher, 1)


@pytest.mark.parametrize("http", [pytest.param(True, id="with HTTP"), pytest.param(False, id="without")])
async def test_the_api_is_served_where_it_is_asked_for(tmp_path: Path, anvil: Anvil, *, http: bool) -> None:
    async with running(tmp_path, anvil, http=http) as watcher, aiohttp.ClientSession() as session:
        assert http is bool(watcher.port)
        if http:
            async with session.get(f"http://127.0.0.1:{watcher.port}/readyz") as answer:
                assert 200 == answer.status


async def test_commands_reach_the_embedded_one_through_its_socket(tmp_path: Path, anvil: Anvil) -> None:
    file = tmp_path / "watcher.toml"
    file.write_text(anvil_chain(anvil, poll=0.1))
    async with asyncio.timeout(60), Watcher(file) as watcher:
        await watcher.ready()
        line = [str(COMMAND), "--config", str(file), "invoice", "create", "--chain", "dev"]
        command = await asyncio.create_subprocess_exec(
            *line, "--asset", "ETH", "--amount", "1", stdout=asyncio.subprocess.PIPE
        )
        said, _ = await command.communicate()
        async with watcher.events("gateway") as events:
            event = await anext(events)

    assert 0 == command.returncode
    assert event.invoice_id is not None
    assert event.invoice_id in said.decode()


async def test_a_wrong_configuration_is_one_line(tmp_path: Path, anvil: Anvil) -> None:
    wrong = settings(tmp_path, anvil, prot=1)
    with pytest.raises(SettingsError, match=r'^settings: server.prot: unknown key; did you mean "port"\?$'):
        async with Watcher(wrong):
            pass


async def test_settings_that_were_read_already_are_taken(tmp_path: Path, anvil: Anvil) -> None:
    known = configuration.of_mapping(settings(tmp_path, anvil))
    async with Watcher(known) as watcher:
        assert known is watcher.settings


async def test_outside_of_its_block_it_says_so(tmp_path: Path, anvil: Anvil) -> None:
    watcher = Watcher(settings(tmp_path, anvil))
    for _ in range(2):  # before, and after the first time
        with pytest.raises(RuntimeError, match="async with"):
            await watcher.invoice("inv_1")
        with pytest.raises(RuntimeError, match="async with"):
            watcher.events("gateway")
        async with watcher:
            with pytest.raises(RuntimeError, match="runs already"):
                await watcher.__aenter__()


async def test_an_error_of_the_host_comes_out_as_it_is(tmp_path: Path, anvil: Anvil) -> None:
    with pytest.raises(ZeroDivisionError):
        async with Watcher(settings(tmp_path, anvil)):
            raise ZeroDivisionError


async def test_a_cancelled_host_ends_it_and_stays_cancelled(tmp_path: Path, anvil: Anvil) -> None:
    began = asyncio.Event()

    async def host() -> None:
        async with Watcher(settings(tmp_path, anvil)):
            began.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(host())
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not (tmp_path / "watcher.db.sock").exists()


async def test_a_start_that_is_given_up_leaves_nothing_behind(tmp_path: Path, anvil: Anvil) -> None:
    async def host() -> None:
        async with Watcher(settings(tmp_path, anvil)):
            await asyncio.sleep(60)

    before = len(asyncio.all_tasks())
    for turns in (0, 1, 2, 3, 5, 8, 13, 40):
        task = asyncio.create_task(host())
        for _ in range(turns):
            await asyncio.sleep(0.002)
        task.cancel()
        await asyncio.wait({task})

    assert before == len(asyncio.all_tasks())
    async with running(tmp_path, anvil):
        pass


async def test_a_call_under_way_is_finished_before_the_end(
    tmp_path: Path, anvil: Anvil, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, terms = asyncio.Event(), Actions.terms

    async def slow(*arguments: Any) -> Any:
        await gate.wait()
        return await terms(*arguments)

    monkeypatch.setattr(Actions, "terms", slow)
    async with running(tmp_path, anvil) as watcher:
        task = asyncio.create_task(watcher.create_invoice(chain="dev", asset="ETH", amount="1"))
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(0.2, gate.set)
    ended = task.done()
    made = await task

    assert ended
    assert Status.PENDING == made.status


async def test_what_keeps_it_from_starting_is_raised_as_it_is(tmp_path: Path, anvil: Anvil) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        watcher = Watcher(settings(tmp_path, anvil, port=taken.getsockname()[1]), http=True)
        with pytest.raises(OSError, match="address already in use"):
            async with watcher:
                pass
    async with watcher:
        pass


# --- when something dies


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Once this is set, the chain's loop dies of what nobody expects."""
    event, turn = asyncio.Event(), Scanner.turn

    async def dies(self: Scanner) -> float:
        if event.is_set():
            raise LookupError("boom")
        return await turn(self)

    monkeypatch.setattr(Scanner, "turn", dies)
    return event


async def test_h124_a_loop_that_dies_interrupts_the_host(
    tmp_path: Path, anvil: Anvil, dying: asyncio.Event
) -> None:
    interruptions: list[str] = []

    async def host() -> None:
        async with running(tmp_path, anvil):
            dying.set()
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError as error:
                interruptions.append(str(error))
                raise

    with pytest.raises(WatcherFailed, match="boom") as failure:
        await host()

    task = asyncio.current_task()
    assert task is not None
    assert ["the watcher ended"] == interruptions
    assert failure.value.__cause__ is not None
    assert 0 == task.cancelling(), "the host itself was not cancelled"


async def test_h124_iterators_and_calls_elsewhere_learn_of_it_too(
    tmp_path: Path, anvil: Anvil, dying: asyncio.Event
) -> None:
    """One that waits for an event, and one that waits for room; a call afterwards."""
    ended: list[BaseException | None] = []

    async def consume(watcher: Watcher, name: str) -> None:
        async for _ in watcher.events(name, in_flight=1):
            pass

    async def host() -> None:
        async with running(tmp_path, anvil) as watcher:
            tasks = [asyncio.create_task(consume(watcher, "empty"))]
            await settled(watcher, "empty")
            await orders(watcher, 1)
            tasks.append(asyncio.create_task(consume(watcher, "full")))
            await settled(watcher, "full")
            dying.set()
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(60)
            ended.extend(await asyncio.gather(*tasks, watcher.invoice("inv_1"), return_exceptions=True))

    with pytest.raises(WatcherFailed, match="boom"):
        await host()

    assert [WatcherFailed] * 3 == [type(one) for one in ended]


async def test_h124_a_failure_is_not_lost_where_the_host_hides_the_interruption(
    tmp_path: Path, anvil: Anvil, dying: asyncio.Event
) -> None:
    async def host() -> None:
        async with running(tmp_path, anvil):
            dying.set()
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(60)

    with pytest.raises(WatcherFailed):
        await host()
    await asyncio.sleep(0)  # no cancellation is left over
