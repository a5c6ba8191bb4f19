"""What a merchant's books, events and nodes have to say in the end. Knows no story."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter, defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from life_town import Town

Sums = dict[tuple[str, str], Decimal]


def subject(data: dict[str, Any]) -> str | None:
    """Return whose event it is: an invoice's, a standing address's, or nobody's."""
    found: str | None = (data.get("invoice") or data.get("address") or {}).get("id")
    return found


async def assert_every_event_arrived_once_and_in_order(town: Town) -> None:
    """The shop got each event; an id has one body; each subject's sequence has no hole and never goes back.

    Only a kill between the shop's answer and its record repeats one, under its id. The shop itself refuses
    (and so never has) what is not signed.
    """
    await town.until(lambda: town.daemon.call("GET", "/v1/deliveries?state=pending"), _is_empty)
    listed = (await town.daemon.call("GET", "/v1/events?after=0&limit=200"))["data"]
    bodies: defaultdict[str, set[bytes]] = defaultdict(set)
    for id_, body in town.shop.received:
        bodies[id_].add(body)
    got = {id_: json.loads(next(iter(body))) for id_, body in bodies.items()}

    assert len(listed) < 200, "one page is enough"
    assert {1} == {len(each) for each in bodies.values()}
    assert {event["id"]: event["data"] for event in listed} == {i: event["data"] for i, event in got.items()}
    sequences: defaultdict[str | None, list[int]] = defaultdict(list)
    for event in got.values():
        sequences[subject(event["data"])].append(event["data"]["sequence"])
    assert {id_: list(range(1, len(each) + 1)) for id_, each in sequences.items()} == sequences


def _is_empty(page: dict[str, Any]) -> bool:
    return not page["data"]


async def assert_the_exports_hold_what_moved(town: Town) -> None:
    """Each transaction stands in both exports with its amount, and nothing else counts."""
    items = json.loads(await town.text("export", "--format", "json"))
    lines = [*csv.DictReader(io.StringIO(await town.text("export", "--format", "csv")))]
    rows = [line for line in lines if line["counted"] == "yes"]
    moved = {row["txid"]: (row["kind"], row["asset"], _amount(row)) for row in rows}

    assert town.book.moved == moved
    assert len(rows) == len(moved)
    assert town.book.sums() == _sums((row["kind"], row["asset"], _amount(row)) for row in rows)
    assert town.book.sums() == _sums(_movements(items))


def _amount(row: dict[str, str]) -> Decimal:
    return Decimal(row["net"] if row["kind"] == "refund" else row["gross"])


def _movements(items: list[dict[str, Any]]) -> Any:
    for item in items:
        if item["kind"] == "deposit":
            yield from [("deposit", item["asset"], Decimal(item["amount"]))] * item["counted"]
            continue
        for one in item["payments"]:
            yield from [("payment", one["asset"], Decimal(one["amount"]))] * one["counted"]
        for one in item["refunds"]:
            confirmed = one["state"] == "confirmed"
            yield from [("refund", one["asset"], Decimal(one["arrives"]))] * confirmed


def _sums(movements: Any) -> Sums:
    found: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for kind, asset, amount in movements:
        found[kind, asset] += amount
    return dict(found)


async def assert_the_reports_agree(town: Town) -> None:
    """`stats` counts what `invoice list` lists, and `explain` and `audit` know every decision and refund."""
    invoices = (await town.does("invoice", "list", "--limit", "200"))["data"]
    total = (await town.does("stats"))["total"]
    statuses = Counter(one["status"] for one in invoices)

    names = ("paid", "underpaid", "expired", "refunded")
    assert {"created": len(invoices), "open": 0, "cancelled": 0} | {n: statuses[n] for n in names} == {
        name: total[name] for name in ("created", "open", "cancelled", *names)
    }
    for one in invoices:
        await _assert_explained(town, one)


async def _assert_explained(town: Town, one: dict[str, Any]) -> None:
    told = await town.daemon.call("GET", f"/v1/invoices/{one['id']}/explain")
    audited = (await town.daemon.call("GET", f"/v1/audit?subject={one['id']}"))["data"]

    assert one["status"] == told["status"]
    assert [each["id"] for each in one["payments"]] == [each["id"] for each in told["payments"]]
    assert [each["id"] for each in one["refunds"]] == [each["id"] for each in told["refunds"]]
    decided = [(f"invoice.{d['kind']}", d["by"], d["reason"]) for d in told["decisions"]]
    acts = {f"invoice.{kind}" for kind in ("accept", "extend", "cancel")}
    written = [(a["action"], a["actor"], a["reason"]) for a in audited if a["action"] in acts]
    assert sorted(map(str, decided)) == sorted(map(str, written))
    requested = [a["detail"] for a in audited if a["action"] == "refund.request"]
    assert len(one["refunds"]) == len(requested), audited


async def assert_the_ledger_is_the_chain(town: Town) -> None:
    """`reconcile` finds no difference, refunds and standing addresses included."""
    result = await town.said("reconcile")
    assert 0 == result.returncode, result
