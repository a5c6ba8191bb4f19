"""What an invoice does by itself: policies, reminder, language; what its draft omits is as configured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from watcher.drafts import PolicyDraft
from watcher.errors import Refused
from watcher.model import Policy
from watcher.money import percent

if TYPE_CHECKING:
    from collections.abc import Iterable
    from fractions import Fraction

    from watcher.drafts import InvoiceDraft
    from watcher.model import Option
    from watcher.settings import Settings

ENGLISH = "en"
_ACCEPT = "policy.accept_percent"


def check(draft: InvoiceDraft, settings: Settings, options: Iterable[Option]) -> None:
    """Refuse a draft whose policies or reminder could never have an effect."""
    reminder_of(draft, settings)
    share = policy_of(draft, settings).accept_share
    asked = draft.policy is not None and draft.policy.accept_percent is not None
    if asked and share is not None and not any(share * o.amount < o.minimum for o in options):
        message = "is no less than what the tolerance takes as paid anyway; write less, or leave it out"
        raise Refused("invalid_percent", message, field=_ACCEPT)


def policy_of(draft: InvoiceDraft, settings: Settings) -> Policy:
    """Return the policies of an invoice; Refused for an acceptance of nothing, or of everything."""
    own, usual = draft.policy or PolicyDraft(), settings.invoices.policy
    accept = own.accept_percent if "accept_percent" in own.model_fields_set else usual.accept_percent
    return Policy(
        accept_share=None if accept is None else _part(accept),
        extend=usual.extend if own.extend is None else own.extend,
        underpaid=own.underpaid or usual.underpaid,
        overpaid=own.overpaid or usual.overpaid,
        wrong_asset=own.wrong_asset or usual.wrong_asset,
    )


def _part(text: str) -> Fraction:
    try:
        share = percent(text)
    except ValueError as error:
        raise Refused("invalid_percent", str(error), field=_ACCEPT) from error
    if not 0 < share < 1:
        message = 'is no part of the amount; write a number above "0" and below "100", such as "97"'
        raise Refused("invalid_percent", message, field=_ACCEPT)
    return share


def lifetime_of(draft: InvoiceDraft, settings: Settings) -> int:
    """Return the seconds from an invoice's creation to its deadline."""
    return settings.invoices.expires_in if draft.expires_in is None else draft.expires_in


def reminder_of(draft: InvoiceDraft, settings: Settings) -> int:
    """Return how many seconds before its deadline an invoice's payer is reminded, 0 for never.

    Refused where the invoice asks for one before it exists; a usual one is left out there.
    """
    lifetime = lifetime_of(draft, settings)
    if draft.reminder_before is None:
        usual = settings.invoices.reminder_before
        return usual if usual < lifetime else 0
    if draft.reminder_before >= lifetime:
        message = f"is no moment of the invoice's life; write less than its {lifetime} seconds, or 0 for none"
        raise Refused("invalid_reminder", message, field="reminder_before")
    return draft.reminder_before


def language_of(draft: InvoiceDraft, settings: Settings) -> str:
    """Return the language of an invoice's mails."""
    return draft.language or (settings.mail.language if settings.mail else ENGLISH)
