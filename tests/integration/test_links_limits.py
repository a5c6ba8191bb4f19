"""Payment links over HTTP: how often and how long they can be opened, and what became of their invoices."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from link_scene import COIN, TOKEN, UNIT, invoice, link, offer, opened, paid, pass_deadline, said, shown
from watcher import links_opening
from watcher.render import moment
from watcher.tables import KEY_INDEX

if TYPE_CHECKING:
    from api_server import Api, Reply

# --- how often and how long


async def test_a_link_opens_until_its_time_is_over(api: Api) -> None:
    made = await link(api, valid_for=60)
    api.clock.advance(59)
    before = await opened(api, made)
    api.clock.advance(1)

    after = await opened(api, made)

    assert 201 == before.status
    assert (409, "not_valid_any_more", None) == said(after)
    assert (False, "not_valid_any_more") == _state(await offer(api, made))


async def test_two_openings_at_once_cannot_exceed_the_limit(api: Api) -> None:
    made = await link(api, max_uses=3)

    replies = await asyncio.gather(*(opened(api, made) for _ in range(12)))

    assert [201] * 3 + [409] * 9 == sorted(reply.status for reply in replies)
    assert {"used_up"} == {reply.json["error"]["code"] for reply in replies if reply.status == 409}
    assert 3 == (await shown(api, made))["uses"]
    async with api.context.store.read() as conn:
        assert 3 == await conn.scalar(select(KEY_INDEX.c.next_index)), "who is refused takes no address"


async def test_the_limit_holds_in_the_transaction_of_the_invoice_itself(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The turn that openings take is within one process; this does without it."""
    made = await link(api, max_uses=1)
    links = api.context.payment_links
    monkeypatch.setattr(links, "_turns", _NoTurns())

    replies = await asyncio.gather(*(opened(api, made) for _ in range(8)))

    assert [201] + [409] * 7 == sorted(reply.status for reply in replies)


