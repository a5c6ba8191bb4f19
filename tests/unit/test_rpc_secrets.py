"""What of a node's URL is secret, and what is left of a text that repeats it."""

from __future__ import annotations

from base64 import b64encode

import pytest

from chains.rpc_envelope import RpcError
from chains.rpc_secrets import secrets_in, without

URL = "https://watcher:s3%2Fcret%20word@node.example/v3/0123456789abcdef?key=fedcba9876543210&v=2"
BASIC = b64encode(b"watcher:s3/cret word").decode()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("http://127.0.0.1:8545/v3?verbose=true", set(), id="nothing"),
        pytest.param("http://:secret7@h", {"secret7", b64encode(b":secret7").decode()}, id="no user"),
        pytest.param("http://token77@h", {"token77", b64encode(b"token77:").decode()}, id="no password"),
        pytest.param(
            URL,
            {"s3/cret word", "s3%2Fcret%20word", BASIC, "0123456789abcdef", "fedcba9876543210"},
            id="everything",
        ),
    ],
)
def test_passwords_and_tokens_are_secret_and_words_are_not(url: str, expected: set[str]) -> None:
    assert expected == set(secrets_in(url))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("no such method", "no such method", id="nothing"),
        pytest.param(f"{URL} is unknown", "https://watcher:[redacted]@node.example/v3/[redacted]?key=[redacted]&v=2"
                     " is unknown", id="the URL"),
        pytest.param(f"Basic {BASIC}", "Basic [redacted]", id="the header"),
        pytest.param("no project 0123456789", "no project [redacted]", id="cut off"),
    ],
)  # fmt: skip
def test_h137_what_a_node_repeats_of_its_url_is_taken_out(text: str, expected: str) -> None:
    assert expected == without(text, secrets_in(URL))


def test_h137_an_error_hides_it_in_all_that_it_says() -> None:
    error = RpcError("eth_call", -32000, "no project 0123456789abcdef", 5.0)
    error.hide(secrets_in(URL))

    assert ("eth_call: no project [redacted] (-32000)", "no project [redacted]", 5.0) == (
        str(error),
        error.message,
        error.retry_after,
    )
