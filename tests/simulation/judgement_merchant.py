"""The judgement of what merchants did: each request had its effect once, and the audit trail has each."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from wrong import Wrong

if TYPE_CHECKING:
    from books import Bill, Books
    from run import Run

ALLOWED = {"done": {1}, "refused": {0}, "unknown": {0, 1}}
"""How often a request may stand in the audit trail."""


def payers(books: Books) -> set[tuple[str, str]]:
    """Return the addresses that are watched for refunds alone."""
    return {place for place, row in books.addresses().items() if row["refund"]}


def answers(run: Run, books: Books, bills: list[Bill]) -> None:
    rows = books.rows("SELECT * FROM audit ORDER BY id")
    trail = Counter(row["reason"] for row in rows)
    for request in run.requests.made:
        if trail[request.reason] not in ALLOWED[request.outcome]:
            raise Wrong(f"{request} was {request.outcome}, and is {trail[request.reason]} times in the trail")
    entries = Counter((row["subject"], row["action"], row["actor"]) for row in rows)
    facts = Counter((bill.id, f"invoice.{w.kind}", w.by) for bill in bills for w in bill.words)
    facts += Counter((bill.id, "refund.request", d.by) for bill in bills for d in bill.debts)
    facts += Counter(
        (row["id"], "address.create", "a merchant") for row in books.rows("SELECT id FROM standing")
    )
    found = {key: entries[key] for key in entries if key[1] in {action for _, action, _ in facts}}
    if found != dict(facts):
        raise Wrong(f"the trail has {found}, and decided was {dict(facts)}")
    _mails(books)


def _mails(books: Books) -> None:
    """A payer who is known has one mail for each reminder."""
    told = books.rows(
        "SELECT body, invoice_id FROM event JOIN invoice ON invoice.id = invoice_id"
        " WHERE type = 'invoice.reminder' AND customer_email IS NOT NULL"
    )
    reminded = sorted((row["invoice_id"], _deadline(row["body"])) for row in told)
    mails = books.rows("SELECT invoice_id FROM mail ORDER BY id")
    if sorted(row["invoice_id"] for row in mails) != [invoice_id for invoice_id, _ in reminded]:
        raise Wrong(f"{len(mails)} mails are written for the reminders {reminded}")


def _deadline(body: bytes) -> str:
    return str(json.loads(body)["data"]["invoice"]["expires_at"])
