"""Finds the test nodes on this machine and installs what it may: anvil by npm, litecoind by apt.

Knows package managers, never the chains. Nothing here is needed to run the daemon.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ANVIL_VERSION = "1.7.1"
_ANVIL_IN_NODES = Path("node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil")
_NPM_FLAGS = ("--ignore-scripts", "--no-audit", "--no-fund")
_CHECKOUT = Path(__file__).parents[2]
_INSTALL_WITHIN = 900.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Missing:
    """A node that is not here; `line` is what a person types to change that."""

    name: str
    line: str

    def __str__(self) -> str:
        return f"{self.name} is missing. To have it: {self.line}"


def nodes_dir() -> Path:
    """Return where npm puts nodes: in the checkout, or in the user's cache when installed as a package."""
    if (_CHECKOUT / "pyproject.toml").is_file():
        return _CHECKOUT / ".nodes"
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "deposit-watcher" / "nodes"


def find_anvil() -> Path | Missing:
    """Look at $ANVIL, the PATH and the nodes folder, in this order."""
    if named := os.environ.get("ANVIL"):
        return chosen("anvil", "ANVIL", named)
    if found := shutil.which("anvil"):
        return Path(found)
    installed = nodes_dir() / _ANVIL_IN_NODES
    if installed.is_file():
        return installed
    if platform.machine() not in ("x86_64", "AMD64"):
        return Missing("anvil", "build it from Foundry's source, then export ANVIL=/path/to/anvil")
    package = f"@foundry-rs/anvil-linux-amd64@{ANVIL_VERSION}"
    return Missing("anvil", f"npm install {' '.join(_NPM_FLAGS)} --prefix {nodes_dir()} {package}")


def find_litecoind() -> Path | Missing:
    """Look at $LITECOIND, the Debian package and the PATH, in this order; never take a wrapper script."""
    if named := os.environ.get("LITECOIND"):
        return chosen("litecoind", "LITECOIND", named)
    candidates = [path for path in files_of("litecoind") if path.match("lib/litecoin/litecoind")]
    candidates += [Path(found) for found in [shutil.which("litecoind")] if found]
    for path in candidates:
        if path.is_file() and not is_script(path):
            return path
    return Missing("litecoind", package_line("litecoind"))


def ensure_anvil(say: Say) -> Path | Missing:
    """Find anvil, or install the pinned version with npm; the lock file's hash is checked by npm."""
    found = find_anvil()
    if isinstance(found, Path) or platform.machine() not in ("x86_64", "AMD64"):
        return found
    if not (npm := shutil.which("npm")):
        return Missing("anvil", "apt-get install npm, then this again")
    target = nodes_dir()
    target.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(_pins() / name, target / name)
    _run(say, "installing anvil with npm", [npm, "ci", *_NPM_FLAGS, "--prefix", str(target)])
    return find_anvil()


def ensure_litecoind(say: Say) -> Path | Missing:
    """Find litecoind, or install Debian's package where this user may."""
    return ensure_package(say, "litecoind", find_litecoind)


def ensure_package(say: Say, package: str, find: Callable[[], Path | Missing]) -> Path | Missing:
    """Find a program, or install the Debian package that holds it where this user may."""
    found = find()
    if isinstance(found, Path) or not (apt := shutil.which("apt-get")):
        return found
    root = _as_root()
    if root is None:
        return found
    _run(say, "refreshing the package lists", [*root, apt, "update", "-q"])
    command = [*root, "env", "DEBIAN_FRONTEND=noninteractive", apt, "install", "-y", "-q"]
    _run(say, f"installing {package} with apt", [*command, "--no-install-recommends", package])
    return find()


def package_line(package: str) -> str:
    """Return what a person types to install a Debian package."""
    sudo = "" if os.geteuid() == 0 else "sudo "
    return f"{sudo}apt-get install --no-install-recommends {package}"


def main(arguments: list[str] | None = None) -> int:
    """Install what is missing and say what is there; 1 when --require is given and a node is not there."""
    parser = argparse.ArgumentParser(prog="python -m watcher.sandbox.install", description=__doc__)
    parser.add_argument("--require", action="store_true", help="fail when a node cannot be had")
    required = parser.parse_args(arguments).require
    missing = 0
    for node in (ensure_anvil(_print), ensure_litecoind(_print)):
        missing += isinstance(node, Missing)
        _print(str(node) if isinstance(node, Missing) else f"{node.name}: {node}")
    return int(required and missing > 0)


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def chosen(name: str, variable: str, value: str) -> Path | Missing:
    """Return the program that an environment variable names."""
    path = Path(value)
    if path.is_file() and os.access(path, os.X_OK):
        return path
    return Missing(name, f"let {variable} name a program (it is {value}), or unset it")


def _pins() -> Path:
    """Return the folder of the pinned versions: beside the code in a checkout, inside it when installed."""
    checkout = _CHECKOUT / "config" / "nodes"
    return checkout if checkout.is_dir() else Path(__file__).parents[1] / "_config" / "nodes"


def files_of(package: str) -> list[Path]:
    """Return the files of an installed Debian package."""
    if not (dpkg := shutil.which("dpkg")):
        return []
    listing = subprocess.run([dpkg, "-L", package], capture_output=True, text=True, check=False)  # noqa: S603
    return [Path(line) for line in listing.stdout.splitlines()]


def is_script(path: Path) -> bool:
    """Whether a program is a script: Debian wraps some programs in one that writes into the home folder."""
    with path.open("rb") as file:
        return file.read(2) == b"#!"


def _as_root() -> list[str] | None:
    """Return the prefix that makes a command run as root, None when that needs a password."""
    if os.geteuid() == 0:
        return []
    if not (sudo := shutil.which("sudo")):
        return None
    allowed = subprocess.run([sudo, "-n", "true"], capture_output=True, check=False)  # noqa: S603
    return [sudo, "-n"] if allowed.returncode == 0 else None


def _run(say: Say, what: str, command: list[str]) -> None:
    """Run an installer; its words are shown only when it fails, and finding the node decides the rest."""
    say(f"{what} ...")
    try:
        done = subprocess.run(  # noqa: S603 - fixed words, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_INSTALL_WITHIN,
            check=False,
        )
    except subprocess.TimeoutExpired:
        say(f"{what}: no end within {_INSTALL_WITHIN:.0f} s, given up")
        return
    if done.returncode != 0:
        say(f"{what} failed:\n{done.stdout.strip()[-2000:]}")


if __name__ == "__main__":
    sys.exit(main())
