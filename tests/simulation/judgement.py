"""The judgement at the end: the ledger against the chains as they are, the shops against the outbox."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING

from audit import arrived, compare, credits_of, is_for, is_promised, reach, states_of
from books import moment
from judgement_merchant import answers, payers
from naive import deadline_of
from naive_refunds import Case
from shops import subject_of
from wrong import Wrong

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

    from books import Bill, Books
    from naive import Coin
    from run import Run
    from shops import Arrival

SLACK = timedelta(seconds=10)
"""How far the clocks of the node and of the watcher may differ."""

HOLD = 30.0
"""Seconds for which a failed event holds its successors back at least."""


async def final(run: Run) -> None:
    books = run.audit.books()
    run.audit.step()
    _credits(run, books)
    bills = books.bills()
    _statuses(run, books, bills)
    for bill in bills:
        run.tally[f"ends {bill.status}"] += 1
    _events(books)
    _deliveries(run, books)
    answers(run, books, bills)


# --- credits and statuses


def _standing(run: Run, books: Books) -> dict[tuple[str, str, str], Coin]:
    """Return every credit of the best chains to an address that was shown, but those from before."""
    shown = books.addresses()
    dust = {n: {a.symbol: a.dust for a in each.assets()} for n, each in run.deployment.adapters.items()}
    return {
        key: coin
        for name, chain in run.deployment.chains.items()
        for key, coin in credits_of(name, chain.blocks)
        if is_promised(shown.get((name, coin.address)), coin)
        and coin.amount >= dust[name][coin.asset]
        and (name, coin.address) not in payers(books)
    }


def _credits(run: Run, books: Books) -> None:
    """The ledger's standing credits are those of the best chains: each, once, and nothing else."""
    expected = {key: (c.asset, c.address, c.amount, c.height) for key, c in _standing(run, books).items()}
    found = {}
    for row in books.deposits():
        ours = (row["chain"], row["address"]) not in payers(books)
        if ours and row["standing"] in {"mined", "mempool", "unplaced"}:
            key = (row["chain"], row["txid"], row["slot"])
            if key in found:
                raise Wrong(f"{key} is counted twice")
            if key in expected or not _was_below(books, row):
                found[key] = (row["asset"], row["address"], int(row["amount"]), row["block_height"])
    if found != expected:
        lost = {k: v for k, v in expected.items() if found.get(k) != v}
        made_up = {k: v for k, v in found.items() if expected.get(k) != v}
        raise Wrong(f"the ledger lacks {lost} and invents {made_up}")


def _statuses(run: Run, books: Books, bills: list[Bill]) -> None:
    reaches = {name: reach(row) for name, row in books.chains().items()}
    rows = {(r["chain"], r["txid"], r["slot"]): r for r in books.deposits()}
    seen = {(r["chain"], r["txid"], r["address"], r["asset"]) for r in rows.values()}
    coins = []
    shown = books.addresses()
    for name, chain in run.deployment.chains.items():
        for key, coin in credits_of(name, chain.blocks):
            if key in rows and (name, coin.address) in shown:
                if not shown[name, coin.address]["refund"]:
                    _check_arrival(run, key, moment(rows[key]["arrived_at"]), shown[name, coin.address])
                coins.append(arrived(coin, rows[key]))
    for bill in bills:
        states = states_of(bill, coins, reaches, seen)
        compare(bill, Case(bill, [c for c in coins if is_for(bill, c)], reaches, states))
        for state in states.values():
            run.tally[f"refund ends {state}"] += 1
        for name in {o.chain for o in bill.offers}:
            if bill.status in {"pending", "partial"} and reaches[name].as_of > deadline_of(bill):
                run.tally["deadline passed on one chain alone"] += 1


def _was_below(books: Books, row: sqlite3.Row) -> bool:
    """Whether a deposit stands where nobody promised to look: it may be known and need not."""
    address = books.addresses()[row["chain"], row["address"]]
    first = address["from_height"]
    if first is None or row["block_height"] is None:
        return False
    return row["block_height"] <= first and row["block_time"] < address["created_at"]


