"""What the sandbox prints once it works: where everything is, and three commands to copy."""

from __future__ import annotations

import asyncio
import json
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from watcher.cli import client
from watcher.cli.failure import Failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from watcher.sandbox.place import Place
    from watcher.sandbox.testchains import PrivateChain
    from watcher.settings import Settings

_WITHIN = 60.0
"""Seconds for every chain to be followed."""

_BANNER = """
The sandbox runs: private test chains, the daemon, and a shop that receives its webhooks.

  Dashboard  {api}/dashboard  (sign in with the key; it can simulate payments)
  Key        {key}
  API        {api}  (described in {api}/openapi.json)
  Shop       {shop}
  Chains     {chains}
  Files      {folder}

In another terminal:

1. Create an invoice; checkout_url in the answer is the page that its payer sees:
   {create}
2. Pay it from the test wallet:
   {pay}
3. See the webhooks that the shop received:
   {watch}

Ctrl-C ends it. The next start begins with fresh chains and an empty database.
"""


async def greet(place: Place, settings: Settings, chains: Sequence[PrivateChain], shop: str) -> None:
    """Wait until the chains are followed, make a key, and print what to try."""
    async with client.connect(settings, required="the daemon does not answer") as api:
        await _live(api)
        key = (await api.post("/v1/keys", {"name": "sandbox", "scope": "admin"}))["key"]
    typer.echo(
        _BANNER.format(
            api=settings.server.public_url,
            key=key,
            shop=shop,
            chains="; ".join(f"{c.name} ({c.node.name}: {', '.join(c.symbols)})" for c in chains),
            folder=place.folder,
            **_commands(place, settings, chains[0], shop, key),
        )
    )


def _commands(place: Place, settings: Settings, chain: PrivateChain, shop: str, key: str) -> dict[str, str]:
    """Return the three commands, complete for any folder, and without curl where there is none."""
    program, folder = _program(), shlex.quote(str(place.folder))
    pay = f"{program} sandbox pay latest --dir {folder}"
    asset, amount = chain.example
    if shutil.which("curl"):
        draft = {"chain": chain.name, "asset": asset, "amount": amount, "order_id": "A-1001"}
        headers = f"-H 'Authorization: Bearer {key}' -H 'Content-Type: application/json'"
        create = f"curl -s {settings.server.public_url}/v1/invoices {headers} -d '{json.dumps(draft)}'"
        return {"create": create, "pay": pay, "watch": f"curl -s {shop}"}
    ours = f"{program} --config {shlex.quote(str(place.config))}"
    create = f"{ours} invoice create --chain {chain.name} --asset {asset} --amount {amount}"
    return {"create": create, "pay": pay, "watch": f"{ours} delivery list"}


async def _live(api: client.Api) -> None:
    try:
        async with asyncio.timeout(_WITHIN):
            while any(chain["state"] != "live" for chain in (await api.get("/v1/chains"))["data"]):  # noqa: ASYNC110 - the API is polled
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise Failure(f"the chains are not followed within {_WITHIN:.0f} s; see the log") from None


def _program() -> str:
    """Return how to call this program from any folder."""
    started = Path(sys.argv[0]).absolute()
    if started.name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m watcher"
    found = shutil.which("watcher")
    return "watcher" if found and Path(found).samefile(started) else shlex.quote(str(started))
