"""Texts of merchants and payers: what is refused is said in words, not as a pattern."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from watcher.drafts_merchant import CancelDraft


@pytest.mark.parametrize(
    "text", [pytest.param("a\0b", id="a control character"), pytest.param("x" * 501, id="too long")]
)
def test_a_text_that_is_refused_is_told_the_rule_in_words(text: str) -> None:
    with pytest.raises(ValidationError, match="is no text of up to 500 characters, none of them a control"):
        CancelDraft(reason=text)


@pytest.mark.parametrize("text", ["", "x" * 500, "two\nlines\tand a tab"])
def test_other_texts_are_taken_as_they_are(text: str) -> None:
    assert text == CancelDraft(reason=text).reason
