"""The `watcher` command: hands the words of the command line over and ends with the status they lead to."""

from __future__ import annotations

import sys

from watcher.cli.main import run


def main() -> None:
    """Run one command; exit status 0 done, 1 failed, 2 wrong usage or configuration."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
