"""What a mail's template may say, made of the invoice as the shop reads it. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from watcher import mail_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SAMPLE = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
_HELD = "0"


def values(
    shown: Mapping[str, Any], deadline: datetime, now: datetime, language: str, shop: str
) -> dict[str, Any]:
    """Return every value by its name. `shown` is an invoice as `render` shows it."""
    days, hours, minutes = mail_words.parts(deadline - now)
    return {
        "shop": shop,
        "order_id": shown["order_id"],
        "description": shown["description"],
        "options": [_option(one) for one in shown["options"]],
        "partly_paid": any(one["seen"] != _HELD for one in shown["options"]),
        "link": shown["checkout_url"],
        "deadline": mail_words.date(deadline, language),
        "time_left": mail_words.time_left(deadline - now, language),
        "days_left": days,
        "hours_left": hours,
        "minutes_left": minutes,
    }


def _option(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return one way to pay; `amount` is what is still to be sent that way."""
    kept = {name: shown[name] for name in ("asset", "chain", "address", "uri")}
    return {"amount": shown["missing"], "received": shown["seen"], **kept}


def samples(language: str, shop: str) -> Iterator[dict[str, Any]]:
    """Yield what templates are tried with: all that can be there, and next to nothing."""
    coin: dict[str, Any] = {"asset": "COIN", "chain": "chain", "address": "address", "missing": "0.5"}
    full = {
        "order_id": "A-1001",
        "description": "Two books",
        "checkout_url": "https://pay.shop.example/i/inv_0",
        "options": [{**coin, "seen": "0.5", "uri": "chain:address"}, {**coin, "seen": "0", "uri": None}],
    }
    bare = {**full, "order_id": None, "description": None, "options": [{**coin, "seen": "0", "uri": None}]}
    for shown, left in ((full, timedelta(days=1, hours=3)), (bare, timedelta(seconds=30))):
        yield values(shown, _SAMPLE + left, _SAMPLE, language, shop)
