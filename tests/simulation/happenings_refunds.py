"""Money that goes back: requested, given a destination, sent in every way that a wallet can, withdrawn."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fake_chain import Credit
from happenings_merchant import REFUNDABLE, refunding
from happenings_shopper import payer
from merchant_requests import send
from watcher.drafts_merchant import DestinationDraft, SentDraft, WithdrawDraft

if TYPE_CHECKING:
    from books import Bill, Debt
    from branching_chain import BranchingChain
    from run import Run


async def refund(run: Run) -> bool:
    """Ask for a refund; most of them are sent and told at once."""
    bills = run.audit.books().bills()
    likely = [b for b in bills if b.status in REFUNDABLE and '"final":true' in b.decision]
    if likely and run.dice.random() < 0.9:
        bills = likely
    if not bills:
        return False
    bill = run.dice.choice(bills)
    answer = await send(run, refunding(run, bill))
    if run.dice.random() < 0.7:
        for fresh in run.audit.books().bills(bill.id):
            debts = [d for d in fresh.debts if d.id == answer["id"] and d.state == "requested"]
            await _send(run, fresh, debts[0]) if debts else None
    return True


def _debts(run: Run, *states: str) -> list[tuple[Bill, Debt]]:
    bills = run.audit.books().bills()
    return [(bill, debt) for bill in bills for debt in bill.debts if debt.state in states]


async def sent(run: Run) -> bool:
    """Send what was promised and say so; mostly a refund that waits for it, or another transaction."""
    if run.untold and run.dice.random() < 0.7:
        return await _tell(run, *run.untold.pop(run.dice.randrange(len(run.untold))))
    debts = _debts(run, "requested") or _debts(run, "sent")
    if run.dice.random() < 0.2:
        debts = _debts(run, "requested", "sent", "confirmed", "cancelled")
    debts = [(bill, debt) for bill, debt in debts if debt.address]
    if not debts:
        return False
    return await _send(run, *run.dice.choice(debts))


async def _send(run: Run, bill: Bill, debt: Debt) -> bool:
    chain = run.deployment.chains[debt.chain]
    kinds = ["right", "right", "right", "mined", "mined", "split", "short", "elsewhere", "former"]
    kinds += ["unknown", "unknown and short"]
    kind = run.dice.choice(kinds)
    txid = _transaction(run, chain, debt, kind)
    run.note(f"{debt.chain}: {txid[:8]} sends {debt.id}, {kind}")
    run.tally[f"refund sent: {kind}"] += 1
    if kind == "mined":
        await asyncio.sleep(run.dice.choice([0, 16]))  # its block may be absorbed before it is told
    if run.dice.random() < 0.3:
        run.untold.append((bill.id, debt.id, txid))
        run.tally["refund sent, and told later"] += 1
        return True
    return await _tell(run, bill.id, debt.id, txid)


async def _tell(run: Run, bill_id: str, debt_id: str, txid: str) -> bool:
    await send(run, run.requests.new(run, "sent", bill_id, debt_id, form=SentDraft, txid=txid))
    return True


def _transaction(run: Run, chain: BranchingChain, debt: Debt, kind: str) -> str:
    """Make the transaction of a refund, as it should be, or not quite."""
    address, whole = debt.address or "", debt.arrives
    match kind:
        case "split":
            paid = [Credit(address, whole // 2, debt.asset), Credit(address, whole - whole // 2, debt.asset)]
        case "short" | "unknown and short":
            paid = [Credit(address, max(1, whole - 1), debt.asset)]
        case "elsewhere":
            paid = [Credit(payer(run), whole, debt.asset)]
        case "former":
            return debt.txid or _transaction(run, chain, debt, "right")
        case _:
            paid = [Credit(address, whole, debt.asset), Credit(payer(run), 7)]
    txid = chain.send(paid)
    if kind.startswith("unknown"):
        chain.forget(txid)
    elif kind == "mined":
        chain.mine(run.dice.choice([1, 3]), only=chain.gather(lambda: True))
        chain.sweep()
    return txid


async def destine(run: Run) -> bool:
    """Say where a refund goes, mostly one of which nobody knows it."""
    debts = _debts(run, "requested")
    debts = [(b, d) for b, d in debts if d.address is None] or debts
    if not debts:
        return False
    bill, debt = run.dice.choice(debts)
    address = payer(run) if debt.address is None or run.dice.random() < 0.5 else None
    request = run.requests.new(run, "destine", bill.id, debt.id, form=DestinationDraft, address=address)
    return await send(run, request) is not None


async def withdraw(run: Run) -> bool:
    debts = _debts(run, "requested", "sent")
    if not debts:
        return False
    bill, debt = run.dice.choice(debts)
    request = run.requests.new(run, "withdraw", bill.id, debt.id, form=WithdrawDraft)
    return await send(run, request) is not None


async def lost_refund(run: Run) -> bool:
    """Drop, or bring back, the transaction of a refund."""
    debts = [debt for _, debt in _debts(run, "sent", "requested") if debt.txid]
    if not debts:
        return False
    debt = run.dice.choice(debts)
    chain, txid = run.deployment.chains[debt.chain], debt.txid or ""
    if txid in chain.pool:
        chain.forget(txid)
    elif txid in chain.lost:
        chain.lost.remove(txid)
        chain.resend(txid)
    else:
        return False
    run.note(f"{debt.chain}: {txid[:8]} of {debt.id} comes or goes")
    return True


REFUNDS = {
    "refund": (8, refund),
    "refund is sent": (8, sent),
    "refund gets a destination": (2, destine),
    "refund is withdrawn": (1, withdraw),
    "transaction of a refund comes or goes": (2, lost_refund),
}
