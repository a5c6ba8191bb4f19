"""What merchants decide about invoices, alone, two at once, and once more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from audit_decisions import EXTENSIONS
from happenings_shopper import payer
from merchant_requests import send, send_together
from watcher.drafts_merchant import AcceptDraft, CancelDraft, ExtendDraft, RefundDraft
from wrong import Wrong

if TYPE_CHECKING:
    from books import Bill
    from merchant_requests import Request
    from run import Run

REFUNDABLE = {"paid", "underpaid", "expired", "refunding", "refunded", "cancelled"}


def _choose(run: Run, *statuses: str) -> Bill | None:
    """Return any invoice, mostly one in these statuses or one that waits."""
    bills = run.audit.books().bills()
    likely = [bill for bill in bills if bill.status in statuses or bill.needs_action]
    if likely and run.dice.random() < 0.9:
        return run.dice.choice(likely)
    return run.dice.choice(bills) if bills else None


def _accepting(run: Run, bill: Bill, sequence: int | None = None) -> Request:
    nothing = True if bill.status == "pending" else None
    fields: dict[str, Any] = {"without_payment": nothing, "sequence": sequence}
    return run.requests.new(run, "accept", bill.id, form=AcceptDraft, **fields)


def _extending(run: Run, bill: Bill, sequence: int | None = None) -> Request:
    seconds = run.dice.choice(EXTENSIONS)
    fields: dict[str, Any] = {"seconds": seconds, "sequence": sequence}
    return run.requests.new(run, "extend", bill.id, form=ExtendDraft, **fields)


def _cancelling(run: Run, bill: Bill, sequence: int | None = None) -> Request:
    return run.requests.new(run, "cancel", bill.id, form=CancelDraft, sequence=sequence)


def refunding(run: Run, bill: Bill, sequence: int | None = None) -> Request:
    """Ask for money back: by default as much as the product thinks, or a part, or too much."""
    fields: dict[str, Any] = {"sequence": sequence}
    if run.dice.random() < 0.85:
        fields["address"] = payer(run)
    paid = [p["deposit"] for p in json.loads(bill.decision)["payments"]]
    if paid and run.dice.random() < 0.6:
        deposit = run.dice.choice(paid)
        fields |= {"chain": deposit["chain"], "asset": deposit["asset"]}
        part = run.dice.choice([None, None, (1, 2), (1, 1), (2, 1), (1, 10**6)])
        if part:
            units = max(1, deposit["amount"] * part[0] // part[1])
            fields["amount"] = _text(units, deposit["asset"])
    return run.requests.new(run, "refund", bill.id, form=RefundDraft, **fields)


def _text(units: int, asset: str) -> str:
    digits = {"COIN": 8, "TOKEN": 6}[asset]
    return f"{units // 10**digits}.{units % 10**digits:0{digits}d}"


async def accept(run: Run) -> bool:
    bill = _choose(run, "partial", "underpaid", "pending")
    return bill is not None and await send(run, _accepting(run, bill)) is not None


async def extend(run: Run) -> bool:
    bill = _choose(run, "partial", "underpaid", "pending", "expired")
    return bill is not None and await send(run, _extending(run, bill)) is not None


async def cancel(run: Run) -> bool:
    bill = _choose(run, "pending")
    return bill is not None and await send(run, _cancelling(run, bill)) is not None


async def two_at_once(run: Run) -> bool:
    """Let two merchants decide about the same invoice, each seeing it as it is now: one of them does."""
    bill = _choose(run, *REFUNDABLE, "partial", "pending")
    if bill is None:
        return False
    ways = [_accepting, _extending, _cancelling, refunding]
    seen = bill.sequence
    pair = [run.dice.choice(ways)(run, bill, seen), run.dice.choice(ways)(run, bill, seen)]
    done = await send_together(run, pair)
    if len(done) > 1:
        raise Wrong(f"both were done: {done}")
    run.tally["one of two merchants decided"] += len(done)
    return bool(done)


async def again(run: Run) -> bool:
    """Send a request once more, as a program does that was not answered, or not told so."""
    known = run.requests.repeatable(run.deployment.clock())
    if not known:
        return False
    open_ = [r for r in known if r.outcome == "unknown"]
    await send(run, run.dice.choice(open_ or known[-5:]))
    return True


async def same_at_once(run: Run) -> bool:
    """Send one request twice at the same moment, under one key."""
    bill = _choose(run, *REFUNDABLE, "partial")
    if bill is None:
        return False
    request = run.dice.choice([_accepting, _extending, refunding])(run, bill)
    if request.idem is None:
        return await send(run, request) is not None
    return bool(await send_together(run, [request, request]))


MERCHANT = {
    "accept": (1, accept),
    "extend": (2, extend),
    "cancel": (1, cancel),
    "two merchants at once": (2, two_at_once),
    "a request is repeated": (2, again),
    "a request is sent twice at once": (1, same_at_once),
}
