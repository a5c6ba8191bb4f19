"""What chains do: blocks, replaced and dropped transactions, reorganisations of every kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fake_chain import Credit

if TYPE_CHECKING:
    from branching_chain import BranchingChain
    from run import Run


async def mine(run: Run) -> bool:
    name = run.chain()
    chain = run.deployment.chains[name]
    for _ in range(run.dice.choice([1, 1, 1, 2, 5])):
        chain.mine(1, only=chain.gather(lambda: run.dice.random() < 0.8))
        chain.sweep()
    run.note(f"{name}: mined to {chain.head.height}")
    return True


async def replace(run: Run) -> bool:
    """Replace an unconfirmed transaction: more, less, elsewhere, or nothing for us."""
    name = run.chain()
    chain = run.deployment.chains[name]
    if not chain.pool:
        return False
    txid = run.dice.choice(list(chain.pool))
    new = chain.replace(txid, *_other_credits(run, chain, txid))
    chain.sweep()
    run.note(f"{name}: {new[:8]} replaces {txid[:8]}")
    return True


def _other_credits(run: Run, chain: BranchingChain, txid: str) -> list[Credit]:
    old = chain.transaction(txid).credits
    match run.dice.choice(["same", "less", "elsewhere", "none"]):
        case "same":
            return list(old)
        case "less":
            return [Credit(c.address, max(1, c.amount // 2), c.asset) for c in old]
        case "elsewhere":
            shown = [a for _, a in run.audit.books().addresses()]
            return [Credit(run.dice.choice(shown), c.amount, c.asset) for c in old if shown]
        case _:
            return []


async def drop(run: Run) -> bool:
    name = run.chain()
    chain = run.deployment.chains[name]
    if not chain.pool:
        return False
    txid = run.dice.choice(list(chain.pool))
    chain.forget(txid)
    run.note(f"{name}: {txid[:8]} is dropped")
    return True


async def come_back(run: Run) -> bool:
    """Let a dropped transaction return."""
    name = run.chain()
    chain = run.deployment.chains[name]
    if not chain.lost:
        return False
    txid = chain.lost.pop(run.dice.randrange(len(chain.lost)))
    chain.resend(txid)
    run.note(f"{name}: {txid[:8]} comes back")
    return txid in chain.pool


def fork(run: Run, name: str, depth: int, length: int) -> None:
    """Put another branch in place of the last blocks, with some of their transactions."""
    chain, dice = run.deployment.chains[name], run.dice
    kept, lost, replaced = dice.choice([(1.0, 0, 0), (0.6, 0.3, 0.2), (0.3, 0.1, 0.1), (0.0, 1, 0)])

    def meddle() -> None:
        for txid in list(chain.pool):
            if txid in chain.pool and dice.random() < lost:
                chain.forget(txid)
                run.tally["reorganised away"] += 1
            elif txid in chain.pool and dice.random() < replaced:
                chain.replace(txid, *_other_credits(run, chain, txid))
                chain.sweep()
                run.tally["reorganised to another transaction"] += 1

    old = chain.head
    chain.fork(depth, length, meddle, lambda: dice.random() < kept)
    run.note(f"{name}: {depth} blocks below {old.height} give way to {length}")


def deepest(run: Run, name: str) -> int:
    """Return how many blocks of a chain may go, so that it keeps its first."""
    return run.deployment.chains[name].head.height - 1


async def reorganise(run: Run) -> bool:
    """Reorganise by a few blocks, or by as many as are kept."""
    name = run.chain()
    most = min(deepest(run, name), run.deployment.paces[name].history - 1)
    if most < 1:
        return False
    depth = min(most, run.dice.choice([1, 1, 2, 3, most]))
    shorter = not run.deployment.adapters[name].has_mempool
    fork(run, name, depth, max(1, depth + run.dice.choice([1, 1, 2, 0] + [-1] * shorter)))
    return True


async def reorganise_deep(run: Run) -> bool:
    """Reorganise by more than the blocks that are kept: the chain halts until somebody asks for a rescan."""
    name = run.chain()
    depth = run.deployment.paces[name].history + run.dice.randrange(1, 4)
    if depth > deepest(run, name):
        return False
    fork(run, name, depth, depth + 1)
    return True


async def old_branch(run: Run) -> bool:
    """Let a branch that lost win again."""
    name = run.chain()
    chain = run.deployment.chains[name]
    best = {block.ref.hash for block in chain.blocks}
    tips = [tip for tip in chain.tips if tip not in best]
    if not tips:
        return False
    tip = run.dice.choice(tips)
    chain.return_to(tip)
    run.note(f"{name}: back on the branch of {tip[:8]}, block {chain.head.height}")
    return True


CHAIN = {
    "mine": (22, mine),
    "replace": (3, replace),
    "drop": (2, drop),
    "come back": (2, come_back),
    "reorganise": (6, reorganise),
    "reorganise deeper than the history": (1, reorganise_deep),
    "return to an old branch": (2, old_branch),
}
