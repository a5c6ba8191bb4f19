"""The dashboard's statistics and exports, and the series behind them: what the API says, nothing else."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from datetime import datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

import report_scene
from dashboard import sign_in
from link_scene import UNIT
from report_pages import HOSTILE, cells, charts, text
from watcher.apikeys import Scope
from watcher.buckets import Bucket

if TYPE_CHECKING:
    from collections.abc import Iterable

    from api_server import Api


def naive_volume(exported: bytes, bucket: Bucket) -> dict[tuple[str, str, str, str], Fraction]:
    """What the accountant's file adds up to: its confirmed lines that count, by the time of their block."""
    sums: defaultdict[tuple[str, str, str, str], Fraction] = defaultdict(Fraction)
    for line in csv.DictReader(io.StringIO(exported.decode())):
        if line["kind"] in {"payment", "deposit"} and (line["counted"], line["status"]) == (
            "yes",
            "confirmed",
        ):
            moment = datetime.fromisoformat(line["mined_at"] or line["seen_at"])
            start = f"{bucket.start(moment):%Y-%m-%dT%H:%M:%SZ}"
            source = "invoices" if line["kind"] == "payment" else "addresses"
            sums[line["chain"], line["asset"], start, source] += Fraction(line["gross"])
    return dict(sums)


def shown_volume(volume: Iterable[Any]) -> dict[tuple[str, str, str, str], Fraction]:
    return {
        (one["chain"], one["asset"], point["start"], source): Fraction(point[source])
        for one in volume
        for point in one["points"]
        for source in ("invoices", "addresses")
        if point[source] != "0"
    }


# --- series


