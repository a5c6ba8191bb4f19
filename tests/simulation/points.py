"""The awaits of the daemon: at each the world may move on, and at any the process may die."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from random import Random

LONGEST = 4.0
"""Seconds that a node or a database may take over one answer."""


class Died(BaseException):
    """The process is dead: nothing of it may run on. No Exception, so that no handler takes it for one."""


class Points:
    """Those of one process. It dies after `fuse` more awaits, or at the next `grave`; None lets it live.

    `yields` and `waits` are how likely it is, at each, that others run first and that time passes.
    """

    def __init__(self, dice: Random, yields: float, waits: float, died: Callable[[str], None]) -> None:
        self.fuse: int | None = None
        self.grave: str | None = None
        self.dead = False
        self.quiet = False
        self._dice = dice
        self._yields = yields
        self._waits = yields + waits
        self._died = died

    async def meet(self, place: str) -> None:
        """Stand at an await: `place` says where, as in "commit"."""
        pause = self.pause(place)
        if pause is not None:
            await pause

    def pause(self, place: str) -> Coroutine[Any, Any, None] | None:
        """Return what to wait for at this await; None to go on at once, as mostly."""
        self._burn(place)
        chance = 1.0 if self.quiet else self._dice.random()
        if chance >= self._waits:
            return None
        return self._sleep(place, 0 if chance < self._yields else self._dice.random() * LONGEST)

    async def _sleep(self, place: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._burn(place, 0)

    def _burn(self, place: str, steps: int = 1) -> None:
        if place == self.grave and not self.dead:
            self.kill(place)
        if self.fuse is not None and not self.dead:
            self.fuse -= steps
            if self.fuse <= 0:
                self.kill(place)
        if self.dead:
            raise Died

    def kill(self, place: str) -> None:
        """Die here and now: what is on the disk is all that is left."""
        self.dead = True
        self._died(place)
        raise Died
