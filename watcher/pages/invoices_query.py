"""What the list of invoices is asked for: the fields of its form, as the API reads them, and as addresses."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

from pydantic import BeforeValidator, ConfigDict, Field

from watcher.api.invoices import InvoiceQuery, Words
from watcher.api.values import Flag, Query
from watcher.model import Exceptional, Status
from watcher.pages.page import DASHBOARD
from watcher.render import moment

if TYPE_CHECKING:
    from collections.abc import Mapping

OPEN = (Status.PENDING, Status.PARTIAL, Status.CONFIRMING)

VIEWS: Mapping[str, Mapping[str, Any]] = {
    "All": {},
    "Needs action": {"needs_action": "true"},
    "Open": {"status": [*OPEN]},
    "Paid": {"status": [Status.PAID]},
    "Underpaid": {"status": [Status.UNDERPAID]},
    "Expired": {"status": [Status.EXPIRED]},
}
"""The lists that are looked at most, by their name."""


def _none(value: object) -> object:
    """Take an empty field as one that was not given: a form sends those, too."""
    return None if isinstance(value, str) and not value.strip() else value


def _day(value: object) -> object:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError("must be a day such as 2026-11-22") from None


EMPTY = BeforeValidator(_none)
Day = Annotated[date | None, BeforeValidator(_day), EMPTY]


class ListQuery(Query):
    """The filters of the list, by the names that the API gives them; days are whole ones, in UTC."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: tuple[Status, ...] = ()
    exception: tuple[Exceptional, ...] = ()
    chain: tuple[str, ...] = ()
    asset: tuple[str, ...] = ()
    link_id: tuple[str, ...] = ()
    needs_action: Annotated[Flag | None, EMPTY] = None
    since: Annotated[Day, Field(alias="from")] = None
    until: Annotated[Day, Field(alias="to")] = None
    q: Annotated[Words | None, EMPTY] = None
    cursor: Annotated[str | None, Field(max_length=200)] = None

    @property
    def is_filtered(self) -> bool:
        """Whether it leaves anything out."""
        return bool(self.fields())

    def fields(self) -> dict[str, Any]:
        """Return what is given, without the place in the list, as it stands in an address."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"cursor"}) | (
            {} if self.needs_action is None else {"needs_action": str(self.needs_action).lower()}
        )

    def without_link(self, id_: str) -> str:
        """Return where the list is without one of its links."""
        rest = [link for link in self.link_id if link != id_]
        return address({**self.fields(), "link_id": rest})

    def for_api(self, *, needs_action: bool | None, limit: int, cursor: str | None = None) -> InvoiceQuery:
        """Return the same as the API's query."""
        return InvoiceQuery(
            status=self.status,
            exception=self.exception,
            chain=self.chain,
            asset=self.asset,
            link_id=self.link_id,
            needs_action=None if needs_action is None else str(needs_action).lower(),
            created_after=_midnight(self.since),
            created_before=_midnight(self.until, days=1),
            q=self.q,
            cursor=cursor,
            limit=limit,
        )


def address(fields: Mapping[str, Any], cursor: str | None = None) -> str:
    """Return where the list with these filters is."""
    found = urlencode({**fields, "cursor": cursor} if cursor else fields, doseq=True)
    return f"{DASHBOARD}?{found}" if found else DASHBOARD


def _midnight(day: date | None, days: int = 0) -> str | None:
    """Return the moment at which a day begins, or one so many days later; None where no calendar has it."""
    if day is None:
        return None
    try:
        return moment(datetime.combine(day, time(), UTC) + timedelta(days))
    except OverflowError:
        return None
