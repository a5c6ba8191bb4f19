"""Standing addresses, one for each customer: makes and archives them. What they receive is the ledger's."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, update

from watcher import audit, facts, facts_standings, idempotency, render_receipts
from watcher.addresses import Shown
from watcher.errors import Refused
from watcher.ids import new_id
from watcher.places import Places, Wanted
from watcher.receipts import Depths, StandingAddress
from watcher.standings import PREFIX
from watcher.tables import STANDING
from watcher.terms import address_of, chain_of, rule_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection

    from chains.base import BlockRef, ChainAdapter
    from chains.config import ChainConfig
    from watcher.drafts_standing import StandingDraft
    from watcher.idempotency import Idempotency
    from watcher.model import Clock
    from watcher.places import Place
    from watcher.settings import Settings
    from watcher.store import Store

CREATED = 201


class Customers:
    """The merchant's requests about standing addresses, each one transaction."""

    def __init__(
        self, store: Store, chains: Mapping[str, ChainAdapter], settings: Settings, clock: Clock
    ) -> None:
        """`chains` by name, opened or not: only an address of the caller's own needs a node."""
        self._store = store
        self._chains = chains
        self._settings = settings
        self._clock = clock
        self._places = Places(store, chains)

    async def create(self, draft: StandingDraft, by: str, idem: Idempotency | None = None) -> dict[str, Any]:
        """Make a standing address and return it as the API shows it; it is watched once this returns.

        Raises Refused, or Replay if `idem` was answered before.
        """
        if idem:
            async with self._store.read() as connection:
                await idempotency.claim(connection, idem)
        adapter = chain_of("", draft.chain, self._chains)
        depths = _depths(draft, self._settings.chains[draft.chain], adapter)
        wanted = Wanted("", adapter, address_of("", draft.address, adapter))
        await self._places.check_ready([wanted])
        heads = await self._places.heads([wanted], "address")
        (place,) = await self._places.find([wanted])
        async with self._store.write("standing") as connection:
            await idempotency.claim(connection, idem)
            known = {name: view.head for name, view in (await facts.views(connection)).items()}
            made = _made(draft, depths, place, self._clock())
            await _insert(connection, made, (known | heads)[draft.chain])
            await self._watch(connection, wanted, place, made, known)
            detail = {"chain": made.chain, "address": made.address, "label": made.label}
            await audit.note(connection, by, "address.create", made.id, made.created_at, **detail)
            shown = render_receipts.standing(made)
            await idempotency.remember(connection, idem, CREATED, shown, made.created_at)
        return shown

    async def _watch(
        self,
        connection: AsyncConnection,
        wanted: Wanted,
        place: Place,
        made: StandingAddress,
        known: Mapping[str, BlockRef],
    ) -> None:
        script = wanted.adapter.key(made.address)
        shown = Shown(made.address, script, place.index, made.created_at, standing_id=made.id)
        await self._places.watch(connection, wanted, shown, known)

    async def archive(self, id_: str, by: str) -> None:
        """Archive an address; it stays watched. Done before, nothing happens. Refused (404) if unknown."""
        async with self._store.write("standing") as connection:
            found = (await facts_standings.load(connection, [id_])).get(id_)
            if found is None:
                raise Refused("not_found", f"there is no standing address {id_}", status=404)
            if found.archived_at is not None:
                return
            now = self._clock()
            await connection.execute(update(STANDING).where(STANDING.c.id == id_).values(archived_at=now))
            await audit.note(connection, by, "address.remove", id_, now)


def _depths(draft: StandingDraft, config: ChainConfig, adapter: ChainAdapter) -> Depths:
    """Return the address's own rule, or those that the chain has now: a later setting changes none."""
    if draft.confirmations is not None:
        return Depths(rule_of(draft.confirmations, adapter))
    steps = [
        (Fraction(step.up_to), rule_of(step.confirmations, adapter))
        for step in config.confirmations_by_amount
    ]
    return Depths(rule_of(config.confirmations, adapter), tuple(steps))


def _made(draft: StandingDraft, depths: Depths, place: Place, now: Any) -> StandingAddress:
    return StandingAddress(
        id=new_id(PREFIX),
        chain=draft.chain,
        address=place.address,
        depths=depths,
        created_at=now,
        label=draft.label,
        metadata=draft.metadata,
    )


async def _insert(connection: AsyncConnection, made: StandingAddress, head: BlockRef) -> None:
    """Write an address; `head` is the chain's when it was made."""
    row = {
        "id": made.id,
        "chain": made.chain,
        "address": made.address,
        "label": made.label,
        "metadata_json": json.dumps(dict(made.metadata), ensure_ascii=False),
        "confirmations": facts_standings.encode_depths(made.depths),
        "from_height": head.height,
        "from_hash": head.hash,
        "created_at": made.created_at,
    }
    await connection.execute(insert(STANDING).values(**row))
