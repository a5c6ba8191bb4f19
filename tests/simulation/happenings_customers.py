"""Standing addresses: made, paid in any amount for as long as the run lasts, archived."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fake_chain import COIN, TOKEN, Credit
from happenings_shopper import pay_to
from merchant_requests import BY
from watcher.drafts_standing import StandingDraft

if TYPE_CHECKING:
    from run import Run


async def customer(run: Run) -> bool:
    """Give a customer an address, of the key or of the merchant's own; it may have got money before."""
    name, own = run.chain(), f"fake1{60_000_000 + run.dice.randrange(10_000_000)}"
    counts: list[Any] = [1, 2, 3]
    counts += [0] if run.deployment.adapters[name].has_mempool else ["safe", "finalized"]
    fields: dict[str, Any] = {"chain": name, "confirmations": run.dice.choice(counts), "label": "a customer"}
    if run.dice.random() < 0.3:
        fields["address"] = own
        for _ in range(run.dice.choice([0, 1])):
            pay_to(run, name, [Credit(own, 10**8)])
    made = await run.deployment.customers.create(StandingDraft.model_validate(fields), BY)
    run.note(f"standing address {made['id']} {fields}")
    return True


async def deposit(run: Run) -> bool:
    rows = run.audit.books().rows("SELECT * FROM standing ORDER BY rowid")
    if not rows:
        return False
    row = run.dice.choice(rows)
    assets = run.dice.choices([COIN, TOKEN], k=run.dice.choice([1, 1, 2]))
    paid = [Credit(row["address"], run.dice.randrange(1_000, 10**9), asset) for asset in assets]
    pay_to(run, row["chain"], paid)
    return True


async def archive(run: Run) -> bool:
    rows = run.audit.books().rows("SELECT * FROM standing WHERE archived_at IS NULL ORDER BY rowid")
    if not rows:
        return False
    id_ = run.dice.choice(rows)["id"]
    run.note(f"{id_} is archived")
    await run.deployment.customers.archive(id_, BY)
    return True


CUSTOMERS = {
    "standing address": (2, customer),
    "pay a standing address": (5, deposit),
    "standing address is archived": (1, archive),
}
