"""Sentences of the API as the dashboard shows them."""

from __future__ import annotations

import pytest

from watcher.pages.templates import titled

TITLES = {"base": "Base", "eth-2": "Ethereum Two", "chain": "A Chain", "the": "The"}


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        pytest.param("ETH on base: 0 of 1 seen.", "ETH on Base: 0 of 1 seen.", id="a way to pay"),
        pytest.param("base is read and proven up to 3.", "Base is read and proven up to 3.", id="read"),
        pytest.param(
            "1 ETH on eth-2 (0xbase) waits for a decision: accept it.",
            "1 ETH on Ethereum Two (0xbase) waits for a decision: accept it.",
            id="a payment",
        ),
        pytest.param(
            "Refund ref_1 of 1 ETH on base: Sign it.",
            "Refund ref_1 of 1 ETH on Base: Sign it.",
            id="a refund",
        ),
    ],
)
def test_a_sentence_names_chains_as_people_call_them(sentence: str, expected: str) -> None:
    assert expected == titled(sentence, TITLES)


@pytest.mark.parametrize(
    "sentence",
    [
        "The deadline passed on the chain with something.",
        "Nothing was seen, and the deadline has not passed on every chain.",
        "ETH on gone: 0 of 1 seen.",
        "base is busy.",
    ],
)
def test_other_words_that_are_names_too_stay_as_they_are(sentence: str) -> None:
    assert sentence == titled(sentence, TITLES)
