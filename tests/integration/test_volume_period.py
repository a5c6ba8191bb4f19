"""Volume of a period: all money that came in it, whenever its invoice was made, and nothing else is read."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import event, update

import report_scene
from link_scene import UNIT
from report_scene import DAY
from watcher.tables import INVOICE

if TYPE_CHECKING:
    from datetime import datetime

    from api_server import Api

MOMENT = timedelta(microseconds=1)


async def volume(api: Api, after: datetime | None = None, before: datetime | None = None) -> dict[str, Any]:
    """Return what came to invoices and to standing addresses, by day."""
    given = {"after": after, "before": before}
    query = {name: f"{at:%Y-%m-%dT%H:%M:%S.%fZ}" for name, at in given.items() if at is not None}
    found = (await api.get("/v1/stats/series", params=query)).json["volume"]
    return {
        point["start"]: (point["invoices"], point["addresses"]) for one in found for point in one["points"]
    }


async def pay(api: Api, address: str, units: int, *, mined: bool = True) -> datetime:
    """Pay, and return when: the time of the block or, without one, of the first sight."""
    txid = api.chain.pay(address, units)
    if mined:
        api.chain.mine(only=[txid])
    await api.scan()
    return api.clock()


async def test_money_is_found_however_late_it_came_and_wherever_it_stands(api: Api) -> None:
    old, mine = await api.invoice(amount="3"), await report_scene.customer(api)
    times = [await pay(api, old["options"][0]["address"], UNIT)]
    api.clock.advance(2 * DAY)
    quick = await api.invoice(amount="5", confirmations=0)
    times.append(await pay(api, quick["options"][0]["address"], 5 * UNIT, mined=False))
    api.clock.advance(500 * DAY)
    times.append(await pay(api, old["options"][0]["address"], 2 * UNIT))
    assert 200 == (await api.post(f"/v1/invoices/{old['id']}/accept", {"reason": "a friend"})).status
    api.clock.advance(300 * DAY)
    times.append(await pay(api, mine["address"], 7 * UNIT))
    whole = await volume(api)
    assert [("1", "0"), ("5", "0"), ("2", "0"), ("0", "7")] == list(whole.values())

    days = [*zip(times, whole.items(), strict=True)]
    for at, (day, amounts) in days:
        assert {day: amounts} == await volume(api, at, at + MOMENT)
        assert {} == await volume(api, at - MOMENT, at) == await volume(api, at + MOMENT, at + 2 * MOMENT)
        assert dict(one for when, one in days if when >= at) == await volume(api, after=at)
        assert dict(one for when, one in days if when < at) == await volume(api, before=at)


async def test_no_decision_is_read_of_an_invoice_to_which_nothing_came_then(api: Api) -> None:
    """The others' decisions say "no": to read one would fail."""
    made, times = [], []
    for _ in range(3):
        made.append(await report_scene.paid(api, 60, amount="1"))
        times.append(api.clock())
        api.clock.advance(DAY)
    async with api.context.store.write() as conn:
        others = INVOICE.c.id.in_([made[0]["id"], made[2]["id"]])
        await conn.execute(update(INVOICE).where(others).values(decision="no"))
    asked: list[Any] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "block_time" in statement:
            asked.append((statement, parameters))

    engine = api.context.store._readers.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    found = await volume(api, times[0] + MOMENT, times[2])
    event.remove(engine, "before_cursor_execute", note)

    assert [("1", "0")] == list(found.values())
    assert 2 == len(asked)
    async with api.context.store.read() as conn:
        for statement, parameters in asked:
            rows = await conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plan = [row[3] for row in rows]
            assert any("deposit_time (block_time>? AND block_time<?)" in step for step in plan), plan
            assert not [step for step in plan if step.startswith("SCAN") or "invoice_status" in step], plan
