"""Kills the daemon at every failpoint and at random moments, and provokes what would not happen by itself."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from receiver import EXTRA
from shop import SECRET
from subject import KILLED
from watcher.failpoint import POINTS

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from town import Town

INFANCY = (
    "start.locked",
    "migration.written",
    "migration.committed",
    "endpoints.written",
    "endpoints.committed",
    "start.listening",
    "release.written",
    "release.committed",
    "unsure.written",
    "unsure.committed",
    "scan.opened",
    "begin.written",
    "begin.committed",
    "begin.written",
    "begin.committed",
)
"""The deaths of a database that nothing was written to: each makes the next one possible."""

ONCE = (
    "start.",
    "begin.",
    "accounts.",
    "request.",
    "migration.",
    "endpoints.",
    "release.",
    "unsure.",
    "scan.opened",
    "drain.",
    "alarm.",
    "balances.",
    "mail.",
    "mailed.",
)
"""What a daemon passes once in a short life."""

CROSSED = 5
NEAR = 3.0
"""Seconds before a deadline from which on the daemon is kept dead."""
FIRST = 12.0
"""The same before the first such deadline: a short test must not miss the few that it has."""
PATIENCE = 10.0
"""Seconds for a daemon that answers to reach its failpoint."""
TRIES = 4
"""How often a failpoint that was not reached is tried again before the test fails."""
STORMS = 0.3
"""The share of the deaths at random moments that are asked for by SIGTERM, once or many times."""
BOUND = 20.0
"""Seconds after which a daemon that was asked to end has ended: the sends under way get ten."""
PLAIN = 8
"""Every so many starts are those of the installed command."""


class Killer:
    """Counts deaths by failpoint; `say` gets a line now and then."""

    def __init__(self, town: Town, kills: int, say: Callable[[str], None]) -> None:
        self.town = town
        self.kills = kills
        self.deaths: Counter[str] = Counter()
        self.point = ""
        """What is armed now."""
        self.crossed = 0
        """Deadlines that passed while it was dead, on purpose."""
        self._say = say
        self._missed: Counter[str] = Counter()
        self._random = town.random
        self._provocations: dict[str, Callable[[], Coroutine[None, None, None]]] = {
            "alarm.": self._silence,
            "rescan.": self._rescan,
            "gap.": self._rescan,
            "key.": self._key,
            "link.": self._link,
            "standing.": self._standing,
            "webhook.": self._webhook,
            "request.": self._request,
            "decision.": self._decide,
            "drain.": self._drain,
            "scan.forked": self._fork,
        }
        self._hook = ""
        self._invoice = ""

    @property
    def total(self) -> int:
        return self.deaths.total()

    def missing(self) -> list[str]:
        """Return the failpoints that have killed nobody."""
        return sorted(set(POINTS) - set(self.deaths))

    async def infancy(self) -> None:
        """Let the daemon die at every step of its first start, then make what the others need."""
        for point in INFANCY:
            before = self.deaths[point]
            await self.at(point)
            assert self.deaths[point] > before, f"the first start does not reach {point}"
        victim = self.town.victim
        await victim.make_key()
        await victim.start()
        await victim.ready()
        hook = {"url": f"{self.town.shop.url}/{EXTRA}", "events": ["invoice.paid"], "secret": SECRET}
        status, made = await victim.ask("POST", "/v1/webhooks", hook)
        assert status == 201, made
        self._hook = made["id"]
        asked = {"chain": "dev", "asset": "ETH", "amount": "1"}
        status, made = await victim.ask("POST", "/v1/invoices", asked)
        assert status == 201, made
        self._invoice = made["id"]
        await victim.kill()

    async def rampage(self) -> None:
        for number, point in enumerate(self._plan()):
            self.town.check()
            await self._weather(number)
            await self._across_a_deadline()
            if point:
                await self.at(point)
            elif self._random.random() < STORMS:
                await self.storm()
            else:
                await self.anywhere()
            if number % 25 == 0:
                missed = f", missed {dict(self._missed)}" if self._missed else ""
                self._say(
                    f"{self.total} of {self.kills} kills; {len(self.missing())} failpoints to come{missed}"
                )

    def _plan(self) -> Iterator[str]:
        """Yield every failpoint twice, then any, half of the time none; those that were missed come again."""
        rest = [point for point in POINTS if not point.startswith("begin.")]
        queue = [*self._shuffled(rest), *self._shuffled(rest)]
        while self.total < self.kills:
            if not queue:
                late = [p for p in self.missing() if self._missed[p] < TRIES]
                queue = late + [self._random.choice([*rest, *[""] * len(rest)]) for _ in range(20)]
            yield queue.pop(0)
        for point in self.missing():
            for _ in range(TRIES):
                if not self.deaths[point]:
                    yield point

    def _shuffled(self, points: list[str]) -> list[str]:
        return self._random.sample(points, len(points))

    async def at(self, point: str) -> None:
        """Have the daemon die at a failpoint, the first or a later time that it comes by."""
        victim = self.town.victim
        often = 1 if point.startswith(ONCE) or not self.deaths[point] else self._random.randint(1, 4)
        self.point = f"{point}@{often}"
        if point == "scan.forked":
            await self._fork()
        await victim.start(self.point, plain=self.total % PLAIN == 0)
        provoking = asyncio.create_task(self._provoke(point))
        status = await victim.ends_once_it_answers(PATIENCE)
        provoking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await provoking
        self._calm()
        drained = status == 0 and point.startswith("drain.")  # it had nothing under way when it was to stop
        if status is None or drained:
            self._missed[point] += 1
            self.deaths["(missed)"] += 1
            await victim.kill()
            return
        assert status == KILLED, f"it ended by itself with {status}: {victim.log_end()}"
        self.deaths[point] += 1

    async def anywhere(self) -> None:
        """Kill it at some moment of its start or its work."""
        victim = self.town.victim
        plain = self.total % PLAIN == 0
        self.point = "a random moment"
        await victim.start(plain=plain)
        status = await victim.ends(self._random.uniform(0.0, 3.0 if plain else 1.5))
        assert status is None, f"it ended by itself with {status}: {victim.log_end()}"
        await victim.kill()
        self.deaths["(random)"] += 1

    async def storm(self) -> None:
        """Ask it to end, once or many times: it ends soon, and cleanly if it was asked once."""
        victim = self.town.victim
        self.point = "a storm of SIGTERMs"
        await victim.start(plain=True)
        assert victim.life is not None
        await victim.answers()
        await asyncio.sleep(self._random.uniform(0.0, 0.5))
        often = self._random.choice([1, 2, 20])
        for _ in range(often):
            victim.life.signal(signal.SIGTERM)
            await asyncio.sleep(self._random.uniform(0.0, 0.01))
        status = await victim.ends(BOUND)
        assert status in {0, 1 if often > 1 else 0}, f"{often} SIGTERMs: {status}: {victim.log_end()}"
        self.deaths["(terminated)"] += 1

    async def _across_a_deadline(self) -> None:
        """Stay dead while an invoice ends, a few times: nobody's timer is there to notice."""
        now = datetime.now(UTC)
        for order in self.town.merchant.orders:
            if not (order.short and order.answer) or order.wish == "extend" or self.crossed >= CROSSED:
                continue
            left = (datetime.fromisoformat(order.answer["expires_at"]) - now).total_seconds()
            if 0 < left < (NEAR if self.crossed else FIRST):
                await asyncio.sleep(left + 0.5)
                self.crossed += 1
                return

    async def _weather(self, number: int) -> None:
        """Once each: the node is restarted, writes down what it has, and loses its power."""
        litecoin = self.town.litecoin
        if number == 5:
            await litecoin.restart()
        if number == 10:
            await litecoin.flush()
        if number == 20:
            lost = await litecoin.lose_power()
            self._say(f"litecoind was killed and has lost {lost} blocks")
            self.town.coins_may_be_short = True

    async def _provoke(self, point: str) -> None:
        """Do again and again what leads to this failpoint."""
        for prefix, provocation in self._provocations.items():
            if point.startswith(prefix):
                await self.town.victim.answers()
                while True:
                    await provocation()
                    await asyncio.sleep(0.1)

    def _calm(self) -> None:
        self.town.mining["dev"] = True
        self.town.shop.slow = 0.0

    async def _fork(self) -> None:
        await self._random.choice([self.town.evm.reorganise, self.town.litecoin.reorganise])()
        await asyncio.sleep(0.5)

    async def _silence(self) -> None:
        self.town.mining["dev"] = not self.town.mining["dev"]
        await asyncio.sleep(4.0)

    async def _rescan(self) -> None:
        side = self._random.choice([self.town.evm, self.town.litecoin])
        path = f"/v1/chains/{side.name}/rescan"
        await self.town.victim.ask("POST", path, {"from": max(side.born, side.node.height - 5)})

    async def _key(self) -> None:
        name = f"key-{self.total}-{self._random.getrandbits(40)}"
        await self.town.victim.ask("POST", "/v1/keys", {"name": name})
        await self.town.victim.ask("DELETE", f"/v1/keys/{name}")

    async def _link(self) -> None:
        template = {"chain": "dev", "asset": "ETH", "amount": {"min": "0.1", "max": "1"}}
        _, made = await self.town.victim.ask("POST", "/v1/links", template)
        if made:
            await self.town.victim.ask("DELETE", f"/v1/links/{made['id']}")

    async def _standing(self) -> None:
        _, made = await self.town.victim.ask("POST", "/v1/addresses", {"chain": "dev"})
        if made:
            await self.town.victim.ask("DELETE", f"/v1/addresses/{made['id']}")

    async def _webhook(self) -> None:
        body = {"description": f"changed before kill {self.total}"}
        await self.town.victim.ask("PATCH", f"/v1/webhooks/{self._hook}", body)

    async def _request(self) -> None:
        headers = {"Idempotency-Key": f"test-{self.total}"}
        await self.town.victim.ask("POST", f"/v1/webhooks/{self._hook}/test", {}, headers)

    async def _decide(self) -> None:
        await self.town.victim.ask("POST", f"/v1/invoices/{self._invoice}/extend", {"seconds": 60})

    async def _drain(self) -> None:
        """Ask it to end while the shop has not answered yet."""
        self.town.shop.slow = 0.4
        life = self.town.victim.life
        if self.town.shop.busy and life:
            life.signal(signal.SIGTERM)
            await asyncio.sleep(PATIENCE)
