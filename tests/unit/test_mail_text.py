"""The templates of mails: which one is taken, and what is refused before any mail is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from watcher import mail_text
from watcher.mail_values import samples
from watcher.settings_errors import SettingsError
from watcher.settings_mail import MailSettings

if TYPE_CHECKING:
    from pathlib import Path

GOOD = "Subject: {{ time_left }}\n\nPay {{ options[0].amount }}\n"


def settings(folder: Path | None = None, language: str = "en") -> MailSettings:
    return MailSettings(
        host="mail.test", sender="Shop <pay@shop.example>", language=language, templates=folder
    )


def refused(folder: Path, text: str | bytes, name: str = "reminder.en.txt") -> str:
    """What the operator is told of a text, without the folder; always one line."""
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SettingsError) as error:
        mail_text.load(settings(folder))
    assert "\n" not in str(error.value)
    return str(error.value).replace(f"{folder}/", "")


def test_english_and_french_come_with_the_program() -> None:
    assert ["en", "fr"] == mail_text.load(settings()).languages


@pytest.mark.parametrize(
    ("wanted", "configured", "expected"),
    [
        pytest.param("fr", "en", "fr", id="the wanted one"),
        pytest.param("FR", "en", "fr", id="in capitals"),
        pytest.param("fr-ca", "en", "fr", id="its family"),
        pytest.param("pt-br", "fr", "pt-br", id="a variety that has a text"),
        pytest.param("pt", "fr", "fr", id="the configured one"),
        pytest.param("de", "en", "en", id="English"),
    ],
)
def test_a_mail_is_in_the_nearest_language_that_has_a_text(
    tmp_path: Path, wanted: str, configured: str, expected: str
) -> None:
    (tmp_path / "reminder.pt-br.txt").write_text(GOOD)

    assert expected == mail_text.load(settings(tmp_path, configured)).language(wanted)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(
            "Subject: x\n\n{{ amount }}\n", "reminder.en.txt:3: 'amount' is undefined", id="an unknown value"
        ),
        pytest.param(
            "Subject: x\n{% if a %}\n\n",
            "reminder.en.txt:3: Unexpected end of template. Jinja was looking for the following tags: 'elif' "
            "or 'else' or 'endif'. The innermost block that needs to be closed is 'if'.",
            id="no end",
        ),
        pytest.param(
            "Subject: {{ shop\nPay\n",
            "reminder.en.txt:1: unexpected end of template, expected 'end of print statement'.",
            id="the subject",
        ),
        pytest.param(
            "Subject: x\n{% if partly_paid %}\nx\n{% else %}\n{{ nothing }}\n{% endif %}\n",
            "reminder.en.txt:5: 'nothing' is undefined",
            id="in the other branch",
        ),
        pytest.param(
            "Hello\n",
            "reminder.en.txt:1: does not begin with the subject; write: Subject: …",
            id="no subject",
        ),
        pytest.param(
            "Subject: {{ order_id or '' }}\nPay\n",
            "reminder.en.txt:1: the subject or the text is empty; write both",
            id="a subject that may be empty",
        ),
        pytest.param(
            "Subject: x\n\n",
            "reminder.en.txt:1: the subject or the text is empty; write both",
            id="no text",
        ),
        pytest.param(
            "Subject: x\n{{ shop.__class__.__mro__ }}\n",
            "reminder.en.txt:2: access to attribute '__class__' of 'str' object is unsafe.",
            id="out of the sandbox",
        ),
        pytest.param("Subject: x\n\n{{ 1 / 0 }}\n", "reminder.en.txt:3: division by zero", id="nonsense"),
        pytest.param(
            "Subject: x\n{% for i in range(10 ** 9) %}{% endfor %}\n",
            "reminder.en.txt:2: Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).",
            id="endless",
        ),
        pytest.param(
            b"Subject: \xff\nPay\n", "reminder.en.txt: is not UTF-8 text; save it as UTF-8", id="not UTF-8"
        ),
    ],
)
def test_a_text_that_cannot_be_used_is_refused_with_its_line(
    tmp_path: Path, text: str | bytes, told: str
) -> None:
    assert told == refused(tmp_path, text)


def test_a_file_that_nobody_would_look_for_is_named(tmp_path: Path) -> None:
    told = refused(tmp_path, GOOD, "reminder.fr_CA.txt")

    assert "reminder.fr_CA.txt: has a name that nobody looks for; call it reminder.en.txt" == told


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as error:
        mail_text.load(settings(tmp_path / "mail"))

    line = f"mail.templates: there is no folder {tmp_path}/mail; make it, or correct the path"
    assert line == str(error.value)


def test_a_configured_language_needs_a_text() -> None:
    with pytest.raises(SettingsError) as error:
        mail_text.load(settings(language="de"))

    line = 'mail.language: there is no text in "de"; write reminder.de.txt, or one of: en, fr'
    assert line == str(error.value)


def test_a_file_from_another_editor_is_read_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "reminder.en.txt").write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    texts = mail_text.load(settings(tmp_path))

    told = [texts.render("en", values) for values in samples("en", "Shop")]

    assert [("1 day and 3 hours", "Pay 0.5\n"), ("less than a minute", "Pay 0.5\n")] == told


@pytest.mark.parametrize("breaker", ["\n", "\r", "\r\n", "\0", "\x0b", "\x85", "\u2028", "\t"])
def test_a_value_never_leaves_the_line_of_the_subject(tmp_path: Path, breaker: str) -> None:
    (tmp_path / "reminder.en.txt").write_text("Subject: {{ order_id or 'none' }}\nPay\n")
    texts = mail_text.load(settings(tmp_path))
    values = next(samples("en", "Shop")) | {"order_id": f"A{breaker}Bcc: eve@shop.example"}

    assert ("A Bcc: eve@shop.example", "Pay\n") == texts.render("en", values)
