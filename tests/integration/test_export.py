"""The export from real invoices: complete, exact, in pages, over HTTP and to a file."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from command_line import configure, done, watcher
from watcher.api import export as export_api
from watcher.api.schema_export import Export
from watcher.apikeys import Scope

if TYPE_CHECKING:
    from pathlib import Path

    from api_server import Api
    from watcher.sandbox.anvil import Anvil

COIN = 10**8


async def fetched(api: Api, query: str = "") -> tuple[list[dict[str, str]], list[dict[str, Any]]]:
    """Return the lines and the items of the same export."""
    text, items = await api.get(f"/v1/export?{query}"), await api.get(f"/v1/export?format=json&{query}")
    assert (200, 200) == (text.status, items.status)
    return list(csv.DictReader(io.StringIO(text.body.decode(), newline=""))), items.json


async def pay(api: Api, address: str, *units: int, **asset: str) -> str:
    txid = api.chain.pay(address, *units, **asset)
    api.clock.advance(10)
    api.chain.mine(2)
    await api.scan()
    return txid


def address_of(invoice: dict[str, Any]) -> str:
    return str(invoice["options"][0]["address"])


async def test_a_paid_invoice_is_exported_with_its_payment_fee_and_transaction(api: Api) -> None:
    fees = {"percent": "1", "fixed": "0.001"}
    made = await api.invoice(amount="2", order_id="=cmd|' /C calc'!A1", fees=fees)
    txid = await pay(api, address_of(made), 2 * COIN)
    (invoice, payment), (item,) = await fetched(api)

    assert ("invoice", made["id"], "paid", "'=cmd|' /C calc'!A1") == (
        invoice["kind"], invoice["id"], invoice["status"], invoice["order_id"],
    )  # fmt: skip
    assert ("2", "2", "0.021", "1.979") == tuple(invoice[n] for n in ("amount", "gross", "fee", "net"))
    assert ("payment", made["id"], txid, "yes") == (
        payment["kind"], payment["invoice_id"], payment["txid"], payment["counted"],
    )  # fmt: skip
    assert ("2", "0.021", "1.979") == tuple(payment[n] for n in ("gross", "fee", "net"))
    assert invoice["asset_id"] == payment["asset_id"] == made["options"][0]["asset_id"]
    assert payment["mined_at"] >= payment["seen_at"] > invoice["created_at"]
    assert "=cmd|' /C calc'!A1" == item["order_id"]


async def test_the_json_is_the_invoice_of_the_api_with_more_in_its_payments(api: Api) -> None:
    made = await api.invoice()
    await pay(api, address_of(made), COIN)
    _, (item,) = await fetched(api)
    shown = (await api.get(f"/v1/invoices/{made['id']}")).json

    more = {"asset_id", "fee", "counted", "mined_at"}
    payments = [{k: v for k, v in each.items() if k not in more} for each in item["payments"]]
    assert {**shown, "kind": "invoice", "decisions": []} == {**item, "payments": payments}
    Export.model_validate([item])


async def test_counted_payments_add_up_to_what_each_invoice_says_and_others_are_marked(api: Api) -> None:
    for units in ([COIN], [COIN // 3, COIN // 7], [2 * COIN], [1, 2, 3]):
        made = await api.invoice()
        for each in units:
            await pay(api, address_of(made), each)
    await pay(api, address_of(made), 5_000_000, asset="TOKEN")
    lines, _ = await fetched(api)

    for name in ("gross", "fee", "net"):
        sums: dict[str, Decimal] = {}
        for line in lines:
            if line["kind"] == "payment" and line["counted"] == "yes":
                sums[line["invoice_id"]] = sums.get(line["invoice_id"], Decimal(0)) + Decimal(line[name])
        assert sums == {line["id"]: Decimal(line[name]) for line in lines if line["kind"] == "invoice"}
    (token,) = [line for line in lines if line["asset"] == "TOKEN"]
    assert ("no", "ignored", "5") == (token["counted"], token["status"], token["gross"])
    assert token["asset_id"].endswith("/token:1")


async def test_a_refund_and_who_decided_what_are_exported(api: Api) -> None:
    made = await api.invoice(amount="2")
    await pay(api, address_of(made), COIN)
    path = f"/v1/invoices/{made['id']}"
    await api.post(f"{path}/accept", {"reason": "a good customer"})
    draft = {"address": "fake100000077", "amount": "0.25", "reason": "after all"}
    reply = await api.post(f"{path}/refund", draft)
    assert 201 == reply.status, reply.body
    refund = reply.json
    txid = api.chain.pay("fake100000077", COIN // 4)
    sent = await api.post(f"{path}/refunds/{refund['id']}/sent", {"txid": txid})
    assert 200 == sent.status, sent.body
    api.chain.mine(2)
    await api.scan()
    (invoice, _, line), items = await fetched(api)

    assert ("a admin", "a good customer") == (invoice["by"], invoice["reason"])
    assert ("refund", refund["id"], made["id"], txid) == tuple(
        line[name] for name in ("kind", "id", "invoice_id", "txid")
    )
    assert ("0.25", "a admin", "after all", "fake100000077") == tuple(
        line[name] for name in ("gross", "by", "reason", "address")
    )
    assert ("confirmed", "yes") == (line["status"], line["counted"])
    assert Decimal(line["gross"]) == Decimal(line["fee"]) + Decimal(line["net"])
    Export.model_validate(items)


async def test_pages_neither_lack_nor_repeat_an_invoice_even_of_one_moment(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_api, "PAGE", 2)
    draft = {"chain": "fake", "asset": "COIN", "amount": "1"}
    made = [(await api.post("/v1/invoices", draft)).json["id"] for _ in range(6)]
    made += [(await api.invoice())["id"] for _ in range(3)]
    lines, items = await fetched(api)

    assert sorted(made) == sorted(line["id"] for line in lines)
    assert [item["id"] for item in items] == [line["id"] for line in lines]
    assert made[6:] == [line["id"] for line in lines][6:]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4])
async def test_the_json_is_one_array_however_full_the_pages_are(
    api: Api, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(export_api, "PAGE", 2)
    for _ in range(count):
        await api.invoice()
    lines, items = await fetched(api)

    assert (count, count) == (len(lines), len(items))


async def test_invoices_are_chosen_by_creation_or_by_payment(api: Api) -> None:
    early, late, never = [await api.invoice() for _ in range(3)]
    api.clock.advance(100)
    await pay(api, address_of(late), COIN)
    api.clock.advance(1)
    between = api.clock().isoformat().replace("+00:00", "Z")
    api.clock.advance(100)
    await pay(api, address_of(early), COIN)

    async def ids(query: str) -> list[str]:
        return [item["id"] for item in (await fetched(api, query))[1]]

    assert [early["id"], late["id"]] == await ids("by=paid")
    assert [early["id"]] == await ids(f"by=paid&after={between}")
    assert [late["id"]] == await ids(f"by=paid&before={between}")
    assert [early["id"], late["id"], never["id"]] == await ids(f"before={between}")
    assert [never["id"]] == await ids(f"after={never['created_at']}")


async def test_deposits_to_standing_addresses_follow_the_invoices(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_api, "PAGE", 2)
    await api.invoice()
    made = [(await api.post("/v1/addresses", {"chain": "fake", "label": f"-{n}"})).json for n in range(2)]
    txids = [await pay(api, made[n % 2]["address"], COIN + n) for n in range(5)]
    lines, items = await fetched(api)

    found = [line for line in lines if line["kind"] == "deposit"]
    assert ["invoice", *["deposit"] * 5] == [line["kind"] for line in lines]
    assert sorted(txids) == sorted(line["txid"] for line in found)
    assert [made[0]["id"]] * 3 + [made[1]["id"]] * 2 == [line["address_id"] for line in found]
    assert {("'-0", "confirmed", "yes"), ("'-1", "confirmed", "yes")} == {
        (line["label"], line["status"], line["counted"]) for line in found
    }
    assert "1.00000004" in {line["gross"] for line in found}
    Export.model_validate(items)


async def test_it_comes_as_a_file_with_a_name_and_needs_a_key(api: Api) -> None:
    reply = await api.get("/v1/export")

    assert "text/csv; charset=utf-8" == reply.headers["Content-Type"]
    assert 'attachment; filename="deposit-watcher.csv"' == reply.headers["Content-Disposition"]
    assert 401 == (await api.get("/v1/export", None)).status


@pytest.mark.parametrize("query", ["format=xml", "by=closed", "after=2026", "limit=5"])
async def test_what_cannot_be_exported_is_refused_before_a_byte(api: Api, query: str) -> None:
    reply = await api.get(f"/v1/export?{query}")

    assert (422, query.partition("=")[0]) == (reply.status, reply.json["error"]["field"])


async def test_a_client_that_goes_away_is_no_error_and_ends_the_reading(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first page is read before the answer begins; then it is cut off by the client."""
    pages = 0
    read = export_api.export.invoices

    async def slow(*arguments: Any) -> Any:
        nonlocal pages
        pages += 1
        await asyncio.sleep(0.05)
        return await read(*arguments)

    monkeypatch.setattr(export_api, "PAGE", 1)
    monkeypatch.setattr(export_api.export, "invoices", slow)
    for _ in range(20):
        await api.invoice()
    headers = {"Authorization": f"Bearer {api.keys[Scope.READ]}"}
    answer = await api.session.get(f"{api.url}/v1/export", headers=headers)
    assert 200 == answer.status
    answer.close()
    seen = 0
    while seen != pages:  # until nothing is read any more: at the latest, after the last page
        seen = pages
        await asyncio.sleep(0.5)

    assert 0 < seen < 20
    assert 200 == (await api.get("/v1/stats")).status


