"""Which texts of a configuration are secret, in every spelling in which one could come back to us.

For the log, which takes them out of whatever a library, a node or a server says.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from chains.rpc_secrets import secrets_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from watcher.secret import Secret
    from watcher.settings import Settings
    from watcher.settings_mail import MailSettings


def secrets_of(settings: Settings) -> Iterator[str]:
    """Yield every secret, and what is nobody's business: extended public keys."""
    for chain in settings.chains.values():
        yield chain.xpub or ""
        for url in chain.rpc:
            yield from secrets_in(url)
    webhooks = settings.webhooks
    yield from _texts(webhooks.secret)
    for endpoint in webhooks.endpoints:
        yield from _texts(endpoint.secret or ())
        yield from secrets_in(endpoint.url)
    if settings.mail is not None:
        yield from _of_mail(settings.mail)


def _texts(secrets: tuple[Secret, ...]) -> Iterator[str]:
    for secret in secrets:
        yield secret.text.get_secret_value() if secret.text else ""


def _of_mail(mail: MailSettings) -> Iterator[str]:
    """Yield the password as itself, and as SMTP sends it (PLAIN, LOGIN)."""
    if mail.username is None or mail.password is None:
        return
    password = mail.password.get_secret_value()
    yield password
    for text in (f"\0{mail.username}\0{password}", password):
        yield b64encode(text.encode()).decode()
