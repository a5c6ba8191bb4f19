"""What a page of reports says: read from its HTML, as a person or its script would."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from api_server import Reply

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7*7 }}"
PLAIN = re.compile(r"<[^>]+>")


def text(reply: Reply) -> str:
    """What a person reads on a page."""
    return " ".join(unescape(PLAIN.sub(" ", reply.body.decode())).split())


def cells(reply: Reply, table: str) -> list[list[str]]:
    """The rows of a table, by its id."""
    found = re.search(rf'<table id="{table}">.*?<tbody>(.*?)</tbody>', reply.body.decode(), re.DOTALL)
    assert found, f"there is no table {table}"
    return [
        [
            " ".join(unescape(PLAIN.sub(" ", cell)).split())
            for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
        ]
        for row in re.findall(r"<tr>(.*?)</tr>", found[1], re.DOTALL)
    ]


def charts(reply: Reply) -> list[tuple[str, Any]]:
    """What the page's script is given to draw."""
    found = re.findall(r'data-chart="(\w+)" data-values="([^"]*)"', reply.body.decode())
    return [(kind, json.loads(unescape(values))) for kind, values in found]


def once(reply: Reply) -> str:
    found = re.search(rb'name="once" value="([^"]+)"', reply.body)
    assert found
    return found[1].decode()
