"""What a program that embeds us asks for: the requests of the HTTP API as calls, with the same answers.

Every amount is a decimal string in the asset's unit; every moment is in UTC.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Unpack

from watcher import embed_names, facts, render
from watcher.api.schema import Invoice, SignableRefund
from watcher.api.schema_standings import StandingAddress
from watcher.drafts import InvoiceDraft
from watcher.drafts_merchant import (
    AcceptDraft,
    CancelDraft,
    ExtendDraft,
    RefundDraft,
    SentDraft,
    WithdrawDraft,
)
from watcher.drafts_standing import StandingDraft
from watcher.embed_fields import draft
from watcher.embed_repeat import once
from watcher.merchant import record_of

if TYPE_CHECKING:
    from watcher.embed_fields import AddressFields, InvoiceFields, RefundFields
    from watcher.embed_running import Running

LOCAL = "local"
"""Who asks, where the program names nobody: the operator."""


class Requests(ABC):
    """Each is one call; nothing happens where it raises. `by` names who asks, for the audit trail."""

    @abstractmethod
    def _inside(self) -> Running:
        """Return what runs; RuntimeError outside of the block."""

    async def create_invoice(
        self, *, idempotency_key: str | None = None, by: str = LOCAL, **fields: Unpack[InvoiceFields]
    ) -> Invoice:
        """Make an invoice: `chain`, `asset` and `amount`, or `options`. Its addresses are watched on return.

        With an `idempotency_key`, the same call within 24 hours gives the same invoice again. `by` is noted
        in the audit trail. Raises Refused: 422 for a wrong field, 409 for an address or key in use, 503
        where a chain was never reached yet (see `ready`).
        """
        body = draft(InvoiceDraft, fields)
        embed_names.check_actor(by)
        with self._inside().call() as app:
            path = "/v1/invoices"
            made = await once(
                idempotency_key, path, body, app.clock, lambda idem: app.actions.create(body, idem, by=by)
            )
        return Invoice.model_validate(made)

    async def invoice(self, invoice_id: str) -> Invoice:
        """Return an invoice as it stands, with all its payments. Raises Refused (404) if there is none."""
        with self._inside().call() as app:
            async with app.store.read() as connection:
                record = await record_of(connection, invoice_id)
                views = await facts.views(connection)
            return Invoice.model_validate(render.invoice(record, views, app.links))

    async def accept(
        self,
        invoice_id: str,
        *,
        without_payment: bool = False,
        reason: str | None = None,
        sequence: int | None = None,
        by: str = LOCAL,
    ) -> Invoice:
        """Take what came, however little or late, as the whole payment; return the invoice, which is paid.

        With a `sequence`, only if the invoice is still as you saw it. Raises Refused: 404, 409.
        """
        wanted = draft(
            AcceptDraft, {"without_payment": without_payment, "reason": reason, "sequence": sequence}
        )
        embed_names.check_actor(by)
        with self._inside().call() as app:
            return Invoice.model_validate(await app.merchant.accept(invoice_id, wanted, by))

    async def extend(
        self,
        invoice_id: str,
        *,
        seconds: int = 3600,
        reason: str | None = None,
        sequence: int | None = None,
        by: str = LOCAL,
    ) -> Invoice:
        """Move the deadline to so many seconds (60 s to 30 days) after now, or the old one if that is later.

        Raises Refused: 404, 409, 422.
        """
        wanted = draft(ExtendDraft, {"seconds": seconds, "reason": reason, "sequence": sequence})
        embed_names.check_actor(by)
        with self._inside().call() as app:
            return Invoice.model_validate(await app.merchant.extend(invoice_id, wanted, by))

    async def cancel(
        self, invoice_id: str, *, reason: str | None = None, sequence: int | None = None, by: str = LOCAL
    ) -> Invoice:
        """Withdraw an invoice of which nothing was seen; its addresses stay watched.

        Raises Refused: 404, 409.
        """
        wanted = draft(CancelDraft, {"reason": reason, "sequence": sequence})
        embed_names.check_actor(by)
        with self._inside().call() as app:
            return Invoice.model_validate(await app.merchant.cancel(invoice_id, wanted, by))

    async def refund(
        self,
        invoice_id: str,
        *,
        idempotency_key: str | None = None,
        by: str = LOCAL,
        **fields: Unpack[RefundFields],
    ) -> SignableRefund:
        """Promise money back; return the refund with what to sign elsewhere (`unsigned`).

        Then say by which transaction it went: `refund_sent`. Raises Refused: 404, 409, 422, 503.
        """
        body = draft(RefundDraft, fields)
        embed_names.check_actor(by)
        with self._inside().call() as app:
            path = f"/v1/invoices/{invoice_id}/refund"
            made = await once(
                idempotency_key,
                path,
                body,
                app.clock,
                lambda idem: app.refunds.refund(invoice_id, body, by, idem),
            )
        return SignableRefund.model_validate(made)

    async def refund_sent(
        self, invoice_id: str, refund_id: str, *, txid: str, reason: str | None = None, by: str = LOCAL
    ) -> SignableRefund:
        """Say which transaction sends a refund: it is looked for on the chain.

        Raises Refused: 404, 409, 422, 503.
        """
        wanted = draft(SentDraft, {"txid": txid, "reason": reason})
        embed_names.check_actor(by)
        with self._inside().call() as app:
            return SignableRefund.model_validate(await app.refunds.sent(invoice_id, refund_id, wanted, by))

    async def refund_cancel(
        self, invoice_id: str, refund_id: str, *, reason: str | None = None, by: str = LOCAL
    ) -> SignableRefund:
        """Take back a refund that no transaction sends. Raises Refused: 404, 409."""
        wanted = draft(WithdrawDraft, {"reason": reason})
        embed_names.check_actor(by)
        with self._inside().call() as app:
            shown = await app.refunds.withdraw(invoice_id, refund_id, wanted, by)
            return SignableRefund.model_validate(shown)

    async def create_address(
        self, *, idempotency_key: str | None = None, by: str = LOCAL, **fields: Unpack[AddressFields]
    ) -> StandingAddress:
        """Make a standing address, for any amount and for as long as wanted; it is watched on return.

        What it receives is told by `deposit.*`. Raises Refused: 409, 422, 503.
        """
        body = draft(StandingDraft, fields)
        embed_names.check_actor(by)
        with self._inside().call() as app:
            path = "/v1/addresses"
            made = await once(
                idempotency_key, path, body, app.clock, lambda idem: app.customers.create(body, by, idem)
            )
        return StandingAddress.model_validate(made)

    async def archive_address(self, address_id: str, *, by: str = LOCAL) -> None:
        """Archive a standing address: what it receives from now on is `deposit.unmatched`. Refused: 404."""
        embed_names.check_actor(by)
        with self._inside().call() as app:
            await app.customers.archive(address_id, by)
