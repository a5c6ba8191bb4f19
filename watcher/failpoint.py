"""Places where a test may let the process die at once, as in a power cut: the crash test's registry.

Harmless in production: nothing is armed unless `watcher run` finds a name in WATCHER_FAILPOINT, which no unit
or example sets; until then a call compares one value with None. What an armed one does is what any power cut
may do, and the daemon says at its start that it is armed.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass

VARIABLE = "WATCHER_FAILPOINT"
"""The environment variable: a name of POINTS, and with "@3" behind it the third time that it is passed."""

WRITES = {
    "accounts": "addresses watched on every chain that has the same accounts",
    "alarm": "a chain stalled, or is well again",
    "balances": "what comparing credits with balances has found",
    "batch": "blocks and mempool absorbed, with the decisions and events that they cause",
    "begin": "a chain's first block",
    "claim": "deliveries taken by the sender",
    "decision": "a merchant's decision about an invoice, with the events that it causes",
    "drain": "the last results of a daemon that was told to stop",
    "endpoints": "the configuration's receivers, at the start",
    "gap": "blocks read again",
    "index": "the next address index of a key",
    "invoice": "a new invoice with its addresses, its first event and its answer",
    "key": "an API key made or revoked",
    "mail": "mails taken by the sender: only what is committed is handed over",
    "mailed": "what came of mails",
    "link": "a payment link made or removed",
    "migration": "the schema",
    "release": "the claims of the process before, taken over",
    "request": "what a repeatable request does, with its answer",
    "rescan": "an operator's wish to read blocks again",
    "result": "what came of deliveries",
    "unsure": "the mails that the process before was sending, given up",
    "standing": "a standing address made, with its answer, or archived",
    "webhook": "a receiver changed or removed",
}
"""Every kind of write: each can die with all written but nothing committed, and right after the commit."""

POINTS = {
    "start.locked": "the database is owned, nothing else is done",
    "start.listening": "the API answers, no loop runs yet",
    "scan.opened": "the node is proven, nothing is read",
    "scan.forked": "after a reorganisation the shared block is found, nothing is undone",
    "scan.answered": "the node has answered all, nothing is absorbed",
    "gap.answered": "the node has answered for blocks read again, nothing is recorded",
    "invoice.placed": "the invoice's addresses are taken, nothing else is written",
    "invoice.answered": "the answer is kept if it may be repeated, nothing is committed",
    "mail.answered": "the mail server has answered, nothing is recorded",
    "send.answered": "the shop has answered, nothing is recorded",
    **{f"{write}.written": f"{what}: written, not committed" for write, what in WRITES.items()},
    **{f"{write}.committed": f"{what}: committed, nothing told of it" for write, what in WRITES.items()},
}
"""Every place by name, with what has happened there."""


@dataclass(slots=True)
class _Armed:
    name: str
    left: int


_armed: _Armed | None = None


def arm(text: str) -> str | None:
    """Arm "name" or "name@n"; return its name, None for an empty text. ValueError says what is wrong."""
    global _armed  # noqa: PLW0603 - one process dies once
    if not text:
        return None
    name, _, count = text.partition("@")
    if name not in POINTS:
        raise ValueError(f"{VARIABLE}: there is no failpoint {name!r}; one of: {', '.join(sorted(POINTS))}")
    if count and not (count.isdecimal() and int(count)):
        raise ValueError(f"{VARIABLE}: {text!r} does not count; write {name}@3 for the third time")
    _armed = _Armed(name, int(count or 1))
    return name


def hit(name: str) -> None:
    """Die here if this is the armed place, and as often passed as was asked for."""
    if _armed is None or _armed.name != name:
        return
    _armed.left -= 1
    if _armed.left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
