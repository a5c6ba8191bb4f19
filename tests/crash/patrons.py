"""Customers of the crash test with an address of their own, paid again and again, some of them archived."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from random import Random

    from sides import EvmSide, LitecoinSide
    from subject import Subject

MOST = 40
"""Patrons: each is paid a few times, and all of it is held against the chains."""
_ASSETS = {"dev": ("ETH", "USDT"), "litecoin": ("LTC",)}
_UNITS = {"ETH": 10**15, "USDT": 10**5, "LTC": 10**6}


@dataclass(slots=True)
class Patron:
    """One customer. `made` is what the daemon answered with 201; `removed`: it answered 204."""

    name: str
    chain: str
    made: dict[str, Any] | None = None
    removed: bool = False


class Patrons:
    """Makes standing addresses by HTTP and pays them; keeps on asking while the daemon is dead."""

    def __init__(self, victim: Subject, sides: tuple[EvmSide | LitecoinSide, ...], random: Random) -> None:
        self.all: list[Patron] = []
        self._victim = victim
        self._sides = {side.name: side for side in sides}
        self._random = random

    async def come(self) -> None:
        """Have another one come, while there is room, and any of them paid."""
        if len(self.all) < MOST:
            patron = Patron(f"patron-{len(self.all)}", self._random.choice(list(_ASSETS)))
            self.all.append(patron)
            await self._open(patron)
        await self._pay(self._random.choice([each for each in self.all if each.made]))

    async def _open(self, patron: Patron) -> None:
        body = {"chain": patron.chain, "label": patron.name, "confirmations": 2}
        while patron.made is None:
            status, answer = await self._victim.ask(
                "POST", "/v1/addresses", body, {"Idempotency-Key": patron.name}
            )
            if status == 201:
                patron.made = answer
            else:
                assert status in (0, 503), (patron.name, status, answer)
                await asyncio.sleep(0.05)

    async def _pay(self, patron: Patron) -> None:
        assert patron.made is not None
        await asyncio.sleep(1.0)  # blocks count whole seconds, and must not seem to be before it was made
        asset = self._random.choice(_ASSETS[patron.chain])
        units = _UNITS[asset] * self._random.randint(1, 9)
        await self._sides[patron.chain].pay(asset, patron.made["address"], units)
        if self._random.random() < 0.15:
            await self.archive(patron)

    async def archive(self, patron: Patron) -> None:
        """Archive its address, however often that takes."""
        assert patron.made is not None
        while not patron.removed:
            status, answer = await self._victim.ask("DELETE", f"/v1/addresses/{patron.made['id']}")
            assert status in (0, 204, 503), (patron.name, status, answer)
            patron.removed = status == 204
            if not patron.removed:
                await asyncio.sleep(0.05)
