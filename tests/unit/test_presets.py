"""The presets, the example configuration and what `watcher init` writes: complete, loadable, and sourced."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any, get_args

import pytest
from pydantic import BaseModel

import chains
from chains.bitcoin_coins import GENESIS
from chains.keys import checksum
from public_keys import account
from watcher import resources
from watcher.init import render
from watcher.settings import Settings, SettingsError, load

if TYPE_CHECKING:
    from pathlib import Path

PRESETS = resources.presets()
REQUIRED = {
    *("bitcoin", "bitcoin-testnet", "bitcoin-testnet4", "bitcoin-signet", "bitcoin-regtest"),
    *("litecoin", "litecoin-testnet", "litecoin-regtest"),
    *("dogecoin", "dogecoin-testnet", "dogecoin-regtest"),
    *("ethereum", "polygon", "bnb", "arbitrum", "optimism", "base", "avalanche", "gnosis", "sepolia"),
}


def sample_key(network: str) -> str:
    test = network != "mainnet"
    return account("84'/1'/0'" if test else "84'/0'/0'", test=test)


def keys(name: str) -> dict[str, Any]:
    return tomllib.loads(resources.preset_file(name).read_text(encoding="utf-8"))


ALL = {name: keys(name) for name in PRESETS}
EVM = [name for name in PRESETS if ALL[name]["kind"] == "evm"]


def uncommented(text: str) -> str:
    """Turn the commented-out keys ("#key = …", no space) into keys; prose ("# …") stays a comment."""
    return re.sub(r"^#(?=[a-z\[])", "", text, flags=re.MULTILINE)


def with_sample_keys(text: str) -> str:
    """Fill in what a user has to: the keys, by the network that each chain's preset says."""
    filled, network = [], "mainnet"
    for line in text.splitlines():
        if preset := re.match(r'preset = "(.+)"', line):
            network = ALL[preset[1]].get("network", "mainnet")
        filled.append(re.sub(r'^xpub = ".*"', f'xpub = "{sample_key(network)}"', line))
    return "\n".join(filled)


def test_every_chain_that_is_promised_has_a_preset() -> None:
    assert REQUIRED == set(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_with_a_node_and_a_key_is_a_whole_configuration(name: str, tmp_path: Path) -> None:
    file = tmp_path / "watcher.toml"
    key = sample_key(ALL[name].get("network", "mainnet"))
    file.write_text(f'[chains.shop]\npreset = "{name}"\nrpc = ["http://127.0.0.1:1"]\nxpub = "{key}"\n')

    chain = load(file, {}).chains["shop"]

    assert ALL[name]["kind"] == chain.kind
    assert ALL[name]["confirmations"] == chain.confirmations


@pytest.mark.parametrize("name", [name for name in PRESETS if name not in EVM])
def test_the_block_0_of_a_preset_is_the_one_that_its_kind_pins(name: str) -> None:
    preset = ALL[name]

    assert GENESIS[preset["coin"], preset["network"]] == preset["genesis"]
    assert name.removesuffix("-mainnet") in {preset["coin"], f"{preset['coin']}-{preset['network']}"}


def test_chain_ids_and_first_blocks_are_unique() -> None:
    ids = [ALL[name]["chain_id"] for name in EVM]
    blocks = [preset["genesis"] for preset in ALL.values()]

    assert len(set(ids)) == len(ids)
    assert len(set(blocks)) == len(blocks)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ethereum", 1),
        ("optimism", 10),
        ("bnb", 56),
        ("gnosis", 100),
        ("polygon", 137),
        ("base", 8453),
        ("arbitrum", 42161),
        ("avalanche", 43114),
        ("sepolia", 11155111),
    ],
)
def test_a_preset_has_the_chain_id_of_its_name(name: str, expected: int) -> None:
    assert expected == ALL[name]["chain_id"]


@pytest.mark.parametrize("name", EVM)
def test_the_addresses_of_tokens_are_written_in_their_checksummed_form(name: str) -> None:
    written = [asset["contract"] for asset in ALL[name].get("assets", [])]

    assert [checksum(address) for address in written] == written
    assert len({address.lower() for address in written}) == len(written)


