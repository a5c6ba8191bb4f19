"""No secret in any log, error, metric or answer, whatever goes wrong: each place has one, all is searched."""

from __future__ import annotations

import asyncio
import resource
import subprocess
import threading
import time
from typing import IO, TYPE_CHECKING, Any

import aiohttp

from canaries import CANARIES, configuration, hostile, told
from daemon import COMMAND, Daemon, free_port
from watcher.api.scopes import SCOPES
from watcher.api.server import ROUTES

if TYPE_CHECKING:
    from pathlib import Path

    from canaries import EchoingMailServer, EchoingNode, EchoingShop
    from watcher.sandbox.anvil import Anvil

WITHIN = 40.0
STREAMS = {route.path for route in ROUTES if route.streams}
"""They go on until their reader ends them; each event stands elsewhere, too."""
URLS = {"hook path", "hook query", "made hook path", "invoice hook path"}
KEPT = URLS | {"body"}
WHY = KEPT | {"customer"}
SHOWN = {
    "GET /v1/webhooks": URLS,
    "webhook list": URLS,
    "webhook list --json": URLS,
    "GET /v1/deliveries": KEPT,
    "GET /v1/invoices/{id}/explain": WHY,
    "delivery list": KEPT,
    "delivery list --json": KEPT,
    "explain": WHY,
    f"3: GET /v1/invoices/{CANARIES['path']}": {"path"},
}
"""Where something is shown on purpose.

A receiver's address to who may read endpoints. What a receiver answers is kept as it is: one that repeats its
own address shows it to who may read deliveries. So does a mail server with the payer's, in what explains an
invoice. And who asks for something is told what they asked for.
"""


class Installation(Daemon):
    """A daemon whose configuration is full of secrets."""

    def __init__(self, folder: Path, text: str, port: int) -> None:
        super().__init__(folder, "", "http://127.0.0.1:1/", "")
        self.port = port
        self.config.write_text(text)
        self.secrets = dict(CANARIES)

    def _spawn(self) -> subprocess.Popen[bytes]:
        """Write the log down from here: the daemon's own files cannot grow where the disk is full."""
        line = [str(COMMAND), "--config", str(self.config), "run"]
        process = subprocess.Popen(
            line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self.writer = threading.Thread(target=self._write_down, args=(process.stdout,), daemon=True)
        self.writer.start()
        return process

    def _write_down(self, stream: IO[bytes]) -> None:
        with self.log.open("ab", buffering=0) as log, stream:
            for line in stream:
                log.write(line)

    async def ask(self, method: str, path: str, *, json: Any = None, **headers: str) -> str:
        """Send a request that carries secrets wherever one fits; return the answer, headers and all."""
        given = {
            "Authorization": f"Bearer {self.key}",
            "Cookie": f"session={CANARIES['cookie']}",
            "X-Anything": CANARIES["header"],
            **headers,
        }
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                method, f"http://127.0.0.1:{self.port}{path}", headers=given, json=json
            ) as answer,
        ):
            return f"{answer.status} {dict(answer.headers)} {await answer.text()}"

    async def made(self, path: str, **body: Any) -> dict[str, Any]:
        result: dict[str, Any] = await self.call("POST", path, body, expect=201)
        return result


async def until(what: str, happened: Any) -> None:
    deadline = time.monotonic() + WITHIN
    while not happened():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.05)


async def do_business(daemon: Installation, shop: EchoingShop) -> dict[str, Any]:
    """Make an invoice with all its secrets, endpoints by the API, and requests that nobody should send."""
    at = f"http://127.0.0.1:{shop.server.port}"
    invoice = await daemon.made(
        "/v1/invoices",
        chain="ethereum", asset="ETH", amount="1", expires_in=90, reminder_before=88,
        customer_email=f"{CANARIES['customer']}@shop.example",
        webhook_url=f"{at}/{CANARIES['invoice hook path']}",
    )  # fmt: skip
    hook = await daemon.made(
        "/v1/webhooks",
        url=f"{at}/{CANARIES['made hook path']}", secret=f"whsec_{CANARIES['made hook secret']}",
    )  # fmt: skip
    await daemon.call("PATCH", f"/v1/webhooks/{hook['id']}", {"url": f"{at}/{CANARIES['made hook path']}/2"})
    await daemon.call(
        "POST", f"/v1/webhooks/{hook['id']}/rotate", {"secret": f"whsec_{CANARIES['rotated secret']}"}
    )
    await daemon.call("POST", f"/v1/webhooks/{hook['id']}/test", {}, expect=202)
    return invoice


