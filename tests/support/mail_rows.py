"""Mails in a world's database, and a mailer that sends them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert

from watcher import mail_text
from watcher.ids import new_id
from watcher.mailer import Mailer, Post
from watcher.metrics import Metrics
from watcher.settings_mail import MailSettings
from watcher.tables import MAIL

if TYPE_CHECKING:
    from mail_office import Office
    from world import Made, World

EMAIL = "jo@shop.example"


@dataclass
class Desk:
    """A mailer of a world's database. Its turns are taken by hand, or it is run."""

    world: World
    settings: MailSettings
    metrics: Metrics = field(default_factory=Metrics)
    beats: int = 0

    def __post_init__(self) -> None:
        post = Post(self.settings, mail_text.load(self.settings))
        self.mailer = Mailer(
            self.world.store,
            post,
            self.world.links,
            self.metrics,
            clock=self.world.clock,
            random=lambda: 0.5,
            heartbeat=self._beat,
        )

    def _beat(self) -> None:
        self.beats += 1

    async def work(self) -> None:
        """Send until nothing is due."""
        while await self.mailer.turn():
            pass

    async def remind(self, invoice: Made, recipient: str = EMAIL) -> str:
        """Write what a decision writes with the event of a reminder; return the mail's id."""
        deadline = (await invoice.record()).decision.deadline
        row = {"id": new_id("mai"), "invoice_id": invoice.id, "deadline": deadline, "recipient": recipient}
        now = self.world.clock()
        async with self.world.store.write() as conn:
            times = {"created_at": now, "next_at": now, "state": "pending", "attempts": 0}
            await conn.execute(insert(MAIL).values(**row, **times))
        return str(row["id"])

    async def rows(self) -> list[Any]:
        return list(await self.world.rows(MAIL))

    async def states(self) -> list[str]:
        """Each mail's state and the number of its attempts: "pending 1"."""
        return [f"{row.state} {row.attempts}" for row in await self.rows()]

    async def row(self) -> Any:
        (one,) = await self.rows()
        return one

    async def waits(self) -> timedelta:
        """How long the only mail waits until its next attempt."""
        next_at = (await self.row()).next_at
        assert next_at is not None
        return timedelta(seconds=(next_at - self.world.clock()).total_seconds())


def settings(office: Office, **values: Any) -> MailSettings:
    kept: dict[str, Any] = {"host": "127.0.0.1", "port": office.port, "security": "none"}
    return MailSettings.model_validate({**kept, "sender": "Shop & Söhne <pay@shop.example>", **values})


async def reminded(world: World, desk: Desk, recipient: str = EMAIL, **fields: Any) -> Made:
    """An invoice of an hour with a mail that is due."""
    if not world.chains:
        world.add()
        await world.scan()
    made = await world.invoice(**fields)
    await desk.remind(made, recipient)
    return made
