"""Hazards 128 to 131: whatever URL, name or redirect leads inside, no connection is made there.

Through the real notifier, on real sockets. The canaries count what they accept; beside them every address
that the sender dials is noted, and none but the one that is allowed may be among them.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert

from egress_canaries import OUTSIDE, Canary, canaries, private_address, signpost
from fake_clock import FakeClock
from hostile_urls import Hostile, corpus
from outbox_db import NOW, SECRET, OutboxDb, event
from running_notifier import Daemon, running
from watcher import lanes, signing
from watcher.claims import Claim
from watcher.egress import refusal
from watcher.errors import Refused
from watcher.receivers import Rules, check_url
from watcher.sending import Sender
from watcher.tables import ENDPOINT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from watcher.results import Result

PRIVATE = private_address()
HOSTILE = corpus(PRIVATE or "10.9.8.7")
ALLOWED = (ip_network(f"{OUTSIDE}/32"),)
REDIRECTS = (301, 302, 303, 307, 308)


@dataclass
class Names:
    """Stands for the system's resolver. A name that it does not know leads to a canary."""

    leads: dict[str, list[str]] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._real = socket.getaddrinfo

    def look_up(self, host: str, port: int, **named: Any) -> list[Any]:
        """Answer as getaddrinfo does: what is an address for the C library is one here."""
        named["flags"] = socket.AI_NUMERICHOST
        self.asked[host] += 1
        try:
            return list(self._real(host, port, **named))
        except (OSError, UnicodeError):
            known = self.leads.get(host, ["127.0.0.1", "::1"])
            return [one for address in known for one in self._real(address, port, **named)]


@dataclass
class Scene:
    """The canaries, the names, and what was dialled."""

    canaries: list[Canary]
    names: Names
    dialled: list[str]

    @property
    def port(self) -> int:
        return self.canaries[0].port

    async def assert_quiet(self) -> None:
        """No canary accepted anything, and nothing was dialled that the guard refuses."""
        await asyncio.sleep(0)
        for canary in self.canaries:
            canary.take()
        assert {one.address: 0 for one in self.canaries} == {
            one.address: one.accepted for one in self.canaries
        }
        assert [] == [one for one in self.dialled if refusal(ip_address(one), ALLOWED)]


