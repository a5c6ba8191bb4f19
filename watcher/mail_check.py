"""What `watcher check` says about `[mail]`: whether the texts can be used, and the server reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chains.base import Finding
from watcher import mail_text
from watcher.mail_server import MailServer
from watcher.settings_errors import SettingsError

if TYPE_CHECKING:
    from watcher.settings_mail import MailSettings


async def findings(settings: MailSettings | None) -> tuple[Finding, ...]:
    """Return what is found, nothing where no mail is configured. A server that is away is a warning."""
    if settings is None:
        return ()
    trouble = await MailServer(settings).try_out()
    where = f"{settings.host} port {settings.at}"
    server = Finding("server", ok=None if trouble else True, detail=f"{where}: {trouble or 'takes our mail'}")
    return (_texts(settings), server)


def _texts(settings: MailSettings) -> Finding:
    try:
        languages = mail_text.load(settings).languages
    except SettingsError as error:
        return Finding("texts", ok=False, detail=str(error))
    return Finding("texts", ok=True, detail=", ".join(languages))
