"""Which language a payer reads, and what a file of texts may say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from watcher.pages import words
from watcher.pages.languages import FALLBACK, FOLDER, Language, Languages, load
from watcher.settings_errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

GERMAN = 'language_name = "Deutsch"\npay_to = "an {shop}"\npay_go = "Weiter zur Zahlung"\n'


def languages(*codes: str) -> Languages:
    return Languages({code: Language(code, {}) for code in ("en", *codes)})


def dropped(folder: Path, text: str | bytes, name: str = "de.toml") -> Languages:
    """Load a folder with this file in it."""
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(folder)


def refused(folder: Path, text: str | bytes, name: str = "de.toml") -> str:
    """Return the one line with which a file is refused."""
    with pytest.raises(SettingsError) as caught:
        dropped(folder, text, name)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(f"checkout.languages: {folder / name}: ")
    return line.removeprefix(f"checkout.languages: {folder / name}: ")


# --- the choice


@pytest.mark.parametrize(
    ("accepted", "code"),
    [
        pytest.param("", "en", id="nothing"),
        pytest.param("fr", "fr", id="a language"),
        pytest.param("FR-ch", "fr", id="a country of it, in any case"),
        pytest.param("en;q=0.5, fr;q=0.9", "fr", id="the dearer one stands last"),
        pytest.param("en;q=0.5, fr;Q=0.9", "fr", id="a large Q"),
        pytest.param("fr;q=0.5,en;q=0.5", "fr", id="the first of equals"),
        pytest.param("fr;q=0, en;q=0.1", "en", id="one that is not wanted"),
        pytest.param("fr;q=0.000", "en", id="the only one is not wanted"),
        pytest.param("de, it, fr;q=0.1", "fr", id="those before it are not there"),
        pytest.param("*", "en", id="any"),
        pytest.param("zh-Hant-TW", "zh-hant", id="cut from its end"),
        pytest.param("zh-Hans-CN", "zh", id="cut to the language"),
        pytest.param("pt", "en", id="only another country's is there"),
        pytest.param("pt-BR", "pt-br", id="of a country"),
        pytest.param("fr;q=high, en;q=0.1", "en", id="no weight"),
        pytest.param("fr;level=1, en;q=0.1", "en", id="another parameter"),
        pytest.param("fr;q=1.5, en;q=0.1", "en", id="more than one"),
        pytest.param("fr;q=-1", "en", id="less than nothing"),
        pytest.param("fr;q=0.5555,en;q=0.1", "en", id="too many digits"),
        pytest.param(" fr ; q=0.8 , en ; q=0.5", "fr", id="spaces"),
        pytest.param(",,;,;q=1,", "en", id="commas"),
        pytest.param("../../etc/passwd", "en", id="a path"),
        pytest.param("fr\x00", "en", id="a zero byte"),
        pytest.param("-" * 5000, "en", id="dashes"),
        pytest.param("de," * 5000 + "fr", "en", id="so many that the last are not read"),
    ],
)
def test_the_best_that_a_browser_asks_for_is_spoken(accepted: str, code: str) -> None:
    assert code == languages("fr", "zh", "zh-hant", "pt-br").choose(accepted).code


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        pytest.param("fr", "fr", id="there"),
        pytest.param("FR", "fr", id="in capitals"),
        pytest.param("de-at", "de", id="a country of one that is there"),
        pytest.param("xx", "de", id="not there"),
        pytest.param("", "de", id="empty"),
        pytest.param("en\n", "de", id="with a line break"),
    ],
)
def test_what_was_chosen_by_hand_goes_before_the_browser(wanted: str, code: str) -> None:
    assert code == languages("de", "fr").choose("de, en;q=0.1", wanted).code


# --- ours


def test_ours_have_the_same_texts_with_the_same_values() -> None:
    english = words.read(FOLDER / f"{FALLBACK}.toml")

    for file in words.files(FOLDER):
        texts = words.read(file)
        assert list(english) == list(texts), file.name
        assert {key: words.values(text) for key, text in english.items()} == {
            key: words.values(text) for key, text in texts.items()
        }


def test_every_text_that_a_page_shows_is_there_and_every_text_is_shown() -> None:
    pages = FOLDER.parent
    files = [*pages.glob("html/*.html"), *pages.glob("*.py"), *pages.glob("static/*.js")]
    source = "\n".join(file.read_text() for file in files)
    english = set(words.read(FOLDER / f"{FALLBACK}.toml"))

    named = set(re.findall(r"""\bt\(["'](\w+)["'][,)]""", source))
    built = {key[:-1] for key in re.findall(r"""["']?(\w+_)(?:\{|["'] ~)""", source)}

    assert set() == named - english
    assert set() == {
        key
        for key in english - named
        if key not in source and not any(key.startswith(f"{start}_") for start in built)
    }


def test_languages_are_named_in_their_own_words() -> None:
    assert [("en", "English"), ("fr", "Français")] == [(one.code, one.name) for one in load(None).all]


@pytest.mark.parametrize(
    ("code", "direction"),
    [
        ("en", "ltr"),
        ("ar", "rtl"),
        ("ar-eg", "rtl"),
        ("he", "rtl"),
        ("fa", "rtl"),
        ("ur", "rtl"),
        ("ku", "ltr"),
        ("ku-arab-iq", "rtl"),
        ("arn", "ltr"),
    ],
)
def test_a_language_says_from_where_it_is_read(code: str, direction: str) -> None:
    assert direction == Language(code, {}).direction


def test_values_are_escaped_and_never_looked_into() -> None:
    text = Language("en", {"a": "<b> {x} & {{x}}"}).text("a", x="{y}<i>'\"")

    assert "&lt;b&gt; {y}&lt;i&gt;&#39;&#34; &amp; {x}" == str(text)


# --- a dropped-in file


def test_one_file_is_one_more_language_and_what_it_lacks_is_english(tmp_path: Path) -> None:
    german = dropped(tmp_path, GERMAN).choose("de-AT")

    assert ("de", "Deutsch", "ltr") == (german.code, german.name, german.direction)
    assert "an Laden" == german.text("pay_to", shop="Laden")
    assert load(None).choose("en").text("pay_time", time=1) == german.text("pay_time", time=1)


def test_a_file_of_a_language_of_ours_changes_what_it_says_and_leaves_the_rest(tmp_path: Path) -> None:
    french = dropped(tmp_path, 'pay_go = "Payer"', "fr.toml").choose("fr")

    ours = load(None).choose("fr")
    assert ("Payer", "Français") == (french.text("pay_go"), french.name)
    assert ours.text("pay_amount") == french.text("pay_amount")


def test_english_can_be_changed_too_but_is_not_lent_changed(tmp_path: Path) -> None:
    dropped(tmp_path, 'pay_go = "Go"', "en.toml")
    found = dropped(tmp_path, 'language_name = "Deutsch"')

    assert ["Go", "Continue to the payment"] == [
        str(found.choose(code).text("pay_go")) for code in ("en", "de")
    ]


def test_what_windows_writes_is_read(tmp_path: Path) -> None:
    text = b"\xef\xbb\xbf" + GERMAN.replace("\n", "\r\n").encode()

    assert "Deutsch" == dropped(tmp_path, text).choose("de").name


def test_other_files_of_the_folder_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("texts of ours")

    assert ["de", "en", "fr"] == dropped(tmp_path, GERMAN).codes


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("pay_goo = 'x'", "pay_goo is no text of ours; take it out", id="an unknown key"),
        pytest.param(
            "pay_to = '{shop} {price}'", "pay_to names an unknown value; there is: {shop}", id="a value"
        ),
        pytest.param("pay_go = '{x}'", "pay_go names an unknown value; there is: none", id="a value at all"),
        pytest.param("pay_to = 'hi'", "pay_to leaves out a value; it has to show: {shop}", id="none"),
        pytest.param("pay_go = ''", "pay_go is empty; write a text", id="empty"),
        pytest.param("pay_go = 5", 'pay_go is not a text; write pay_go = "…"', id="a number"),
        pytest.param("[pay_go]\na = 'x'", "pay_go is not a text", id="a table"),
        pytest.param("pay_go = x", "is not TOML: ", id="no TOML"),
        pytest.param("pay_go = 'a'\npay_go = 'b'", "is not TOML: ", id="twice"),
        pytest.param(b"pay_go = '\xff'", "is not UTF-8 text; save it as UTF-8", id="Latin-1"),
        pytest.param("pay_to = '{shop'", "pay_to: ", id="an open brace"),
        pytest.param("pay_to = 'shop}'", "pay_to: ", id="a closing brace"),
        pytest.param("pay_to = '{shop.__class__}'", "pay_to: write no more", id="an attribute"),
        pytest.param("pay_to = '{shop[0]}'", "pay_to: write no more", id="an item"),
        pytest.param("pay_to = '{0}'", "pay_to: write no more", id="a number in braces"),
        pytest.param("pay_to = '{}'", "pay_to: write no more", id="nothing in braces"),
        pytest.param("pay_to = '{ shop }'", "pay_to: write no more", id="spaces in braces"),
        pytest.param("pay_to = '{shop:>999999999}'", "pay_to: write no more", id="a width"),
        pytest.param("pay_to = '{shop:{shop}}'", "pay_to: write no more", id="a value in a value"),
        pytest.param("pay_to = '{shop!r}'", "pay_to: write no more", id="a conversion"),
        pytest.param("pay_go = 'x'", "language_name is missing; write what it calls itself", id="nameless"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(
    tmp_path: Path, text: str | bytes, told: str
) -> None:
    assert refused(tmp_path, text).startswith(told)


@pytest.mark.parametrize("name", ["DE.toml", "german!.toml", "d.toml", "de_AT.toml", "-.toml", ".toml.toml"])
def test_a_file_that_is_named_by_no_language_is_refused(tmp_path: Path, name: str) -> None:
    assert "is named by no language; write its tag in small letters" in refused(tmp_path, GERMAN, name)


def _no_folder(folder: Path) -> Any:
    return folder / "none", f"cannot read {folder / 'none'} (No such file or directory)"


def _a_file(folder: Path) -> Any:
    (folder / "file").touch()
    return folder / "file", f"cannot read {folder / 'file'} (Not a directory)"


def _a_folder_of_a_folder(folder: Path) -> Any:
    (folder / "de.toml").mkdir()
    return folder, f"{folder / 'de.toml'}: cannot be read (Is a directory)"


def _a_loop(folder: Path) -> Any:
    (folder / "de.toml").symlink_to("de.toml")
    return folder, f"{folder / 'de.toml'}: cannot be read (Too many levels of symbolic links)"


@pytest.mark.parametrize("make", [_no_folder, _a_file, _a_folder_of_a_folder, _a_loop])
def test_what_cannot_be_read_is_named_with_the_systems_reason(tmp_path: Path, make: Any) -> None:
    folder, told = make(tmp_path)

    with pytest.raises(SettingsError) as caught:
        load(folder)

    assert str(caught.value).startswith(f"checkout.languages: {told}; ")
