"""What the user wrote for a field of the API: the option or argument that it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Names = Callable[[str], str]


def as_sent(field: str) -> str:
    """Return the field itself: the user wrote JSON, or nothing."""
    return field


def flags(**special: str) -> Names:
    """Return what calls a field as the option of its name; `special` are those named otherwise."""

    def name(field: str) -> str:
        first = field.partition(".")[0]
        return special.get(first, f"--{first.replace('_', '-')}")

    return name
