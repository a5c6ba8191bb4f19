"""Texts of merchants and payers: what is refused is said in words, not as a pattern."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from watcher.drafts import METADATA_DEPTH, Email
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


MAIL = TypeAdapter[str](Email)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "jo@shop.example",
            "Jo.Payer+shop-1@mail.shop.example",
            "o'brien@shop.example",
            "a/b=c@shop.example",
        ),
        *("jo@localhost", "jo@bücher.example", "jo@xn--bcher-kva.example", "jörg@shop.example", "_@x.y"),
    ],
)
def test_an_ordinary_mail_address_is_taken_as_it_is(text: str) -> None:
    assert text == MAIL.validate_python(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Bcc:x@y.z", id="a header"),
        pytest.param("jo@y.z\nBcc:x@y.z", id="a header in a line of its own"),
        pytest.param("Jo <jo@y.z>", id="a name before it"),
        pytest.param("<jo@y.z>", id="angle brackets"),
        pytest.param("jo@y.z>", id="half of them"),
        pytest.param("jo,x@y.z", id="a comma"),
        pytest.param("jo@y.z,x", id="a comma behind it"),
        pytest.param("jo@y.z;", id="a semicolon"),
        pytest.param('"jo"@y.z', id="quotes"),
        pytest.param("jo(payer)@y.z", id="a comment"),
        pytest.param("jo\\@y.z", id="a backslash"),
        pytest.param("jo @y.z", id="a space"),
        pytest.param("jo\t@y.z", id="a tab"),
        pytest.param("jo\0@y.z", id="a control character"),
        pytest.param("jo@x@y.z", id="two of them"),
        pytest.param("@y.z", id="nothing before the sign"),
        pytest.param("jo@", id="nothing behind the sign"),
        pytest.param(f"{'x' * 250}@y.zz", id="too long"),
    ],
)
def test_what_is_no_mail_address_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ValidationError) as refused:
        MAIL.validate_python(text)

    (error,) = refused.value.errors()
    rule = 'is no email address of up to 254 characters, such as "jo@shop.example"'
    assert f"Value error, {rule}" == error["msg"]
