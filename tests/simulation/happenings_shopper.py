"""What merchants and payers do: invoices, payments of every kind, decisions."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from fake_chain import COIN, TOKEN, Credit
from template import OWN

if TYPE_CHECKING:
    from books import Bill, Offer
    from run import Run

UNIT = {COIN: 10**8, TOKEN: 10**6}


# --- invoices


async def invoice(run: Run) -> bool:
    """Ask for money on one chain."""
    name = run.chain()
    fields = _terms(run, name) | {"chain": name, "asset": run.dice.choice([COIN, COIN, TOKEN])}
    await _create(run, fields | {"amount": str(run.dice.choice([1, 2, 10]))})
    return True


async def invoice_with_options(run: Run) -> bool:
    """Ask for money in any of two ways: on two chains, or in two assets of one."""
    ways = run.dice.choice([[("alpha", COIN), ("beta", COIN)], [("alpha", COIN), ("alpha", TOKEN)]])
    options = [{"chain": c, "asset": a, "amount": str(run.dice.choice([1, 3]))} for c, a in ways]
    fields = _terms(run, None)
    await _create(run, fields | {"options": options})
    return True


async def invoice_for_own_address(run: Run) -> bool:
    """Ask for money at an address of the merchant's own, which may have got money before, or gets it now."""
    name, address = run.chain(), f"fake1{90_000_000 + run.dice.randrange(10_000_000)}"
    chain = run.deployment.chains[name]
    for _ in range(run.dice.choice([0, 0, 1, 2])):
        _send(run, name, [Credit(address, run.dice.choice([10**8, 5 * 10**7]))])
        if run.dice.random() < 0.5:
            chain.mine(1, only=chain.gather(lambda: True))
            chain.sweep()
    fields = _terms(run, name) | {"chain": name, "asset": COIN, "amount": "1", "address": address}
    await _create(run, fields)
    return True


async def money_meanwhile(run: Run) -> bool:
    """Pay an address of the merchant's own in the block that is mined while its invoice is being made."""
    name, address = run.chain(), f"fake1{80_000_000 + run.dice.randrange(10_000_000)}"
    chain = run.deployment.chains[name]

    def pay() -> None:
        _send(run, name, [Credit(address, 10**8)])
        chain.mine(1, only=chain.gather(lambda: True))
        chain.sweep()
        run.deployment.bus.scan[name].set()

    run.deployment.adapters[name].after_tip = pay
    fields = _terms(run, name) | {"chain": name, "asset": COIN, "amount": "1", "address": address}
    await _create(run, fields)
    return True


def _terms(run: Run, name: str | None) -> dict[str, Any]:
    dice = run.dice
    counts: list[Any] = [1, 2, 3]
    if name is not None:
        counts += [0] if run.deployment.adapters[name].has_mempool else ["safe", "finalized"]
    terms: dict[str, Any] = {
        "expires_in": dice.choice([60, 120, 300]),
        "monitor_for": dice.choice([0, 60, 600]),
        "confirmations": dice.choice(counts),
        "late": dice.choice(["hold", "accept"]),
        "tolerance": {"percent": dice.choice(["0", "5"])},
    }
    return terms | ({"webhook_url": OWN} if dice.random() < 0.2 else {})


async def _create(run: Run, fields: dict[str, Any]) -> None:
    made = await run.deployment.invoice(**fields)
    run.note(f"invoice {made['id']} {fields}")


# --- payments


def _bill(run: Run) -> Bill | None:
    """Return any invoice, a new one rather than an old one."""
    bills = run.audit.books().bills()
    return run.dice.choice(bills[-4:]) if bills else None


def _amount(run: Run, offer: Offer, kind: str) -> int:
    match kind:
        case "short":
            return offer.amount * run.dice.choice([1, 50, 94, 96]) // 100
        case "over":
            return offer.amount * 2 + 1
        case "dust":
            return run.dice.choice([1, 999])
        case _:
            return offer.amount


def _paying(kind: str) -> Any:
    async def pay(run: Run) -> bool:
        bill = _bill(run)
        if bill is None:
            return False
        offer = run.dice.choice(bill.offers)
        _send(run, offer.chain, [Credit(offer.address, _amount(run, offer, kind), offer.asset)])
        return True

    return pay


def _send(run: Run, name: str, paid: list[Credit], **options: Any) -> str:
    txid = run.deployment.chains[name].send(paid, **options)
    run.note(f"{name}: {txid[:8]} pays {[(c.address[-3:], c.amount, c.asset) for c in paid]}")
    return txid


