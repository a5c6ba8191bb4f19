"""From HTML to a response: what a browser may do with a page. No inline code or style, ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Sequence

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors {ancestors}"
)
"""`data:` for the small pictures inside the style sheet."""
_WORTH_PACKING = 1000


def page(html: str, status: int, *, referrer: str, ancestors: Sequence[str] = (), pack: bool) -> web.Response:
    """Return a page. `ancestors`: sites that may show it inside theirs; none else may.

    `pack`: compress it where the browser reads that. Not for pages that hold a secret beside what others
    may choose: the size would tell of it (BREACH).
    """
    response = web.Response(text=html, status=status, content_type="text/html", charset="utf-8")
    allowed = " ".join(ancestors) or "'none'"
    response.headers["Content-Security-Policy"] = _POLICY.format(ancestors=allowed)
    response.headers["Referrer-Policy"] = referrer
    if not ancestors:
        response.headers["X-Frame-Options"] = "DENY"  # knows no list: browsers that read one read the policy
    if pack and len(html) > _WORTH_PACKING:
        response.enable_compression()
    return response
