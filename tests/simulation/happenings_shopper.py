"""What payers do, and what makes them: invoices, and payments of every kind."""

from __future__ import annotations

import asyncio
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
    if run.dice.random() < 0.5:
        fields["refund_address"] = payer(run)
    await _create(run, fields | {"amount": str(run.dice.choice([1, 2, 10]))})
    return True


async def invoice_with_options(run: Run) -> bool:
    """Ask for money in any of two ways: on two chains, or in two assets of one."""
    ways = run.dice.choice([[("alpha", COIN), ("beta", COIN)], [("alpha", COIN), ("alpha", TOKEN)]])
    options = [{"chain": c, "asset": a, "amount": str(run.dice.choice([1, 3]))} for c, a in ways]
    if run.dice.random() < 0.5:
        options[0]["refund_address"] = payer(run)
    fields = _terms(run, None)
    await _create(run, fields | {"options": options})
    return True


async def invoice_for_own_address(run: Run) -> bool:
    """Ask for money at an address of the merchant's own, which may have got money before, or gets it now."""
    name, address = run.chain(), f"fake1{90_000_000 + run.dice.randrange(10_000_000)}"
    chain = run.deployment.chains[name]
    for _ in range(run.dice.choice([0, 0, 1, 2])):
        pay_to(run, name, [Credit(address, run.dice.choice([10**8, 5 * 10**7]))])
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
        pay_to(run, name, [Credit(address, 10**8)])
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
        "late": dice.choice(["hold", "accept", "refund"]),
        "tolerance": {"percent": dice.choice(["0", "5"])},
        "reminder_before": dice.choice([0, 20, 50]),
    }
    if dice.random() < 0.6:
        terms["policy"] = _policy(run)
    if dice.random() < 0.3:
        terms["customer_email"] = "payer@shop.test"
    return terms | ({"webhook_url": OWN} if dice.random() < 0.2 else {})


def _policy(run: Run) -> dict[str, Any]:
    """Let some of it happen by itself."""
    dice = run.dice
    return {
        "accept_percent": dice.choice([None, "50", "90"]),
        "extend": dice.choice([0, 60, 90]),
        "underpaid": dice.choice(["hold", "refund"]),
        "overpaid": dice.choice(["keep", "hold", "refund"]),
        "wrong_asset": dice.choice(["hold", "refund"]),
    }


async def _create(run: Run, fields: dict[str, Any]) -> dict[str, Any]:
    made = await run.deployment.invoice(**fields)
    run.note(f"invoice {made['id']} {fields}")
    return made


# --- payments


def payer(run: Run) -> str:
    """Return an address of a payer's; some have several refunds."""
    return f"fake1{70_000_000 + run.dice.choice([run.dice.randrange(10_000_000), 1, 2])}"


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
        pay_to(run, offer.chain, [Credit(offer.address, _amount(run, offer, kind), offer.asset)])
        return True

    return pay


def pay_to(run: Run, name: str, paid: list[Credit], **options: Any) -> str:
    """Put a transaction into a chain's pool."""
    txid = run.deployment.chains[name].send(paid, **options)
    run.note(f"{name}: {txid[:8]} pays {[(c.address[-3:], c.amount, c.asset) for c in paid]}")
    return txid


async def pay_and_bury(run: Run) -> bool:
    """Pay, and let so many blocks come that nobody doubts it."""
    bill = _bill(run)
    if bill is None:
        return False
    offer = run.dice.choice(bill.offers)
    amount = _amount(run, offer, run.dice.choice(["right", "right", "short", "over"]))
    pay_to(run, offer.chain, [Credit(offer.address, amount, offer.asset)])
    chain = run.deployment.chains[offer.chain]
    chain.mine(1, only=chain.gather(lambda: True))
    chain.sweep()
    chain.mine(3)
    return True