@pytest.fixture
async def scene(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    loop, names, dialled = asyncio.get_running_loop(), Names(), list[str]()
    dial = loop.sock_connect

    async def note(sock: socket.socket, address: Any) -> None:
        dialled.append(address[0])
        if not refusal(ip_address(address[0]), ()):
            raise ConnectionRefusedError("a public address")
        await dial(sock, address)

    monkeypatch.setattr(loop, "sock_connect", note)
    monkeypatch.setattr(socket, "getaddrinfo", names.look_up)
    async with canaries("127.0.0.1", "::1", *([PRIVATE] if PRIVATE else [])) as listening:
        yield Scene(listening, names, dialled)


@pytest.fixture
async def db(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OutboxDb]:
    monkeypatch.setattr(lanes, "FIRST", 20)
    db = OutboxDb(tmp_path / "egress.db")
    await db.create()
    yield db
    await db.store.close()


async def _told(db: OutboxDb, urls: Sequence[str]) -> list[str]:
    """Send one event to each URL by the notifier; return the error of each, in the same order."""
    row = {"managed": "api", "state": "active", "format": "standard", "events": '["*"]', "chains": "[]"}
    row |= {"secrets": signing.stored([SECRET])}
    rows = [{**row, "id": f"whk_{n:05}", "url": url, "created_at": NOW} for n, url in enumerate(urls)]
    async with db.store.write() as conn:
        await conn.execute(insert(ENDPOINT), rows)
    async with running(Daemon(db, allow=ALLOWED)) as daemon, asyncio.timeout(60):
        await daemon.publish(event())
        while len(await db.attempts()) < len(urls):  # noqa: ASYNC110 - what is awaited happens elsewhere
            await asyncio.sleep(0.1)
    order = {one.id: one.endpoint_id for one in await db.deliveries()}
    errors = {order[one.delivery_id]: str(one.error) for one in await db.attempts()}
    return [errors[key] for key in sorted(errors)]


def test_the_corpus_is_large_and_no_url_stands_in_it_twice() -> None:
    assert len(HOSTILE) == len({one.url for one in HOSTILE}) >= 300


@pytest.mark.skipif(PRIVATE is None, reason="this machine has no private address beside its loopback")
def test_a_private_address_of_this_machine_is_among_the_canaries() -> None:
    assert PRIVATE
    assert "is a private address" in str(refusal(ip_address(PRIVATE), ()))


@pytest.mark.parametrize("one", HOSTILE, ids=lambda one: ascii(one.url))
def test_h128_what_is_no_name_is_refused_when_it_is_given(one: Hostile) -> None:
    rules = Rules(ALLOWED, ())
    if one.named:
        check_url(one.at(8080), rules)
        return
    with pytest.raises(Refused) as refused:
        check_url(one.at(8080), rules)
    assert (refused.value.code in {"invalid_url", "private_address"}, "\n" in refused.value.message) == (
        True,
        False,
    )


async def test_the_canaries_notice_a_dial_that_is_allowed(scene: Scene) -> None:
    everything = (ip_network("0.0.0.0/0"), ip_network("::/0"))
    for canary in scene.canaries:
        host = f"[{canary.address}]" if ":" in canary.address else canary.address
        async with Sender("1", everything, [SECRET], FakeClock()) as sender:
            await sender.send(_claim(f"http://{host}:{scene.port}/"))
            await sender.send(_claim(f"http://h.example:{scene.port}/"))
    await asyncio.sleep(0)

    assert all(one.accepted for one in scene.canaries)
    with pytest.raises(AssertionError):
        await scene.assert_quiet()


async def test_h128_no_hostile_url_reaches_inside_when_it_is_dialled(scene: Scene, db: OutboxDb) -> None:
    errors = await _told(db, [one.at(scene.port) for one in HOSTILE])

    await scene.assert_quiet()
    blocked = [error for error in errors if "blocked: " in error]
    others = {error for error in errors if "blocked: " not in error}
    assert {"the URL cannot be dialled"} == others
    assert len(blocked) > 200


async def test_h129_no_name_that_leads_inside_is_dialled(scene: Scene, db: OutboxDb) -> None:
    scene.names.leads = {f"h{n}.example": [one.address] for n, one in enumerate(HOSTILE)}
    errors = await _told(db, [f"http://h{n}.example:{scene.port}/" for n in range(len(HOSTILE))])

    await scene.assert_quiet()
    dialable = [error for error in errors if not error.startswith("cannot connect to")]
    assert all(error.startswith("blocked: ") for error in dialable)
    assert len(dialable) > 300


async def test_h130_no_redirect_is_followed_wherever_it_leads(scene: Scene, db: OutboxDb) -> None:
    async with signpost([one.at(scene.port) for one in HOSTILE]) as post:
        ways = [(status, n) for status in REDIRECTS for n in range(len(HOSTILE))]
        errors = await _told(db, [post.url(status, n) for status, n in ways])

    await scene.assert_quiet()
    expected = [f"the receiver answered {status}; redirects are not followed" for status, _ in ways]
    assert expected == errors
    assert sorted(f"/{status}/{n}" for status, n in ways) == sorted(post.asked)


def _claim(url: str) -> Claim:
    keys = {"token": "clm_1", "delivery_id": "dlv_1", "event_id": "evt_1", "event_seq": 1, "part": 0}
    rest = {"endpoint_id": "whk_1", "format": "standard", "secrets": "[]", "success_body": None}
    return Claim(**keys, **rest, subject=None, attempts=0, body=b"{}", url=url)  # type: ignore[arg-type]


async def _sent(sender: Sender, url: str) -> Result:
    return await sender.send(_claim(url))


def _inside() -> list[str]:
    """Return where names lead that the canaries would notice, and each mapped notation of it."""
    return ["127.0.0.1", "::1", "::ffff:127.0.0.1", *([PRIVATE] if PRIVATE else [])]


@pytest.mark.parametrize("inside", _inside())
async def test_h129_a_name_that_first_leads_outside_and_then_inside(scene: Scene, inside: str) -> None:
    async with signpost(["/"]) as post, Sender("1", ALLOWED, [SECRET], FakeClock()) as sender:
        url = post.url(200, 0).replace(OUTSIDE, "flip.example")
        scene.names.leads = {"flip.example": [OUTSIDE]}
        first = await _sent(sender, url)
        scene.names.leads = {"flip.example": [inside]}
        sender._session.connector.clear_dns_cache()  # type: ignore[union-attr]
        post.close_all()
        second = await _sent(sender, url.replace(str(post.port), str(scene.port)))
        third = await _sent(sender, url)

    await scene.assert_quiet()
    assert (200, None) == (first.status, first.error)
    assert all(str(one.error).startswith("blocked: ") for one in (second, third))


@pytest.mark.parametrize("inside", _inside())
@pytest.mark.parametrize("first", ["outside", "inside"])
async def test_h129_of_a_name_with_an_address_on_each_side_the_outer_one_alone_is_dialled(
    scene: Scene, inside: str, first: str
) -> None:
    """Happy Eyeballs tries the next address where one fails: the guard stands before each of them."""
    both = [OUTSIDE, inside] if first == "outside" else [inside, OUTSIDE]
    scene.names.leads = {"both.example": both}
    async with signpost(["/"]) as post, Sender("1", ALLOWED, [SECRET], FakeClock()) as sender:
        served = await _sent(sender, post.url(200, 0).replace(OUTSIDE, "both.example"))
        closed = await _sent(sender, f"http://both.example:{scene.port}/")

    await scene.assert_quiet()
    assert (200, None) == (served.status, served.error)
    assert closed.error
    assert {OUTSIDE} == set(scene.dialled)
