"""What holds for every template: links are links, nothing is code, moments are as people read them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from watcher.pages.assets import Assets
from watcher.pages.templates import FOLDER, Templates, moments

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATES = {str(path.relative_to(FOLDER)): path.read_text() for path in FOLDER.rglob("*.html")}


def test_no_link_calls_itself_a_button() -> None:
    found = {name: re.findall(r"<a\b[^>]*\brole=[^>]*>", text) for name, text in TEMPLATES.items()}

    assert "payer.html" in TEMPLATES
    assert {} == {name: links for name, links in found.items() if links}


def test_no_template_carries_code_or_looks_that_the_policy_forbids() -> None:
    forbidden = re.compile(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|javascript:|\|\s*safe\b|Markup")
    found = {name: forbidden.findall(text) for name, text in TEMPLATES.items()}

    assert {} == {name: parts for name, parts in found.items() if parts}


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("The deadline is 2026-01-01T12:01:02Z.", "The deadline is 2026-01-01 12:01:02 UTC."),
        ("block 3, 2026-01-01T12:02:03.25Z", "block 3, 2026-01-01 12:02:03 UTC"),
        (
            "from 2026-01-01T00:00:00Z to 2026-01-02T00:00:00Z",
            "from 2026-01-01 00:00:00 UTC to 2026-01-02 00:00:00 UTC",
        ),
        ("order 2026-01-01T12", "order 2026-01-01T12"),
    ],
    ids=["whole", "parts of a second", "two", "none"],
)
def test_moments_in_a_sentence_are_as_people_read_them(sentence: str, expected: str) -> None:
    assert expected == moments(sentence)


@pytest.mark.parametrize(
    ("confirmations", "required", "expected"),
    [(1, 2, "1 of 2"), (3, "finalized", "3, confirmed once finalized")],
    ids=["blocks", "by the chain's own word"],
)
def test_a_payments_depth_is_told_against_what_it_takes(
    confirmations: int, required: int | str, expected: str, tmp_path: Path
) -> None:
    (tmp_path / "dashboard").mkdir()
    (tmp_path / "dashboard" / "_macros.html").write_text(TEMPLATES["dashboard/_macros.html"])
    (tmp_path / "page.html").write_text(
        '{% from "dashboard/_macros.html" import depth with context %}{{ depth(one) }}'
    )
    one = {"confirmations": confirmations, "required_confirmations": required}

    assert expected == Templates(Assets.load(), tmp_path).render("page.html", {"one": one})
