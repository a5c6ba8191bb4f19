"""Server-sent events over one connection: its place among all streams, small buffers, and how it ends.

Knows neither what is sent nor to whom.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from aiohttp.abc import AbstractStreamWriter

    from watcher.api.context import ApiContext

    Send = Callable[[bytes], Awaitable[None]]

log = structlog.get_logger()

KEEP_ALIVE = 15.0
"""Seconds of silence after which a comment shows proxies that the stream lives."""
SILENCE = b": keep-alive\n\n"
PATIENCE = 30.0
"""Seconds that a reader may leave its buffers full before it is dropped; it resumes by its last id."""
SEND_BUFFER = 64 * 1024
"""Bytes that the system keeps for a reader; as many wait in the process, and as many beside them."""
RETRY, SPREAD = 1000, 2000
"""Milliseconds after which a reader comes again, at least, and so many more: not all in one moment."""


async def stream(
    context: ApiContext,
    request: web.Request,
    holder: str,
    tell: Callable[[Send], Awaitable[None]],
    *,
    payer: bool = False,
) -> web.StreamResponse:
    """Keep a stream open while `tell` sends its blocks; Refused where no place is left.

    `holder`: the key whose stream it is, or the `payer`'s address. `tell` gets what sends; that ends it when
    the reader has gone or takes nothing.
    """
    transport = request.transport
    if transport is None:
        raise ConnectionResetError
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    with (
        context.streams.room(holder, transport, payer=payer),
        context.metrics.streams.track_inprogress(),
        _cut_unless_whole(transport),
    ):
        _limit_buffers(transport)
        writer = await response.prepare(request)
        if writer is not None:
            await tell(partial(_send, writer))
    return response


def opening() -> bytes:
    """Return how a stream begins: when to come again. Lines of the first block may follow."""
    return b": open\nretry: %d\n" % (RETRY + secrets.randbelow(SPREAD))


@contextmanager
def _cut_unless_whole(transport: asyncio.Transport) -> Iterator[None]:
    """Break the connection off where the stream did not end in order: nothing else may follow in it."""
    whole = False
    try:
        yield
        whole = True
    except ConnectionError:
        pass  # the reader went away
    except TimeoutError:
        log.info("stream.dropped", reason=f"its reader took nothing for {PATIENCE:g} s")
    finally:
        if not whole:
            transport.abort()


def _limit_buffers(transport: Any) -> None:
    """Keep what waits for a slow reader small, in the process and in the system."""
    transport.set_write_buffer_limits(high=SEND_BUFFER)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)


async def _send(writer: AbstractStreamWriter, data: bytes) -> None:
    """Write, so much at once as may wait; TimeoutError if the reader leaves its buffers full for too long."""
    for start in range(0, len(data), SEND_BUFFER):
        async with asyncio.timeout(PATIENCE):
            await writer.write(data[start : start + SEND_BUFFER])
            await writer.drain()
