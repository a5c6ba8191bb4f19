"""What `watcher check` says about `[checkout]`: whether the words of payers' pages can be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chains.base import Finding
from watcher.pages import languages
from watcher.settings_errors import SettingsError

if TYPE_CHECKING:
    from watcher.settings_checkout import CheckoutSettings


def findings(settings: CheckoutSettings) -> tuple[Finding, ...]:
    """Return what is found, nothing where no folder of words is configured."""
    if settings.languages is None:
        return ()
    try:
        codes = languages.load(settings.languages).codes
    except SettingsError as error:
        return (Finding("languages", ok=False, detail=str(error)),)
    return (Finding("languages", ok=True, detail=", ".join(codes)),)
