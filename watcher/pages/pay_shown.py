"""A payment link's form in words: what was typed, what is wrong with it, how long there is to pay. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from markupsafe import Markup

    from watcher.errors import Refused
    from watcher.pages.languages import Language

WRONG = frozenset(
    {
        *("amount_needed", "amount_fixed", "amount_out_of_range", "invalid_amount"),
        *("choice_needed", "not_offered", "invalid_address", "chain_not_ready", "storage_unavailable"),
        *("used_up", "not_valid_any_more", "too_many_open", "not_payable_now"),
    }
)
"""The codes that have words of their own, `pay_wrong_CODE`; of others the API's message is shown."""

_FIELDS = {"chain": "way", "asset": "way", "amount": "amount"} | {
    name: name for name in ("customer_email", "refund_address")
}
_DAY = 86400
_UNITS = (("days", _DAY), ("hours", 3600), ("minutes", 60), ("seconds", 1))


@dataclass(frozen=True, slots=True)
class Shown:
    """What the form's template asks for."""

    offer: Mapping[str, Any]
    typed: Mapping[str, str | None]
    refused: Refused | None
    language: Language

    @property
    def obstacle(self) -> Markup | None:
        """Why the link cannot be used now; None if it can."""
        reason = self.offer["reason"]
        return self.language.text(f"pay_wrong_{reason}") if reason else None

    @property
    def one_way(self) -> bool:
        """Whether there is nothing to choose."""
        return len(self.offer["options"]) == 1

    @property
    def payer_chooses(self) -> bool:
        """Whether the amount is left to the payer."""
        return any(isinstance(one["amount"], dict) for one in self.offer["options"])

    @property
    def wrong_field(self) -> str | None:
        """The field at which something is wrong."""
        if self.refused is None or self.obstacle:
            return None
        field = _FIELDS.get(self.refused.field or "")
        return None if field == "way" and self.one_way else field

    @property
    def wrong(self) -> Markup | str | None:
        """What is wrong, in the payer's language where it has words for it."""
        refused = self.refused
        if refused is None or self.obstacle:
            return None
        if refused.code == "invalid" and self.wrong_field:
            return self.language.text(f"pay_wrong_{self.wrong_field}")
        known = refused.code in WRONG
        return self.language.text(f"pay_wrong_{refused.code}") if known else refused.message

    @property
    def time_to_pay(self) -> Markup:
        """How long there is to pay, in the largest unit that says it exactly; one day as 24 hours."""
        seconds: int = self.offer["expires_in"]
        units = _UNITS[1:] if seconds == _DAY else _UNITS  # "1 days" is wrong in many languages
        unit, size = next(one for one in units if seconds % one[1] == 0 and seconds >= one[1])
        return self.language.text(f"pay_{unit}", count=seconds // size)
