"""One cell of the matrix, and all cells of one fault: the methods are those that a recording run has seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fault_answers import OtherFork
from fault_table import cells

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fault_answers import Liar
    from fault_proxy import Sample
    from fault_table import Kind
    from fault_world import FaultWorld
    from world import Made

SHORT = 0.1
"""Seconds for one request to a node that hangs."""
LONG = 10.0
ALIKE = "had in another mode of this node: a connection fails alike in each"


class Matrix:
    """A world and what its node can be made to say."""

    def __init__(self, mode: str, world: FaultWorld, liar: Liar, covered: set[tuple[str, str]]) -> None:
        """`covered`: faults of the connection and resources that other modes of the same node have had."""
        self.mode = mode
        self._covered = covered
        self.world = world
        self.liar = liar
        self.ran: dict[str, list[str]] = {}
        self.without: dict[str, dict[str, str]] = {}

    @property
    def seen(self) -> Mapping[str, Sample]:
        return self.world.proxy.seen

    async def record(self) -> None:
        """Play the scene once, honestly, and note what is asked; it has to go right."""
        await self.world.renew()
        self.world.proxy.recording = True
        wrong = await self._scene(None, None)
        self.world.proxy.recording = False
        assert [] == wrong, wrong

    async def run(self, kind: Kind) -> dict[str, list[str]]:
        """Play the scene once for each resource that can have the fault; return what went wrong where."""
        wanted, without = cells(kind, self.seen)
        if kind.connection:
            without |= {each: ALIKE for each in wanted if (kind.name, each) in self._covered}
            wanted = [each for each in wanted if each not in without]
            self._covered |= {(kind.name, each) for each in wanted}
        self.without[kind.name] = without
        self.ran[kind.name] = wanted
        await self.world.renew()
        found = {resource: await self._scene(kind, resource) for resource in wanted}
        return {resource: wrong for resource, wrong in found.items() if wrong}

    @property
    def size(self) -> int:
        return sum(map(len, self.ran.values()))

    def told(self) -> str:
        """Say how much was tested."""
        methods = len(self.seen)
        faults = len([ran for ran in self.ran.values() if ran])
        without = sum(map(len, self.without.values()))
        told = f"{methods} methods, {faults} faults; {without} that cannot be"
        return f"fault matrix {self.mode}: {self.size} cells ({told})"

    async def _scene(self, kind: Kind | None, resource: str | None) -> list[str]:
        """Pay, pass the deadline, restart and reorganise while the fault lasts, and then go on without it."""
        world, stage = self.world, self.world.stage
        option = {"chain": stage.name, "asset": stage.asset, "amount": stage.amount}
        invoice = await world.invoice(options=[option], expires_in=3600)
        fork = OtherFork(self.liar.height_of)
        world.remember()
        stage.begin(invoice.address)
        if kind is not None and resource is not None:
            await self._break(kind, resource, fork)
        wrong = await self._under_fault(invoice, fork, SHORT if kind and kind.slow else LONG)
        world.proxy.heal()
        wrong += [f"the proxy failed: {each!r}" for each in world.proxy.mistakes]
        world.proxy.mistakes.clear()
        if kind is not None and kind.slow:
            await world.restart_scanner()
        if world.adapters[stage.name].has_mempool:
            wrong += _named("healed", await world.recovered(invoice))
        stage.settle()
        wrong += _named("settled", await world.recovered(invoice))
        return wrong + await world.paid(invoice)

    async def _break(self, kind: Kind, resource: str, fork: OtherFork) -> None:
        if kind.slow:
            await self.world.restart_scanner(SHORT)
        self.world.proxy.break_(kind.make(resource, self.liar, fork))

    async def _under_fault(self, invoice: Made, fork: OtherFork, within: float) -> list[str]:
        world, stage = self.world, self.world.stage
        mempool = world.adapters[stage.name].has_mempool
        wrong = _named("paid", await world.turns(1, invoice)) if mempool else []
        stage.blocks()
        wrong += _named("mined", await world.turns(1, invoice))
        await world.restart_scanner(within)
        wrong += _named("restarted", await world.turns(1, invoice))
        fork.switch()
        stage.fork()
        wrong += _named("reorganised", await world.turns(2, invoice))
        stage.grow()
        return wrong + _named("grown", await world.turns(1, invoice))


def _named(phase: str, wrong: list[str]) -> list[str]:
    return [f"{phase}: {each}" for each in wrong]
