"""`[invoices.policy]`: what happens by itself to an invoice that is out of the ordinary."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, Field

from chains.config import DecimalText, Section
from watcher.model import ExcessPolicy, ReturnPolicy

WHOLE = 100
SHORTEST = 60
"""Seconds: no deadline is moved by less."""


def _part(text: str) -> str:
    if not 0 < Decimal(text) < WHOLE:
        raise ValueError('is no part of the amount; write a number above "0" and below "100", such as "97"')
    return text


def step(seconds: int) -> int:
    """Return how far a deadline moves by itself; ValueError if it is neither 0 nor a minute and more."""
    if 0 < seconds < SHORTEST:
        raise ValueError(f"is too short; write 0 for never, or at least {SHORTEST} seconds")
    return seconds


class PolicySettings(Section):
    """The policies of a new invoice. `accept_percent` None: nothing is accepted; `extend` in seconds."""

    accept_percent: Annotated[DecimalText, AfterValidator(_part)] | None = None
    extend: Annotated[int, Field(ge=0, le=2_592_000), AfterValidator(step)] = 0
    underpaid: ReturnPolicy = ReturnPolicy.HOLD
    overpaid: ExcessPolicy = ExcessPolicy.KEEP
    wrong_asset: ReturnPolicy = ReturnPolicy.HOLD

    def check_beside(self, tolerance_percent: str) -> None:
        """Refuse (ValueError) an acceptance of what counts as paid anyway."""
        if self.accept_percent is None:
            return
        least = WHOLE - Decimal(tolerance_percent)
        if Decimal(self.accept_percent) >= least:
            message = f"tolerance_percent takes {least} percent as paid anyway; write less, or leave it out"
            raise ValueError(f"policy: accept_percent has no effect: {message}")
