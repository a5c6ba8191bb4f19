"""Finding and installing the test nodes, with package managers that only pretend."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import chromium
from watcher.sandbox import install
from watcher.sandbox.install import Missing

ROOT = Path(__file__).parents[2]
PINS = ROOT / "config" / "nodes"


class Machine:
    """A machine with an empty PATH, an empty nodes folder and no node anywhere."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.nodes = folder / "nodes"
        self.calls = folder / "calls"
        self.bin.mkdir()
        self.said: list[str] = []

    def program(self, name: str, script: str) -> Path:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    def binary(self, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\x7fELF")
        path.chmod(0o755)
        return path


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(tmp_path)
    for variable in ("ANVIL", "LITECOIND", "CHROMIUM"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PATH", str(machine.bin))
    monkeypatch.setattr(install, "nodes_dir", lambda: machine.nodes)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return machine


def test_what_is_missing_is_named_with_the_line_that_installs_it(machine: Machine) -> None:
    anvil, litecoind = install.find_anvil(), install.find_litecoind()

    assert (
        "anvil is missing. To have it: npm install --ignore-scripts --no-audit --no-fund"
        f" --prefix {machine.nodes} @foundry-rs/anvil-linux-amd64@1.7.1"
    ) == str(anvil)
    assert ("litecoind is missing. To have it: apt-get install --no-install-recommends litecoind") == str(
        litecoind
    )


def test_a_user_is_told_to_use_sudo(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    assert "sudo apt-get install" in str(install.ensure_litecoind(machine.said.append))


def test_a_machine_for_which_npm_has_no_anvil_is_told_so(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    machine.program("npm", "exit 1")

    assert "ANVIL=/path/to/anvil" in str(install.ensure_anvil(machine.said.append))
    assert [] == machine.said


@pytest.mark.parametrize(
    ("name", "variable"), [("anvil", "ANVIL"), ("litecoind", "LITECOIND"), ("chromium", "CHROMIUM")]
)
def test_a_named_program_comes_first_and_must_exist(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, name: str, variable: str
) -> None:
    find = {
        "anvil": install.find_anvil,
        "litecoind": install.find_litecoind,
        "chromium": chromium.find,
    }[name]
    machine.binary(machine.bin / name)
    named = machine.binary(machine.bin / "my-own")
    monkeypatch.setenv(variable, str(named))

    assert named == find()
    monkeypatch.setenv(variable, "/nowhere")
    assert Missing(name, f"let {variable} name a program (it is /nowhere), or unset it") == find()


def test_the_wrapper_of_litecoind_is_never_taken(machine: Machine) -> None:
    machine.program("litecoind", "echo the wrapper that writes into the home folder")

    assert isinstance(install.find_litecoind(), Missing)


def test_the_real_litecoind_is_found_through_its_package(machine: Machine, tmp_path: Path) -> None:
    real = machine.binary(tmp_path / "usr" / "lib" / "litecoin" / "litecoind")
    wrapper = machine.program("litecoind", "echo the wrapper")
    machine.program("dpkg", f"echo {wrapper}; echo {tmp_path}/usr/lib/litecoin; echo {real}")

    assert real == install.find_litecoind()


def test_chromium_itself_is_taken_rather_than_its_script(machine: Machine, tmp_path: Path) -> None:
    script = machine.program("chromium", "echo the script that complains")

    assert script == chromium.find()
    real = machine.binary(tmp_path / "usr" / "lib" / "chromium" / "chromium")
    machine.program("dpkg", f"echo {script}; echo {tmp_path}/usr/lib/chromium; echo {real}")
    assert real == chromium.find()


def test_without_chromium_the_command_fails_with_the_line_that_installs_it(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not list(machine.bin.iterdir())
    assert 1 == chromium.main()
    assert "chromium is missing. To have it: apt-get install --no-install-recommends chromium\n" == (
        capsys.readouterr().out
    )


def test_anvil_is_installed_from_the_pins_without_running_scripts(machine: Machine) -> None:
    target = machine.nodes / install._ANVIL_IN_NODES
    make = f"mkdir -p {target.parent} && : > {target}"
    machine.program("npm", f"PATH=/usr/bin:/bin; echo $* > {machine.calls}; {make}")

    assert target == install.ensure_anvil(machine.said.append)
    assert ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(machine.nodes)] == (
        machine.calls.read_text().split()
    )
    for name in ("package.json", "package-lock.json"):
        assert (PINS / name).read_text() == (machine.nodes / name).read_text()


def test_an_installer_that_fails_is_quoted_and_the_node_stays_missing(machine: Machine) -> None:
    machine.program("npm", "echo no network here; exit 1")

    assert isinstance(install.ensure_anvil(machine.said.append), Missing)
    assert "installing anvil with npm failed:\nno network here" == machine.said[-1]


def test_litecoind_is_installed_after_the_lists_are_refreshed(machine: Machine, tmp_path: Path) -> None:
    real = tmp_path / "usr" / "lib" / "litecoin" / "litecoind"
    machine.program("env", 'export PATH=/usr/bin:/bin; exec /usr/bin/env "$@"')
    installed = f"case $1 in install) mkdir -p {real.parent} && : > {real};; esac"
    machine.program("apt-get", f"PATH=/usr/bin:/bin; echo $* >> {machine.calls}; {installed}")
    machine.program("dpkg", f"echo {real}")

    assert real == install.ensure_litecoind(machine.said.append)
    assert ["update -q", "install -y -q --no-install-recommends litecoind"] == (
        machine.calls.read_text().splitlines()
    )


def test_sudo_that_asks_for_a_password_installs_nothing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    machine.program("sudo", "exit 1")
    machine.program("apt-get", f": > {machine.calls}")

    assert isinstance(install.ensure_litecoind(machine.said.append), Missing)
    assert not machine.calls.exists()


@pytest.mark.parametrize(("arguments", "status"), [([], 0), (["--require"], 1)])
def test_only_a_required_node_makes_the_command_fail(
    machine: Machine, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int
) -> None:
    assert status == install.main(arguments)
    assert ["anvil is missing.", "litecoind is missing."] == [
        line.split(" To have it")[0] for line in capsys.readouterr().out.splitlines()
    ]
    assert not machine.nodes.exists()


def test_the_pins_agree_and_carry_hashes_and_no_host() -> None:
    wanted = json.loads((PINS / "package.json").read_text())["dependencies"]
    locked = json.loads((PINS / "package-lock.json").read_text())["packages"]
    nodes = {name.removeprefix("node_modules/"): node for name, node in locked.items() if name}

    assert {"@foundry-rs/anvil-linux-amd64": install.ANVIL_VERSION} == wanted
    assert wanted == {name: node["version"] for name, node in nodes.items()}
    assert all(node["integrity"].startswith("sha512-") for node in nodes.values())
    assert "://" not in (PINS / "package-lock.json").read_text()
    assert "://" not in (ROOT / "requirements.lock").read_text()


def test_a_checkout_keeps_its_nodes_and_a_package_uses_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ROOT / ".nodes" == install.nodes_dir()
    monkeypatch.setattr(install, "_CHECKOUT", tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert tmp_path / "cache" / "deposit-watcher" / "nodes" == install.nodes_dir()
