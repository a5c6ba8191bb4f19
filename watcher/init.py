"""What `watcher init` writes: the commented configuration for the chains that the user names.

Pure but for reading the shipped example and presets: both stay the only place where defaults are written.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from watcher import resources
from watcher.settings_chains import preset
from watcher.settings_errors import SettingsError, guess

if TYPE_CHECKING:
    from collections.abc import Sequence

_RECEIVERS = "# --- Receivers"
_CHAINS = "# --- Chains"


def render(chains: Sequence[str]) -> str:
    """Return a configuration for the named presets, complete once the node and the key of each are filled in.

    Raises SettingsError, one line that lists what exists, for a name that is no preset.
    """
    known = resources.presets()
    if not chains:
        raise SettingsError(f"no chain is named; name one or more of: {', '.join(known)}")
    for name in chains:
        if name not in known:
            raise SettingsError(f'there is no preset "{name}"; {guess(name, known)}')
    return "\n".join([_general(), _receivers(), *(_chain(name) for name in dict.fromkeys(chains))])


def _example() -> str:
    return (resources.config_dir() / "watcher.toml").read_text(encoding="utf-8")


def _general() -> str:
    text = _example().partition(_RECEIVERS)[0]
    return text.replace("every setting there is, with its default", "the configuration, with its defaults")


def _receivers() -> str:
    """Return the example of a receiver, commented out: nobody's shop is at its address."""
    text = _example().partition(_RECEIVERS)[2].partition(_CHAINS)[0]
    return re.sub(r"^(?=[a-z\[])", "#", f"{_RECEIVERS}{text}", flags=re.MULTILINE)


def _chain(name: str) -> str:
    """Return a chain's table: what to fill in, then what the preset says and can be changed here."""
    head, _, keys = resources.preset_file(name).read_text(encoding="utf-8").partition("\nkind = ")
    title, *fill_in = head.splitlines()
    lines = [
        title,
        f"[chains.{name}]",
        f'preset = "{name}"',
        *(line.removeprefix("#") for line in fill_in),
        *_confirmations(keys),
        *_tokens(name),
    ]
    return "\n".join([*lines, ""])


def _confirmations(keys: str) -> list[str]:
    """Return the preset's rule with its reason, commented out."""
    before, _, after = keys.partition("\nconfirmations = ")
    reason: list[str] = []
    for line in reversed(before.splitlines()):
        if not line.startswith("#"):
            break
        reason.insert(0, line)
    return [*reason, f"#confirmations = {after.splitlines()[0]}"]


def _tokens(name: str) -> list[str]:
    symbols = [asset["symbol"] for asset in preset(name).get("assets", [])]
    if not symbols:
        return []
    return [
        f"# Watched beside the chain's own coin: {', '.join(symbols)}. Another token:",
        f"#[[chains.{name}.assets]]",
        '#symbol = "NAME"',
        '#contract = "0x…"',
        "#decimals = 18",
    ]