async def test_an_export_that_fails_on_the_way_never_looks_whole(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> Any:
        raise RuntimeError("on the way")

    monkeypatch.setattr(export_api.export, "deposits", broken)
    await api.invoice()
    with pytest.raises(aiohttp.ClientPayloadError, match="not completed"):
        await api.get("/v1/export?format=json")


def test_the_command_writes_a_private_file_and_overwrites_none_unless_told(
    tmp_path: Path, anvil: Anvil
) -> None:
    configure(tmp_path, anvil)
    create = ("invoice", "create", "--chain", "ethereum", "--asset", "ETH", "--amount", "0.5", "--json")
    made = json.loads(done(*create, cwd=tmp_path))
    file = tmp_path / "books.csv"
    file.write_text("mine")
    refused = watcher("export", "--output", "books.csv", cwd=tmp_path)

    assert (2, "mine") == (refused.returncode, file.read_text())
    assert "books.csv is there already; add --force" in refused.stderr
    assert "wrote books.csv\n" == done("export", "--output", "books.csv", "--force", cwd=tmp_path)
    assert [made["id"]] == [line["id"] for line in csv.DictReader(file.read_text().splitlines())]
    assert 0o600 == file.stat().st_mode & 0o777
    assert file.read_bytes().decode() == watcher_bytes(tmp_path)
    assert [made["id"]] == [
        item["id"] for item in json.loads(done("export", "--format", "json", cwd=tmp_path))
    ]
    stats = json.loads(done("stats", "--json", cwd=tmp_path))
    assert (1, 1) == (stats["total"]["created"], stats["total"]["open"])
    assert "ETH on ethereum" in done("stats", cwd=tmp_path)
    series = json.loads(done("stats", "--by", "week", "--json", cwd=tmp_path))
    assert ("week", [1], []) == (
        series["bucket"],
        [one["open"] for one in series["invoices"]],
        series["volume"],
    )
    assert series["invoices"][0]["start"][:10] in done("stats", "--by", "week", cwd=tmp_path)


def watcher_bytes(folder: Path) -> str:
    """Universal newlines would hide the ends of the lines."""
    return done("export", cwd=folder).replace("\n", "\r\n")


def test_a_wrong_time_or_place_is_one_line_and_leaves_no_file(tmp_path: Path) -> None:
    configure(tmp_path)
    wrong = watcher("export", "--after", "yesterday", "--output", "books.csv", cwd=tmp_path)
    nowhere = watcher("export", "--output", "no/such/books.csv", cwd=tmp_path)

    assert (2, "--after: must be a time as in RFC 3339, such as 2026-11-22T12:00:00Z\n") == (
        wrong.returncode,
        wrong.stderr,
    )
    assert (1, 1) == (nowhere.returncode, len(nowhere.stderr.splitlines()))
    assert [] == [path.name for path in tmp_path.iterdir() if "books" in path.name]
