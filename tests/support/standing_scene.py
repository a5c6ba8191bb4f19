"""Standing addresses of a deployment, with short ways to ask what was told of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import insert, select

from chains.config import ChainConfig
from watcher.customers import Customers
from watcher.drafts_standing import StandingDraft
from watcher.facts_standings import encode_depths
from watcher.receipts import Depths
from watcher.secret import Secret
from watcher.settings import Settings, WebhookSettings
from watcher.tables import ADDRESS, EVENT, KEY_INDEX, STANDING
from world import SECRET

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fake_adapter import FakeAdapter
    from watcher.store import Store
    from world import World

MANY = 100_000
_ROWS = 5_000


class Deployment(Protocol):
    """A world of fake chains, or one that follows real nodes."""

    @property
    def store(self) -> Store: ...


class Customer:
    """A standing address."""

    def __init__(self, deployment: Deployment, shown: dict[str, Any]) -> None:
        self.shown = shown
        self.id: str = shown["id"]
        self.address: str = shown["address"]
        self._deployment = deployment

    async def events(self) -> list[Any]:
        """The bodies of its events, oldest first."""
        async with self._deployment.store.read() as conn:
            query = select(EVENT.c.body).where(EVENT.c.standing_id == self.id).order_by(EVENT.c.seq)
            return [json.loads(body) for body in await conn.scalars(query)]

    async def told(self) -> list[str]:
        """What was told of it, oldest first: "detected", "reverted replaced"."""
        return [
            " ".join([e["type"].removeprefix("deposit."), *filter(None, [e["data"].get("reason")])])
            for e in await self.events()
        ]


def customers(world: World, **keys: Any) -> Customers:
    """The actions on a world's chains; `keys` are those of every chain."""
    config = ChainConfig(**{"kind": "fake", "rpc": ("http://127.0.0.1:1",), "confirmations": 2} | keys)
    settings = Settings(
        file=world.path,
        webhooks=WebhookSettings(secret=(Secret.model_validate({"text": SECRET}),)),
        chains=dict.fromkeys(world.chains, config),
    )
    return Customers(world.store, world.adapters, settings, world.clock)


async def customer(world: World, keys: dict[str, Any] | None = None, **fields: Any) -> Customer:
    """Make a standing address on the first chain, unless `fields` say otherwise."""
    draft = StandingDraft.model_validate({"chain": next(iter(world.chains)), **fields})
    return Customer(world, await customers(world, **keys or {}).create(draft, "a key"))


async def crowd(world: World, adapter: FakeAdapter, number: int, skip: int = 1_000) -> None:
    """Write so many standing addresses down as if each had been asked for; `skip` indexes are left free."""
    view = await world.ledger.view(adapter.name)
    assert view is not None
    places = [(index, adapter.derive(index)) for index in range(skip, skip + number)]
    now, depths = world.clock(), encode_depths(Depths(2))
    common = {"chain": adapter.name, "created_at": now, "from_height": view.head.height}
    standings = [
        {
            **common,
            "id": f"adr_{i:026}",
            "address": a,
            "confirmations": depths,
            "from_hash": view.head.hash,
            "sequence": 0,
            "metadata_json": "{}",
        }
        for i, a in places
    ]
    addresses = [
        {
            **common,
            "address": a,
            "script": adapter.key(a),
            "key_index": i,
            "stray": False,
            "refund": False,
            "standing_id": f"adr_{i:026}",
        }
        for i, a in places
    ]
    async with world.store.write() as conn:
        for table, rows in ((STANDING, standings), (ADDRESS, addresses)):
            for start in range(0, len(rows), _ROWS):
                await conn.execute(insert(table), rows[start : start + _ROWS])
        await conn.execute(insert(KEY_INDEX).values(fingerprint=str(adapter.key_fingerprint()), next_index=0))


def numbers(events: Sequence[Any]) -> list[int]:
    """The sequences of events."""
    return [event["data"]["sequence"] for event in events]
