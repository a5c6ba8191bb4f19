"""Amounts as exact integers: decimal text to base units and back, and what a fee takes or adds.

Pure. Knows no asset, no invoice and no floating point.
"""

from __future__ import annotations

import re
from fractions import Fraction

_AMOUNT = re.compile(r"([0-9]+)(?:\.([0-9]+))?", re.ASCII)
_MOST_DIGITS = 78  # of 2**256 - 1, the largest amount that a token can hold


_PERCENT_DIGITS = 80
"""More than any request may carry."""


def parse_amount(text: str, decimals: int) -> int:
    """Return the base units of an amount in the asset's unit, such as "25.50".

    Raises ValueError, in one line for the user: a sign, an exponent, a space or a digit that the asset
    cannot hold is refused, never rounded.
    """
    whole, fraction = _parts(text)
    if len(fraction) > decimals:
        raise ValueError(f"has {len(fraction)} decimals; this asset has {decimals}")
    digits = (whole + fraction.ljust(decimals, "0")).lstrip("0")
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"is too large; at most {_MOST_DIGITS} digits in base units")
    return int(digits or "0")


def format_amount(units: int, decimals: int) -> str:
    """Return base units as decimal text in the asset's unit, without trailing zeros or exponent."""
    sign, digits = ("-" if units < 0 else ""), str(abs(units)).rjust(decimals + 1, "0")
    cut = len(digits) - decimals
    fraction = digits[cut:].rstrip("0")
    return f"{sign}{digits[:cut]}.{fraction}" if fraction else f"{sign}{digits[:cut]}"


def percent(text: str) -> Fraction:
    """Return a percentage, such as "0.5", as an exact share of 1; ValueError outside 0 to 100."""
    whole, fraction = _parts(text)
    share = Fraction(int(whole + fraction), 100 * 10 ** len(fraction))
    if share > 1:
        raise ValueError('is above 100; write a number from "0" to "100"')
    return share


def format_percent(share: Fraction) -> str:
    """Return a share of 1 as percent, without trailing zeros ("97.5"); the inverse of `percent`."""
    whole, rest = divmod(share * 100, 1)
    digits = ""
    while rest and len(digits) < _PERCENT_DIGITS:
        digit, rest = divmod(rest * 10, 1)
        digits += str(digit)
    return f"{whole}.{digits}" if digits else str(whole)


def fee(gross: int, share: Fraction, fixed: int) -> int:
    """Return what is deducted from one deposit, in base units: the share rounded up, plus the fixed part.

    Never more than the deposit itself.
    """
    return min(gross, _ceil(gross * share) + fixed)


def gross_up(net: int, share: Fraction, fixed: int) -> int:
    """Return the smallest deposit of which `net` remains after its fee, in base units.

    ceil((net + fixed) / (1 - share)). Raises ValueError when the share takes everything.
    """
    if share >= 1:
        raise ValueError("the fee takes the whole payment; its percentage has to be below 100")
    return _ceil((net + fixed) / (1 - share))


def _parts(text: str) -> tuple[str, str]:
    if len(text) > 2 * _MOST_DIGITS + 1:
        raise ValueError(f"is too long; at most {_MOST_DIGITS} digits before and after the point")
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise ValueError('is not a decimal number; write digits with at most one point, such as "25.50"')
    return match[1], match[2] or ""


def _ceil(value: Fraction | int) -> int:
    return -((-value) // 1)
