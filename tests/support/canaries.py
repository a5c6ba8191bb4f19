"""A secret of its own in every place where an installation has one; servers that repeat what they hear."""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from public_keys import account

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping


def _key(word: str) -> str:
    return base64.b64encode(f"canary-{word}-".encode().ljust(32, b"x")).decode()


CANARIES = {
    "node user": "cnryNodeUser7",
    "node password": "cnryNodePassword7",
    "node path": "cnryNodePathToken7",
    "node query": "cnryNodeQueryToken7",
    "xpub": account("44'/60'/0'"),
    "invoice secret": _key("invoices"),
    "hook secret": _key("hook"),
    "older secret": _key("older"),
    "ed25519 secret": _key("ed"),
    "oxapay secret": "cnry oxapay /secret+7",
    "btcpay secret": "cnryBtcpaySecret7",
    "hook path": "cnryHookPathToken7",
    "hook query": "cnryHookQueryToken7",
    "made hook path": "cnryMadeHookToken7",
    "made hook secret": _key("made"),
    "rotated secret": _key("rotated"),
    "invoice hook path": "cnryInvoiceHookToken7",
    "mail password": "cnryMailPassword7",
    "customer": "cnryCustomer7",
    "idempotency key": "cnryIdempotencyKey7",
    "cookie": "cnryCookie7",
    "wrong key": "dwk_cnryWrongKey7",
    "basic": base64.b64encode(b"user:cnryBasic7").decode(),
    "query": "cnryQuery7",
    "path": "cnryPath7",
    "body": "cnryBody7",
    "header": "cnryHeader7",
}
"""What must come out nowhere but where it is to be shown; the API key joins them once it is made."""


def spellings(name: str, text: str) -> list[str]:
    """How a secret may come back: as itself, quoted, and as HTTP and SMTP wrap a password."""
    found = {text, json.dumps(text)[1:-1], text.replace(" ", "%20").replace("/", "%2F").replace("+", "%2B")}
    if "password" in name:
        users = ("", "user", "pay", CANARIES["node user"])
        found |= {base64.b64encode(f"{user}:{text}".encode()).decode() for user in users}
        found |= {base64.b64encode(f"\0{user}\0{text}".encode()).decode() for user in users}
        found.add(base64.b64encode(text.encode()).decode())
    return sorted(found)


def told(texts: Mapping[str, str], secrets: Mapping[str, str], shown: Mapping[str, set[str]]) -> list[str]:
    """Return "secret in place" for each that came out where it is not shown."""
    return [
        f"{name} in {place}"
        for place, text in texts.items()
        for name, secret in secrets.items()
        if name not in shown.get(place, set()) and any(one in text for one in spellings(name, secret))
    ]


class EchoingNode:
    """In front of a real node; its `mode` decides: ok, or refused (401), garbage, error, all echoing."""

    def __init__(self, node_url: str) -> None:
        self.mode = "ok"
        self.asked = 0
        self._node = node_url
        application = web.Application(client_max_size=2**24)
        application.router.add_route("*", "/{path:.*}", self._answer)
        self.server = TestServer(application)

    @property
    def url(self) -> str:
        login = f"{CANARIES['node user']}:{CANARIES['node password']}"
        path = f"v3/{CANARIES['node path']}?key={CANARIES['node query']}"
        return f"http://{login}@127.0.0.1:{self.server.port}/{path}"

    async def _answer(self, request: web.Request) -> web.Response:
        body, said = await request.read(), f"{request.url} {dict(request.headers)}"
        self.asked += 1
        match self.mode:
            case "refused":
                return web.Response(status=401, text=f"bad login {said}", reason=CANARIES["node path"])
            case "garbage":
                return web.Response(text=f"<html>{said}")
            case "error":
                asked = json.loads(body)
                error = {"code": -32000, "message": f"no credit for {said}", "data": said}
                answers = [{"jsonrpc": "2.0", "id": one["id"], "error": error} for one in _listed(asked)]
                return web.json_response(answers if isinstance(asked, list) else answers[0])
        headers = {"Content-Type": "application/json"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(self._node, data=body, headers=headers) as answer,
        ):
            return web.Response(
                status=answer.status, body=await answer.read(), content_type="application/json"
            )


