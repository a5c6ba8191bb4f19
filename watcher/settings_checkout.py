"""`[checkout]`: how payers' pages name the shop, which languages they speak, and who may embed them."""

from __future__ import annotations

import re
from pathlib import Path  # noqa: TC003 - pydantic needs it when it runs
from typing import Annotated

from pydantic import AfterValidator, Field

from chains.config import Section

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?")
_CONTACT = re.compile(r"(https?://[^\s\"<>]+|[^\s\"<>@/:?#]+@[^\s\"<>@/:?#]+)")


def _origin(text: str) -> str:
    if not _ORIGIN.fullmatch(text):
        raise ValueError('is not the origin of a site; write scheme and host only: "https://shop.example"')
    return text


def _contact(text: str) -> str:
    if not _CONTACT.fullmatch(text):
        raise ValueError(
            'is neither a page nor a mailbox; write "https://shop.example/help" or "help@shop.example"'
        )
    return text


class CheckoutSettings(Section):
    """`[checkout]`. `shop` and `contact` are what payers see of the merchant; None shows nothing.

    `languages`: a folder with words of more languages. `frame_ancestors`: sites that may show payers' pages
    inside their own.
    """

    shop: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    contact: Annotated[str, Field(max_length=300), AfterValidator(_contact)] | None = None
    languages: Path | None = None
    frame_ancestors: tuple[Annotated[str, AfterValidator(_origin)], ...] = ()

    @property
    def contact_url(self) -> str | None:
        """`contact` as a link."""
        if self.contact is None or self.contact.startswith(("http://", "https://")):
            return self.contact
        return f"mailto:{self.contact}"
