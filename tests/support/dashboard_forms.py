"""A merchant at the forms of the dashboard about one invoice: opens them, fills them in and sends them."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

from watcher.apikeys import Scope

if TYPE_CHECKING:
    from api_server import Api, Reply
    from dashboard import Dashboard

PAYER = "fake100000999"


def place(invoice: dict[str, Any], then: str = "") -> str:
    return f"/dashboard/invoices/{invoice['id']}{then}"


def text(reply: Reply) -> str:
    """What a page says, without its marks."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", reply.body.decode())).replace("\xa0", " ").split())


def fields(reply: Reply) -> dict[str, str]:
    """The hidden fields of the form on a page, its one-time key among them."""
    page = reply.body.decode()
    form = page[page.index("<main") :]
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form)
    return {name: html.unescape(value) for name, value in found if name != "csrf"}


def buttons(reply: Reply, page: str) -> list[str]:
    return re.findall(rf'<form method="get" action="{page}/(\w+)">', reply.body.decode())


async def act(merchant: Dashboard, path: str, **typed: str) -> Reply:
    """Open a form, fill it in and send it."""
    form = fields(await merchant.get(path))
    return await merchant.post(path, **{**form, **typed})


async def requested(merchant: Dashboard, invoice: dict[str, Any], **typed: str) -> Reply:
    """Ask for a refund, and confirm what its page says."""
    path = place(invoice, "/refund")
    preview = await act(merchant, path, **{"address": PAYER, **typed})
    assert preview.status == 200, text(preview)
    return await merchant.post(path, **fields(preview))


async def shown(api: Api, invoice: dict[str, Any]) -> dict[str, Any]:
    return dict((await api.get(f"/v1/invoices/{invoice['id']}")).json)


async def trail(api: Api, invoice: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    """Who decided what about an invoice, and why, oldest first."""
    entries = (await api.get(f"/v1/audit?subject={invoice['id']}", Scope.ADMIN)).json["data"]
    chosen = [e for e in entries[::-1] if e["action"] not in {"invoice.create", "invoice.status"}]
    return [(entry["action"], entry["actor"], entry["reason"]) for entry in chosen]
