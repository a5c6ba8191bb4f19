"""What nobody needs to hear any more: in another system's words nothing tells a shop which message is older.

Inside the transaction that writes results down. Where events carry their `sequence`, none is ever left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, exists, select, update

from watcher.dialects import STANDARD
from watcher.model import EventType
from watcher.tables import DELIVERY, EVENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from watcher.results import Result

_INVOICE = "invoice.%"
_newer = EVENT.alias("newer")
_is_status = _newer.c.type.like(_INVOICE), _newer.c.type != EventType.INVOICE_LATE_PAYMENT.value
"""Late money is told beside the status that the invoice has: it takes the place of none."""
_cancel = (
    update(DELIVERY)
    .where(
        DELIVERY.c.endpoint_id == bindparam("b_endpoint"),
        DELIVERY.c.subject == bindparam("b_subject"),
        DELIVERY.c.state == "pending",
        DELIVERY.c.event_seq < bindparam("b_seq"),
        exists(select(EVENT.c.seq).where(EVENT.c.seq == DELIVERY.c.event_seq, EVENT.c.type.like(_INVOICE))),
        exists(select(_newer.c.seq).where(_newer.c.seq == bindparam("b_seq"), *_is_status)),
    )
    .values(state="cancelled", next_at=None)
)


async def cancel(conn: AsyncConnection, results: Sequence[Result]) -> None:
    """Send no older status of an invoice once a newer one was taken, where the format tells no order.

    A "Paying" that failed three times would come after the "Paid" that went ahead. What is told of single
    payments and deposits stays: each is news of its own. So do the parts of one event: they say the same in
    two ways, and a shop may know only one of them.
    """
    taken = [_values(one) for one in results if one.ok and one.claim.subject and _is_foreign(one)]
    if taken:
        await conn.execute(_cancel, taken)


def _is_foreign(result: Result) -> bool:
    return result.claim.format != STANDARD


def _values(result: Result) -> dict[str, object]:
    claim = result.claim
    return {
        "b_endpoint": claim.endpoint_id,
        "b_subject": claim.subject,
        "b_seq": claim.event_seq,
    }