async def pay_several(run: Run) -> bool:
    """Pay several invoices, or one several times, in one transaction."""
    bills = run.audit.books().bills()
    offers = [offer for bill in bills[-4:] for offer in bill.offers if offer.chain == "alpha"]
    if not offers:
        return False
    chosen = [run.dice.choice(offers) for _ in range(run.dice.randrange(2, 5))]
    _send(run, "alpha", [Credit(o.address, o.amount // run.dice.choice([1, 2]), o.asset) for o in chosen])
    return True


async def pay_wrong_asset(run: Run) -> bool:
    bill = _bill(run)
    if bill is None:
        return False
    offer = run.dice.choice(bill.offers)
    other = TOKEN if offer.asset == COIN else COIN
    wanted = {(o.chain, o.address, o.asset) for o in bill.offers}
    if (offer.chain, offer.address, other) in wanted:
        return False
    _send(run, offer.chain, [Credit(offer.address, 5000, other)])
    return True


async def pay_late(run: Run) -> bool:
    """Pay an invoice whose deadline has passed."""
    now = run.deployment.clock()
    late = [bill for bill in run.audit.books().bills() if bill.expires_at < now]
    if not late:
        return False
    offer = run.dice.choice(run.dice.choice(late).offers)
    _send(run, offer.chain, [Credit(offer.address, offer.amount, offer.asset)])
    return True


async def pay_nothing(run: Run) -> bool:
    """Send a transfer of zero, as poisoners do."""
    bill = _bill(run)
    if bill is None:
        return False
    _send(run, bill.offers[0].chain, [Credit(bill.offers[0].address, 0, bill.offers[0].asset)])
    return True


async def pay_by_coinbase(run: Run) -> bool:
    """Mine a block whose own reward goes to an invoice."""
    bill = _bill(run)
    if bill is None:
        return False
    offer = run.dice.choice(bill.offers)
    chain = run.deployment.chains[offer.chain]
    reward = _send(run, offer.chain, [Credit(offer.address, offer.amount, offer.asset)], maturity=4)
    chain.mine(1, only=[reward])
    chain.sweep()
    return True


async def spend_unconfirmed(run: Run) -> bool:
    """Pay with the output of a transaction that is not confirmed itself."""
    bill, name = _bill(run), run.chain()
    chain = run.deployment.chains[name]
    offers = [offer for offer in bill.offers if offer.chain == name] if bill else []
    if not offers or not chain.pool:
        return False
    outpoint = f"{run.dice.choice(list(chain.pool))}:0"
    _send(run, name, [Credit(offers[0].address, offers[0].amount, offers[0].asset)], spends=(outpoint,))
    chain.sweep()
    return True


# --- decisions


def _deciding(kind: str, *statuses: str) -> Any:
    async def decide(run: Run) -> bool:
        bills = [bill for bill in run.audit.books().bills() if _may(bill, statuses)]
        if not bills:
            return False
        bill = run.dice.choice(bills)
        until = run.deployment.clock() + timedelta(seconds=run.dice.choice([60, 300]))
        run.note(f"{kind} {bill.id}")
        await run.deployment.resolve(bill.id, kind, until if kind == "extend" else None)
        return True

    return decide


def _may(bill: Bill, statuses: tuple[str, ...]) -> bool:
    return bill.status in statuses


PAYMENTS = {
    "invoice": (8, invoice),
    "invoice with options": (5, invoice_with_options),
    "invoice for an address of one's own": (2, invoice_for_own_address),
    "pay while the invoice is made": (2, money_meanwhile),
    "pay": (10, _paying("right")),
    "pay short": (6, _paying("short")),
    "pay over": (2, _paying("over")),
    "pay dust": (2, _paying("dust")),
    "pay nothing": (1, pay_nothing),
    "pay several in one transaction": (3, pay_several),
    "pay in the wrong asset": (2, pay_wrong_asset),
    "pay late": (3, pay_late),
    "pay by coinbase": (2, pay_by_coinbase),
    "pay with unconfirmed money": (2, spend_unconfirmed),
    "accept": (1, _deciding("accept", "partial", "underpaid", "pending", "expired", "cancelled")),
    "extend": (2, _deciding("extend", "pending", "partial", "underpaid", "expired")),
    "cancel": (1, _deciding("cancel", "pending")),
}
