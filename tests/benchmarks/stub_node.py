"""Answers an EVM node's requests with recorded JSON, from a process of its own whose work is not counted.

As a program, which `serving` runs, it takes the file of answers and prints its port.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@contextmanager
def serving(answers: Mapping[str, Any], folder: Path) -> Iterator[str]:
    """Serve the answers, by method (and its first parameter where that is a tag), and yield the URL."""
    recorded = folder / "answers.json"
    recorded.write_text(json.dumps(answers, separators=(",", ":")))
    command = [sys.executable, __file__, str(recorded)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


class Stub:
    """Answers single requests and batches; the results are encoded once, at the start."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self._results = {name: json.dumps(each, separators=(",", ":")) for name, each in answers.items()}

    async def post(self, request: web.Request) -> web.Response:
        asked = json.loads(await request.read())
        text = f"[{','.join(map(self._answer, asked))}]" if isinstance(asked, list) else self._answer(asked)
        return web.Response(text=text, content_type="application/json")

    def _answer(self, asked: dict[str, Any]) -> str:
        method, params = asked["method"], asked["params"]
        result = self._results.get(f"{method} {params[0]}" if params else method) or self._results[method]
        return f'{{"jsonrpc":"2.0","id":{json.dumps(asked["id"])},"result":{result}}}'


async def _serve(answers: Mapping[str, Any]) -> None:
    app = web.Application()
    app.router.add_post("/", Stub(answers).post)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(json.loads(Path(sys.argv[1]).read_text())))
