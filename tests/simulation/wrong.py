"""The verdict: what was promised was broken."""

from __future__ import annotations


class Wrong(AssertionError):  # noqa: N818 - the name says what it is
    """The promise was broken."""
