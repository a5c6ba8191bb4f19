"""The one-way flow, read from the imports: chains -> scanner -> ledger <-> matcher -> outbox -> notifier."""

from __future__ import annotations

import re
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

import pytest

import chains
from source_tree import arrows, sources

if TYPE_CHECKING:
    from source_tree import Source


@dataclass(frozen=True)
class Layer:
    """Files of `watcher/`, and the layers and modules of `chains/` that they may import beside their own."""

    files: str
    may: str = ""


LAYERS = {
    # What imports nothing of ours: small words, and the machine that we run on.
    "words": Layer("buckets errors ids bus money retry lanes wording times failpoint untrusted testbed"),
    "machine": Layer("store lock log pulse resources egress descriptors", "words"),
    "rows": Layer("tables migrate migrations", "words"),
    # The nouns, and the rules over them, which are pure.
    "model": Layer("model dialects", "chains.base"),
    "rules": Layer(
        "formats sums finality matcher happenings render explain receipts refunds waiting policy reminders"
        " rules",
        "model words chains.base",
    ),
    "metrics": Layer("metrics", "model"),
    "settings": Layer(
        "settings secret keypair init",
        "model machine chains chains.config chains.rpc_secrets",
    ),
    # What is known, who is told, and the flow between them.
    "reads": Layer(
        "facts listing told unused troubles recorded stats export audit_trail",
        "words model rows rules chains.base",
    ),
    "outbox": Layer(
        "outbox outbox_reformatted deliveries endpoints receivers replay signing audit",
        "words machine model rows rules settings",
    ),
    "ledger": Layer(
        "ledger decisions deposits affected gaps alerts addresses standings resolutions",
        "words machine model rows rules reads outbox chains.base",
    ),
    "scanner": Layer(
        "scanner ancestor batch_reader condition gap_reader dust unread lookout pace cross_check",
        "words model ledger chains.base",
    ),
    "notifier": Layer("notifier sending claims results", "words machine model metrics rows rules outbox"),
    "mailer": Layer("mailer mail mails", "words machine model metrics rows rules reads settings chains.base"),
    # Those who stand beside the flow.
    "actions": Layer(
        "actions terms drafts idempotency apikeys sessions feed payer_feed places customers links"
        " merchant refund consumers",
        "words machine model rows rules reads outbox ledger settings chains.base chains.config",
    ),
    "api": Layer("api", "words machine model metrics rows rules reads outbox actions settings chains.base"),
    "pages": Layer(
        "pages",
        "words machine model metrics rows rules reads outbox actions api settings chains.base",
    ),
    "app": Layer(
        "app",
        "words machine model metrics rows rules reads settings outbox ledger scanner notifier mailer actions"
        " api pages chains chains.base chains.naive",
    ),
    # What a program imports that embeds us; `import watcher` loads none of it.
    "embed": Layer("embed", "words machine model rows rules reads settings outbox actions api app"),
    "reconcile": Layer("reconcile", "words model chains.base chains.naive"),
    "cli": Layer(
        "cli __main__",
        "words machine rows model settings mailer actions api pages app reconcile sandbox chains.base"
        " chains.naive",
    ),
    "sandbox": Layer("sandbox", "words machine settings app"),
}
"""A file not listed goes with the one that its name begins with: `settings_files` with `settings`."""

TYPES_ONLY = {
    "watcher.render": ({"watcher.facts"}, "a Record is what it shows; it never reads one itself"),
    "watcher.explain": ({"watcher.facts"}, "the same"),
    "watcher.explain_merchant": ({"watcher.facts"}, "the same"),
    "watcher.rules": ({"watcher.facts"}, "the same"),
}
"""Arrows against the flow that only a type checker follows, each with its reason."""

PURE = [
    "buckets",
    "dialects",
    "errors",
    "explain",
    "export_csv",
    "formats",
    "formats_btcpay",
    "formats_event",
    "formats_oxapay",
    "happenings",
    "lanes",
    "links_check",
    "links_choice",
    "links_shown",
    "mail_values",
    "mail_words",
    "matcher",
    "model",
    "money",
    "pages.payer_view",
    "receipts",
    "render",
    "render_payer",
    "retry",
    "signing",
    "stats_tally",
    "sums",
    "times",
]
IMPURE = {
    "aiohttp", "aiosqlite", "alembic", "asyncio", "os", "pathlib", "random", "socket",
    "sqlalchemy", "sqlmodel", "structlog", "subprocess", "threading", "time", "web3",
}  # fmt: skip
"""A decision that uses one of these depends on more than its arguments."""

KEY_LIBRARIES = {
    "bip_utils": "chains.keys_bip_utils",
    "bitcoinlib": "chains.keys_bitcoinlib",
}
HTTP_CLIENTS = {
    "watcher.sending": "webhooks, through the egress guard",
    "watcher.cli.client": "commands, through the daemon's own Unix socket",
    "chains.rpc_node": "nodes, which only the configuration names",
}
CHAINS_NAMED = {
    "watcher.api.openapi_examples": "examples of requests and answers",
    "watcher.api.openapi_nouns": "the same",
    "watcher.cli.init": "an example in a help text",
    "watcher.cli.draft": "an example in an error message",
    "watcher.pages.payer_view": "the schemes of links that may open a wallet",
}
"""Files of `watcher/` that say a chain's name, and why; the sandbox starts real nodes and is free to."""