@pytest.mark.parametrize("name", EVM)
def test_every_token_names_its_source_right_above_it(name: str) -> None:
    lines = resources.preset_file(name).read_text(encoding="utf-8").splitlines()

    above = [lines[index - 1] for index, line in enumerate(lines) if line == "[[assets]]"]

    assert len(ALL[name].get("assets", [])) == len(above)
    assert [] == [line for line in above if not line.startswith("# Source: https://")]


@pytest.mark.parametrize("name", EVM)
def test_the_stablecoins_are_there_with_the_decimals_of_their_chain(name: str) -> None:
    expected = 18 if name == "bnb" else 6

    decimals = {asset["symbol"]: asset["decimals"] for asset in ALL[name].get("assets", [])}

    assert decimals.pop("DAI", 18) == 18
    assert set(decimals.values()) == {expected}
    assert "USDC" in decimals


def test_every_preset_has_a_title_of_its_own() -> None:
    titles = [preset["title"] for preset in ALL.values()]

    assert len(PRESETS) == len(set(titles))


@pytest.mark.parametrize("name", [name for name in PRESETS if "explorer" in ALL[name]])
def test_an_explorer_is_reached_by_https_and_its_source_stands_above_it(name: str) -> None:
    text = resources.preset_file(name).read_text(encoding="utf-8")

    assert re.search(
        r"^# A page about a transaction\. Source: \S.+\.\nexplorer = \"https://\S+/\{txid\}\"$",
        text,
        re.MULTILINE,
    )


def test_only_private_chains_and_one_test_network_have_no_explorer() -> None:
    without = {name for name in PRESETS if "explorer" not in ALL[name]}

    assert {name for name in PRESETS if name.endswith("-regtest")} | {"dogecoin-testnet"} == without


def test_no_two_presets_share_an_explorer() -> None:
    explorers = [preset["explorer"] for preset in ALL.values() if "explorer" in preset]

    assert len(explorers) == len(set(explorers))


@pytest.mark.parametrize("name", PRESETS)
def test_h10_every_first_block_and_rule_of_finality_is_explained(name: str) -> None:
    text = resources.preset_file(name).read_text(encoding="utf-8")

    assert re.search(r"^# Block 0\. Source: .+\ngenesis = ", text, re.MULTILINE)
    assert re.search(r"^# .+\nconfirmations = ", text, re.MULTILINE)


def test_h57_polygons_own_coin_is_not_counted_from_its_logs() -> None:
    assert ["0x0000000000000000000000000000000000001010"] == ALL["polygon"]["native_emitters"]


def test_h8_more_blocks_are_remembered_than_a_preset_waits_for() -> None:
    waits = {name: preset["confirmations"] for name, preset in ALL.items()}

    deepest = max(depth for depth in waits.values() if isinstance(depth, int))

    assert deepest < min(preset.get("history", 500) for preset in ALL.values())


def test_presets_are_found_in_the_installed_package_before_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "__file__", str(tmp_path / "watcher" / "resources.py"))
    beside = resources.config_dir()
    (tmp_path / "watcher" / "_config").mkdir(parents=True)

    assert (tmp_path / "config", tmp_path / "watcher" / "_config") == (beside, resources.config_dir())


# The example configuration


EXAMPLE = (resources.config_dir() / "watcher.toml").read_text(encoding="utf-8")


def paths(model: type[BaseModel], at: str = "") -> set[str]:
    """Return every key of a model and of the models inside it, dotted; lists count as their items."""
    found: set[str] = set()
    for name, field in model.model_fields.items():
        inner = [
            each for each in models_in(field.annotation) if each.__name__ not in ("Secret", "ChainConfig")
        ]
        for each in inner:
            found |= paths(each, f"{at}{name}.")
        found |= set() if inner else {f"{at}{name}"}
    return found


def models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [each for arg in get_args(annotation) for each in models_in(arg)]


