"""What holds for every template: links are links, nothing is code, moments are as people read them."""

from __future__ import annotations

import re

import pytest

from watcher.pages.templates import FOLDER, moments

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
