from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from watcher import egress_resolver
from watcher.egress_resolver import BAD, GOOD, NEW, PatientResolver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


class Names:
    """Stands for the system's resolver: names that end in .hangs have no answer until the test ends."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.hanging = 0
        self.end = threading.Event()
        self._real = socket.getaddrinfo

    def look_up(self, host: str, *args: Any, **named: Any) -> Any:
        self.asked.append(host)
        if host.endswith(".hangs") and not self.end.is_set():
            self.hanging += 1
            self.end.wait(10)
        return self._real("127.0.0.1", *args, **named)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    names = Names()
    monkeypatch.setattr(socket, "getaddrinfo", names.look_up)
    monkeypatch.setattr(egress_resolver, "SECONDS", 0.4)
    yield names
    names.end.set()


@pytest.fixture
async def resolver(names: Names) -> AsyncIterator[PatientResolver]:
    resolver = PatientResolver()
    yield resolver
    names.end.set()
    await resolver.close()


async def _fails(resolver: PatientResolver, host: str) -> None:
    with pytest.raises(OSError, match=r"the name has no answer after 0\.4 seconds"):
        await resolver.resolve(host)


async def test_a_name_leads_to_its_addresses_at_the_wanted_port(resolver: PatientResolver) -> None:
    found = await resolver.resolve("shop.example", 8080, socket.AF_INET)

    assert [("shop.example", "127.0.0.1", 8080, socket.AF_INET)] == [
        (one["hostname"], one["host"], one["port"], one["family"]) for one in found
    ]


async def test_a_name_that_hangs_is_given_up_and_says_so(resolver: PatientResolver) -> None:
    await _fails(resolver, "a.hangs")


async def test_a_name_occupies_one_thread_however_many_wait_for_it(
    resolver: PatientResolver, names: Names
) -> None:
    await asyncio.gather(*(_fails(resolver, "a.hangs") for _ in range(50)))
    await _fails(resolver, "a.hangs")

    assert ["a.hangs"] == names.asked


async def test_h136_names_that_hang_do_not_delay_those_that_had_an_answer(
    resolver: PatientResolver, names: Names
) -> None:
    await resolver.resolve("shop.example")
    await asyncio.gather(*(_fails(resolver, f"{n}.hangs") for n in range(60)))
    assert NEW == names.hanging

    assert all(await asyncio.gather(*(resolver.resolve("shop.example") for _ in range(GOOD * 2))))


async def test_h136_names_that_hung_do_not_delay_new_ones(resolver: PatientResolver, names: Names) -> None:
    await asyncio.gather(*(_fails(resolver, f"{n}.hangs") for n in range(NEW)))
    names.end.set()
    await asyncio.sleep(0.05)
    names.end.clear()
    for number in range(NEW):
        resolver._last[f"{number}.hangs"] = False
    names.hanging = 0
    await asyncio.gather(*(_fails(resolver, f"{n}.hangs") for n in range(NEW)))

    assert names.hanging == BAD
    assert await resolver.resolve("new.example")


async def test_a_name_that_answers_again_is_good_again(resolver: PatientResolver, names: Names) -> None:
    await _fails(resolver, "a.hangs")
    names.end.set()
    await asyncio.sleep(0.05)

    assert await resolver.resolve("a.hangs")
    assert resolver._last["a.hangs"]


async def test_what_is_wrong_with_a_name_is_told_as_the_system_told_it(
    resolver: PatientResolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)

    with pytest.raises(socket.gaierror, match="Name or service not known"):
        await resolver.resolve("nowhere.example")
