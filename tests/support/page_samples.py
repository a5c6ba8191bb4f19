"""An object for each page to be about, its texts as hostile as they may be; and what no page may say."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from fake_bed import FakeBed
from watcher.pages.page import DASHBOARD

if TYPE_CHECKING:
    from api_server import Api
    from watcher.pages.page import Page

HOSTILE = (
    "\"'></title><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7*7 }}${7*7}<b style=x>&amp;\u202e"
)
LINK = "https://shop.example/\"'><script>alert(1)</script>"
_MONEY = 3 * 10**8

_ATTRIBUTES = re.compile(r"on.*|style|srcdoc|hx-on.*|data-hx-on.*|formaction|ping|background")
_PLACES = {"href", "src", "action", "hx-get", "hx-post", "data-events", "poster"}
_SCHEMES = re.compile(r"(?:https?|mailto|ethereum|bitcoin|fake):|/(?!/)|[?#]|$")
_NO_CODE = {"style", "iframe", "object", "embed", "base", "applet", "frame", "portal"}


async def samples(api: Api) -> dict[str, str]:
    """Make an object of every kind and return its identifier by the name that paths have for it."""
    object.__setattr__(api.context, "testbed", FakeBed(api.chain, api.clock))
    texts = {"description": HOSTILE, "order_id": HOSTILE, "metadata": {HOSTILE: HOSTILE}}
    hook = await api.post("/v1/webhooks", {"url": "https://hook.example/", "description": HOSTILE})
    invoice = await api.invoice(**texts)
    paid = await api.invoice(**texts, refund_address="fake100000099")
    api.chain.pay(paid["options"][0]["address"], _MONEY)
    api.clock.advance(1)
    api.chain.mine()
    await api.scan()
    refund = await api.post(f"/v1/invoices/{paid['id']}/refund", {"amount": "1", "reason": HOSTILE})
    link = await api.post("/v1/links", {"chain": "fake", "asset": "COIN", "amount": "1", **texts})
    address = await api.post("/v1/addresses", {"chain": "fake", "label": HOSTILE, "metadata": {"a": HOSTILE}})
    assert [201] * 4 == [reply.status for reply in (hook, refund, link, address)], (hook.body, refund.body)
    await api.post(f"/v1/webhooks/{hook.json['id']}/test")
    delivery = (await api.get("/v1/deliveries")).json["data"][0]
    (promised,) = (await api.get(f"/v1/invoices/{paid['id']}")).json["refunds"]
    return {
        "i": invoice["id"],
        "pay": link.json["id"],
        "invoices": invoice["id"],
        "sandbox": invoice["id"],
        "refunded": paid["id"],
        "refund": promised["id"],
        "links": link.json["id"],
        "addresses": address.json["id"],
        "webhooks": hook.json["id"],
        "deliveries": delivery["id"],
        "chains": "fake",
    }


def place(page: Page, ids: dict[str, str]) -> str:
    """Return where a page is about its sample."""
    if "{refund_id}" in page.path:
        return page.path.replace("{id}", ids["refunded"]).replace("{refund_id}", ids["refund"])
    found = re.match(rf"(?:{DASHBOARD})?/(\w+)/{{id}}", page.path)
    return page.path.replace("{id}", ids[found[1]]) if found else page.path


class _Reader(HTMLParser):
    """Notes whatever a page of ours has no use for."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.ids: list[str] = []
        self.headings = 0
        self.forms = 0
        self.tokens = 0
        self._open = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._open = tag
        self.headings += tag == "h1"
        self.forms += tag == "form" and given.get("method") == "post"
        self.tokens += given.get("name") == "csrf" and given.get("type") == "hidden"
        self.ids += [given["id"]] if "id" in given else []
        self.wrong += [f"<{tag} {name}>" for name in given if _ATTRIBUTES.fullmatch(name)]
        self.wrong += [f"<{tag}>"] if tag in _NO_CODE else []
        self.wrong += [
            f"<{tag} {name}={value!r}>"
            for name, value in given.items()
            if name in _PLACES and not _SCHEMES.match(value.strip())
        ]
        if tag == "script" and not given.get("src", "").startswith("/assets/"):
            self.wrong.append("<script> of no file of ours")
        if tag == "img" and given.get("src") == "x":
            self.wrong.append("an image of a stranger")

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - the base's signature
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open == "script" and data.strip():
            self.wrong.append(f"inline code: {data[:60]}")


def faults(html: str, *, dashboard: bool) -> list[str]:
    """Return what is wrong with a page: code, style and places that are none of ours; broken structure."""
    reader = _Reader()
    reader.feed(html)
    twice = sorted({name for name in reader.ids if reader.ids.count(name) > 1})
    return [
        *reader.wrong,
        *([f"several elements have the id {name}" for name in twice]),
        *([] if reader.headings == 1 else [f"{reader.headings} headings of the first order"]),
        *([] if not dashboard or reader.forms == reader.tokens else ["a form without a token"]),
    ]
