"""What a stranger wrote, made safe to show: none of it moves a cursor, hides text or feigns a line. Pure."""

from __future__ import annotations

_KEPT = "\n\t"


def readable(raw: bytes) -> str:
    r"""Return bytes as text: UTF-8, and what is not, or cannot be seen, as an escape such as \x1b."""
    return "".join(_seen(one) for one in raw.decode("utf-8", "backslashreplace").replace("\r\n", "\n"))


def one_line(text: str, length: int) -> str:
    """Return text as one line of that many characters at most."""
    line = "".join(_seen(one) for one in " ".join(text.split()))
    return line if len(line) <= length else line[: length - 1] + "…"


def _seen(one: str) -> str:
    return one if one.isprintable() or one in _KEPT else one.encode("unicode_escape").decode()
