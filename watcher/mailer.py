"""The only sender of mails: takes what is due, hands each to the mail server, writes down what came of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

import structlog

from watcher import facts, failpoint, mails, render
from watcher.mail_message import Letter, envelope
from watcher.mail_server import WHOLE, Handover, MailServer
from watcher.mail_text import TextError
from watcher.mail_values import values
from watcher.mails import MailState, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from watcher.mail_message import Envelope
    from watcher.mail_text import Texts
    from watcher.mails import Claim
    from watcher.metrics import Metrics
    from watcher.model import Clock
    from watcher.render import Links
    from watcher.settings_mail import MailSettings
    from watcher.store import Store

log = structlog.get_logger()

POLL = 1.0
"""Seconds between two looks for mails that are due."""
COUNT_EVERY = 15.0
AT_ONCE = 4
"""Mails that are handed over at the same time."""
GRACE = 10.0
"""Seconds that mails under way get to end when the mailer is stopped."""


@dataclass(frozen=True, slots=True)
class Post:
    """The `[mail]` of the configuration, with its texts."""

    settings: MailSettings
    texts: Texts


class Mailer:
    """Runs until it is stopped; whatever it does not expect ends it, and so the process."""

    def __init__(  # noqa: PLR0913 - what the composition root has
        self,
        store: Store,
        post: Post,
        links: Links,
        metrics: Metrics,
        *,
        clock: Clock,
        random: Callable[[], float],
        heartbeat: Callable[[], None],
    ) -> None:
        """`random` yields numbers from [0, 1); `heartbeat` is called at every turn."""
        self._store, self._post, self._links, self._metrics = store, post, links, metrics
        self._clock, self._random, self._heartbeat = clock, random, heartbeat
        self._server = MailServer(post.settings)
        self._counted_at = float("-inf")
        self._limits: set[asyncio.Timeout] = set()
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """Take nothing more; `run` ends when the mails under way have, or after GRACE seconds."""
        self._stopped.set()
        soon = asyncio.get_running_loop().time() + GRACE
        for limit in self._limits:
            limit.reschedule(min(limit.when() or soon, soon))

    async def run(self) -> None:
        """Send until stopped. What a process that died was sending is never sent again."""
        async with self._store.write("unsure") as conn:
            left = await mails.doubt(conn)
        for id_ in left:
            log.warning("mail.uncertain", mail=id_, remedy="ask your mail server for its Message-ID")
        while not self._stopped.is_set():
            busy = await self.turn()
            self._heartbeat()
            if not busy:
                await self._pause()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(POLL):
                await self._stopped.wait()
        except TimeoutError:
            return

    async def turn(self) -> bool:
        """Send what is due, a few at once; return whether there was anything."""
        now = self._clock()
        due = await self._look(now)
        if not due:
            return False
        async with self._store.write("mail") as conn:
            taken, dropped = await mails.claim(conn, now, AT_ONCE)
            views = await facts.views(conn)
        for id_, reason in dropped.items():
            log.info("mail.dropped", mail=id_, reason=reason)
        if taken:
            shown = [render.invoice(one.record, views, self._links) for one in taken]
            outcomes = await asyncio.gather(*map(self._send, taken, shown))
            await self._record(list(zip(taken, outcomes, strict=True)))
        return True

    async def _look(self, now: datetime) -> bool:
        async with self._store.read() as conn:
            if monotonic() - self._counted_at > COUNT_EVERY:
                self._counted_at = monotonic()
                self._metrics.mailed(await mails.counts(conn))
            return await mails.are_due(conn, now)

    async def _record(self, results: Sequence[tuple[Claim, Outcome]]) -> None:
        async with self._store.write("mailed") as conn:
            await mails.record(conn, results, self._clock(), self._random())
        for one, outcome in results:
            line = log.info if outcome.state is MailState.SENT else log.warning
            line(
                "mail.attempted",
                mail=one.id,
                invoice=one.record.invoice.id,
                attempt=one.attempts,
                state=outcome.state.value,
                error=outcome.error and outcome.error.replace(one.recipient, "[recipient]"),
            )

    async def _send(self, one: Claim, shown: dict[str, object]) -> Outcome:
        try:
            letter = self._written(one, shown)
        except TextError as error:
            return Outcome(MailState.FAILED, str(error))
        except ValueError as error:
            return Outcome(MailState.FAILED, f"recipient: {error}")
        handover = Handover()
        try:
            async with asyncio.timeout(GRACE if self._stopped.is_set() else WHOLE) as limit:
                self._limits.add(limit)
                outcome = await self._server.send(letter, handover)
        except TimeoutError:
            outcome = handover.broken("no answer in time")
        finally:
            self._limits.discard(limit)
        failpoint.hit("mail.answered")
        return outcome

    def _written(self, one: Claim, shown: dict[str, object]) -> Envelope:
        settings, texts, now = self._post.settings, self._post.texts, self._clock()
        language = texts.language(one.record.invoice.language)
        told = values(shown, one.deadline, now, language, settings.shop)
        subject, body = texts.render(language, told)
        return envelope(Letter(one.id, language, subject, body), settings.from_, one.recipient, now)
