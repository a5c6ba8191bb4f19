"""Invoices, links and standing addresses with a history of some days, as reports tell of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import link_scene

if TYPE_CHECKING:
    from api_server import Api

DAY = 86_400
PAID_AFTER = (
    20,
    45,
    50,
    55,
    70,
    90,
    100,
    110,
    130,
    150,
    160,
    170,
    200,
    210,
    240,
    280,
    290,
    400,
    500,
    800,
    1500,
)
"""Seconds after which payers paid in full, oldest first: as many as a suggestion needs, and one."""


async def paid(api: Api, after: float, amount: str = "1.5", **fields: Any) -> dict[str, Any]:
    """Make an invoice, and pay it in full so many seconds later, in a block."""
    made = await api.invoice(amount=amount, **fields)
    api.clock.advance(after)
    api.chain.pay(made["options"][0]["address"], int(float(amount) * link_scene.UNIT))
    api.chain.mine()
    await api.scan()
    return made


async def busy_days(api: Api) -> None:
    """Let some days go by: payers, one who pays too little, one too late, one who cancels, one not yet."""
    for number, after in enumerate(PAID_AFTER):
        await paid(api, after, order_id=f"A-{number}")
        api.clock.advance(DAY / 4)
    short = await api.invoice()
    await _pay(api, short, link_scene.UNIT // 4)
    await _pay(api, short, 10**6, asset="TOKEN")
    late = await api.invoice()
    await link_scene.pass_deadline(api)
    await _pay(api, late, link_scene.UNIT // 2)
    await _pay(api, short, link_scene.UNIT // 8)
    api.clock.advance(2 * DAY)
    cancelled = await api.invoice()
    assert (await api.post(f"/v1/invoices/{cancelled['id']}/cancel")).status == 200
    waiting = await api.invoice()
    api.chain.pay(waiting["options"][0]["address"], link_scene.UNIT // 3)
    await api.scan()


async def _pay(api: Api, one: dict[str, Any], units: int, **more: Any) -> None:
    api.chain.pay(one["options"][0]["address"], units, **more)
    api.chain.mine()
    await api.scan()


async def customer(api: Api, label: str = "customer-17", **fields: Any) -> dict[str, Any]:
    """Make a standing address."""
    api.clock.advance(1)
    reply = await api.post("/v1/addresses", {"chain": "fake", "label": label, **fields})
    assert reply.status == 201, reply.body
    return dict(reply.json)


async def deposit(api: Api, mine: dict[str, Any], units: int) -> None:
    """Pay to a standing address, in a block."""
    api.chain.pay(mine["address"], units)
    api.clock.advance(10)
    api.chain.mine()
    await api.scan()
