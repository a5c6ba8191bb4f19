"""What goes wrong with nodes, clocks and the process itself, and what an operator does about it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from chains.base import ChainMoved, NodeUnavailable
from happenings_chain import deepest, fork
from watcher.model import ChainState

if TYPE_CHECKING:
    from run import Run

CALLS = ("open", "tip", "block", "read", "mempool")
GRAVES = (*CALLS, "post", "posted")
"""Where the process may die on purpose: few of its awaits are these."""


async def unavailable(run: Run) -> bool:
    """Let some of the next calls fail, or all of a kind until it is healed."""
    name, method = run.chain(), run.dice.choice([*CALLS, "*"])
    times = run.dice.choice([1, 3, None])
    error = NodeUnavailable("down", run.dice.choice([None, 5.0]))
    run.deployment.adapters[name].faults.fail(method, error, times)
    run.note(f"{name}: {method} fails {times or 'until healed'}")
    return True


async def moved(run: Run) -> bool:
    name = run.chain()
    times = run.dice.choice([1, 3, 12])
    method = run.dice.choice(["read", "block", "mempool"])
    run.deployment.adapters[name].faults.fail(method, ChainMoved("moved"), times)
    run.note(f"{name}: {method} moves {times} times")
    return True


async def head_changes(run: Run) -> bool:
    """Let the chain move on, or to another branch, in the middle of a read."""
    name, method = run.chain(), run.dice.choice(CALLS)
    deep = run.dice.random() < 0.5

    def change() -> None:
        run.tally["head changed during a call"] += 1
        if deep and deepest(run, name) > 2:
            fork(run, name, 2, 3)
        else:
            run.deployment.chains[name].mine()

    run.deployment.adapters[name].faults.before(method, change)
    return True


async def mempool_not_loaded(run: Run) -> bool:
    """A node that just started knows its chain and not yet its mempool."""
    run.deployment.adapters["alpha"].faults.fail(
        "mempool", NodeUnavailable("loading"), run.dice.choice([2, 5])
    )
    return True


async def lag(run: Run) -> bool:
    name = run.chain()
    adapter = run.deployment.adapters[name]
    adapter.endpoint, adapter.lag = 1, run.dice.choice([1, 2, 5])
    run.note(f"{name}: the node lags by {adapter.lag}")
    return True


async def other_endpoint(run: Run) -> bool:
    """Let another node, ahead or behind, take over in the middle of a read."""
    name, method = run.chain(), run.dice.choice(CALLS)
    adapter, behind = run.deployment.adapters[name], run.dice.choice([0, 1, 3])

    def change() -> None:
        run.tally["endpoint changed during a call"] += 1
        adapter.endpoint = 1 - adapter.endpoint
        adapter.lag = behind if adapter.endpoint else 0

    adapter.faults.before(method, change)
    return True


async def heal_node(run: Run) -> bool:
    name = run.chain()
    run.deployment.adapters[name].heal()
    run.note(f"{name}: the node is well again")
    return True


async def pruned(run: Run) -> bool:
    """Let the node forget what blocks held; by address it may still be found, or not."""
    name = run.chain()
    adapter, head = run.deployment.adapters[name], run.deployment.chains[name].head.height
    first = head + run.dice.choice([-3, 0, 1, 2])
    heights = range(max(1, first), first + run.dice.choice([1, 3]))
    adapter.pruned.update(heights)
    adapter.findable = run.dice.random() < 0.5
    run.note(f"{name}: {heights} are pruned, findable {adapter.findable}")
    return bool(heights)


async def unreadable(run: Run) -> bool:
    """Let a block be one that nobody can parse."""
    name = run.chain()
    blocks = run.deployment.chains[name].blocks
    ref = run.dice.choice(blocks[-3:]).ref
    run.deployment.adapters[name].unreadable.add(ref.hash)
    run.note(f"{name}: block {ref.height} cannot be parsed")
    return True


async def jump(run: Run) -> bool:
    """Let the machine sleep, or its clock be set."""
    seconds = run.dice.choice([30, 90, 400, 3600, 90_000])
    run.deployment.clock.advance(seconds)
    run.note(f"the clock jumps by {seconds} s")
    return True


async def kill(run: Run) -> bool:
    """Let the process die a number of awaits from now, or while a node or a shop is asked."""
    points = run.deployment.points
    points.fuse = run.dice.choice([1, 5, 20, 60, 200, None])
    points.grave = run.dice.choice(GRAVES) if points.fuse is None else None
    run.note(f"the process will die at the next {points.grave}, or after {points.fuse} awaits")
    return True


async def restart(run: Run) -> bool:
    run.note("a restart in good order")
    await run.deployment.restart()
    return True


async def rescan(run: Run) -> bool:
    """Ask for blocks to be read again; a chain that halted is given up to the fork."""
    name = run.chain()
    first, last = await rescan_from(run, name)
    run.note(f"{name}: rescan from {first} to {last}")
    await run.deployment.api.rescan(name, first, last)
    return True


async def rescan_from(run: Run, name: str) -> tuple[int, int | None]:
    """Return what an operator asks for: where the chain halted, what its own message advises."""
    row = run.audit.books().chains().get(name, {"height": 1})
    status = run.deployment.scanners[name].status()
    if status.state is ChainState.HALTED:
        run.tally["rescan of a halted chain"] += 1
        advised = re.search(r"HEIGHT of (\d+) or less", status.reason or "")
        assert advised is not None, status
        return max(1, int(advised[1])), None
    first = run.dice.randrange(1, max(2, row["height"] + 1))
    return first, run.dice.choice([None, first, first + 3])


NODE = {
    "node unavailable": (3, unavailable),
    "chain moved": (2, moved),
    "head changes during a read": (3, head_changes),
    "mempool not loaded": (1, mempool_not_loaded),
    "lagging node": (2, lag),
    "another endpoint during a read": (2, other_endpoint),
    "node heals": (4, heal_node),
    "blocks pruned": (1, pruned),
    "block unreadable": (1, unreadable),
    "clock jumps": (2, jump),
    "kill": (4, kill),
    "restart": (1, restart),
    "rescan": (2, rescan),
}
