"""How a command fails: one line for the user and an exit status. Knows no command."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FAILED = 1
WRONG_USAGE = 2


class Failure(Exception):  # noqa: N818 - an answer for the user
    """A command that cannot do what was asked; the message says what is wrong and what would be right."""

    def __init__(self, message: str, status: int = FAILED) -> None:
        """`status` is the exit status: FAILED, or WRONG_USAGE for what the user wrote."""
        super().__init__(message)
        self.status = status


def obstacle(error: Exception, database: Path) -> Failure:
    """Return what the user can do where the system or SQLite refuses the database or what lies beside it."""
    path = getattr(error, "filename", None) or database
    reason = getattr(error, "orig", None) or getattr(error, "strerror", None) or error
    remedy = "run this as a user who may write there, or set [database] url to another place"
    if isinstance(error, FileNotFoundError):
        remedy = "make its folder, or name another place in the configuration"
    return Failure(f"{path} cannot be used ({reason}); {remedy}")


def one_line(text: str) -> str:
    """Return a message without line breaks."""
    return " ".join(text.split())
