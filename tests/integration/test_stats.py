"""Statistics from real invoices: groups that add up, times, filters, and what is read for them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, insert

from watcher.stats import StatsFilter, statistics
from watcher.stats_tally import ENDINGS
from watcher.tables import INVOICE, OPTION
from world import COIN

if TYPE_CHECKING:
    from api_server import Api
    from world import Made, World

START = datetime(2026, 1, 1, tzinfo=UTC)
TWO = [
    {"chain": "left", "asset": "COIN", "amount": "1"},
    {"chain": "right", "asset": "COIN", "amount": "4"},
]


async def of(world: World, expires_in: int = 3600, **wanted: Any) -> dict[str, Any]:
    async with world.store.read() as conn:
        return await statistics(conn, StatsFilter(**wanted), expires_in)


async def groups(world: World, **wanted: Any) -> dict[str, dict[str, Any]]:
    return {one["chain"]: one for one in (await of(world, **wanted))["groups"]}


def counts(tally: dict[str, Any]) -> dict[str, int]:
    """What is not zero."""
    return {name: tally[name] for name in ("created", *ENDINGS, "late") if tally[name]}


async def pay(world: World, invoice: Made, units: int, *, after: float, name: str = "fake") -> None:
    """Pay so many seconds from now, in a block."""
    world.clock.advance(after)
    world.chains[name].pay(invoice.shown["options"][name == "right"]["address"], units)
    world.chains[name].mine()
    await world.scan()


async def rows(world: World, invoices: list[dict[str, Any]], chain: str = "fake") -> None:
    """Write invoices as rows: what a decision would say of them does not matter here."""
    same = {
        "fee_payer": "merchant",
        "late": "hold",
        "reminder_before": 0,
        "exceptions": ",",
        "decision": "no",
    }
    names = [f"inv_{chain}{place}" for place, _ in enumerate(invoices)]
    option = {"position": 0, "chain": chain, "asset": "COIN", "asset_id": "a", "decimals": 8, "amount": 1}
    option |= {"address": "a", "expected": 1, "minimum": 1, "confirmations": "1", "from_height": 0}
    made = [
        {"id": n, "created_at": START, "expires_at": START, "monitor_until": START, "status": "expired"}
        | {"first_at": None, "full_at": None, **same, **one}
        for n, one in zip(names, invoices, strict=True)
    ]
    async with world.store.write() as conn:
        await conn.execute(insert(INVOICE), made)
        await conn.execute(insert(OPTION), [option | {"invoice_id": name} for name in names])


def paid(seconds: float, created: datetime = START) -> dict[str, Any]:
    at = created + timedelta(seconds=seconds)
    return {"created_at": created, "status": "paid", "first_at": at, "full_at": at}


async def test_invoices_are_counted_by_what_became_of_them_and_shares_add_up(world: World) -> None:
    world.add()
    await world.scan()
    made = [await world.invoice() for _ in range(4)]
    await pay(world, made[0], COIN, after=100)
    await pay(world, made[1], COIN // 2, after=100)
    await world.mine(2)
    await world.mine(2, apart=3600)
    await pay(world, made[2], COIN, after=100)
    await world.mine(3)
    await world.invoice()

    found = (await of(world))["total"]
    assert {"created": 5, "open": 1, "paid": 1, "underpaid": 1, "expired": 2, "late": 1} == counts(found)
    assert {
        "open": "20",
        "paid": "20",
        "underpaid": "20",
        "expired": "40",
        "refunded": "0",
        "cancelled": "0",
    } == (found["shares"])


async def test_times_run_from_creation_and_late_payers_are_among_them(world: World) -> None:
    world.add()
    await world.scan()
    quick, slow = await world.invoice(), await world.invoice()
    await pay(world, quick, COIN // 4, after=100)
    await pay(world, quick, COIN, after=50)
    await world.mine(2, apart=3600)
    await pay(world, slow, COIN, after=10)
    await world.mine(2)
    total = (await of(world))["total"]

    assert (2, 100) == (total["first_payment"]["of"], total["first_payment"]["p50"])
    assert (2, 150, 7360) == tuple(total["full_payment"][name] for name in ("of", "p50", "p99"))
    assert {"seconds": 3600, "caught": 1, "of": 2, "share": "50"} == total["default_expires_in"]


async def test_a_payment_that_went_away_leaves_no_time(world: World) -> None:
    chain = world.add()
    await world.scan()
    invoice = await world.invoice()
    await pay(world, invoice, COIN, after=60)

    assert 1 == (await of(world))["total"]["full_payment"]["of"]
    chain.reorg(1, to_pool=False)
    await world.mine(2)
    total = (await of(world))["total"]
    assert (0, 0) == (total["first_payment"]["of"], total["full_payment"]["of"])


async def test_an_invoice_with_two_ways_belongs_to_the_one_that_was_paid_the_larger_part_of(
    world: World,
) -> None:
    world.add("left")
    world.add("right")
    await world.scan()
    unpaid, right, both = [await world.invoice(options=TWO) for _ in range(3)]
    await pay(world, right, 4 * COIN, after=60, name="right")
    await pay(world, both, 2 * COIN, after=60, name="right")  # half of it
    await pay(world, both, 6 * COIN // 10, after=60, name="left")  # three fifths, though it is less
    assert unpaid.id != both.id

    found = await groups(world)

    assert {"left": 2, "right": 1} == {name: group["created"] for name, group in found.items()}
    assert (1, 1) == (found["left"]["full_payment"]["of"], found["right"]["full_payment"]["of"])
    assert 3 == (await of(world))["total"]["created"]


async def test_of_two_equal_parts_the_first_way_counts(world: World) -> None:
    world.add("left")
    world.add("right")
    await world.scan()
    invoice = await world.invoice(options=TWO)
    await pay(world, invoice, 2 * COIN, after=60, name="right")
    await pay(world, invoice, COIN // 2, after=60, name="left")

    assert {"left": 1} == {name: group["created"] for name, group in (await groups(world)).items()}


async def test_groups_add_up_to_the_total(world: World) -> None:
    await rows(world, [paid(n) for n in range(30)], "left")
    await rows(world, [{"status": "expired"}, {"status": "refunding"}, paid(500)], "right")
    found = await of(world)

    for name in ("created", *ENDINGS, "late"):
        assert found["total"][name] == sum(group[name] for group in found["groups"])
    assert ["left", "right"] == [group["chain"] for group in found["groups"]]
    assert 31 == found["total"]["full_payment"]["of"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        pytest.param({"after": START + timedelta(seconds=1)}, 2, id="from a moment on, itself included"),
        pytest.param({"before": START + timedelta(seconds=1)}, 1, id="before a moment, itself left out"),
        pytest.param({"chain": ("right",)}, 0, id="another chain"),
        pytest.param({"chain": ("left", "right"), "asset": ("COIN",)}, 3, id="any of several"),
        pytest.param({"asset": ("TOKEN",)}, 0, id="another asset"),
    ],
)
async def test_filters_choose_by_creation_and_by_group(
    world: World, wanted: dict[str, Any], expected: int
) -> None:
    await rows(world, [paid(60, START + timedelta(seconds=n)) for n in range(3)], "left")
    found = await of(world, **wanted)

    assert (expected, expected) == (found["total"]["created"], found["total"]["full_payment"]["of"])


async def test_below_twenty_payers_nothing_is_suggested_and_the_reason_is_given(world: World) -> None:
    await rows(world, [paid(n) for n in range(100, 119)], "few")
    await rows(world, [paid(n) for n in range(100, 120)], "enough")
    found = await groups(world)

    assert (None, "19 were paid in full; a suggestion needs 20") == (
        found["few"]["suggested_expires_in"],
        found["few"]["no_suggestion"],
    )
    assert (119, None) == (found["enough"]["suggested_expires_in"], found["enough"]["no_suggestion"])


async def test_however_many_invoices_there_are_two_questions_are_asked_and_no_decision_is_read(
    world: World,
) -> None:
    """The rows above say "no" for a decision: to read one would fail."""
    await rows(world, [paid(n) for n in range(2500)])
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    engine = world.store._readers.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    found = await of(world, before=START + timedelta(days=1))
    event.remove(engine, "before_cursor_execute", note)
    selects = [each for each in asked if each.startswith("SELECT")]

    assert 2500 == found["total"]["created"]
    assert 2 == len(selects)
    assert not [each for each in selects if "decision" in each or "LIKE" in each]
    async with world.store.read() as conn:
        for each in selects:
            parameters = (0,) * each.count("?")
            plan = [row[3] for row in await conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {each}", parameters)]
            assert [line for line in plan if line.startswith("SCAN")] == [], plan


async def test_the_api_answers_with_the_default_of_the_installation(api: Api) -> None:
    await api.invoice()
    reply = await api.get("/v1/stats?chain=fake&asset=COIN&after=2026-01-01T00:00:00Z")

    assert 200 == reply.status
    assert ["fake"] == [group["chain"] for group in reply.json["groups"]]
    assert (1, 3600) == (reply.json["total"]["open"], reply.json["total"]["default_expires_in"]["seconds"])


@pytest.mark.parametrize("query", ["after=yesterday", "by=paid", "before=2026-01-01"])
async def test_a_wrong_filter_is_refused(api: Api, query: str) -> None:
    reply = await api.get(f"/v1/stats?{query}")

    assert 422 == reply.status
    assert query.partition("=")[0] == reply.json["error"]["field"]
