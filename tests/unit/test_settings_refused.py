"""Wrong settings: one line each, with the key, what is wrong and what would be right, and no secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sample_settings import BITCOIN, CANARY, ENDPOINT, XPUB, refused
from watcher.settings import SettingsError, load

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "watcher.toml"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "[server]\nprot = 1", 'server.prot: unknown key; did you mean "port"?', id="a misspelt key"
        ),
        pytest.param(
            "[invoices]\ncolour = 1",
            "invoices.colour: unknown key; known here: expires_in, monitor_for, tolerance_percent, late, "
            "reminder_before",
            id="an unknown key",
        ),
        pytest.param("[sever]", 'sever: unknown key; did you mean "server"?', id="a misspelt section"),
        pytest.param('file = "x"', "file: unknown key; ", id="the name of an inner field"),
        pytest.param(
            f"{ENDPOINT}ulr = 'https://x'",
            'webhooks.endpoints[0].ulr: unknown key; did you mean "url"? (and 1 more)',
            id="a misspelt key of an endpoint",
        ),
        pytest.param(
            f"{BITCOIN}confirmation = 1",
            'chains.bitcoin.confirmation: unknown key; did you mean "confirmations"?',
            id="a misspelt key of a chain",
        ),
        pytest.param(
            f"{BITCOIN}fees = {{ percnt = '1' }}",
            'chains.bitcoin.fees.percnt: unknown key; did you mean "percent"?',
            id="a misspelt key inside a chain",
        ),
        pytest.param(
            "[chains.bitcoin]\nprest = 'bitcoin'",
            'chains.bitcoin.prest: unknown key; did you mean "preset"?',
            id="a misspelt preset key",
        ),
        pytest.param(
            "[chains.bitcoin]\npreset = 'bitcon'",
            'chains.bitcoin.preset: there is no such preset; did you mean "bitcoin"?',
            id="a misspelt preset",
        ),
        pytest.param(
            "[chains.x]\nrpc = []",
            'chains.x.kind: is missing; write one of "bitcoin", "evm"',
            id="neither preset nor kind",
        ),
        pytest.param(
            "[chains.x]\nkind = 'bitcon'",
            'chains.x.kind: is not a known value; write one of "bitcoin", "evm"',
            id="an unknown kind",
        ),
        pytest.param("chains = 3", "chains: is not a table; ", id="chains that are no table"),
        pytest.param(
            "[chains]\nbitcoin = 3", "chains.bitcoin: is not a table; ", id="a chain that is no table"
        ),
        pytest.param("[chains.'a b']", "chains.a b: is no name for a chain; ", id="a name with a space"),
        pytest.param("server = 3", "server: is not a table; ", id="a section that is no table"),
        pytest.param(
            "[server]\nport = 'x'", "server.port: is not a whole number; ", id="a text for a number"
        ),
        pytest.param("[server]\nport = 70000", "server.port: is too large; write at most 65535", id="a port"),
        pytest.param(
            "[server]\nhost = 3", "server.host: is not text; write it in quotes", id="a number for a text"
        ),
        pytest.param(
            "[server]\npublic_url = 'shop.example'",
            "server.public_url: not an http or https URL; ",
            id="no scheme",
        ),
        pytest.param(
            f"[server]\npublic_url = 'https://u:{CANARY}@shop.example'",
            "server.public_url: holds a user or password; write the address without them",
            id="a public URL with a password",
        ),
        pytest.param(
            "[server]\npublic_url = 'https://shop.example/pay'",
            "server.public_url: the pages need a host of their own, without a path; ",
            id="a public URL with a path",
        ),
        pytest.param(
            "[server]\npublic_url = 'https://shop.example/?a'",
            "server.public_url: the pages need a host of their own, without a path; ",
            id="a public URL with a query",
        ),
        pytest.param("[server", "not valid TOML: ", id="no TOML"),
        pytest.param(
            "[invoices]\nexpires_in = 59", "invoices.expires_in: is too small; write at least 60", id="59 s"
        ),
        pytest.param(
            "[invoices]\nexpires_in = 2592001",
            "invoices.expires_in: is too large; write at most 2592000",
            id="30 days and a second",
        ),
        pytest.param(
            "[invoices]\ntolerance_percent = 0.5",
            "invoices.tolerance_percent: a number with a point loses digits; write it in quotes, for ",
            id="a float where digits count",
        ),
        pytest.param(
            "[invoices]\ntolerance_percent = '100.01'",
            "invoices.tolerance_percent: is above 100; ",
            id="above all",
        ),
        pytest.param(
            "[invoices]\ntolerance_percent = '-1'",
            "invoices.tolerance_percent: not a decimal number; ",
            id="below 0",
        ),
        pytest.param(
            "[invoices]\nlate = 'never'",
            'invoices.late: is not a known value; write "hold", "accept" or "refund"',
            id="an unknown policy",
        ),
        pytest.param(
            "[invoices.policy]\nunderpaid = 'keep'",
            'invoices.policy.underpaid: is not a known value; write "hold" or "refund"',
            id="a policy of another exception",
        ),
        pytest.param(
            "[invoices.policy]\nacept_percent = '97'",
            'invoices.policy.acept_percent: unknown key; did you mean "accept_percent"?',
            id="a misspelt policy",
        ),
        pytest.param(
            "[invoices.policy]\naccept_percent = '0'",
            "invoices.policy.accept_percent: is no part of the amount; ",
            id="accepts nothing at all",
        ),
        pytest.param(
            "[invoices.policy]\naccept_percent = '100'",
            "invoices.policy.accept_percent: is no part of the amount; ",
            id="accepts what is paid",
        ),
        pytest.param(
            "[invoices]\ntolerance_percent = '3'\n[invoices.policy]\naccept_percent = '97'",
            "invoices.policy: accept_percent has no effect: tolerance_percent takes 97 percent as paid",
            id="accepts what the tolerance takes",
        ),
        pytest.param(
            "[invoices.policy]\nextend = 59",
            "invoices.policy.extend: is too short; write 0 for never, or at least 60 seconds",
            id="extends by too little",
        ),
        pytest.param(
            "[database]\nurl = 'postgresql://u:p@h/db'",
            'database.url: PostgreSQL is not built into this version; write "sqlite:///watcher.db"',
            id="PostgreSQL",
        ),
        pytest.param(
            "[database]\nurl = 'sqlite://'", "database.url: is not the URL of a database file; ", id="memory"
        ),
        pytest.param(
            "[database]\nurl = 'sqlite:///:memory:'",
            "database.url: is not the URL of a database file; ",
            id=":memory:",
        ),
        pytest.param(
            "[server]\ntrusted_proxies = ['127.0.0.1']\nhost = 7",
            "server.host: is not text; ",
            id="a proxy without a length is one address",
        ),
        pytest.param(
            "[server]\ntrusted_proxies = ['10.0.0.1/8']",
            "server.trusted_proxies[0]: is not a CIDR block; ",
            id="a proxy's block with host bits",
        ),
        pytest.param(
            "[server]\ntrusted_proxies = ['127.0.0.1/32', '::/0']",
            "server.trusted_proxies[1]: believes everyone; ",
            id="everyone a proxy",
        ),
        pytest.param(
            "[webhooks]\nallow_private = ['10.0.0.1/8']",
            "webhooks.allow_private[0]: is not a CIDR block; ",
            id="a block with host bits",
        ),
        pytest.param(
            f"{ENDPOINT}url = 'https://x.example'\nevents = ['invoice.payed']",
            'webhooks.endpoints[0].events[0]: unknown event; did you mean "invoice.paid"?',
            id="a misspelt event",
        ),
        pytest.param(
            f"{ENDPOINT}url = 'https://x.example'\nsecret = '{CANARY}'",
            "webhooks.endpoints[0].secret: is not a Standard Webhooks secret; ",
            id="a secret of another form",
        ),
        pytest.param(
            f"{ENDPOINT}url = 'https://x.example'\nformat = 'oxpay'",
            'webhooks.endpoints[0].format: is not a known value; write "standard", "oxapay" or "btcpay"',
            id="a format that there is not",
        ),
        pytest.param(
            f"{ENDPOINT}url = 'https://x.example'\nformat = 'btcpay'\nevents = ['chain.*']",
            "webhooks.endpoints[0].events: none of these is told in the format btcpay; write ",
            id="events that a format does not know",
        ),
        pytest.param(
            f"{ENDPOINT}url = 'https://x.example'\nchains = ['bitcion']\n{BITCOIN}",
            'webhooks.endpoints[0].chains[0]: there is no such chain; did you mean "bitcoin"?',
            id="a misspelt chain of an endpoint",
        ),
        pytest.param(
            f"{ENDPOINT}url = 'https://x.example'\n{ENDPOINT}url = 'https://x.example'",
            "webhooks.endpoints[1].url: stands there twice; ",
            id="a receiver that is there twice",
        ),
        pytest.param(
            f"{ENDPOINT}url = 'http://127.0.0.1:9/x'",
            "webhooks.endpoints[0].url: 127.0.0.1 is a private address; ",
            id="h128 a private address",
        ),
        pytest.param(
            f"{ENDPOINT}url = 'http://0x7f.1/x'",
            "webhooks.endpoints[0].url: 127.0.0.1 is a private address; ",
            id="h128 a private address in disguise",
        ),
        pytest.param(
            f"{ENDPOINT}url = 'http://[::ffff:10.0.0.1]/x'",
            "webhooks.endpoints[0].url: 10.0.0.1 is a private address; ",
            id="h128 a mapped private address",
        ),
    ],
)
def test_a_mistake_is_one_line_with_the_key_and_the_remedy(file: Path, text: str, expected: str) -> None:
    assert refused(file, text).startswith(f"watcher.toml: {expected}")


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        pytest.param(
            "WATCHER_SERVER__PROT",
            "1",
            'WATCHER_SERVER__PROT: unknown key; did you mean "port"?',
            id="a misspelt key",
        ),
        pytest.param(
            "WATCHER_SERVER__PORT", "x", "WATCHER_SERVER__PORT: is not a whole number; ", id="no number"
        ),
        pytest.param(
            "WATCHER_SERVER_PORT",
            "1",
            "WATCHER_SERVER_PORT: unknown variable; did you mean WATCHER_SERVER__PORT?",
            id="one underscore",
        ),
        pytest.param(
            "WATCHER_CHAINS__BITCOIN__RPC",
            f'["http://u:{CANARY}@h"',
            "WATCHER_CHAINS__BITCOIN__RPC: not valid JSON (column ",
            id="no JSON",
        ),
        pytest.param(
            "WATCHER_CHAINS__BITCOIN__RPC",
            f'["ftp://u:{CANARY}@h"]',
            "WATCHER_CHAINS__BITCOIN__RPC: not an http or https URL; ",
            id="an item of a list",
        ),
        pytest.param(
            "WATCHER_SERVER__PORT__X",
            "1",
            "WATCHER_SERVER__PORT__X: server.port is not a table; ",
            id="too deep",
        ),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(
    file: Path, variable: str, value: str, expected: str
) -> None:
    assert refused(file, f"[server]\nport = 1\n{BITCOIN}", **{variable: value}).startswith(expected)


def test_a_file_of_a_value_that_is_not_there_is_named(file: Path) -> None:
    message = refused(file, BITCOIN.replace(f'"{XPUB}"', '{ file = "nowhere" }'))

    assert message == (
        f"watcher.toml: chains.bitcoin.xpub: there is no file {file.parent}/nowhere; "
        "write the value into it, or correct the path"
    )


def test_an_empty_file_of_a_value_is_named(file: Path) -> None:
    (file.parent / "key").write_text("\n")

    message = refused(file, BITCOIN.replace(f'"{XPUB}"', '{ file = "key" }'))

    assert message.startswith(f"watcher.toml: chains.bitcoin.xpub: the file {file.parent}/key is empty; ")


def test_of_several_mistakes_the_first_is_told_and_the_others_are_counted(file: Path) -> None:
    message = refused(file, "[server]\nport = 'x'\nhots = 'y'\n[invoices]\nexpires_in = 1\n")

    assert message.endswith("(and 2 more)")


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        pytest.param("/dev/zero", "is not a regular file", id="a device"),
        pytest.param("folder", "is not a regular file", id="a directory"),
        pytest.param("large", "is larger than 65536 bytes", id="too much"),
    ],
)
@pytest.mark.parametrize("table", ["[chains.bitcoin]\nxpub", "[webhooks]\nsecret"])
def test_what_can_hold_no_single_value_is_refused(file: Path, table: str, path: str, fault: str) -> None:
    (file.parent / "folder").mkdir()
    (file.parent / "large").write_bytes(b"x" * 65_537)
    message = refused(file, f'{table} = {{ file = "{path}" }}\n')

    assert f"{file.parent / path} {fault}; name a file that holds the value and nothing else" in message


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        pytest.param(".", "is a directory; name a file", id="a directory"),
        pytest.param("/dev/zero", "is not a regular file; name one", id="a device"),
        pytest.param("x" * 300, "cannot be read (File name too long); let this user read it", id="no name"),
    ],
)
def test_a_configuration_that_is_no_file_is_named(path: str, fault: str, file: Path) -> None:
    with pytest.raises(SettingsError) as error:
        load(file.parent / path, {})

    assert f"{file.parent / path}: {fault}" == str(error.value)
