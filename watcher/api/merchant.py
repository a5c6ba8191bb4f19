"""What a merchant decides about an invoice, over HTTP: accept, extend, cancel, refund and what follows it."""

from __future__ import annotations

from watcher.api.context import Answer, Call
from watcher.api.openapi import Routes
from watcher.api.schema import Invoice, SignableRefund
from watcher.drafts_merchant import (
    AcceptDraft,
    CancelDraft,
    DestinationDraft,
    ExtendDraft,
    RefundDraft,
    SentDraft,
    WithdrawDraft,
)

routes = Routes()

_REFUND = "/v1/invoices/{id}/refunds/{refund_id}"


@routes.add("POST", "/v1/invoices/{id}/accept", body=AcceptDraft, answer=Invoice, repeatable=True)
async def accept(call: Call) -> Answer:
    """Take what came, however little or late, as the whole payment. The invoice is paid."""
    merchant = call.context.merchant
    return Answer(await merchant.accept(call.id, call.body, call.caller.name, call.idempotency))


@routes.add("POST", "/v1/invoices/{id}/extend", body=ExtendDraft, answer=Invoice, repeatable=True)
async def extend(call: Call) -> Answer:
    """Move the deadline to so long after now, or after the old one. What came before it is in time."""
    merchant = call.context.merchant
    return Answer(await merchant.extend(call.id, call.body, call.caller.name, call.idempotency))


@routes.add("POST", "/v1/invoices/{id}/cancel", body=CancelDraft, answer=Invoice, repeatable=True)
async def cancel(call: Call) -> Answer:
    """Withdraw an invoice of which nothing was seen. Its addresses stay watched."""
    merchant = call.context.merchant
    return Answer(await merchant.cancel(call.id, call.body, call.caller.name, call.idempotency))


@routes.add(
    "POST",
    "/v1/invoices/{id}/refund",
    body=RefundDraft,
    answer=SignableRefund,
    status=201,
    errors=(409, 503),
    repeatable=True,
)
async def refund(call: Call) -> Answer:
    """Promise money back. Answers with what to sign elsewhere: this daemon holds no key."""
    refunds = call.context.refunds
    return Answer(await refunds.refund(call.id, call.body, call.caller.name, call.idempotency), 201)


@routes.add("GET", _REFUND, answer=SignableRefund)
async def shown(call: Call) -> Answer:
    """Show a refund with what to sign."""
    return Answer(await call.context.refunds.show(call.id, _refund_id(call)))


@routes.add("POST", f"{_REFUND}/sent", body=SentDraft, answer=SignableRefund, errors=(503,), repeatable=True)
async def sent(call: Call) -> Answer:
    """Say which transaction sends a refund. It is looked for on the chain, and confirmed there."""
    refunds, body = call.context.refunds, call.body
    return Answer(await refunds.sent(call.id, _refund_id(call), body, call.caller.name, call.idempotency))


@routes.add(
    "POST", f"{_REFUND}/address", body=DestinationDraft, answer=SignableRefund, errors=(503,), repeatable=True
)
async def address(call: Call) -> Answer:
    """Say where a refund goes that was not sent yet. Answers with what to sign."""
    refunds, body = call.context.refunds, call.body
    return Answer(await refunds.destine(call.id, _refund_id(call), body, call.caller.name, call.idempotency))


@routes.add("POST", f"{_REFUND}/cancel", body=WithdrawDraft, answer=SignableRefund, repeatable=True)
async def withdraw(call: Call) -> Answer:
    """Take back a refund that no transaction sends."""
    refunds, body = call.context.refunds, call.body
    return Answer(await refunds.withdraw(call.id, _refund_id(call), body, call.caller.name, call.idempotency))


def _refund_id(call: Call) -> str:
    return call.request.match_info["refund_id"]