def written(tree: Any, at: str = "") -> set[str]:
    """Return every key of a parsed file, dotted, with those of tables inside."""
    if isinstance(tree, list):
        return {path for item in tree for path in written(item, at)}
    if not isinstance(tree, dict):
        return set()
    return {path for key, item in tree.items() for path in (f"{at}{key}", *written(item, f"{at}{key}."))}


def test_every_setting_stands_in_the_example() -> None:
    tree = tomllib.loads(uncommented(EXAMPLE))

    assert set() == paths(Settings) - {"file", "chains"} - written(tree)


@pytest.mark.parametrize("kind", chains.kinds())
def test_every_key_of_every_kind_of_chain_stands_in_the_example(kind: str) -> None:
    tables = tomllib.loads(uncommented(EXAMPLE))["chains"].values()
    presets = {table["preset"]: ALL[table["preset"]] for table in tables if "preset" in table}
    of_kind = [
        each for each in tables if each.get("kind", presets.get(each.get("preset"), {}).get("kind")) == kind
    ]
    anywhere = {path for table in tables for path in written(table)}
    shared = paths(chains.config.ChainConfig)

    own = {path for table in of_kind for path in written(table)}

    assert set() == shared - anywhere
    assert set() == paths(chains.load(kind).Config) - shared - own


@pytest.mark.parametrize(
    "text", [pytest.param(EXAMPLE, id="as it is"), pytest.param(uncommented(EXAMPLE), id="uncommented")]
)
def test_the_example_loads_once_the_keys_are_filled_in(text: str, tmp_path: Path) -> None:
    secret = f"whsec_{'A' * 40}"
    file = tmp_path / "watcher.toml"
    file.write_text(with_sample_keys(text))
    (tmp_path / "webhook.secret").write_text(secret)

    settings = load(file, {})

    assert {"bitcoin", "ethereum", "dev"} == set(settings.chains)
    assert (secret,) == settings.webhooks.secrets()


def test_the_example_is_refused_as_long_as_no_key_is_filled_in(tmp_path: Path) -> None:
    file = tmp_path / "watcher.toml"
    file.write_text(EXAMPLE)

    with pytest.raises(SettingsError, match=r"watcher\.toml: chains\.\w+\.xpub: "):
        load(file, {})


def test_what_the_example_shows_of_settings_are_their_defaults(tmp_path: Path) -> None:
    example, empty = tmp_path / "watcher.toml", tmp_path / "empty.toml"
    example.write_text(with_sample_keys(EXAMPLE))
    empty.write_text("")

    shown, defaults = load(example, {}), load(empty, {})

    assert (defaults.server, defaults.database, defaults.invoices, defaults.log) == (
        shown.server,
        shown.database,
        shown.invoices,
        shown.log,
    )


# What `watcher init` writes


@pytest.mark.parametrize("names", [*([name] for name in PRESETS), ["bitcoin", "ethereum"], PRESETS])
def test_a_rendered_configuration_loads_once_the_keys_are_filled_in(names: list[str], tmp_path: Path) -> None:
    file = tmp_path / "watcher.toml"
    file.write_text(with_sample_keys(render(names)))

    assert names == list(load(file, {}).chains)


def test_a_rendered_configuration_names_each_chain_once() -> None:
    assert render(["bitcoin"]) == render(["bitcoin", "bitcoin"])


def test_a_rendered_configuration_sends_nothing_to_the_shop_of_the_example() -> None:
    assert "endpoints" not in tomllib.loads(render(["bitcoin"])).get("webhooks", {})


@pytest.mark.parametrize(
    ("names", "message"),
    [
        pytest.param(["bitcon"], 'there is no preset "bitcon"; did you mean "bitcoin"?', id="misspelt"),
        pytest.param(["zzz"], 'there is no preset "zzz"; known here: arbitrum, avalanche,', id="unknown"),
        pytest.param([], "no chain is named; name one or more of: arbitrum, avalanche,", id="none"),
    ],
)
def test_a_chain_without_a_preset_is_refused_with_what_there_is(names: list[str], message: str) -> None:
    with pytest.raises(SettingsError) as refused:
        render(names)

    assert str(refused.value).startswith(message)
