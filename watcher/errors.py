"""What a user is told when something cannot be done: one line, a code and where it is wrong."""

from __future__ import annotations


class Refused(Exception):  # noqa: N818 - it is an answer, not a failure
    """A request that is understood and turned down. `status` is HTTP's; `field` names the faulty input."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        field: str | None = None,
        status: int = 422,
        retry_after: int | None = None,
    ) -> None:
        """`message` is one line: what is wrong and what would be right. `retry_after` is in seconds."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.status = status
        self.retry_after = retry_after
