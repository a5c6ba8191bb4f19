"""The README, the changelog and the example files say what the program does, and nothing else."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest
import typer
from pydantic import BaseModel

import chains
from source_tree import ROOT
from watcher import receivers, resources, rules
from watcher.api.schema_standings import StandingAddress
from watcher.api.server import ROUTES
from watcher.cli.main import app
from watcher.drafts import InvoiceDraft
from watcher.drafts_link import LinkDraft, OpeningDraft
from watcher.drafts_standing import StandingDraft
from watcher.explain_merchant import CONDITIONS
from watcher.model import EventType, Exceptional, PaymentStatus, RefundState, Status
from watcher.retry import DELAYS
from watcher.settings import Settings, load

if TYPE_CHECKING:
    from collections.abc import Iterator

README = (ROOT / "README.md").read_text(encoding="utf-8")
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / "config" / "watcher.toml").read_text(encoding="utf-8")
CODE = [(m[1], m[2]) for m in re.finditer(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)]
_SPANS = " ".join(re.findall(r"`([^`\n]+)`", re.sub(r"(?s)^```.*?^```", "", README)))
CODED = {*re.findall(r"[\w.*-]+", _SPANS), *re.findall(r"\w+", _SPANS)}
"""Every word that stands in the README as code, blocks of code left out."""

REGISTRIES = ("pypi" + ".org", "python" + "hosted", "npm" + "js.", "proxy.go" + "lang")
PLACES = re.compile(r"(?<![\w.~-])/(?:work|root|home/\w+|Users/\w+)/")
FOREIGN = {"requirements.lock", "LICENSE"}


def _settings(model: type[BaseModel]) -> Iterator[str]:
    """Walk a model and yield the name of every key below it."""
    for name, field in model.model_fields.items():
        yield name
        for inner in _models(field.annotation):
            yield from _settings(inner)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _commands(group: Any, prefix: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{prefix}{name} ")
        else:
            yield prefix + name


def _blocks(language: str) -> list[str]:
    return [text for name, text in CODE if name == language]


def _slug(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


(INVOICE,) = (r.answer for r in ROUTES if (r.method, r.path) == ("GET", "/v1/invoices/{id}"))
KEYS = sorted(
    {*_settings(Settings), *(k for kind in chains.kinds() for k in _settings(chains.load(kind).Config))}
)
INTERNAL = {
    "file",
    "chains",
    "server",
    "database",
    "invoices",
    "webhooks",
    "mail",
    "checkout",
    "log",
    "text",
    "endpoints",
    "policy",
}
"""Not keys: sections, and what a key is turned into."""


@pytest.mark.parametrize("key", [key for key in KEYS if key not in INTERNAL])
def test_every_setting_is_in_the_readme_and_in_the_example(key: str) -> None:
    assert key in CODED
    assert re.search(rf"\b{key} = ", EXAMPLE)


@pytest.mark.parametrize("section", sorted(set(Settings.model_fields) - {"file"}))
def test_every_section_is_in_the_readme(section: str) -> None:
    assert f"[{section}" in README


@pytest.mark.parametrize(
    "words",
    [
        pytest.param([*EventType], id="events"),
        pytest.param([*Status], id="statuses"),
        pytest.param([*Exceptional], id="exceptions"),
        pytest.param([*PaymentStatus], id="statuses of payments"),
        pytest.param([*RefundState], id="states of refunds"),
        pytest.param(chains.kinds(), id="kinds of chain"),
        pytest.param(resources.presets(), id="presets"),
    ],
)
def test_every_word_of_the_interface_is_in_the_readme(words: list[str]) -> None:
    assert [] == [word for word in words if str(word) not in CODED]


def test_every_event_is_made_by_some_code() -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "watcher").rglob("*.py"))

    assert [] == [each for each in EventType if f"EventType.{each.name}" not in code]


def _cell(rule: rules.Rule) -> str:
    if rule.condition is None:
        return f"`{rule.code}`"
    words = CONDITIONS[rule.condition]
    return f"{words}; else `{rule.code}`" if rule.code else words


def test_the_table_of_what_a_merchant_may_do_is_that_of_the_rules() -> None:
    lines = ["| status | accept | extend | refund | cancel |", "|---|---|---|---|---|"]
    for status, acts in rules.TABLE.items():
        lines.append(f"| `{status}` | {' | '.join(_cell(acts[act]) for act in rules.Act)} |")

    assert "\n".join(lines) in README


def test_every_command_is_in_the_readme() -> None:
    commands = sorted(_commands(typer.main.get_command(app)))
    table = README.partition("## Command line")[2].partition("\n## ")[0]

    assert [] == [command for command in commands if not re.search(rf"`{command}\b", table)]
    assert "sandbox pay" in commands


def test_every_command_of_the_readme_exists() -> None:
    known = {*_commands(typer.main.get_command(app)), "sandbox"}
    first = {command.split()[0] for command in known}
    called = re.findall(
        r"(?:bin/|^|`|-- \S+/)watcher (?:--config \S+ )?([a-z]+)(?: ([a-z]+))?", README, re.MULTILINE
    )

    unknown = [f"{one} {two}".strip() for one, two in called if one not in first]
    assert unknown == []


def test_the_routes_of_the_readme_are_those_of_the_server() -> None:
    table = README.partition("## HTTP API")[2].partition("\n### ")[0]
    rows = re.findall(r"^\| `(\w+) (/\S+)` \| (\w+) \|", table, re.MULTILINE)
    routes = {(r.method, r.path, r.scope.value if r.scope else "none") for r in ROUTES}

    assert routes == {(method, path, scope) for method, path, scope in rows}


def test_the_filters_of_invoices_are_in_the_readme() -> None:
    (route,) = (r for r in ROUTES if (r.method, r.path) == ("GET", "/v1/invoices"))

    assert [] == [name for name in route.query.model_fields if name not in CODED | {"cursor", "limit"}]


def test_the_retry_schedule_of_the_readme_is_the_one_that_is_kept() -> None:
    units = {"s": 1, "min": 60, "h": 3600}
    said = README.partition("Attempts: at once, then after ")[2].partition(", each wait")[0]
    seconds = [int(number) * units[unit] for number, unit in re.findall(r"(\d+) (\w+)", said)]

    assert [delay.total_seconds() for delay in DELAYS] == seconds


@pytest.mark.parametrize("text", _blocks("json"))
def test_every_json_body_of_the_readme_can_be_read(text: str) -> None:
    body = json.loads(text)
    if "archived_at" in body:
        assert set(StandingAddress.model_fields) == set(body)
        StandingAddress.model_validate(body)
    elif "sequence" in body:
        assert set(INVOICE.model_fields) == set(body)
        INVOICE.model_validate(body)
    elif "type" in body:
        assert EventType(body["type"]) in EventType
    else:
        (LinkDraft if "max_uses" in body else InvoiceDraft).model_validate(body)


def test_the_requests_of_the_quick_start_and_of_payers_can_be_read() -> None:
    first, opening, standing = re.findall(r"-d '(\{.*\})'", README)

    assert InvoiceDraft.model_validate(json.loads(first)).amount == "0.001"
    assert OpeningDraft.model_validate(json.loads(opening)).amount == "25"
    assert StandingDraft.model_validate(json.loads(standing)).label == "customer 7"


def test_the_readme_shows_every_field_of_a_new_invoice_and_of_a_new_endpoint() -> None:
    fields = {*InvoiceDraft.model_fields, *LinkDraft.model_fields, *OpeningDraft.model_fields}
    fields |= set(receivers.EndpointDraft.model_fields)

    assert [] == [name for name in fields if f'"{name}"' not in README and f"`{name}`" not in README]


def test_the_configuration_of_the_installation_is_accepted(tmp_path: Path) -> None:
    (text,) = _blocks("toml")
    file = tmp_path / "watcher.toml"
    file.write_text(text)
    settings = load(file, {})

    assert Path("/var/lib/deposit-watcher/watcher.db") == settings.database.path
    assert tomllib.loads(text)["webhooks"]["endpoints"][0]["secret"]["file"].startswith(
        "/var/lib/deposit-watcher/"
    )


def test_every_link_of_the_readme_leads_somewhere() -> None:
    headings = {_slug(text) for text in re.findall(r"^#+ (.+)$", README, re.MULTILINE)}
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if not link.startswith("https://")]

    wrong = [
        link
        for link in links
        if not (link[1:] in headings if link.startswith("#") else (ROOT / link).exists())
    ]
    assert wrong == []


def test_every_target_of_the_makefile_is_in_the_readme() -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert [] == [target for target in targets if f"`make {target}`" not in README]


def test_the_newest_version_of_the_changelog_is_this_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert project["version"] == re.findall(r"^## (\S+)", CHANGELOG, re.MULTILINE)[0]


def test_the_changelog_has_the_usual_sections_in_the_usual_order() -> None:
    usual = ["Security", "Removed", "Deprecated", "Added", "Changed", "Fixed"]
    for version in re.split(r"^## ", CHANGELOG, flags=re.MULTILINE)[1:]:
        sections = re.findall(r"^### (.+)$", version, re.MULTILINE)

        assert [name for name in usual if name in sections] == sections


def test_no_file_names_a_registrys_host_or_a_place_on_somebodys_machine() -> None:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("this is no checkout")
    listing = subprocess.run(
        [git, "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = []
    for name in listing.stdout.splitlines():
        path = ROOT / name
        if name in FOREIGN or not path.is_file():
            continue
        text = path.read_bytes().decode("utf-8", "ignore")
        found += [(name, word) for word in (*REGISTRIES, *PLACES.findall(text)) if word in text]

    assert found == []
