"""A payment URI as a QR code: SVG that stands inside a page, without styles of its own."""

from __future__ import annotations

from functools import lru_cache

import segno
from markupsafe import Markup

_KEPT = 500
"""Codes of some 5 kB, those used last."""
_QUIET = 4
"""Modules of white around a code, without which many cameras do not find it (ISO/IEC 18004)."""


@lru_cache(_KEPT)
def code(uri: str) -> Markup:
    """Return the code: black on white whatever the page's colours, since many wallets read nothing else."""
    made = segno.make(uri, error="m", micro=False)
    svg = made.svg_inline(
        border=_QUIET, dark="#000", light="#fff", omitsize=True, svgclass=None, lineclass=None
    )
    return Markup(svg)  # noqa: S704 - shapes alone: no text of the URI is in it
