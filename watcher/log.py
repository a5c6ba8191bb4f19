"""Logging, configured once: JSON unless on a terminal, and nothing secret in either.

Event names are static, `noun.verb`; what varies goes into keys.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import TextIO

    from structlog.typing import EventDict, Processor, WrappedLogger

REDACTED = "[redacted]"

_SECRET_KEY = re.compile(
    r"passw|passphrase|secret|authorization|cookie|credential|private_?key|api_?key|bearer|mnemonic|seed|xprv"
    r"|xpub|token|signature|idempotency|e_?mail|recipient",
    re.IGNORECASE,
)
_SECRET_TEXT = (
    (re.compile(r"://[^\s/?#]*@"), "://"),  # user and password of a URL
    (re.compile(r"\b(whsec_|whsk_|dwk_)[A-Za-z0-9+/=_-]+"), rf"\1{REDACTED}"),
    (re.compile(r"\b([xyztuvYZUV]prv|(?:Lt|Mt|tt|dg|tg)pv)[1-9A-HJ-NP-Za-km-z]{20,}"), rf"\1{REDACTED}"),
    (re.compile(r"\b(Bearer|Basic)\s+[^\s'\",]+", re.IGNORECASE), rf"\1 {REDACTED}"),
)
_PRIVATE_TEXT = (
    (re.compile(r"\b([xyztuvYZUV]pub|(?:Lt|Mt|tt|dg|tg)ub)[1-9A-HJ-NP-Za-km-z]{20,}"), rf"\1{REDACTED}"),
    (
        re.compile(r"[^\s@<>()\[\]\"',:;/]+@(?=[\w-]+(\.[\w-]+)+)"),
        f"{REDACTED}@",
    ),  # the name in a mail address
)
"""No secrets, yet nothing for a log: public keys show all that a merchant earns, mail addresses who pays."""
_SHORTEST = 6
"""Characters of what is concealed: anything shorter stands in innocent words as well."""
_concealed = re.compile(r"(?!)")
_QUIET = ("aiohttp", "aiosqlite", "alembic", "asyncio", "sqlalchemy", "urllib3", "web3")
"""Libraries that print bodies, addresses with passwords or statements below WARNING."""


def configure(level: str = "info", form: str = "auto", stream: TextIO | None = None) -> None:
    """Send all logging of this process to a stream (standard error unless given).

    `level`: debug, info, warning or error. `form`: json, console, or auto (console on a terminal).
    """
    stream = stream or sys.stderr
    console = form == "console" or (form == "auto" and stream.isatty())
    threshold = logging.getLevelNamesMapping()[level.upper()]
    _configure_ours(threshold)
    _configure_theirs(threshold, stream, _renderer(console=console, colors=stream.isatty()))


def conceal(secrets: Iterable[str]) -> None:
    """Take these texts out of every line from now on: what no pattern tells from any other text."""
    global _concealed  # noqa: PLW0603 - one process has one log
    known = sorted({one for one in secrets if len(one) >= _SHORTEST}, key=len, reverse=True)
    _concealed = re.compile("|".join(map(re.escape, known)) or r"(?!)")


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Processor: drop the values of keys that look secret, and what looks secret inside any text."""
    return {key: _clean(key, value) for key, value in event.items()}


def scrub(text: str) -> str:
    """Return a text without what is concealed, credentials of URLs, our secrets and keys, private keys."""
    text = _concealed.sub(REDACTED, text)
    for pattern, harmless in _SECRET_TEXT:
        text = pattern.sub(harmless, text)
    return text


def _clean(key: str, value: Any) -> Any:
    if _SECRET_KEY.search(key) and value is not None and not isinstance(value, bool):
        return REDACTED
    return _harmless(value)


def _private(text: str) -> str:
    text = scrub(text)
    for pattern, harmless in _PRIVATE_TEXT:
        text = pattern.sub(harmless, text)
    return text


def _harmless(value: Any) -> Any:
    match value:
        case str():
            return _private(value)
        case dict():
            return _clean_table(value)
        case list() | tuple() | set() | frozenset():
            return [_harmless(item) for item in value]
        case bool() | int() | float() | None:
            return value
        case _:
            return _private(str(value))


def _clean_table(table: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(key): _clean(str(key), value) for key, value in table.items()}


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]


def _renderer(*, console: bool, colors: bool) -> Processor:
    return structlog.dev.ConsoleRenderer(colors=colors) if console else structlog.processors.JSONRenderer()


def _configure_ours(threshold: int) -> None:
    structlog.configure(
        processors=[*_shared(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _configure_theirs(threshold: int, stream: TextIO, renderer: Processor) -> None:
    """Let the standard library's records, ours and the libraries', come out of one handler."""
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_shared(),
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact, renderer],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))
