"""Tells people in our own words what an input's rule is, where pydantic would quote the rule's machinery."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError, WrapValidator

if TYPE_CHECKING:
    from pydantic import ValidatorFunctionWrapHandler


def in_words(rule: str) -> WrapValidator:
    """Return what replaces every message about a value by one line; the value's JSON schema stays."""

    def validate(value: object, check: ValidatorFunctionWrapHandler) -> object:
        try:
            return check(value)
        except ValidationError:
            raise ValueError(rule) from None

    return WrapValidator(validate)
