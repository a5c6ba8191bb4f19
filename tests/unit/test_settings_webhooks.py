"""Receivers of webhooks in the configuration, and their secrets."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from sample_settings import ENDPOINT, WHSEC
from watcher.errors import Refused
from watcher.model import EventType
from watcher.receivers import Rules, check_filters
from watcher.secret import ensure_secret, fault, new_secret
from watcher.settings import Settings, SettingsError, load

if TYPE_CHECKING:
    from pathlib import Path


KEY = new_secret("ed25519")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "watcher.toml"


def loaded(file: Path, text: str) -> Settings:
    file.write_text(text)
    return load(file, {})


# Secrets


def test_a_secret_may_be_one_or_several_newest_first(file: Path) -> None:
    other = f"whsec_{'B' * 40}"
    text = (
        f'{ENDPOINT}url = "https://a.example"\nsecret = "{WHSEC}"\n'
        f'{ENDPOINT}url = "https://b.example"\nsecret = ["{other}", "{WHSEC}"]\n'
    )

    webhooks = loaded(file, text).webhooks

    assert [(WHSEC,), (other, WHSEC)] == [webhooks.secrets(each) for each in webhooks.endpoints]
    assert WHSEC not in repr(webhooks)


def test_a_secret_that_is_not_there_is_made_when_it_is_needed_and_kept(file: Path) -> None:
    text = f'{ENDPOINT}url = "https://a.example"\nsecret = {{ file = "hook.secret" }}\n'
    webhooks = loaded(file, text).webhooks
    assert not (file.parent / "hook.secret").exists()

    (made,) = webhooks.secrets(webhooks.endpoints[0])

    assert made.startswith("whsec_")
    again = loaded(file, text).webhooks
    assert (made,) == again.secrets(again.endpoints[0])


def test_without_a_word_about_it_the_secret_is_kept_beside_the_database(file: Path) -> None:
    text = f'[database]\nurl = "sqlite:///data/w.db"\n{ENDPOINT}url = "https://a.example"\n'
    (file.parent / "data").mkdir()

    webhooks = loaded(file, text).webhooks

    assert webhooks.secrets() == webhooks.secrets(webhooks.endpoints[0])
    assert (file.parent / "data" / "webhook.secret").read_text().strip() == webhooks.secrets()[0]


def test_h137_a_made_secret_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "hook.secret"

    first = ensure_secret(path)

    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert [path] == list(tmp_path.iterdir())
    assert first == ensure_secret(path)
    assert first != ensure_secret(tmp_path / "other.secret")


def test_of_two_processes_that_make_a_secret_both_get_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "hook.secret"
    first = ensure_secret(path)

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.exists", lambda _: False)
        second = ensure_secret(path)

    assert first == second
    assert [path] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("line", "prefixes"),
    [
        pytest.param('secret = { file = "a.key" }', ["whsec_"], id="not said"),
        pytest.param('secret = { file = "a.key" }\nsignature = "hmac"', ["whsec_"], id="hmac"),
        pytest.param('secret = { file = "a.key" }\nsignature = "ed25519"', ["whsk_"], id="ed25519"),
        pytest.param(
            f'secret = [{{ file = "a.key" }}, "{WHSEC}"]\nsignature = "ed25519"',
            ["whsk_", "whsec_"],
            id="from hmac to ed25519",
        ),
    ],
)
@pytest.mark.parametrize("table", [f'{ENDPOINT}url = "https://a.example"', "[webhooks]"])
def test_a_secret_is_made_for_the_way_to_sign_that_is_named(
    file: Path, table: str, line: str, prefixes: list[str]
) -> None:
    webhooks = loaded(file, f"{table}\n{line}\n").webhooks
    made = webhooks.secrets(webhooks.endpoints[0] if webhooks.endpoints else None)

    assert prefixes == [secret[: len(prefix)] for secret, prefix in zip(made, prefixes, strict=True)]
    again = loaded(file, f"{table}\n{line}\n").webhooks
    assert made == again.secrets(again.endpoints[0] if again.endpoints else None)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(
            f'secret = "{WHSEC}"\nsignature = "ed25519"',
            'signature: is not how this secret signs; write "hmac"',
            id="another kind",
        ),
        pytest.param(
            f'secret = ["{KEY}", "{WHSEC}"]\nsignature = "hmac"',
            'signature: is not how this secret signs; write "ed25519"',
            id="not that of the newest",
        ),
        pytest.param(
            'signature = "ed25519"', "signature: needs a secret beside it; write secret", id="no secret"
        ),
        pytest.param('signature = "rsa"', "signature: is not a known value; write", id="unknown"),
        pytest.param('secret = "whsk_AAAA"', "secret: is not an ed25519 key; write", id="no key"),
    ],
)
def test_a_way_to_sign_that_cannot_be_is_refused(file: Path, lines: str, expected: str) -> None:
    with pytest.raises(SettingsError) as refused:
        loaded(file, f'{ENDPOINT}url = "https://a.example"\n{lines}\n')

    assert f" webhooks.endpoints[0].{expected}" in str(refused.value)
    assert (False, False) == (KEY in str(refused.value), WHSEC in str(refused.value))


@pytest.mark.parametrize("line", [f'secret = "{KEY}"', 'signature = "ed25519"'], ids=["key", "signature"])
def test_a_private_key_of_all_endpoints_is_not_shared_with_one_of_another_format(
    file: Path, line: str
) -> None:
    other = f'{ENDPOINT}url = "https://a.example"\nformat = "oxapay"\n'

    with pytest.raises(SettingsError, match="secret: is missing; that of \\[webhooks\\] is an ed25519 key"):
        loaded(file, f"[webhooks]\n{line}\n{other}")
    assert loaded(file, f'[webhooks]\n{line}\n{other}secret = "merchant-secret"\n').webhooks.endpoints


# Receivers


def test_a_private_receiver_may_be_allowed(file: Path) -> None:
    text = f'[webhooks]\nallow_private = ["127.0.0.0/8"]\n{ENDPOINT}url = "http://127.0.0.1:9/x"\n'

    assert "http://127.0.0.1:9/x" == loaded(file, text).webhooks.endpoints[0].url


def test_a_receivers_url_is_kept_to_the_letter(file: Path) -> None:
    text = f'{ENDPOINT}url = "https://a.example/hooks/?x=1"\n'

    assert "https://a.example/hooks/?x=1" == loaded(file, text).webhooks.endpoints[0].url


def test_a_receivers_name_is_judged_only_when_it_is_dialled(file: Path) -> None:
    text = f'{ENDPOINT}url = "http://localhost/x"\n'

    assert "http://localhost/x" == loaded(file, text).webhooks.endpoints[0].url


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("", ("*",), id="not said"),
        pytest.param("events = []", ("*",), id="none named"),
        pytest.param('events = ["invoice.*"]', ("invoice.*",), id="a family"),
        pytest.param('events = ["invoice.paid"]', ("invoice.paid",), id="one"),
    ],
)
def test_a_receiver_that_names_no_events_gets_all(file: Path, line: str, expected: tuple[str, ...]) -> None:
    settings = loaded(file, f'{ENDPOINT}url = "https://a.example"\n{line}\n')

    assert expected == settings.webhooks.endpoints[0].events


@pytest.mark.parametrize(
    "wanted", ["*", *EventType, "invoice.*", "payment.*", "deposit.*", "chain.*", "webhook.*"]
)
def test_the_configuration_takes_the_events_and_families_that_the_api_takes(file: Path, wanted: str) -> None:
    settings = loaded(file, f'{ENDPOINT}url = "https://a.example"\nevents = ["{wanted}"]\n')
    check_filters([wanted], [], Rules(allow_private=(), chains=()))

    assert (wanted,) == settings.webhooks.endpoints[0].events


@pytest.mark.parametrize("wanted", ["invoices.*", "invoice", "invoice.", ".*", "invoice.pai", ""])
def test_neither_the_configuration_nor_the_api_takes_another_name(file: Path, wanted: str) -> None:
    with pytest.raises(SettingsError, match="unknown event"):
        loaded(file, f'{ENDPOINT}url = "https://a.example"\nevents = ["{wanted}"]\n')
    with pytest.raises(Refused, match="unknown event"):
        check_filters([wanted], [], Rules(allow_private=(), chains=()))


def test_secrets_of_other_formats_are_any_text_of_8_characters() -> None:
    assert (None, True) == (fault("12345678", "oxapay"), bool(fault("1234567", "oxapay")))
