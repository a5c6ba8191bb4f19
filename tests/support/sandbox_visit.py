"""A running sandbox, and somebody who signed in to its dashboard with the key that it printed."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from command_line import Running

_WITHIN = 90.0
"""Seconds: the shortest deadline of an invoice, and what a busy machine takes."""

_PAUSE = 0.1


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody with a key. `token` is what the forms of the session carry."""

    url: str
    key: str
    token: str
    session: aiohttp.ClientSession
    nodes: dict[str, Any]

    async def invoice(self, **fields: Any) -> dict[str, Any]:
        """Make an invoice of 25.5 USDT on ethereum unless `fields` say otherwise."""
        single = {"chain": "ethereum", "asset": "USDT", "amount": "25.5"}
        draft = fields if "options" in fields else {**single, **fields}
        async with self.session.post(f"{self.url}/v1/invoices", json=draft, headers=self._headers) as answer:
            assert answer.status == 201, await answer.text()
            return dict(await answer.json())

    async def one(self, invoice: dict[str, Any]) -> dict[str, Any]:
        place = f"{self.url}/v1/invoices/{invoice['id']}"
        async with self.session.get(place, headers=self._headers) as answer:
            return dict(await answer.json())

    async def send(self, path: str, **fields: str) -> str:
        """Send a form of the panel that has to succeed; return the page that it leads to."""
        place = f"{self.url}/dashboard/sandbox/{path}"
        async with self.session.post(place, data={"csrf": self.token, **fields}) as answer:
            page = await answer.text()
            assert (200, "GET") == (answer.status, answer.method), _alerts(page)
            return page

    async def pay(self, invoice: dict[str, Any], way: str, **fields: str) -> str:
        return await self.send(f"{invoice['id']}/pay", way=way, **fields)

    async def until(self, invoice: dict[str, Any], *wanted: str) -> dict[str, Any]:
        """Wait for an invoice to have one of these states: its status, then its exceptions in order."""
        return await self.wait(invoice, lambda found: standing(found) in wanted, " or ".join(wanted))

    async def wait(
        self, invoice: dict[str, Any], condition: Callable[[dict[str, Any]], bool], what: str
    ) -> dict[str, Any]:
        found: dict[str, Any] = {}
        try:
            async with asyncio.timeout(_WITHIN):
                while True:
                    found = await self.one(invoice)
                    if condition(found):
                        return found
                    await asyncio.sleep(_PAUSE)
        except TimeoutError:
            raise AssertionError(f"it is {standing(found)}, not {what}: {json.dumps(found)}") from None

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}


def _alerts(page: str) -> list[str]:
    """Return what a page complains of."""
    return re.findall(r'<p[^>]* role="alert"[^>]*>(.*?)</p>', page)


def standing(invoice: dict[str, Any]) -> str:
    return " ".join([invoice["status"], *sorted(invoice["exceptions"])])


def printed(sandbox: Running, name: str) -> str:
    """Return what the sandbox printed beside a name."""
    return sandbox.wait_for(f"  {name} ").split()[1]


@asynccontextmanager
async def visiting(sandbox: Running) -> AsyncIterator[Visitor]:
    """Sign in as a person does: by the form."""
    sandbox.wait_for("Ctrl-C ends it")
    url, key = printed(sandbox, "Dashboard").removesuffix("/dashboard"), printed(sandbox, "Key")
    nodes = json.loads((sandbox.folder / ".sandbox" / "sandbox.json").read_text())["chains"]
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar, headers={"Accept": "text/html"}) as session:
        form = {"key": key, "next": "/dashboard/sandbox"}
        async with session.post(f"{url}/dashboard/sign-in", data=form) as answer:
            page = await answer.text()
        found = re.search(r'name="csrf" value="([0-9a-f]{64})"', page)
        assert found, page
        yield Visitor(url, key, found[1], session, nodes)
