"""Blocking JSON-RPC to a test node on loopback: for mining and paying, never for watching.

Amounts come back as Decimal: a float would lose coins. The daemon's own client is chains/rpc.py.
"""

from __future__ import annotations

import base64
import http.client
import json
from decimal import Decimal
from typing import Any
from urllib.parse import unquote, urlsplit


class CallError(Exception):
    """The node refused a call; `code` and `message` are the node's own."""

    def __init__(self, method: str, code: int, message: str) -> None:
        super().__init__(f"{method}: {message} ({code})")
        self.code = code
        self.message = message


def call(url: str, method: str, params: tuple[Any, ...] = (), *, timeout: float = 60.0) -> Any:
    """Return the result of one call; `url` may carry user and password.

    Raises CallError for the node's error answer and OSError when nobody answers. `timeout` in seconds.
    """
    parts = urlsplit(url)
    headers = {"Content-Type": "application/json"}
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, default=str)
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=timeout)
    try:
        connection.request("POST", parts.path or "/", body, headers)
        answer = connection.getresponse()
        text = answer.read()
    except http.client.HTTPException as error:
        raise ConnectionError(f"{method}: broken answer: {error!r}") from error
    finally:
        connection.close()
    return _result(method, answer.status, text)


def _result(method: str, status: int, text: bytes) -> Any:
    try:
        envelope = json.loads(text, parse_float=Decimal)
    except ValueError:
        raise CallError(method, status, f"HTTP status {status} without JSON") from None
    if error := envelope.get("error"):
        raise CallError(method, error["code"], error["message"])
    return envelope["result"]
