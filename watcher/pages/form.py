"""What a browser sends: its form, and whether the form is one of ours. Refused names what is wrong."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from watcher.api.requests import check, read_bytes
from watcher.errors import Refused
from watcher.pages.page import TOKEN, Form

if TYPE_CHECKING:
    from aiohttp import web
    from pydantic import BaseModel

    from watcher.sessions import Session

MEDIA = "application/x-www-form-urlencoded"
_FIELDS = 100


class Nothing(Form):
    """A form of buttons alone."""


async def fields(request: web.Request) -> dict[str, str]:
    """Return what a form holds; empty fields were not given."""
    if request.content_type != MEDIA:
        raise Refused("unsupported_media", f"send the form as {MEDIA}", status=415)
    try:
        text = (await read_bytes(request)).decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_FIELDS)
    except ValueError:
        raise Refused("malformed_form", "the form cannot be read", status=400) from None
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Refused("malformed_form", "a field was sent more than once", status=400)
    return {name: value for name, value in found.items() if value.strip()}


def read(given: dict[str, str], model: type[BaseModel]) -> Any:
    """Return the checked fields; Refused (422) names the first that is wrong."""
    return check(model, {name: value for name, value in given.items() if name != TOKEN}, "field")


def check_ours(request: web.Request, given: dict[str, str], session: Session | None, public_url: str) -> None:
    """Refuse (403) a form that no page of ours sent: each carries what only a page of this session knows.

    Before the sign-in there is no session yet: then the browser has to say that the form came from here.
    """
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    if site not in {"same-origin", "none"} or not _same_origin(request, public_url):
        raise _forged()
    if session is not None and not hmac.compare_digest(
        given.get(TOKEN, "").encode(), session.forgery_token.encode()
    ):
        raise _forged()


def _same_origin(request: web.Request, public_url: str) -> bool:
    """Whether the browser names this site as the form's: a proxy may change the scheme, and even the host."""
    origin = request.headers.get("Origin")
    return origin is None or origin.partition("://")[2] in {request.host, urlsplit(public_url).netloc}


def _forged() -> Refused:
    message = "this form did not come from the dashboard's own page, or is too old; open the page again"
    return Refused("forged", message, status=403)
