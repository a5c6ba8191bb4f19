"""The form that makes a payment link, and the draft that it becomes: up to three ways to pay. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from watcher.errors import Refused
from watcher.pages.actions_once import Typed  # noqa: TC001 - pydantic reads it
from watcher.pages.page import Form
from watcher.pages.period import Once, complete

if TYPE_CHECKING:
    from collections.abc import Iterator

WAYS = (1, 2, 3)

_OPTION = re.compile(r"options\.(\d+)\.(\w+)(?:\.(\w+))?")
_FIELDS = {"valid_until": "valid_until", "max_uses": "max_uses", "expires_in": "minutes"}
_DIGITS = 9


class LinkForm(Form):
    """What is typed. `way_1` is chain and asset, "chain/asset"; an amount is fixed, or between two limits."""

    once: Once
    description: Typed | None = None
    order_id: Typed | None = None
    way_1: Typed | None = None
    amount_1: Typed | None = None
    min_1: Typed | None = None
    max_1: Typed | None = None
    way_2: Typed | None = None
    amount_2: Typed | None = None
    min_2: Typed | None = None
    max_2: Typed | None = None
    way_3: Typed | None = None
    amount_3: Typed | None = None
    min_3: Typed | None = None
    max_3: Typed | None = None
    valid_until: Typed | None = None
    max_uses: Typed | None = None
    minutes: Typed | None = None
    tolerance: Typed | None = None
    return_url: Typed | None = None


def draft(form: LinkForm) -> dict[str, Any]:
    """Return the body of POST /v1/links; Refused names the form's own field."""
    minutes = _whole(form.minutes, "minutes")
    until = form.valid_until
    return {
        "options": [_option(form, number) for number in _used(form)] or _nothing(),
        "description": form.description,
        "order_id": form.order_id,
        "valid_until": None if until is None else complete(until.strip()),
        "max_uses": _whole(form.max_uses, "max_uses"),
        "expires_in": None if minutes is None else 60 * minutes,
        "tolerance": None if form.tolerance is None else {"percent": form.tolerance.strip()},
        "return_url": None if form.return_url is None else form.return_url.strip(),
    }


def _used(form: LinkForm) -> Iterator[int]:
    """Yield the numbers of the ways that were filled in."""
    names = ("way", "amount", "min", "max")
    return (number for number in WAYS if any(getattr(form, f"{name}_{number}") for name in names))


def _nothing() -> list[dict[str, Any]]:
    raise Refused("invalid", "choose what it is paid in", field="way_1")


def _option(form: LinkForm, number: int) -> dict[str, Any]:
    def typed(name: str) -> str | None:
        text = getattr(form, f"{name}_{number}")
        return None if text is None else text.strip()

    way, amount, least, most = (typed(name) for name in ("way", "amount", "min", "max"))
    if way is None:
        raise Refused("invalid", "choose what it is paid in", field=f"way_{number}")
    if amount is not None and (least or most):
        message = "stands beside limits; fix the amount, or let the payer choose it"
        raise Refused("invalid", message, field=f"amount_{number}")
    if amount is None and not (least and most):
        field = f"max_{number}" if least else f"min_{number}" if most else f"amount_{number}"
        raise Refused("invalid", "is missing; give an amount, or both limits", field=field)
    chain, _, asset = way.partition("/")
    return {"chain": chain, "asset": asset, "amount": amount or {"min": least, "max": most}}


def _whole(text: str | None, field: str) -> int | None:
    if text is None:
        return None
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS):
        raise Refused("invalid", "is no whole number; write digits, such as 30", field=field)
    return int(digits)


def in_the_form(refused: Refused, form: LinkForm) -> Refused:
    """Return what was refused about the draft as what is wrong with a field of the form."""
    field = refused.field or ""
    match = _OPTION.match(field)
    if match:
        numbers = list(_used(form))
        name = match[3] or match[2]
        part = name if name in {"amount", "min", "max"} else "way"
        place = int(match[1])
        field = f"{part}_{numbers[place]}" if place < len(numbers) else "way_1"
    field = _FIELDS.get(field, field.replace("tolerance.percent", "tolerance"))
    return Refused(refused.code, refused.message, field=field or None, status=refused.status)