WATCHER = [name for name in sources() if name.startswith("watcher.")]
CHAINS = [name for name in sources() if name.startswith("chains.")]
SHARED = ("config", "keys", "naive", "rpc")


def _layer(module: str) -> str | None:
    """Return the layer of a module of `watcher`."""
    name = module.removeprefix("watcher.").partition(".")[0]
    stems = {file: layer for layer, table in LAYERS.items() for file in table.files.split()}
    return stems.get(name) or stems.get(name.partition("_")[0])


def _concern(module: str) -> str:
    """Return the part before the first underscore: all files of it may import each other."""
    return module.removeprefix("chains.").partition("_")[0]


def _imported(source: Source) -> set[str]:
    """Return the packages that it imports when it runs, by name or by `import_module`."""
    direct = {each.target.partition(".")[0] for each in source.imports() if not each.typing_only}
    return direct | {
        text.partition(".")[0] for text in source.strings() if text.split(".")[0] in KEY_LIBRARIES
    }


@pytest.mark.parametrize("module", WATCHER)
def test_every_file_has_a_layer_and_imports_only_what_lies_below_it(module: str) -> None:
    layer = _layer(module)
    assert layer, f"{module} is new: give it a place in LAYERS"
    allowed = {layer, *LAYERS[layer].may.split()}
    excused = TYPES_ONLY.get(module, (set(), ""))[0]

    wrong = [
        target
        for target, typing_only in arrows(sources()[module]).items()
        if target != "watcher"
        and (target if target.startswith("chains") else _layer(target)) not in allowed
        and not (typing_only and target in excused)
    ]

    assert wrong == [], f"{module} is of the layer {layer}, which may import: {', '.join(sorted(allowed))}"


@pytest.mark.parametrize("module", CHAINS)
def test_chains_never_import_the_watcher_and_kinds_never_each_other(module: str) -> None:
    concern = _concern(module)
    kind = concern in chains.kinds()
    allowed = {"chains.base", *(f"chains.{each}" for each in SHARED if kind)}

    wrong = [
        target
        for target in arrows(sources()[module])
        if target not in allowed and _concern(target) != concern and target != "chains"
    ]

    assert wrong == [], f"{module} may import {', '.join(sorted(allowed))} and its own concerns"


def test_the_vocabulary_of_chains_imports_nothing_of_ours() -> None:
    assert {} == arrows(sources()["chains.base"])


def test_every_file_of_chains_is_shared_or_belongs_to_a_kind() -> None:
    known = {"base", *SHARED, *chains.kinds()}

    assert [] == [module for module in CHAINS if _concern(module) not in known]


def test_no_import_comes_back_to_where_it_began() -> None:
    graph = {
        name: {target for target, typing_only in arrows(source).items() if not typing_only}
        for name, source in sources().items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


@pytest.mark.parametrize("module", PURE)
def test_what_decides_depends_on_its_arguments_alone(module: str) -> None:
    source = sources()[f"watcher.{module}"]
    packages = {each.target.partition(".")[0] for each in source.imports() if not each.typing_only}

    assert set() == packages & IMPURE
    assert [] == [call for call in source.calls() if call.endswith((".now", ".utcnow", ".today"))]


@pytest.mark.parametrize(("library", "only"), KEY_LIBRARIES.items())
def test_each_key_library_is_imported_in_one_place(library: str, only: str) -> None:
    assert [only] == [name for name, source in sources().items() if library in _imported(source)]


def test_outgoing_connections_are_made_in_three_places() -> None:
    makers = {name for name, source in sources().items() if "ClientSession" in source.names()}

    assert set(HTTP_CLIENTS) == makers


def test_mail_leaves_in_one_place() -> None:
    importers = {name for name, source in sources().items() if "aiosmtplib" in _imported(source)}

    assert {"watcher.mail_server"} == importers


def test_adapters_are_built_by_the_composition_root() -> None:
    """The settings load a kind for its Config alone."""
    loaders = {name for name, source in sources().items() if "chains.load" in source.calls()}
    builders = {name for name, source in sources().items() if "Adapter" in source.names()}

    assert {"watcher.app", "watcher.settings_chains"} == loaders
    assert {"watcher.app"} == {name for name in builders if name.startswith("watcher")}


def test_the_watcher_names_no_chain() -> None:
    names = {*chains.kinds(), "litecoin", "dogecoin", "ethereum", "monero"}
    word = re.compile(rf"(?<![a-z])({'|'.join(sorted(names))})(?![a-z])", re.IGNORECASE)
    naming = {
        module
        for module in WATCHER
        if _layer(module) != "sandbox" and any(word.search(text) for text in sources()[module].strings())
    }

    assert set(CHAINS_NAMED) == naming