async def test_the_series_add_up_to_the_statistics_and_to_the_export(api: Api) -> None:
    await report_scene.busy_days(api)
    mine = await report_scene.customer(api)
    await report_scene.deposit(api, mine, 3 * UNIT)
    api.chain.pay(mine["address"], UNIT)
    api.chain.pay((await api.invoice())["options"][0]["address"], UNIT // 2)
    await api.scan()
    total = (await api.get("/v1/stats")).json["total"]
    exported = (await api.get("/v1/export")).body
    assert total["full_payment"]["of"] == sum(one["count"] for one in total["distribution"])

    for bucket in Bucket:
        series = (await api.get(f"/v1/stats/series?bucket={bucket}")).json
        assert bucket == series["bucket"]
        for name in ("created", "open", "paid", "underpaid", "expired", "refunded", "cancelled", "late"):
            assert total[name] == sum(one[name] for one in series["invoices"])
        assert naive_volume(exported, bucket) == shown_volume(series["volume"])


async def test_money_is_counted_by_its_block_and_filters_look_at_it(api: Api) -> None:
    made = await api.invoice(amount="1.5")
    api.chain.pay(made["options"][0]["address"], 3 * UNIT // 2)
    await api.scan()
    api.clock.advance(report_scene.DAY)
    api.chain.mine()
    await api.scan()
    (coin,) = (await api.get("/v1/stats/series")).json["volume"]
    assert [("2026-01-02T00:00:00Z", "1.5")] == [(one["start"], one["amount"]) for one in coin["points"]]
    api.clock.advance(2 * report_scene.DAY)
    await report_scene.paid(api, 60, amount="2")
    moment = api.clock().strftime("%Y-%m-%dT00:00:00Z")

    async def amounts(query: str) -> list[str]:
        volume = (await api.get(f"/v1/stats/series?{query}")).json["volume"]
        return [point["amount"] for one in volume for point in one["points"]]

    assert ["1.5", "2"] == await amounts("")
    assert ["2"] == await amounts(f"after={moment}")
    assert ["1.5"] == await amounts(f"before={moment}&asset=COIN&chain=fake")
    assert [] == await amounts("asset=TOKEN")


async def test_money_that_does_not_count_or_went_away_is_no_volume(api: Api) -> None:
    made = await api.invoice()
    api.chain.pay(made["options"][0]["address"], UNIT, asset="TOKEN")
    api.chain.pay(made["options"][0]["address"], UNIT)
    api.chain.mine()
    await api.scan()
    series = (await api.get("/v1/stats/series")).json
    assert ["COIN"] == [one["asset"] for one in series["volume"]]

    api.chain.reorg(1, to_pool=False)
    api.chain.mine(2)
    await api.scan()

    assert [] == (await api.get("/v1/stats/series")).json["volume"]


@pytest.mark.parametrize("query", ["bucket=hour", "after=yesterday", "by=paid"])
async def test_a_wrong_question_about_series_is_refused(api: Api, query: str) -> None:
    reply = await api.get(f"/v1/stats/series?{query}")

    assert (422, query.partition("=")[0]) == (reply.status, reply.json["error"]["field"])


# --- the statistics' page


async def test_the_tables_and_the_charts_say_what_the_api_says(api: Api) -> None:
    await report_scene.busy_days(api)
    visit = await sign_in(api, Scope.READ)
    page = await visit.get("/dashboard/statistics?after=&before=&chain=&asset=&bucket=day")
    whole = (await api.get("/v1/stats")).json
    series = (await api.get("/v1/stats/series")).json
    total, drawn = whole["total"], dict(charts(page))

    ends = ("paid", "underpaid", "expired", "refunded", "cancelled", "open")
    assert ["All", str(total["created"]), *(f"{total[n]} {total['shares'][n]} %" for n in ends), "2"] == (
        cells(page, "endings")[-1]
    )
    assert [
        [o["start"][:10], str(o["created"]), *(str(o[n]) for n in ends), str(o["late"])]
        for o in series["invoices"]
    ] == (cells(page, "outcomes")[::-1])
    suggested = total["suggested_expires_in"]
    assert f"25 min ({suggested} s)" == cells(page, "deadlines")[-1][1]
    assert [f"{count}" for count in drawn["times"]["counts"]] == [
        row[1] for row in cells(page, "distribution")
    ]
    assert ["suggested: 25 min", "default: 1 h"] == [mark["label"] for mark in drawn["times"]["marks"]]
    paid = {datetime.fromisoformat(one["start"]).timestamp(): one["paid"] for one in series["invoices"]}
    values = drawn["outcomes"]["series"][0]["values"]
    assert paid == {s: n for s, n in zip(drawn["outcomes"]["starts"], values, strict=True) if s in paid}
    assert [p["amount"] for p in series["volume"][0]["points"]] == [
        one for one in drawn["volume"]["values"] if one != "0"
    ]


@pytest.mark.parametrize(
    ("query", "created"),
    [
        pytest.param("", 3, id="all"),
        pytest.param("?after=2026-01-02", 2, id="from a day on"),
        pytest.param("?after=2026-01-02&before=2026-01-03T12:00", 1, id="until before a moment"),
        pytest.param("?after=2026-01-02T00:00:00Z", 2, id="as the API writes it"),
        pytest.param("?asset=TOKEN", 0, id="in another asset"),
    ],
)
async def test_the_page_takes_days_as_fields_write_them(api: Api, query: str, created: int) -> None:
    for _ in range(3):
        await api.invoice()
        api.clock.advance(report_scene.DAY)
    page = await (await sign_in(api, Scope.READ)).get(f"/dashboard/statistics{query}")

    assert 200 == page.status
    assert ("No invoice was made in this period." in text(page)) is (created == 0)
    if created:
        assert str(created) == cells(page, "endings")[-1][1]
    if "2026-01-02" in query:
        assert b'name="after" type="date" value="2026-01-02"' in page.body


async def test_a_day_that_is_none_is_refused_in_one_line(api: Api) -> None:
    page = await (await sign_in(api, Scope.READ)).get("/dashboard/statistics?after=2026-02-30")

    assert 422 == page.status
    assert "after: is no moment in the calendar" in text(page)


# --- exports


@pytest.mark.parametrize("query", ["format=csv", "format=json", "format=csv&by=paid&after=2026-01-02"])
async def test_an_export_is_byte_for_byte_that_of_the_api(api: Api, query: str) -> None:
    await report_scene.paid(api, 60, order_id=HOSTILE)
    api.clock.advance(report_scene.DAY)
    await report_scene.paid(api, 60)
    await report_scene.deposit(api, await report_scene.customer(api, HOSTILE), UNIT)
    visit = await sign_in(api, Scope.READ)
    sent = await visit.get(f"/dashboard/export?before=&{query}")
    same = await api.get(f"/v1/export?{query.replace('01-02', '01-02T00:00:00Z')}")

    assert (200, same.body) == (sent.status, sent.body)
    assert same.headers["Content-Disposition"] == sent.headers["Content-Disposition"]
    assert same.headers["Content-Type"] == sent.headers["Content-Type"]


async def test_an_export_is_for_who_signed_in(api: Api) -> None:
    reply = await api.send("GET", "/dashboard/export", {"Accept": "text/html"})

    assert 401 == reply.status
    assert b"API key" in reply.body
