"""Debian's Chromium, which the browser tests drive: finds it, and installs the package where it may.

`make test` runs this file. It is a need of the tests, never of the daemon.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from watcher.sandbox.install import Missing, chosen, ensure_package, files_of, package_line

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking")
NAMES = ("chromium", "chromium-browser", "google-chrome")


def find() -> Path | Missing:
    """Look at $CHROMIUM, the Debian package and the PATH, in this order.

    The package's program comes before the script of its name, which complains on the terminal.
    """
    if named := os.environ.get("CHROMIUM"):
        return chosen("chromium", "CHROMIUM", named)
    for path in files_of("chromium"):
        if path.match("lib/chromium/chromium") and path.is_file():
            return path
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return Path(found) if found else Missing("chromium", package_line("chromium"))


def main() -> int:
    """Say where it is; 1 and the line that installs it when it cannot be had."""
    found = ensure_package(_say, "chromium", find)
    _say(str(found) if isinstance(found, Missing) else f"chromium: {found}")
    return int(isinstance(found, Missing))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
