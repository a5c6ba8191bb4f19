"""The page of a payment link as a browser without JavaScript reads it and sends its form."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from sqlalchemy import func, select

from link_scene import COIN, LIMITS, TOKEN
from watcher.pages.languages import load
from watcher.tables import INVOICE

if TYPE_CHECKING:
    from api_server import Api, Reply

HTML = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
"""As browsers ask."""
FORM = {**HTML, "Content-Type": "application/x-www-form-urlencoded"}
TWO = {"options": [{**COIN, "amount": LIMITS}, {**TOKEN, "amount": {"min": "1", "max": "9"}}]}
ENGLISH, FRENCH = (load(None).choose(code) for code in ("en", "fr"))


async def page(api: Api, made: dict[str, Any], query: str = "", **headers: str) -> Reply:
    return await api.send("GET", f"/pay/{made['id']}{query}", {**HTML, **headers})


async def sent(
    api: Api, made: dict[str, Any], query: str = "", headers: dict[str, str] = FORM, **fields: str
) -> Reply:
    path = f"/pay/{made['id']}{query}"
    return await api.send("POST", path, headers, data=urlencode(fields).encode(), allow_redirects=False)


def text(reply: Reply) -> str:
    """Return the page as it is read."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", reply.body.decode())).split())


def once(reply: Reply) -> str:
    found = re.search(rb'name="once" value="([^"]{22})"', reply.body)
    assert found, reply.body
    return found[1].decode()


async def invoices(api: Api) -> int:
    async with api.context.store.read() as conn:
        return int((await conn.execute(select(func.count()).select_from(INVOICE))).scalar_one())


async def email(api: Api, id_: str) -> Any:
    async with api.context.store.read() as conn:
        return await conn.scalar(select(INVOICE.c.customer_email).where(INVOICE.c.id == id_))
