"""An invoice over 1 COIN brought, over the API and a fake chain, into each situation a merchant may meet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from api_server import Api

_ONE = 100_000_000
_PAYER = "fake100000999"

STAGES = (
    *("pending", "pending with another asset", "partial", "confirming", "paid", "overpaid", "underpaid"),
    *("underpaid, not confirmed", "expired", "expired with late money", "accepted", "refunding", "refunded"),
    *("refunded with more", "cancelled", "cancelled with money"),
)


async def staged(api: Api, stage: str, **fields: Any) -> dict[str, Any]:
    """Return a new invoice in that situation; `fields` are what else it is made with."""
    made = await api.invoice(expires_in=60, **fields)
    await _COMING[stage](api, made)
    return dict((await api.get(f"/v1/invoices/{made['id']}")).json)


async def move_refund(api: Api, made: dict[str, Any]) -> str:
    """Give the one refund of an invoice another destination, which no event tells of; return it."""
    (refund,) = made["refunds"]
    there = "fake100000998"
    await _decided(api, made, f"refunds/{refund['id']}/address", {"address": there})
    return there


async def _nothing(_api: Api, _made: dict[str, Any]) -> None:
    pass


async def _paid(
    api: Api, made: dict[str, Any], tenths: int, *, asset: str = "COIN", mined: bool = True
) -> None:
    decimals = api.context.links.decimals("fake", asset)
    api.chain.pay(made["options"][0]["address"], tenths * 10**decimals // 10, asset=asset)
    if mined:
        api.chain.mine()
    await api.scan()


async def _later(api: Api) -> None:
    api.clock.advance(120)
    api.chain.mine(only=[])
    await api.scan()


async def _decided(api: Api, made: dict[str, Any], act: str, body: dict[str, Any] | None = None) -> Any:
    reply = await api.post(f"/v1/invoices/{made['id']}/{act}", body)
    assert reply.status < 300, reply.body
    return reply.json


async def _other(api: Api, made: dict[str, Any]) -> None:
    await _paid(api, made, 5, asset="TOKEN")


async def _partial(api: Api, made: dict[str, Any]) -> None:
    await _paid(api, made, 4)


async def _confirming(api: Api, made: dict[str, Any]) -> None:
    await _paid(api, made, 10, mined=False)


async def _full(api: Api, made: dict[str, Any]) -> None:
    await _paid(api, made, 10)


async def _over(api: Api, made: dict[str, Any]) -> None:
    await _paid(api, made, 15)


async def _under(api: Api, made: dict[str, Any]) -> None:
    await _paid(api, made, 4)
    await _later(api)


async def _under_unconfirmed(api: Api, made: dict[str, Any]) -> None:
    await _paid(api, made, 4, mined=False)
    await _later(api)


async def _expired(api: Api, _made: dict[str, Any]) -> None:
    await _later(api)


async def _late(api: Api, made: dict[str, Any]) -> None:
    await _later(api)
    await _paid(api, made, 10)


async def _accepted(api: Api, made: dict[str, Any]) -> None:
    await _under(api, made)
    await _decided(api, made, "accept")


async def _refunding(api: Api, made: dict[str, Any]) -> None:
    await _under(api, made)
    await _decided(api, made, "refund", {"address": _PAYER})


async def _refunded(api: Api, made: dict[str, Any]) -> None:
    await _under(api, made)
    refund = await _decided(api, made, "refund", {"address": _PAYER})
    txid = api.chain.pay(_PAYER, 4 * _ONE // 10)
    await _decided(api, made, f"refunds/{refund['id']}/sent", {"txid": txid})
    api.chain.mine()
    await api.scan()


async def _refunded_more(api: Api, made: dict[str, Any]) -> None:
    await _refunded(api, made)
    await _paid(api, made, 3)


async def _cancelled(api: Api, made: dict[str, Any]) -> None:
    await _decided(api, made, "cancel")


async def _cancelled_money(api: Api, made: dict[str, Any]) -> None:
    await _cancelled(api, made)
    await _paid(api, made, 10)


_COMING = dict(
    zip(
        STAGES,
        (
            *(_nothing, _other, _partial, _confirming, _full, _over, _under),
            *(_under_unconfirmed, _expired, _late, _accepted, _refunding, _refunded),
            *(_refunded_more, _cancelled, _cancelled_money),
        ),
        strict=True,
    )
)
