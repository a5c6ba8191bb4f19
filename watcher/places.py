"""Where something is to be paid: an address of the caller's own, or the next one below the chain's key.

Shared by all that shows addresses. An index that was taken is never given again, even if what follows fails.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert as upsert

from chains.base import ChainError
from watcher import addresses
from watcher.errors import Refused
from watcher.tables import CHAIN, KEY_INDEX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from chains.base import BlockRef, ChainAdapter
    from watcher.addresses import Shown
    from watcher.store import Store


@dataclass(frozen=True, slots=True)
class Wanted:
    """An address that is asked for. `address` is the caller's own, or "" for one to be derived.

    `prefix` stands before the names of the request's fields.
    """

    prefix: str
    adapter: ChainAdapter
    address: str

    @property
    def chain(self) -> str:
        """The name of its chain."""
        return self.adapter.name


@dataclass(frozen=True, slots=True)
class Place:
    """An address, and the index that it was derived from."""

    address: str
    index: int | None


class Places:
    """The addresses that are shown, on all chains."""

    def __init__(self, store: Store, chains: Mapping[str, ChainAdapter]) -> None:
        """`chains` by name, opened or not."""
        self._store = store
        self._chains = chains

    async def check_ready(self, wanted: Sequence[Wanted]) -> None:
        """Where no block was absorbed yet, nothing says from where an address would have to be watched."""
        async with self._store.read() as connection:
            known = set(await connection.scalars(select(CHAIN.c.name)))
        for one in wanted:
            if one.chain not in known:
                message = f"{one.chain} was never reached yet; see GET /v1/chains, and try again"
                raise Refused("chain_not_ready", message, field=f"{one.prefix}chain", status=503)

    async def heads(self, wanted: Sequence[Wanted], what: str) -> dict[str, BlockRef]:
        """Return the head of each chain where the caller brings an address: it may have been paid before."""
        heads: dict[str, BlockRef] = {}
        for one in wanted:
            if one.address and one.chain not in heads:
                try:
                    heads[one.chain] = (await one.adapter.tip()).head
                except ChainError as error:
                    message = (
                        f"{one.chain}: the node has to say what came before this {what}, and cannot: {error}"
                    )
                    raise Refused("chain_not_ready", message, status=503) from error
        return heads

    async def find(self, wanted: Sequence[Wanted]) -> list[Place]:
        """Return an address for each: those whose chains share a key share the index."""
        derived: dict[str, Place] = {}
        by_key: dict[str, list[Wanted]] = {}
        for one in wanted:
            if not one.address:
                by_key.setdefault(str(one.adapter.key_fingerprint()), []).append(one)
        for key, sharing in by_key.items():
            derived |= await self._next(key, sharing)
        return [Place(one.address, None) if one.address else derived[one.chain] for one in wanted]

    async def _next(self, key: str, wanted: Sequence[Wanted]) -> dict[str, Place]:
        """Take the next index whose addresses nobody had before; for good, even if what follows fails.

        Return the place on each chain.
        """
        adapters = {one.chain: one.adapter for one in wanted}
        while True:
            async with self._store.write("index") as connection:
                taken = await connection.scalar(
                    upsert(KEY_INDEX)
                    .values(fingerprint=key, next_index=1)
                    .on_conflict_do_update(
                        index_elements=["fingerprint"], set_={"next_index": KEY_INDEX.c.next_index + 1}
                    )
                    .returning(KEY_INDEX.c.next_index)
                )
            index = int(taken or 1) - 1
            derived = {n: await asyncio.to_thread(each.derive, index) for n, each in adapters.items()}
            async with self._store.read() as connection:
                if not [n for n, d in derived.items() if await addresses.in_use(connection, n, d)]:
                    return {name: Place(address, index) for name, address in derived.items()}

    async def watch(
        self, connection: AsyncConnection, one: Wanted, shown: Shown, known: Mapping[str, BlockRef]
    ) -> None:
        """Watch an address from now on, here and where the same account exists; Refused if another had it.

        `known` is the head absorbed of each chain.
        """
        if not await addresses.take(connection, one.chain, shown, known[one.chain].height):
            message = f"{shown.address} was used before; an address is never given to another invoice"
            raise Refused("address_in_use", message, field=f"{one.prefix}address", status=409)
        await addresses.watch_elsewhere(connection, shown, self._siblings(one.chain, known))

    def _siblings(self, name: str, known: Mapping[str, BlockRef]) -> dict[str, int]:
        """Return the other chains on which the same accounts exist, with the height absorbed on each."""
        space = self._chains[name].namespace
        same = {n for n, chain in self._chains.items() if space is not None and chain.namespace == space}
        return {n: known[n].height for n in same - {name} if n in known}
