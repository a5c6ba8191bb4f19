"""Entity tags: a strong one is made of an answer's bytes, so that it changes exactly when they do.

RFC 9110, sections 8.8.3 and 13.1.2.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp import web

_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\U0010ffff]*")')


def entity_tag(body: bytes) -> str:
    """Return the strong tag of these bytes."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def is_known(request: web.Request, tag: str) -> bool:
    """Whether If-None-Match names the tag, compared weakly: a proxy that compresses makes it a weak one."""
    given = ",".join(request.headers.getall("If-None-Match", []))
    return given.strip() == "*" or tag in _TAG.findall(given)
