"""Texts of merchants and payers: what is refused is said in words, not as a pattern."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from watcher.drafts import METADATA_DEPTH
from watcher.drafts_merchant import CancelDraft
from watcher.drafts_standing import StandingDraft


@pytest.mark.parametrize(
    "text", [pytest.param("a\0b", id="a control character"), pytest.param("x" * 501, id="too long")]
)
def test_a_text_that_is_refused_is_told_the_rule_in_words(text: str) -> None:
    with pytest.raises(ValidationError, match="is no text of up to 500 characters, none of them a control"):
        CancelDraft(reason=text)


@pytest.mark.parametrize("text", ["", "x" * 500, "two\nlines\tand a tab"])
def test_other_texts_are_taken_as_they_are(text: str) -> None:
    assert text == CancelDraft(reason=text).reason


def _nested(levels: int) -> dict[str, object]:
    """Return an object that is so many deep, objects and lists in turn."""
    inner: object = []
    for level in range(levels - 2):
        inner = {"k": inner} if level % 2 else [1, inner]
    return {"k": inner}


def test_metadata_may_be_as_deep_as_said_and_no_deeper() -> None:
    taken = StandingDraft(chain="c", metadata=_nested(METADATA_DEPTH))

    assert _nested(METADATA_DEPTH) == taken.metadata
    with pytest.raises(ValidationError, match="is nested more than 32 deep"):
        StandingDraft(chain="c", metadata=_nested(METADATA_DEPTH + 1))
