"""`[checkout]`: what is taken, and what is refused in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sample_settings import refused
from watcher.settings import load

if TYPE_CHECKING:
    from pathlib import Path

    from watcher.settings_checkout import CheckoutSettings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "watcher.toml"


def loaded(file: Path, text: str = "") -> CheckoutSettings:
    file.write_text(f"[checkout]\n{text}\n")
    return load(file, {}).checkout


def test_nobody_may_embed_and_nothing_is_said_unless_it_is_configured(file: Path) -> None:
    found = loaded(file)

    assert (None, None, None, None, ()) == (
        found.shop, found.contact, found.contact_url, found.languages, found.frame_ancestors,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("contact", "url"),
    [
        pytest.param("https://shop.example/help?a=1", "https://shop.example/help?a=1", id="a page"),
        pytest.param("help@shop.example", "mailto:help@shop.example", id="a mailbox"),
        pytest.param("https@shop.example", "mailto:https@shop.example", id="a mailbox of that name"),
    ],
)
def test_a_contact_is_a_page_or_a_mailbox(file: Path, contact: str, url: str) -> None:
    assert url == loaded(file, f'contact = "{contact}"').contact_url


@pytest.mark.parametrize(
    "contact",
    [
        "javascript:alert(1)",
        "javascript://a@b/%0aalert(1)",
        "data:text/html,a@b",
        'a@b" onclick="x',
        "//evil.example",
        "ftp://shop.example",
        "httpx://shop.example",
        "a@b@c",
        "a b@c",
        "https://shop.example/ help",
        "",
    ],
)
def test_nothing_else_is_one(file: Path, contact: str) -> None:
    line = refused(file, f"[checkout]\ncontact = '{contact}'\n")

    assert line.startswith("watcher.toml: checkout.contact: ")


def test_the_folder_of_words_stands_beside_the_configuration(file: Path) -> None:
    assert file.parent / "words" == loaded(file, 'languages = "words"').languages


@pytest.mark.parametrize(
    "origin", ["https://shop.example", "http://127.0.0.1:8000", "https://a-b.shop.example:8443"]
)
def test_a_site_that_may_embed_is_named_by_its_origin(file: Path, origin: str) -> None:
    assert (origin,) == loaded(file, f'frame_ancestors = ["{origin}"]').frame_ancestors


@pytest.mark.parametrize(
    "origin",
    [
        pytest.param("https://shop.example; script-src *", id="another directive"),
        pytest.param("https://shop.example;", id="a semicolon"),
        pytest.param("https://shop.example, https://evil.example", id="a comma"),
        pytest.param("https://shop.example https://evil.example", id="two in one"),
        pytest.param("https://shop.example\\n", id="a line break"),
        pytest.param("https://shop.example\\r\\nSet-Cookie: a=b", id="another header"),
        pytest.param("https://shop.example\\u0000", id="a zero byte"),
        pytest.param("https://shop.example/", id="a slash"),
        pytest.param("https://shop.example/pay", id="a path"),
        pytest.param("https://user@shop.example", id="a user"),
        pytest.param("https://*.shop.example", id="a wildcard"),
        pytest.param("*", id="everybody"),
        pytest.param("https:", id="a scheme"),
        pytest.param("data:", id="another scheme"),
        pytest.param("'self'", id="a keyword"),
        pytest.param("'none'", id="nobody"),
        pytest.param("shop.example", id="no scheme"),
        pytest.param("https://", id="no host"),
        pytest.param("https://shop.example:", id="no port"),
        pytest.param("https://shop.example:123456", id="too long a port"),
        pytest.param("https://\uff53hop.example", id="another alphabet"),
        pytest.param("", id="nothing"),
    ],
)
def test_whatever_is_no_origin_is_refused_in_one_line(file: Path, origin: str) -> None:
    line = refused(file, f'[checkout]\nframe_ancestors = ["https://good.example", "{origin}"]\n')

    assert line.startswith("watcher.toml: checkout.frame_ancestors[1]: is not the origin of a site; write")