def _listed(asked: Any) -> list[dict[str, Any]]:
    return asked if isinstance(asked, list) else [asked]


class EchoingShop:
    """Repeats each webhook whole, headers and address too; `status` decides whether it takes it."""

    def __init__(self) -> None:
        self.status = 500
        self.asked = 0
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        self.server = TestServer(application)

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked += 1
        text = f"{request.url} {dict(request.headers)} {await request.text()}"
        return web.Response(status=self.status, text=text, reason="because " + text[:60])


class EchoingMailServer:
    """Speaks just enough SMTP to repeat what it hears; `login` decides whether a password is right."""

    def __init__(self) -> None:
        self.login = False
        self.port = 0
        self.refused = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.test\r\n")
        try:
            while line := (await reader.readline()).strip().decode():
                writer.write(self._answer(line).encode() + b"\r\n")
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    def _answer(self, line: str) -> str:
        match line.split(maxsplit=1)[0].upper():
            case "EHLO":
                return "250-mail.test\r\n250 AUTH PLAIN LOGIN"
            case "AUTH" if not self.login:
                self.refused += 1
                return f"535 5.7.8 wrong: {line}"
            case "AUTH":
                return "235 welcome"
            case "RCPT":
                self.refused += 1
                return f"550 5.1.1 unknown: {line}"
            case "QUIT":
                return "221 bye"
            case _:
                return f"250 {line}"


@asynccontextmanager
async def hostile(node_url: str) -> AsyncIterator[tuple[EchoingNode, EchoingShop, EchoingMailServer]]:
    """Run all three on free ports of the loopback."""
    node, shop, mail = EchoingNode(node_url), EchoingShop(), EchoingMailServer()
    await node.server.start_server()
    await shop.server.start_server()
    server = await asyncio.start_server(mail.serve, "127.0.0.1", 0)
    mail.port = server.sockets[0].getsockname()[1]
    try:
        yield node, shop, mail
    finally:
        server.close()
        await shop.server.close()
        await node.server.close()


def configuration(port: int, node: EchoingNode, shop: EchoingShop, mail: EchoingMailServer) -> str:
    """Return a configuration with a secret in every place that has one."""
    c, at = CANARIES, f"http://127.0.0.1:{shop.server.port}"
    return f"""
[server]
port = {port}
public_url = "http://127.0.0.1:{port}"
[log]
level = "debug"
format = "json"
[mail]
host = "127.0.0.1"
port = {mail.port}
security = "none"
username = "pay"
password = "{c["mail password"]}"
sender = "Shop <pay@shop.example>"
[webhooks]
allow_private = ["127.0.0.0/8"]
secret = "whsec_{c["invoice secret"]}"
[[webhooks.endpoints]]
url = "{at}/{c["hook path"]}?token={c["hook query"]}"
secret = ["whsec_{c["hook secret"]}", "whsec_{c["older secret"]}"]
[[webhooks.endpoints]]
url = "{at}/ed"
secret = "whsk_{c["ed25519 secret"]}"
[[webhooks.endpoints]]
url = "{at}/oxapay"
format = "oxapay"
secret = "{c["oxapay secret"]}"
[[webhooks.endpoints]]
url = "{at}/btcpay"
format = "btcpay"
secret = "{c["btcpay secret"]}"
[[webhooks.endpoints]]
url = "https://127.0.0.1:{shop.server.port}/{c["hook path"]}"
[[webhooks.endpoints]]
url = "http://127.0.0.1:1/{c["hook path"]}"
[chains.ethereum]
kind = "evm"
chain_id = 31337
native = "ETH"
rpc = ["{node.url}"]
xpub = "{c["xpub"]}"
confirmations = 1
poll_interval = 0.2
stalled_after = 0
"""
