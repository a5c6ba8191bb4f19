"""How a command fails: one line for the user and an exit status. Knows no command."""

from __future__ import annotations

FAILED = 1
WRONG_USAGE = 2


class Failure(Exception):  # noqa: N818 - an answer for the user
    """A command that cannot do what was asked; the message says what is wrong and what would be right."""

    def __init__(self, message: str, status: int = FAILED) -> None:
        """`status` is the exit status: FAILED, or WRONG_USAGE for what the user wrote."""
        super().__init__(message)
        self.status = status


def one_line(text: str) -> str:
    """Return a message without line breaks."""
    return " ".join(text.split())
