"""aiohttp that serves one file and does nothing else: what any page costs at least.

As a program it takes the file and its Content-Encoding, writes its port, and serves until it is ended.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from aiohttp import web


async def main(body: bytes, encoding: str) -> None:
    headers = {"Content-Type": "text/html; charset=utf-8"} | (
        {"Content-Encoding": encoding} if encoding else {}
    )

    async def page(_: web.Request) -> web.Response:
        return web.Response(body=body, headers=headers)

    app = web.Application()
    app.router.add_get("/", page)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]).read_bytes(), sys.argv[2]))
