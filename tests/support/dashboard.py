"""The dashboard without a browser: signs in with a key, reads pages and sends their forms."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from watcher.apikeys import Scope

if TYPE_CHECKING:
    from api_server import Api, Reply

FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"}


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Somebody who is signed in. `token` is what the forms of this session carry."""

    api: Api
    cookie: str
    token: str

    async def get(self, path: str) -> Reply:
        """Read a page; redirects are not followed."""
        headers = {"Cookie": self.cookie, "Accept": "text/html"}
        return await self.api.send("GET", path, headers, allow_redirects=False)

    async def post(self, path: str, **fields: str) -> Reply:
        """Send a form of this session; redirects are not followed."""
        return await self.send(path, {"csrf": self.token, **fields})

    async def send(self, path: str, fields: dict[str, str]) -> Reply:
        """Send just these fields."""
        headers = {**FORM, "Cookie": self.cookie}
        return await self.api.send(
            "POST", path, headers, data=urlencode(fields).encode(), allow_redirects=False
        )


async def sign_in(api: Api, scope: Scope = Scope.ADMIN) -> Dashboard:
    """Sign in with a key of this scope."""
    data = urlencode({"key": api.keys[scope]}).encode()
    reply = await api.send("POST", "/dashboard/sign-in", FORM, data=data, allow_redirects=False)
    assert reply.status == 303, reply.body
    cookie = reply.headers["Set-Cookie"].partition(";")[0]
    page = await api.send("GET", "/dashboard/sign-in", {"Cookie": cookie, "Accept": "text/html"})
    found = re.search(rb'name="csrf" value="([0-9a-f]{64})"', page.body)
    assert found, page.body
    return Dashboard(api, cookie, found[1].decode())
