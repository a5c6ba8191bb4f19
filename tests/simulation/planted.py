"""Known bugs, to be put into the product on purpose: a simulator that does not find them proves nothing."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest import mock

import planted_merchant
from watcher import claims, decisions_saved, deposits, deposits_gone, ledger, matcher, outbox, results
from watcher.sending import Sender

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def bug(name: str | None) -> Iterator[None]:
    """Plant the bug of that name while the block runs."""
    if name is None:
        yield
        return
    target, attribute, broken = BUGS[name]()
    with mock.patch.object(target, attribute, broken):
        yield


def undo_is_forgotten() -> tuple[Any, str, Any]:
    """A reorganisation takes no deposit out of its block."""

    async def broken(connection: Any, chain: str, height: int) -> set[str]:
        await connection.execute(
            deposits.delete(deposits.BLOCK).where(
                deposits.BLOCK.c.chain == chain, deposits.BLOCK.c.height > height
            )
        )
        return set()

    return deposits, "undo", broken


def counted_by_transaction() -> tuple[Any, str, Any]:
    """A transaction that pays twice is one deposit."""
    right = deposits._write

    async def broken(connection: Any, chain: str, transfers: Any, *rest: Any) -> Any:
        once = {t.txid: t for t in reversed(list(transfers))}
        return await right(connection, chain, list(once.values()), *rest)

    return deposits, "_write", broken


def expired_by_wall_clock() -> tuple[Any, str, Any]:
    """What the chain has proven is taken to be the present, whatever was read."""
    right = ledger._proven

    def broken(old: Any, batch: Any) -> Any:
        return max(right(old, batch), batch.observed_at)

    return ledger, "_proven", broken


def unconfirmed_is_paid() -> tuple[Any, str, Any]:
    return matcher, "is_deep", lambda *_: True


def event_is_skipped() -> tuple[Any, str, Any]:
    """The notifier takes what it claimed for delivered when the shop is busy."""
    right = results._verdict

    def broken(result: Any, now: Any, random: float) -> dict[str, Any]:
        verdict = right(result, now, random)
        return verdict | ({"b_state": "delivered", "b_delivered_at": now} if result.status == 503 else {})

    return results, "_verdict", broken


def other_body_at_a_retry() -> tuple[Any, str, Any]:
    right = Sender.send

    async def broken(self: Any, claim: Any) -> Any:
        body = claim.body if not claim.attempts else claim.body.replace(b"pending", b"PENDING")
        return await right(self, replace(claim, body=body))

    return Sender, "send", broken


def order_is_ignored() -> tuple[Any, str, Any]:
    """Every event goes as soon as it is due."""
    return claims, "_ELIGIBLE", _unordered()


def _unordered() -> Any:
    queue = claims.select(claims._mine.c.id).where(
        claims._mine.c.state == "pending",
        claims._mine.c.next_at <= claims._now,
        claims.or_(claims._mine.c.claimed_until.is_(None), claims._mine.c.claimed_until <= claims._now),
        claims._mine.c.endpoint_id == claims.ENDPOINT.c.id,
    )
    queue = queue.order_by(claims._mine.c.next_at.desc()).limit(
        claims.bindparam("each", type_=claims.Integer)
    )
    queue = queue.correlate(claims.ENDPOINT)
    return (
        claims.select(claims.DELIVERY.c.id, claims.DELIVERY.c.endpoint_id)
        .join_from(claims.ENDPOINT, claims.DELIVERY, claims.DELIVERY.c.id.in_(queue))
        .where(
            claims.ENDPOINT.c.id.in_(claims.bindparam("ids", expanding=True)),
            claims.ENDPOINT.c.state == "active",
        )
    )


def event_is_not_written() -> tuple[Any, str, Any]:
    """A decision is stored without one of its events."""
    right = outbox.publish

    async def broken(conn: Any, events: Any, now: Any) -> Any:
        kept = [event for event in events if event.type != "payment.confirmed"]
        return await right(conn, kept, now) if kept else []

    return decisions_saved.outbox, "publish", broken


def mempool_is_never_dropped() -> tuple[Any, str, Any]:
    """What left the mempool still stands."""
    return deposits_gone, "_fate", lambda *_: None


def gap_is_not_noted() -> tuple[Any, str, Any]:
    """An address that was made during a read is not looked for in the blocks of that read."""

    async def broken(*_: Any) -> None:
        return

    return ledger, "_note_unwatched", broken


def claims_are_kept() -> tuple[Any, str, Any]:
    """What a dead process had claimed is never sent."""

    async def broken(conn: Any) -> None:
        await conn.execute(
            claims.update(claims.DELIVERY)
            .where(claims.DELIVERY.c.claim.is_not(None))
            .values(state="delivered")
        )

    return claims, "release_all", broken


BUGS: dict[str, Callable[[], tuple[Any, str, Any]]] = {
    each.__name__: each
    for each in (
        undo_is_forgotten,
        counted_by_transaction,
        expired_by_wall_clock,
        unconfirmed_is_paid,
        event_is_skipped,
        other_body_at_a_retry,
        order_is_ignored,
        event_is_not_written,
        mempool_is_never_dropped,
        gap_is_not_noted,
        claims_are_kept,
        *planted_merchant.BUGS,
    )
}
