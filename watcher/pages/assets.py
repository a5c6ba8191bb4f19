"""Style sheets and scripts: read once, compressed once, and kept by browsers until their content changes."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from watcher.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = Path(__file__).parent / "static"
PATH = "/assets/{name}"

_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_FOR_EVER = "public, max-age=31536000, immutable"
"""Its address names its content."""
_HASH = 12


@dataclass(frozen=True, slots=True)
class Asset:
    """One file. `tag` is the beginning of its hash."""

    name: str
    media: str
    tag: str
    body: bytes
    packed: bytes


class Assets:
    """Every file of the folder, those of other projects in `vendor` included, by its name."""

    def __init__(self, assets: Mapping[str, Asset]) -> None:
        self._assets = assets

    @classmethod
    def load(cls, folder: Path = FOLDER) -> Assets:
        """Read the files."""
        files = [file for file in sorted(folder.rglob("*")) if file.suffix in _TYPES]
        return cls({file.name: _read(file) for file in files})

    def url(self, name: str) -> str:
        """Return where a page finds a file; KeyError if there is none."""
        return f"{PATH.format(name=name)}?v={self._assets[name].tag}"

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer with a file; Refused (404) if there is none."""
        name = request.match_info["name"]
        asset = self._assets.get(name)
        if asset is None:
            raise Refused("not_found", "there is no such file", status=404)
        packed = "gzip" in request.headers.get("Accept-Encoding", "")
        response = web.Response(
            body=asset.packed if packed else asset.body, content_type=asset.media, charset="utf-8"
        )
        if packed:
            response.headers["Content-Encoding"] = "gzip"
        response.headers["Vary"] = "Accept-Encoding"
        known = request.query.get("v") == asset.tag
        response.headers["Cache-Control"] = _FOR_EVER if known else "no-cache"
        return response


def _read(file: Path) -> Asset:
    body = file.read_bytes()
    tag = hashlib.sha256(body).hexdigest()[:_HASH]
    return Asset(file.name, _TYPES[file.suffix], tag, body, gzip.compress(body, mtime=0))
