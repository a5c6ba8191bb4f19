"""The texts of reminders: our templates or the merchant's, tried with sample values before any is used."""

from __future__ import annotations

import re
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from watcher import resources
from watcher.mail_values import samples
from watcher.settings_errors import SettingsError
from watcher.settings_mail import LANGUAGE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from watcher.settings_mail import MailSettings

FALLBACK = "en"
_NAME = re.compile(rf"reminder\.({LANGUAGE})\.txt")
_HEAD = "Subject:"
_FAILURES = (
    TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What a template can fail with; the sandbox lets it do nothing else."""


class TextError(Exception):
    """A text that cannot be made; the message is one line with file, line and reason."""


@dataclass(frozen=True, slots=True)
class _Text:
    """One template: the subject and the body, compiled apart so that no value can leave its place."""

    file: Path
    subject: Template
    body: Template

    def render(self, values: Mapping[str, Any]) -> tuple[str, str]:
        try:
            subject, body = _one_line(self.subject.render(values)), self.body.render(values)
        except _FAILURES as error:
            raise TextError(f"{self.file}:{_line(error, self.file)}: {_reason(error)}") from None
        if not subject or not body.strip():
            raise TextError(f"{self.file}:1: the subject or the text is empty; write both")
        return subject, f"{body.strip()}\n"


class Texts:
    """Every language in which reminders can be written."""

    def __init__(self, texts: Mapping[str, _Text], settings: MailSettings) -> None:
        self._texts = texts
        self._settings = settings

    @property
    def languages(self) -> list[str]:
        """Every language that has a template, sorted."""
        return sorted(self._texts)

    def language(self, wanted: str) -> str:
        """Return the language to write in: the wanted one, its family, the configured one, or English."""
        tag = wanted.lower().replace("_", "-")
        choice = (tag, tag.partition("-")[0], self._settings.language, FALLBACK)
        return next(language for language in choice if language in self._texts)

    def render(self, language: str, values: Mapping[str, Any]) -> tuple[str, str]:
        """Return subject and text; TextError names the line of the template that cannot be filled in."""
        return self._texts[language].render(values)

    def prove(self) -> None:
        """Fill in every template with samples; TextError for the first that cannot be."""
        for language in self.languages:
            for values in samples(language, self._settings.shop):
                self.render(language, values)


def load(settings: MailSettings) -> Texts:
    """Return the texts, each proven; SettingsError, in one line, for one that cannot be used."""
    try:
        texts = Texts({language: _read(file) for language, file in _files(settings)}, settings)
        texts.prove()
    except TextError as error:
        raise SettingsError(str(error)) from None
    except OSError as error:
        line = f"mail.templates: cannot read {error.filename} ({error.strerror})"
        raise SettingsError(f"{line}; let the daemon's user read it") from None
    if settings.language not in texts.languages:
        written = f"write reminder.{settings.language}.txt, or one of: {', '.join(texts.languages)}"
        raise SettingsError(f'mail.language: there is no text in "{settings.language}"; {written}')
    return texts


def _files(settings: MailSettings) -> Iterator[tuple[str, Path]]:
    """Yield each language with its file; a later one goes before an earlier one."""
    for folder in (resources.mail_dir(), settings.templates):
        if folder is None:
            continue
        if not folder.is_dir():
            raise SettingsError(f"mail.templates: there is no folder {folder}; make it, or correct the path")
        for file in sorted(folder.glob("reminder.*")):
            found = _NAME.fullmatch(file.name)
            if found is None:
                raise TextError(f"{file}: has a name that nobody looks for; call it reminder.en.txt")
            yield found[1], file


def _read(file: Path) -> _Text:
    try:
        head, _, rest = file.read_text(encoding="utf-8-sig").partition("\n")
    except UnicodeDecodeError:
        raise TextError(f"{file}: is not UTF-8 text; save it as UTF-8") from None
    if not head.startswith(_HEAD):
        raise TextError(f"{file}:1: does not begin with the subject; write: Subject: …")
    try:
        return _Text(file, _compiled(head.removeprefix(_HEAD), file), _compiled(f"\n{rest}", file))
    except TemplateSyntaxError as error:
        raise TextError(f"{file}:{error.lineno}: {_one_line(error.message or 'cannot be read')}") from None


_ENVIRONMENT = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined,
    autoescape=False,  # plain text; what could leave a header is cut in _one_line
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def _compiled(source: str, file: Path) -> Template:
    code = _ENVIRONMENT.compile(source, filename=str(file))
    return Template.from_code(_ENVIRONMENT, code, _ENVIRONMENT.make_globals(None))


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _line(error: BaseException, file: Path) -> int:
    """Return the line of the template in which an error came up."""
    frames = traceback.extract_tb(error.__traceback__)
    return next((f.lineno for f in reversed(frames) if f.filename == str(file) and f.lineno), 1)


def _reason(error: Exception) -> str:
    return _one_line(str(error)) or type(error).__name__