def _check_arrival(run: Run, key: tuple[str, str, str], arrived: datetime, address: sqlite3.Row) -> None:
    """It arrived when it was sent, or when a block that ever held it was made.

    A read that began just before may have found it: then it counts from there, in the payer's favour. So it
    does if it came to an address of the merchant's own just before the invoice. One that was gone for a while
    came no earlier than what was proven without it, whatever its node says of the first time.
    """
    chain = run.deployment.chains[key[0]]
    blocks = [b.ref for b in chain.ever() if any(tx.txid == key[1] for tx in b.transactions)]
    sent, made = chain.transaction(key[1]).seen_at, moment(address["created_at"])
    began = [at for name, at in run.deployment.observed if name == key[0] and at <= sent]
    moments = {sent, *(block.time for block in blocks), *began}
    allowed = moments if arrived < made else {max(made, at) for at in moments}
    after = any(block.time >= made or block.height > (address["from_height"] or 0) for block in blocks)
    between = key[1] in chain.gone and min(moments) <= arrived <= max(moments)
    if not (arrived in allowed or between) or (arrived < made <= sent):
        raise Wrong(f"{key} is said to have arrived at {arrived}, and came at one of {allowed}")
    if arrived >= made and not after and made - sent > SLACK:
        raise Wrong(f"{key} is said to have arrived at {arrived}, and came before its invoice")


# --- events


def _events(books: Books) -> None:
    """The events of each subject are numbered without a hole, in the order in which they were written."""
    numbers: dict[str, list[int]] = defaultdict(list)
    told = "SELECT coalesce(invoice_id, standing_id) AS subject, sequence FROM event ORDER BY seq"
    for row in books.rows(told):
        numbers[row["subject"]].append(row["sequence"])
    counted = books.rows("SELECT id, sequence FROM invoice UNION ALL SELECT id, sequence FROM standing")
    for row in counted:
        if numbers[row["id"]] != list(range(1, row["sequence"] + 1)):
            raise Wrong(f"{row['id']} has the events {numbers[row['id']]}, and counts {row['sequence']}")


def _deliveries(run: Run, books: Books) -> None:
    """Every event reached every endpoint that is to have it, as it was written, and in order."""
    bodies = {row["id"]: row["body"] for row in books.rows("SELECT id, body FROM event")}
    for arrival in run.shops.log:
        if bodies.get(arrival.event_id) != arrival.body:
            raise Wrong(f"{arrival.url} was sent {arrival.event_id} as what it is not")
    taken = {(a.url, a.event_id) for a in run.shops.log if a.taken}
    for url, event_id in _wanted(books):
        if (url, event_id) not in taken:
            raise Wrong(f"{event_id} was never taken by {url}")
    for url in {a.url for a in run.shops.log}:
        _order(run, [a for a in run.shops.log if a.url == url])


def _wanted(books: Books) -> list[tuple[str, str]]:
    """Return which endpoint is to have which event: those of all, and the invoice's own of its own."""
    endpoints: list[sqlite3.Row] = books.rows("SELECT id, url, managed FROM endpoint")
    return [
        (endpoint["url"], event["id"])
        for event in books.rows("SELECT id, invoice_id, type FROM event")
        for endpoint in endpoints
        if (endpoint["managed"] == "invoice" and endpoint["id"] == f"whi_{event['invoice_id']}")
        or (endpoint["managed"] == "api" and event["type"] != "webhook.test")
    ]


def _order(run: Run, log: list[Arrival]) -> None:
    """No event goes before an earlier one of its invoice that was not taken, unless that keeps failing."""
    tried: dict[str, dict[int, list[Arrival]]] = defaultdict(lambda: defaultdict(list))
    for arrival in log:
        invoice, number = subject_of(arrival.body)
        if invoice is None:
            continue
        for earlier in range(1, number):
            attempts = tried[invoice][earlier]
            if any(a.taken for a in attempts):
                continue
            if len(attempts) < 3 and not (attempts and arrival.at - attempts[-1].at >= HOLD):
                raise Wrong(f"{arrival.url} got event {number} of {invoice} before event {earlier}")
            run.tally["event passed one that failed"] += 1
        tried[invoice][number].append(arrival)