async def pay_several(run: Run) -> bool:
    """Pay several invoices, or one several times, in one transaction."""
    bills = run.audit.books().bills()
    offers = [offer for bill in bills[-4:] for offer in bill.offers if offer.chain == "alpha"]
    if not offers:
        return False
    chosen = [run.dice.choice(offers) for _ in range(run.dice.randrange(2, 5))]
    pay_to(run, "alpha", [Credit(o.address, o.amount // run.dice.choice([1, 2]), o.asset) for o in chosen])
    return True


async def pay_wrong_asset(run: Run) -> bool:
    returned = [bill for bill in run.audit.books().bills() if bill.usage.wrong_asset == "refund"]
    bill = run.dice.choice(returned) if returned and run.dice.random() < 0.5 else _bill(run)
    if bill is None:
        return False
    offer = run.dice.choice(bill.offers)
    other = TOKEN if offer.asset == COIN else COIN
    wanted = {(o.chain, o.address, o.asset) for o in bill.offers}
    if (offer.chain, offer.address, other) in wanted:
        return False
    pay_to(run, offer.chain, [Credit(offer.address, 5000, other)])
    return True


async def pay_late(run: Run) -> bool:
    """Pay an invoice whose deadline has passed."""
    now = run.deployment.clock()
    late = [bill for bill in run.audit.books().bills() if bill.expires_at < now]
    if not late:
        return False
    offer = run.dice.choice(run.dice.choice(late).offers)
    pay_to(run, offer.chain, [Credit(offer.address, offer.amount, offer.asset)])
    return True


async def pay_by_the_deadline(run: Run) -> bool:
    """Pay at the last moment: it passes before a block comes."""
    now = run.deployment.clock()
    open_ = [bill for bill in run.audit.books().bills() if bill.status in {"pending", "partial"}]
    if not open_:
        return False
    bill = run.dice.choice([b for b in open_ if b.usage.accept or b.usage.extend] or open_)
    offer = run.dice.choice(bill.offers)
    amount = run.dice.choice([offer.amount, offer.amount * 93 // 100, offer.amount * 60 // 100])
    pay_to(run, offer.chain, [Credit(offer.address, amount, offer.asset)])
    left = (max([bill.expires_at, *(w.until for w in bill.words if w.until)]) - now).total_seconds()
    if 0 < left < 400:
        run.deployment.clock.advance(left + 1)
    return True


async def part_at_the_deadline(run: Run) -> bool:
    """Pay a part that the policy accepts once it is confirmed; the deadline passes before a block comes."""
    terms = {"chain": "alpha", "asset": COIN, "amount": "1", "expires_in": 60, "confirmations": 2}
    offer = await _made(run, terms | {"policy": {"accept_percent": "50"}})
    pay_to(run, "alpha", [Credit(offer.address, offer.amount * 60 // 100, COIN)])
    await asyncio.sleep(16)
    run.deployment.clock.advance(50)
    return True


async def unasked_money(run: Run) -> bool:
    """Pay nothing but what was not asked for, mostly where it goes back; blocks come, one by one."""
    name = run.chain()
    policy = {"wrong_asset": run.dice.choice(["refund", "refund", "hold"])}
    terms = {"chain": name, "asset": COIN, "amount": "1", "expires_in": 3600, "confirmations": 3}
    offer = await _made(run, terms | {"policy": policy})
    pay_to(run, name, [Credit(offer.address, 5000, TOKEN)])
    chain = run.deployment.chains[name]
    for _ in range(4):
        chain.mine(1, only=chain.gather(lambda: True))
        chain.sweep()
        await asyncio.sleep(16)
    return True


async def _made(run: Run, fields: dict[str, Any]) -> Offer:
    made = await _create(run, fields)
    return run.audit.books().bills(made["id"])[0].offers[0]


async def pay_nothing(run: Run) -> bool:
    """Send a transfer of zero, as poisoners do."""
    bill = _bill(run)
    if bill is None:
        return False
    pay_to(run, bill.offers[0].chain, [Credit(bill.offers[0].address, 0, bill.offers[0].asset)])
    return True


async def pay_by_coinbase(run: Run) -> bool:
    """Mine a block whose own reward goes to an invoice."""
    bill = _bill(run)
    if bill is None:
        return False
    offer = run.dice.choice(bill.offers)
    chain = run.deployment.chains[offer.chain]
    reward = pay_to(run, offer.chain, [Credit(offer.address, offer.amount, offer.asset)], maturity=4)
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
    pay_to(run, name, [Credit(offers[0].address, offers[0].amount, offers[0].asset)], spends=(outpoint,))
    chain.sweep()
    return True


PAYMENTS = {
    "invoice": (8, invoice),
    "invoice with options": (5, invoice_with_options),
    "invoice for an address of one's own": (2, invoice_for_own_address),
    "pay while the invoice is made": (2, money_meanwhile),
    "pay": (10, _paying("right")),
    "pay, and many blocks": (6, pay_and_bury),
    "pay short": (6, _paying("short")),
    "pay over": (2, _paying("over")),
    "pay dust": (2, _paying("dust")),
    "pay nothing": (1, pay_nothing),
    "pay several in one transaction": (3, pay_several),
    "pay in the wrong asset": (3, pay_wrong_asset),
    "pay by the deadline": (2, pay_by_the_deadline),
    "pay a part at the deadline": (1, part_at_the_deadline),
    "pay what nobody asked for": (1, unasked_money),
    "pay late": (3, pay_late),
    "pay by coinbase": (2, pay_by_coinbase),
    "pay with unconfirmed money": (2, spend_unconfirmed),
}