async def test_a_link_removed_while_it_is_opened_makes_nothing(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await link(api)
    real = api.context.actions.terms

    async def removed(draft: Any) -> Any:
        await api.call("DELETE", f"/v1/links/{made['id']}")
        return await real(draft)

    monkeypatch.setattr(api.context.actions, "terms", removed)

    assert 404 == (await opened(api, made)).status
    assert 0 == (await shown(api, made))["statistics"]["openings"]


async def test_what_ended_with_nothing_frees_its_use_and_what_received_something_does_not(api: Api) -> None:
    made = await link(api, max_uses=2)
    nothing, something = [await invoice(api, made) for _ in range(2)]
    await paid(api, something, UNIT // 2)

    full = await opened(api, made)
    await pass_deadline(api)
    freed = await opened(api, made)
    again = await opened(api, made)

    statuses = [(await api.get(f"/i/{one['id']}", None)).json["status"] for one in (nothing, something)]
    assert ["expired", "underpaid"] == statuses
    assert [409, 201, 409] == [full.status, freed.status, again.status]


@pytest.mark.parametrize("asset", ["COIN", "TOKEN"])
async def test_late_or_wrong_money_to_an_expired_one_is_a_use_again(api: Api, asset: str) -> None:
    made = await link(api, max_uses=1)
    one = await invoice(api, made)
    await pass_deadline(api)
    free = (await shown(api, made))["uses"]

    await paid(api, one, UNIT, asset=asset)

    assert "expired" == (await api.get(f"/i/{one['id']}", None)).json["status"]
    assert (0, 1) == (free, (await shown(api, made))["uses"])


async def test_a_cancelled_invoice_frees_its_use(api: Api) -> None:
    made = await link(api, max_uses=1)
    one = await invoice(api, made)
    await api.post(f"/v1/invoices/{one['id']}/cancel")

    assert [201, 409] == [(await opened(api, made)).status for _ in range(2)]


async def test_a_merchant_may_do_with_its_invoices_what_may_be_done_with_any(api: Api) -> None:
    made = await link(api)
    accepted, extended, refunded = [await invoice(api, made) for _ in range(3)]
    for one in (accepted, extended, refunded):
        await paid(api, one, UNIT // 2)
    await pass_deadline(api)

    async def act(one: dict[str, Any], action: str, **body: Any) -> Reply:
        return await api.post(f"/v1/invoices/{one['id']}/{action}", body)

    replies = [await act(accepted, "accept"), await act(extended, "extend", seconds=600)]
    replies.append(await act(refunded, "refund", address="fake100000099"))
    await paid(api, extended, UNIT // 2)

    assert [200, 200, 201] == [reply.status for reply in replies], [reply.body for reply in replies]
    seen = [(await api.get(f"/i/{one['id']}", None)).json for one in (accepted, extended, refunded)]
    assert ["paid", "paid", "refunding"] == [one["status"] for one in seen]
    assert [("fake100000099", "0.5", "requested")] == [
        (one["address"], one["amount"], one["state"]) for one in seen[2]["refunds"]
    ]
    assert made["id"] == replies[0].json["link_id"]
    found = await shown(api, made)
    assert (3, "66.67") == (found["uses"], found["statistics"]["paid_percent"])


async def test_a_flood_is_refused_before_it_takes_addresses(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links_opening, "OPEN_LIMIT", 3)
    made = await link(api)

    replies = await asyncio.gather(*(opened(api, made) for _ in range(10)))
    refused = next(reply for reply in replies if reply.status == 429)

    assert [201] * 3 + [429] * 7 == sorted(reply.status for reply in replies)
    assert ("too_many_open", "60") == (said(refused)[1], refused.headers["Retry-After"])
    assert "too_many_open" == (await offer(api, made))["reason"]
    async with api.context.store.read() as conn:
        assert 3 == await conn.scalar(select(KEY_INDEX.c.next_index))
    assert 201 == (await opened(api, await link(api))).status, "another link is another one's"


async def test_who_pays_makes_room_for_others(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links_opening, "OPEN_LIMIT", 1)
    made = await link(api)
    one = await invoice(api, made)
    full = await opened(api, made)

    await paid(api, one, UNIT // 3)

    assert (429, 201) == (full.status, (await opened(api, made)).status)


async def test_those_who_never_pay_take_only_so_many_addresses_a_day(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links_opening, "IDLE_LIMIT", 4)
    made = await link(api, expires_in=60)
    statuses = []
    for _ in range(6):
        statuses.append((await opened(api, made)).status)
        await pass_deadline(api)

    api.clock.advance(86_400)

    assert [201] * 4 + [429] * 2 == statuses
    assert 201 == (await opened(api, made)).status


# --- what became of them


async def test_statistics_add_up_what_is_confirmed_and_counted(api: Api) -> None:
    made = await link(api, options=[{**COIN, "amount": "1"}, {**TOKEN, "amount": "30"}])
    invoices = []
    for _ in range(4):
        api.clock.advance(1)
        invoices.append(await invoice(api, made))
    await paid(api, invoices[0], UNIT)
    await paid(api, invoices[1], 31 * 10**6, asset="TOKEN")
    await paid(api, invoices[2], UNIT // 4)
    opened_at = moment(api.clock() - timedelta(seconds=3))
    api.chain.pay(invoices[3]["options"][0]["address"], UNIT)
    await api.scan()

    found = (await shown(api, made))["statistics"]

    assert (4, "50", opened_at) == (found["openings"], found["paid_percent"], found["last_opened_at"])
    assert {"paid": 2, "partial": 1, "confirming": 1} == {k: v for k, v in found["statuses"].items() if v}
    received = [(one["asset"], one["amount"]) for one in found["received"]]
    assert [("COIN", "1.25"), ("TOKEN", "31")] == received


async def test_h95_h97_statistics_are_exact_beyond_what_the_database_can_add_up(api: Api) -> None:
    whole = 2**200
    made = await link(api, amount=f"{whole}.00000001")
    for _ in range(3):
        await paid(api, await invoice(api, made), whole * UNIT + 1)

    (received,) = (await shown(api, made))["statistics"]["received"]

    assert f"{3 * whole}.00000003" == received["amount"]


async def test_invoices_are_found_by_their_link(api: Api) -> None:
    one, two = await link(api), await link(api)
    first, second = await invoice(api, one), await invoice(api, two)
    await api.invoice()

    def ids(reply: Reply) -> set[str]:
        return {each["id"] for each in reply.json["data"]}

    assert {first["id"]} == ids(await api.get(f"/v1/invoices?link_id={one['id']}"))
    assert {first["id"], second["id"]} == ids(await api.get(f"/v1/invoices?link_id={one['id']},{two['id']}"))


async def test_the_way_back_to_the_shop_is_there_once_it_is_paid(api: Api) -> None:
    made = await link(api, return_url="https://shop.example/thanks")
    one = await invoice(api, made)
    await paid(api, one, UNIT)

    after = (await api.get(f"/i/{one['id']}", None)).json

    assert (None, "https://shop.example/thanks") == (one["return_url"], after["return_url"])


class _NoTurns(dict[str, asyncio.Lock]):
    """Gives every opening a turn of its own."""

    def get(self, key: str, default: Any = None) -> Any:
        del key, default
        return asyncio.Lock()


def _state(found: dict[str, Any]) -> tuple[bool, str]:
    return found["usable"], found["reason"]
