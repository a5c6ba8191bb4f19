"""`[mail]`: what is taken, what is left out, and what is refused in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sample_settings import CANARY, refused
from watcher.settings import load
from watcher.settings_mail import mailbox

if TYPE_CHECKING:
    from pathlib import Path

    from watcher.settings_mail import MailSettings

LEAST = '[mail]\nhost = "smtp.shop.example"\nsender = "Shop <pay@shop.example>"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "watcher.toml"


def loaded(file: Path, text: str) -> MailSettings:
    file.write_text(text)
    mail = load(file, {}).mail
    assert mail is not None
    return mail


def test_without_the_section_there_is_no_mail(file: Path) -> None:
    file.write_text("")

    assert load(file, {}).mail is None


def test_host_and_sender_are_enough(file: Path) -> None:
    mail = loaded(file, LEAST)

    assert ("starttls", 587, None, None, "en", None, "Shop") == (
        mail.security, mail.at, mail.username, mail.password, mail.language, mail.templates, mail.shop,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("more", "port"),
    [
        pytest.param('security = "starttls"\n', 587, id="starttls"),
        pytest.param('security = "tls"\n', 465, id="tls"),
        pytest.param('security = "none"\n', 25, id="none"),
        pytest.param('security = "tls"\nport = 2465\n', 2465, id="its own"),
    ],
)
def test_the_port_follows_from_the_security(file: Path, more: str, port: int) -> None:
    assert port == loaded(file, LEAST + more).at


def test_the_password_can_be_kept_in_a_file_and_is_never_shown(file: Path) -> None:
    file.with_name("mail.password").write_text(f"{CANARY}\n")

    mail = loaded(file, LEAST + 'username = "pay"\npassword = { file = "mail.password" }\n')

    assert mail.password is not None
    assert CANARY == mail.password.get_secret_value()
    assert CANARY not in f"{mail} {mail!r} {mail.model_dump_json()}"


def test_the_folder_of_texts_is_relative_to_the_configuration(file: Path) -> None:
    assert file.parent / "texts" == loaded(file, f'{LEAST}templates = "texts"\n').templates


@pytest.mark.parametrize(
    ("sender", "shop", "address"),
    [
        pytest.param("pay@shop.example", "pay@shop.example", "pay@shop.example", id="no name"),
        pytest.param('\\"Shop, Inc.\\" <pay@shop.example>', "Shop, Inc.", "pay@shop.example", id="quoted"),
        pytest.param("Söhne <pay@bücher.example>", "Söhne", "pay@xn--bcher-kva.example", id="letters"),
    ],
)
def test_the_sender_has_a_name_for_people_and_an_address_for_servers(
    file: Path, sender: str, shop: str, address: str
) -> None:
    mail = loaded(file, f'[mail]\nhost = "h"\nsender = "{sender}"\n')

    assert (shop, address) == (mail.shop, mail.from_.addr_spec)


def without(key: str) -> str:
    return "".join(line for line in LEAST.splitlines(keepends=True) if not line.startswith(key))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(without("host"), "mail.host: is missing; add it", id="no host"),
        pytest.param(without("sender"), "mail.sender: is missing; add it", id="no sender"),
        pytest.param(
            f'{without("host")}host = "smtp://h:25"\n',
            'mail.host: is not the name of a server; write it without port and scheme: "smtp.shop.example"',
            id="a URL",
        ),
        pytest.param(f"{LEAST}port = 0\n", "mail.port: is too small; write at least 1", id="port"),
        pytest.param(
            f'{LEAST}security = "ssl"\n',
            'mail.security: is not a known value; write "starttls", "tls" or "none"',
            id="security",
        ),
        pytest.param(
            f'{LEAST}pasword = "{CANARY}"\n',
            'mail.pasword: unknown key; did you mean "password"?',
            id="misspelt",
        ),
        pytest.param(
            f'{LEAST}password = "{CANARY}"\n',
            "mail.username: is missing; add it, or take the password out",
            id="a password alone",
        ),
        pytest.param(
            f'{LEAST}username = "pay"\n',
            "mail.password: is missing; add it, or take the username out",
            id="a user alone",
        ),
        pytest.param(
            f'{LEAST}security = "none"\nusername = "pay"\npassword = "{CANARY}"\n',
            'mail.security: would show the password to the network; write "starttls" or "tls"',
            id="in the clear",
        ),
        pytest.param(
            f'{LEAST}username = "pay"\npassword = {{ file = "mail.password" }}\n',
            "mail.password: there is no file ",
            id="no file",
        ),
        pytest.param(
            f'{LEAST}language = "English"\n',
            'mail.language: is not a language; write its code in small letters, such as "en" or "pt-br"',
            id="language",
        ),
    ],
)
def test_a_mistake_is_told_in_one_line(file: Path, text: str, told: str) -> None:
    assert refused(file, text).startswith(f"watcher.toml: {told}")


@pytest.mark.parametrize(
    "sender",
    ["Shop", "", "a@shop.example, b@shop.example", "Shop <pay@shop.example> x", "Shop <pay@>",
     "all: a@b, c@d;", "Shop\\r\\nBcc: eve@x <pay@shop.example>", "jörg@shop.example"],
)  # fmt: skip
def test_a_sender_is_exactly_one(file: Path, sender: str) -> None:
    text = f'[mail]\nhost = "h"\nsender = "{sender}"\n'

    told = 'watcher.toml: mail.sender: is not one sender; write it as "Shop <pay@shop.example>"'
    assert told == refused(file, text)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_a_password_may_go_in_the_clear_on_this_machine(file: Path, host: str) -> None:
    text = f'[mail]\nhost = "{host}"\nsender = "a@b.example"\nsecurity = "none"\nusername = "u"\n'

    assert loaded(file, f'{text}password = "p"\n').at == 25


@pytest.mark.parametrize("text", ["a@b", "a.b+c_d@x-1.example", "o'neil@shop.example", "A@EXAMPLE.ORG"])
def test_an_address_is_kept_as_it_is(text: str) -> None:
    assert text == mailbox(text).addr_spec


@pytest.mark.parametrize(
    "text",
    ["", "jo", "@shop.example", "jo@", "a@b@c", "<jo@x>", "jo@x>", "a b@x", "a,b@x", "a;b@x", "jo@x,eve@x",
     "jo@x\n", 'jo"@x', "jo@[127.0.0.1]", "jo@x..y", "jo@x y", "j" * 65 + "@x",
     ".jo@x", "jo@" + "x" * 64, "(c)jo@x"],
)  # fmt: skip
def test_what_a_server_could_read_in_another_way_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        mailbox(text)
