"""An invoice that anything may happen to: payments, reorganisations, time, a merchant, refunds. No database.

A walk keeps the facts as the database would, decides after each step as `decisions` does, and notes every
change of status with what caused it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from invoice_facts import BASE, T0, block, deposit, invoice, option
from watcher import policy, refund_plan, resolutions, rules
from watcher.drafts_merchant import RefundDraft
from watcher.errors import Refused
from watcher.facts import Record
from watcher.matcher import decide, opening
from watcher.matcher_rules import HELD, NOT_RECEIVED, Rule
from watcher.model import (
    ExcessPolicy,
    LatePolicy,
    Policy,
    Refund,
    RefundState,
    Resolution,
    ResolutionKind,
    ReturnPolicy,
    Standing,
    Status,
    View,
)
from watcher.refunds import judged
from watcher.render import Links
from watcher.rules import Act

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from watcher.model import Decision, Deposit, Invoice, Payment

LINKS = Links("http://shop.test", lambda option, _: option.address, lambda _chain, _asset: 8)
OURS, PAYER = "address 0", "the payer"
STEPS = [
    *["_time"] * 2,
    *["_mine"] * 3,
    *["_come"] * 3,
    *["_fate"] * 3,
    *["_act"] * 3,
    "_done",
]
OPEN = (Status.PENDING, Status.PARTIAL, Status.CONFIRMING)


@dataclass(frozen=True)
class Seen:
    """What an act did: the status before, and the 409 code of why it was not possible."""

    status: Status
    act: Act
    code: str | None


@dataclass
class Found:
    """What all walks reached."""

    after: set[tuple[Act, Status, Status]] = field(default_factory=set)
    by_itself: set[tuple[Status, Status]] = field(default_factory=set)
    taken_back: set[tuple[Status, Status]] = field(default_factory=set)
    acts: set[Seen] = field(default_factory=set)


class Walk:
    """One invoice and its facts."""

    def __init__(self, chance: random.Random, found: Found) -> None:
        self.chance = chance
        self.found = found
        self.invoice = _some_invoice(chance)
        self.now = T0
        self.head = BASE
        self.deposits: dict[str, Deposit] = {}
        self.sent: dict[str, Deposit] = {}
        self.record = Record(self.invoice, opening(self.invoice), (), None, None)
        self.trail: list[str] = []
        self._number = 0
        self.unseen: dict[str, Deposit] = {}
        self.pauses = [30, 600, 1800, 3700, 90_000]
        begin = chance.choice([None, None, None, self._begin_refunded, self._begin_withdrawn])
        if begin is not None:
            begin()

    @property
    def decision(self) -> Decision:
        return self.record.decision

    def views(self) -> dict[str, View]:
        """The chain is proven to the present moment, but a deadline once passed stays so."""
        old = self.decision
        passed = old.passed or old.status in (Status.EXPIRED, Status.UNDERPAID)
        as_of = max(self.now, old.deadline) if passed else self.now
        return {"one": View("one", block(self.head), as_of)}

    def step(self) -> None:
        """Let something happen, and decide."""
        getattr(self, self.chance.choice(STEPS))()

    def _begin_refunded(self) -> None:
        """Some lives begin where others seldom get: paid, and given back, long before the deadline."""
        self.pauses = [5, 30, 1200]
        for name, amount in self.chance.choice([[("first", 60), ("second", 40)], [("first", 100)]]):
            self.deposits[name] = deposit(amount, self.head, name=name, arrived=0)
        self.head += 2
        self._settle("100 COIN come and are confirmed")
        self._ask(RefundDraft(address=PAYER))
        if self.chance.random() < 0.7:
            self._send()
            self._done()

    def _begin_withdrawn(self) -> None:
        """Others with a refund that was sent, not seen, and withdrawn."""
        kind = self.chance.choice(["short", "late", "cancelled"])
        if kind == "cancelled":
            self._cancel()
        self.now += timedelta(seconds=10 if kind == "short" else 4000)
        self.deposits["first"] = deposit(40, self.head, name="first", arrived=self._seconds())
        self.head += 2
        self.now += timedelta(seconds=4000)
        self._settle("40 COIN come")
        self._ask(RefundDraft(address=PAYER))
        for one in self.record.refunds:
            self.unseen["t0"] = deposit(one.arrives, None, name="t0", address=PAYER, txid="t0")
            self._change(replace(one, txid="t0", sent_at=self.now, address=PAYER, cancelled_at=self.now))
        self._settle("the refund is sent, and withdrawn", taken_back=True)

    # --- facts

    def _time(self) -> None:
        self.now += timedelta(seconds=self.chance.choice(self.pauses))
        self._tell("time passes")

    def _mine(self) -> None:
        self.now += timedelta(seconds=5)
        self.head += 1
        self._tell("a block")

    def _come(self) -> None:
        """Something is paid: in the mempool or in a block at once."""
        amount = self.chance.choice([1, 40, 60, 97, 100, 100, 130])
        asset = self.chance.choice(["COIN"] * 6 + ["OTHER"])
        name = self._name("p")
        mined = self.chance.random() < 0.5
        place = {"standing": Standing.MINED, "block": block(self.head)} if mined else {}
        self.deposits[name] = deposit(
            amount, None, name=name, asset=asset, **{"arrived": self._seconds(), **place}
        )
        self._tell(f"{amount} {asset} come as {name}")

    def _fate(self) -> None:
        """A transaction is mined, leaves its block, comes back, or is gone for good."""
        kept = self.chance.choice([self.deposits, self.deposits, self.sent])
        if not kept:
            return
        name = self.chance.choice(list(kept))
        kept[name] = _moved(kept[name], self.chance, self.head)
        self._tell(f"{name} is {kept[name].standing}")

    def _done(self) -> None:
        """What refunds and payments are on their way is mined, deep enough; also what nobody saw coming."""
        if self.chance.random() < 0.5:
            self.sent.update(self.unseen)
            self.unseen.clear()
        for kept in (self.sent, self.deposits):
            for name, one in kept.items():
                if one.standing in (Standing.MEMPOOL, Standing.UNPLACED):
                    kept[name] = replace(one, standing=Standing.MINED, block=block(self.head))
        self.head += 2
        self.now += timedelta(seconds=20)
        self._tell("two blocks")

    # --- the merchant

    def _act(self) -> None:
        self.now += timedelta(seconds=1)
        self._settle("the merchant looks")
        acts = [self._accept, self._extend, self._refund, self._refund, self._cancel, self._send, self._send]
        self.chance.choice([*acts, self._withdraw])()

    def _accept(self) -> None:
        without = self.chance.random() < 0.3
        if self._may(Act.ACCEPT, without_payment=without):
            self._resolve(Act.ACCEPT, Resolution(ResolutionKind.ACCEPT, self.now, "anna"))

    def _extend(self) -> None:
        if self._may(Act.EXTEND):
            until = max(self.now, self.decision.deadline) + timedelta(seconds=self.chance.choice([60, 3600]))
            self._resolve(Act.EXTEND, Resolution(ResolutionKind.EXTEND, self.now, "anna", until=until))

    def _cancel(self) -> None:
        if self._may(Act.CANCEL):
            self._resolve(Act.CANCEL, Resolution(ResolutionKind.CANCEL, self.now, "anna"))

    def _refund(self) -> None:
        if not self._may(Act.REFUND):
            return
        asset = self.chance.choice([None, "COIN", "OTHER"])
        amount = self.chance.choice([None, None, "0.00000001", "0.0000003", "0.000001", "0.1"])
        self._ask(RefundDraft(address=PAYER, asset=asset, amount=amount))

    def _ask(self, draft: RefundDraft) -> None:
        try:
            place = refund_plan.place_of(self.record, draft)
            wanted = refund_plan.plan(self.record, draft, place, 8)
        except Refused as refused:
            self.found.acts.add(Seen(self.decision.status, Act.REFUND, refused.code))
            return
        self.found.acts.add(Seen(self.decision.status, Act.REFUND, None))
        self._check_plan(wanted)
        one = Refund(
            id=self._name("r"),
            chain="one",
            asset=place[1],
            decimals=8,
            amount=wanted.amount,
            arrives=wanted.amount,
            confirmations=2,
            by="anna",
            at=self.now,
            address=PAYER,
            covers=wanted.covers,
            settles=wanted.settles,
        )
        self.record = replace(self.record, refunds=(*self.record.refunds, one))
        self._settle(f"refund {wanted.amount} {place[1]} as {one.id}", Act.REFUND)

    def _send(self) -> None:
        """A refund is said to be sent; its transaction is seen, or it is not."""
        open_ = [r for r in self.record.refunds if r.state in (RefundState.REQUESTED, RefundState.SENT)]
        if not open_:
            return
        one = self.chance.choice(open_)
        txid = self._name("t")
        credit = deposit(one.arrives, None, name=txid, asset=one.asset, address=PAYER, txid=txid)
        (self.sent if self.chance.random() < 0.8 else self.unseen)[txid] = credit
        self._change(replace(one, txid=txid, sent_at=self.now, address=PAYER))
        self._settle(f"{one.id} is sent by {txid}")

    def _withdraw(self) -> None:
        """As in merchant_refunds: not what was seen."""
        live = [r for r in self.record.refunds if r.state is not RefundState.CANCELLED]
        free = [r for r in live if r.state is RefundState.REQUESTED or r.txid not in self.sent]
        if free:
            one = self.chance.choice(free)
            self._change(replace(one, cancelled_at=self.now))
            self._settle(f"{one.id} is withdrawn", taken_back=True)

    # --- what follows

    def _may(self, act: Act, *, without_payment: bool = False) -> bool:
        """Whether the rules let the merchant act; what they answer is what the table says."""
        code = rules.obstacle(self.record, act, without_payment=without_payment)
        rule = rules.TABLE[self.decision.status][act]
        self.trail.append(f"  {act}: {code or 'possible'}")
        assert code == (None if _holds(self, rule.condition, without_payment=without_payment) else rule.code)
        if act is not Act.REFUND or code is not None:
            self.found.acts.add(Seen(self.decision.status, act, code))
        return code is None

    def _check_plan(self, wanted: refund_plan.Plan) -> None:
        """More than was received is never given back, nor what pays an open invoice."""
        mine = [p for p in self.decision.payments if _place(p) == wanted.place and p.rule not in NOT_RECEIVED]
        received = sum(p.deposit.amount for p in mine if p.final)
        live = [r for r in self.record.refunds if r.state is not RefundState.CANCELLED]
        given = sum(r.amount for r in live if (r.chain, r.asset) == wanted.place)
        assert given + wanted.amount <= received
        if self.decision.status in OPEN:
            unwanted = sum(p.deposit.amount for p in mine if p.final and not p.counted)
            assert wanted.amount <= unwanted
            assert not wanted.settles

    def _resolve(self, act: Act, one: Resolution) -> None:
        self.record = replace(self.record, resolutions=(*self.record.resolutions, one))
        self._settle(str(one.kind), act)

    def _tell(self, what: str) -> None:
        """Decide about it at once or, if the process is down, together with what comes next."""
        if self.chance.random() < 0.2:
            self.trail.append(f"{what} (not seen)")
        else:
            self._settle(what)

    def _settle(self, what: str, act: Act | None = None, *, taken_back: bool = False) -> None:
        """Decide as `decisions` does, and note what became of the status."""
        before = self.decision.status
        self._decide()
        after = self.decision.status
        self.trail.append(f"{what}: {before} -> {after} {[r.state.value for r in self.record.refunds]}")
        if act is not None:
            self.found.after.add((act, before, after))
        elif before is not after:
            (self.found.taken_back if taken_back else self.found.by_itself).add((before, after))

    def _decide(self) -> None:
        views = self.views()
        for _ in range(10):
            refunds = tuple(judged(r, self.sent.values(), views["one"]) for r in self.record.refunds)
            given = list(self.deposits.values())
            decision = decide(self.invoice, given, self.record.resolutions, views, refunds)
            self._check(decision, given, views, refunds)
            record = replace(self.record, refunds=refunds, decision=decision)
            wish = policy.wish(self.invoice, decision, record.resolutions, views["one"].as_of, self.now)
            self.record = record
            if wish is None:
                return
            self._grant(wish)
        raise AssertionError("the policy is never content")

    def _check(self, decision: Decision, given: list[Deposit], views: dict[str, View], refunds: Any) -> None:
        """The order of facts changes nothing, and needs_action is what it is said to be."""
        shuffled = self.chance.sample(given, len(given))
        assert decision == decide(self.invoice, shuffled, self.record.resolutions, views, refunds)
        assert decision.needs_action == bool(reasons(self.invoice, decision, self.record.resolutions))

    def _grant(self, wish: Resolution | policy.Return) -> None:
        """Write down what a policy wishes; it never gives back more than there is."""
        self.trail.append(f"  policy: {wish}")
        if isinstance(wish, Resolution):
            self.record = replace(self.record, resolutions=(*self.record.resolutions, wish))
            return
        mine = [p for p in self.decision.payments if _place(p) == wish.place and p.final]
        received = sum(p.deposit.amount for p in mine if p.rule not in NOT_RECEIVED)
        live = [r for r in self.record.refunds if r.state is not RefundState.CANCELLED]
        given = sum(r.amount for r in live if (r.chain, r.asset) == wish.place)
        assert given + wish.amount <= received
        one = replace(resolutions.requested(self.record, wish, LINKS, self.now), id=self._name("r"))
        self.record = replace(self.record, refunds=(*self.record.refunds, one))

    def _change(self, new: Refund) -> None:
        refunds = tuple(new if new.id == old.id else old for old in self.record.refunds)
        self.record = replace(self.record, refunds=refunds)

    def _seconds(self) -> float:
        return (self.now - T0).total_seconds()

    def _name(self, prefix: str) -> str:
        self._number += 1
        return f"{prefix}{self._number}"


def reasons(invoice: Invoice, decision: Decision, decided: tuple[Resolution, ...]) -> list[str]:
    """Return why the merchant is needed, as README tells it: written apart from the code that decides it."""
    found = [f"{r.id} is to be signed" for r in decision.refunds if r.state is RefundState.REQUESTED]
    accepted = [r.at for r in decided if r.kind is ResolutionKind.ACCEPT]
    live = {d for r in decision.refunds if r.state is not RefundState.CANCELLED for d in r.covers}
    taken_back = {d for r in decision.refunds if r.state is RefundState.CANCELLED for d in r.covers}
    waiting: list[tuple[Payment, bool]] = []
    for payment in decision.payments:
        here = payment.deposit
        if payment.rule in {*HELD, Rule.UNATTRIBUTED}:
            goes_back = invoice.late is LatePolicy.REFUND and payment.rule in HELD
        elif payment.rule == Rule.WRONG_ASSET:
            goes_back = invoice.policy.wrong_asset is ReturnPolicy.REFUND
        else:
            continue
        if here.id not in live and all(here.arrived_at > at for at in accepted):
            waiting.append((payment, goes_back and here.id not in taken_back))
    vanished = not _is_covered(decision, [p for p, goes_back in waiting if goes_back])
    found += [f"{p.deposit.id} is undecided" for p, goes_back in waiting if vanished or not goes_back]
    counted = [p for p in decision.payments if p.counted]
    if decision.status is Status.UNDERPAID:
        seen = Fraction(sum(p.deposit.amount for p in counted), invoice.options[0].amount)
        accepts = invoice.policy.accept_share is not None and seen >= invoice.policy.accept_share
        returns = invoice.policy.underpaid is ReturnPolicy.REFUND
        untried = not any(p.deposit.id in taken_back for p in counted)
        if not accepts and not (returns and untried and _is_covered(decision, counted)):
            found.append("too little came")
    if decision.status is Status.PAID and invoice.policy.overpaid is ExcessPolicy.HOLD:
        too_much = max(0, sum(p.deposit.amount for p in counted) - invoice.options[0].amount)
        ids = {p.deposit.id for p in counted}
        back = [r for r in decision.refunds if r.state is not RefundState.CANCELLED and not r.settles]
        back = [r for r in back if r.asset == "COIN" and ids & r.covers]
        newer = any(p.deposit.arrived_at > at for p in counted for at in accepted[-1:]) or not accepted
        if newer and too_much > sum(r.amount for r in back):
            found.append("too much came")
    return found


def _is_covered(decision: Decision, payments: list[Payment]) -> bool:
    """Whether what was refunded before leaves enough for these: the money that it gave back may be gone."""
    for asset in {p.deposit.asset for p in payments}:
        here = [p for p in decision.payments if p.deposit.asset == asset and p.rule not in NOT_RECEIVED]
        back = [r for r in decision.refunds if r.asset == asset and r.state is not RefundState.CANCELLED]
        left = sum(p.deposit.amount for p in here) - sum(r.amount for r in back)
        if sum(p.deposit.amount for p in payments if p.deposit.asset == asset) > left:
            return False
    return True


def _holds(walk: Walk, condition: rules.Condition | None, *, without_payment: bool) -> bool:
    """Restate the conditions of the table."""
    decision = walk.decision
    match condition:
        case None:
            return False
        case rules.Condition.WITHOUT_PAYMENT:
            return without_payment
        case rules.Condition.UNSEEN:
            return all(p.rule in NOT_RECEIVED for p in decision.payments)
        case rules.Condition.UNDECIDED:
            covered = {d for r in decision.refunds if r.state is not RefundState.CANCELLED for d in r.covers}
            accepted = [r.at for r in walk.record.resolutions if r.kind is ResolutionKind.ACCEPT]
            waiting = [
                p
                for p in decision.payments
                if (p.rule in HELD or p.rule in (Rule.WRONG_ASSET, Rule.UNATTRIBUTED))
                and p.deposit.id not in covered
                and all(p.deposit.arrived_at > at for at in accepted)
            ]
            over = decision.status is Status.PAID and not decision.refunds and decision.needs_action
            return bool(waiting) or over
    return True


def _moved(one: Deposit, chance: random.Random, head: int) -> Deposit:
    """Return the deposit where the chain may have it next."""
    mined: Callable[[], Deposit] = lambda: replace(one, standing=Standing.MINED, block=block(head))  # noqa: E731
    away = {
        Standing.MEMPOOL: [Standing.DROPPED, Standing.REPLACED],
        Standing.MINED: [Standing.UNPLACED, Standing.REORGANISED],
        Standing.UNPLACED: [Standing.REORGANISED],
    }.get(one.standing, [Standing.MEMPOOL])
    if one.standing is not Standing.MINED and chance.random() < 0.7:
        return mined()
    return replace(one, standing=chance.choice(away), block=None)


def _place(payment: Payment) -> tuple[str, str]:
    return payment.deposit.chain, payment.deposit.asset


def _some_invoice(chance: random.Random) -> Invoice:
    """Return an invoice of 100 units with any policy."""
    terms = Policy(
        accept_share=chance.choice([None, None, Fraction(97, 100), Fraction(1, 2)]),
        extend=chance.choice([0, 0, 600]),
        underpaid=chance.choice([ReturnPolicy.HOLD, ReturnPolicy.HOLD, ReturnPolicy.REFUND]),
        overpaid=chance.choice(list(ExcessPolicy)),
        wrong_asset=chance.choice([ReturnPolicy.HOLD, ReturnPolicy.HOLD, ReturnPolicy.REFUND]),
    )
    late = chance.choice([LatePolicy.HOLD, LatePolicy.HOLD, LatePolicy.ACCEPT, LatePolicy.REFUND])
    confirmations = chance.choice([0, 2, 2])
    way = option(confirmations=confirmations, refund_address=chance.choice([None, PAYER]))
    return invoice(way, late=late, policy=terms)