def requests() -> list[tuple[str, str, Any, dict[str, str]]]:
    """Requests that go wrong, each with secrets in it."""
    c, once = CANARIES, {"Idempotency-Key": CANARIES["idempotency key"]}
    return [
        ("GET", "/v1/keys", None, {"Authorization": f"Bearer {c['wrong key']}"}),
        ("GET", "/v1/keys", None, {"Authorization": f"Basic {c['basic']}"}),
        ("GET", f"/v1/keys?after={c['query']}&{c['query']}=1", None, {}),
        ("GET", f"/v1/invoices/{c['path']}", None, {}),
        ("GET", f"/{c['path']}", None, {}),
        ("POST", "/v1/links", {"chain": "ethereum", "x": c["body"]}, once),
        ("POST", "/v1/webhooks", {"url": "ftp://x", "secret": c["body"]}, {}),
        ("POST", "/v1/webhooks", {"url": "https://shop.example", "secret": f"whsec_{c['body']}"}, {}),
        ("POST", "/v1/invoices", {"amount": [c["body"]]}, once),
    ]  # fmt: skip


async def look_everywhere(daemon: Installation, invoice: str) -> dict[str, str]:
    """Return what every place that tells something says."""
    texts = {}
    for method, path in SCOPES:
        if method == "GET" and path not in STREAMS:
            where = path.replace(
                "{id}", invoice if "invoices" in path or path.startswith("/i/") else "ethereum"
            )
            texts[f"GET {path}"] = await daemon.ask("GET", where.replace("{refund_id}", "none"))
    lines = (
        "webhook list",
        "webhook list --json",
        "delivery list",
        "delivery list --json",
        "key list --json",
    )
    for line in (*lines, "invoice list --json", f"explain {invoice}", "audit --json", "check", "stats"):
        done = await asyncio.to_thread(daemon.command, *line.split())
        texts[line.removesuffix(f" {invoice}")] = done.stdout + done.stderr
    texts["log"] = daemon.log.read_text()
    return texts


async def go_wrong(
    daemon: Installation, anvil: Anvil, node: EchoingNode, shop: EchoingShop, mail: EchoingMailServer
) -> dict[str, str]:
    """Let everything outside fail in turn; return what a stranger hears meanwhile."""
    texts = {}
    await until("a refused login", lambda: anvil.mine(1) or mail.refused)
    await until("webhooks that fail", lambda: shop.asked >= 4)
    for mode in ("refused", "garbage", "error"):
        asked, node.mode = node.asked, mode
        await until(f"a node that is {mode}", lambda asked=asked: node.asked > asked)
        texts[f"readyz, {mode}"] = await daemon.ask("GET", "/readyz")
        texts[f"chains, {mode}"] = await daemon.ask("GET", "/v1/chains")
        done = await asyncio.to_thread(daemon.command, "check")
        texts[f"check, {mode}"] = done.stdout + done.stderr
    return texts


async def run_out_of_disk(daemon: Installation) -> str:
    """Let no file grow any more, the log excepted, until the daemon ends with a traceback."""
    assert daemon.process is not None
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (0, 0))
    return await daemon.ask("POST", "/v1/keys", json={"name": "late"})


async def test_h137_no_secret_comes_out_whatever_goes_wrong(tmp_path: Path, anvil: Anvil) -> None:
    port = free_port()
    async with hostile(anvil.url) as (node, shop, mail):
        daemon = Installation(tmp_path, configuration(port, node, shop, mail), port)
        await daemon.start()
        daemon.secrets["API key"] = daemon.key
        try:
            await daemon.ready(WITHIN)
            invoice = await do_business(daemon, shop)
            texts = {
                f"{n}: {method} {path}": await daemon.ask(method, path, json=body, **headers)
                for n, (method, path, body, headers) in enumerate(requests())
            }
            texts |= await go_wrong(daemon, anvil, node, shop, mail)
            texts |= await look_everywhere(daemon, invoice["id"])
            first = daemon.terminate()
            await daemon.start()
            texts["full disk"] = await run_out_of_disk(daemon)
            assert daemon.process is not None
            second = await asyncio.to_thread(daemon.process.wait, WITHIN)
            await asyncio.to_thread(daemon.writer.join, WITHIN)
            texts["log to the end"] = daemon.log.read_text()
        finally:
            daemon.kill()

    assert (0, 1) == (first, second)
    assert texts["full disk"].startswith("503")
    assert '"exception": "' in texts["log to the end"]
    assert "chain.unavailable" in texts["log"]
    assert "delivery.attempted" in texts["log"]
    assert "mail.attempted" in texts["log"]
    assert CANARIES["hook path"] in texts["GET /v1/deliveries"]
    assert "" == "\n".join(told(texts, daemon.secrets, SHOWN))
