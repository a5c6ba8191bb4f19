"""Settings: from the file, the environment and files of single values; with presets and secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sample_settings import BITCOIN, CANARY, ETHEREUM, TPUB, XPUB
from watcher.model import LatePolicy
from watcher.settings import Settings, SettingsError, load

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "watcher.toml"


def loaded(file: Path, text: str, **environ: str) -> Settings:
    file.write_text(text)
    return load(file, environ)


# Where it comes from


def test_an_empty_file_gives_the_defaults_of_the_contract(file: Path) -> None:
    settings = loaded(file, "")

    assert ("127.0.0.1", 8080, "http://127.0.0.1:8080") == (
        settings.server.host,
        settings.server.port,
        settings.server.public_url,
    )
    assert (3600, 86400, "0", LatePolicy.HOLD, 0) == (
        settings.invoices.expires_in,
        settings.invoices.monitor_for,
        settings.invoices.tolerance_percent,
        settings.invoices.late,
        settings.invoices.reminder_before,
    )
    assert {} == settings.chains


def test_nothing_happens_by_itself_unless_a_policy_says_so(file: Path) -> None:
    usual = loaded(file, "").invoices.policy
    text = (
        "[invoices]\ntolerance_percent = '1'\n[invoices.policy]\naccept_percent = '97'\noverpaid = 'hold'\n"
    )
    other = loaded(file, text, WATCHER_INVOICES__POLICY__EXTEND="3600").invoices.policy

    assert (None, 0, "hold", "keep", "hold") == (
        usual.accept_percent,
        usual.extend,
        usual.underpaid,
        usual.overpaid,
        usual.wrong_asset,
    )
    assert ("97", 3600, "hold", "hold") == (
        other.accept_percent,
        other.extend,
        other.underpaid,
        other.overpaid,
    )


def test_without_a_path_the_file_in_the_current_folder_is_taken(file: Path) -> None:
    file.write_text("[server]\nport = 81\n")

    assert 81 == load(None, {}).server.port


def test_a_missing_configuration_names_both_places_and_the_remedy(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watcher.settings_source.SEARCHED", (file, file.parent / "etc" / "watcher.toml"))

    with pytest.raises(SettingsError) as error:
        load(None, {})

    assert f"neither {file} nor {file.parent}/etc/watcher.toml" in str(error.value)
    assert str(error.value).endswith("watcher init")


def test_a_missing_file_that_was_asked_for_is_named_with_the_remedy(file: Path) -> None:
    with pytest.raises(SettingsError) as error:
        load(file, {})

    assert f"{file}: there is no such file; write one with: watcher init {file}" == str(error.value)


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        pytest.param("WATCHER_SERVER__PORT", "81", 81, id="a number"),
        pytest.param("WATCHER_SERVER__HOST", "0.0.0.0", "0.0.0.0", id="a text"),
        pytest.param("WATCHER_INVOICES__TOLERANCE_PERCENT", "0.5", "0.5", id="a decimal number"),
        pytest.param("WATCHER_WEBHOOKS__ALLOW_PRIVATE", '["10.0.0.0/8"]', ("10.0.0.0/8",), id="a list"),
    ],
)
def test_the_environment_goes_before_the_file(
    file: Path, variable: str, value: str, expected: object
) -> None:
    text = '[server]\nport = 80\nhost = "::1"\n[invoices]\ntolerance_percent = "1"\n'
    section, key = variable.removeprefix("WATCHER_").lower().split("__")

    found = getattr(getattr(loaded(file, text, **{variable: value}), section), key)

    assert expected == (tuple(map(str, found)) if isinstance(found, tuple) else found)


def test_a_chain_can_come_from_the_environment_alone(file: Path) -> None:
    settings = loaded(
        file,
        "",
        WATCHER_CHAINS__BITCOIN__PRESET="bitcoin",
        WATCHER_CHAINS__BITCOIN__RPC='["http://one:1", "http://two:2"]',
        WATCHER_CHAINS__BITCOIN__XPUB=XPUB,
        WATCHER_CHAINS__BITCOIN__FEES='{"percent": 0.1}',
        WATCHER_CHAINS__BITCOIN__CONFIRMATIONS="3",
        WATCHER_CHAINS__BITCOIN__POLL_INTERVAL="0.25",
    )

    chain = settings.chains["bitcoin"]
    assert (("http://one:1", "http://two:2"), "0.1", 3, 0.25) == (
        chain.rpc,
        chain.fees.percent,
        chain.confirmations,
        chain.poll_interval,
    )


def test_a_variable_finds_the_chain_whose_name_has_a_hyphen(file: Path) -> None:
    text = f'[chains.my-test]\npreset = "bitcoin-regtest"\nrpc = ["http://h"]\nxpub = "{TPUB}"\n'

    settings = loaded(file, text, WATCHER_CHAINS__MY_TEST__CONFIRMATIONS="7")

    assert [("my-test", 7)] == [(name, chain.confirmations) for name, chain in settings.chains.items()]


@pytest.mark.parametrize("variable", ["WATCHER_CONFIG", "WATCHER_API_KEY", "PATH", "MY_WATCHER_SERVER__PORT"])
def test_other_variables_are_nobodys_business(file: Path, variable: str) -> None:
    assert loaded(file, "") == loaded(file, "", **{variable: "x"})


def test_a_value_can_stand_in_a_file_of_its_own_beside_the_configuration(file: Path) -> None:
    (file.parent / "secrets").mkdir()
    (file.parent / "secrets" / "rpc").write_text(f"http://user:{CANARY}@127.0.0.1:8332\n")
    (file.parent / "key").write_text(f"{XPUB}\r\n")
    text = '[chains.bitcoin]\npreset = "bitcoin"\nrpc = [{ file = "secrets/rpc" }]\nxpub = { file = "key" }\n'

    chain = loaded(file, text).chains["bitcoin"]

    assert (f"http://user:{CANARY}@127.0.0.1:8332",) == chain.rpc
    assert XPUB == chain.xpub


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("sqlite:///watcher.db", "watcher.db", id="relative"),
        pytest.param("sqlite:///data/w.db", "data/w.db", id="in a folder"),
        pytest.param("sqlite:////var/lib/w.db", "/var/lib/w.db", id="absolute"),
    ],
)
def test_the_database_is_relative_to_the_configuration_and_not_to_the_current_folder(
    file: Path, url: str, expected: str
) -> None:
    inner = file.parent / "inner"
    inner.mkdir()

    settings = loaded(inner / "watcher.toml", f'[database]\nurl = "{url}"\n')

    assert inner / expected == settings.database.path
    assert f"sqlite:///{inner / expected}" == settings.database.url


# Chains and presets


def test_a_preset_fills_in_what_the_user_does_not_say(file: Path) -> None:
    chain = loaded(file, f"{BITCOIN}confirmations = 6\n").chains["bitcoin"]

    assert ("bitcoin", 6, 5.0) == (chain.kind, chain.confirmations, chain.poll_interval)


def test_a_token_is_added_to_those_of_the_preset_or_changes_keys_of_one(file: Path) -> None:
    other = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
    own = f'{{ symbol = "OWN", contract = "{other}", decimals = 2 }}'
    tokens = f'assets = [{{ symbol = "USDT", dust = "1" }}, {own}]'

    chain = loaded(file, f"{ETHEREUM}{tokens}\n").chains["ethereum"]

    dumped = chain.model_dump()["assets"]
    assert {"USDC": "0", "DAI": "0", "USDT": "1", "OWN": "0"} == {
        each["symbol"]: each["dust"] for each in dumped
    }
    assert {6, 18, 2} == {each["decimals"] for each in dumped}


def test_a_chain_without_a_preset_has_all_its_keys_by_hand(file: Path) -> None:
    text = (
        '[chains.dev]\nkind = "evm"\nchain_id = 31337\nnative = "ETH"\nrpc = ["http://127.0.0.1:8545"]\n'
        f'xpub = "{XPUB}"\nconfirmations = 1\npoll_interval = 0.5\n'
    )

    chain = loaded(file, text).chains["dev"]

    assert ("evm", 1, 0.5) == (chain.kind, chain.confirmations, chain.poll_interval)


def test_no_key_at_all_means_that_every_invoice_brings_its_address(file: Path) -> None:
    text = '[chains.bitcoin]\npreset = "bitcoin"\nrpc = ["http://h"]\n'

    assert loaded(file, text).chains["bitcoin"].xpub is None


def test_settings_never_show_the_password_of_a_node(file: Path) -> None:
    settings = loaded(file, BITCOIN)

    assert CANARY not in repr(settings)
    assert CANARY in settings.chains["bitcoin"].rpc[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", "http://127.0.0.1:8080", id="the defaults"),
        pytest.param("port = 81", "http://127.0.0.1:81", id="another port"),
        pytest.param('host = "0.0.0.0"', "http://127.0.0.1:8080", id="every address"),
        pytest.param('host = "::1"', "http://[::1]:8080", id="IPv6"),
        pytest.param('public_url = "https://pay.example/"', "https://pay.example", id="what is written"),
    ],
)
def test_payers_are_told_the_daemons_own_address_unless_another_is_written(
    file: Path, text: str, expected: str
) -> None:
    assert expected == loaded(file, f"[server]\n{text}\n").server.public_url
