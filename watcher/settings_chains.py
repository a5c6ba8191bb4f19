"""The chains of the configuration: each preset with the user's keys on top, checked by its kind.

Names no chain and no kind: both come from the files.
"""

from __future__ import annotations

import re
import tomllib
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

import chains
from watcher import resources
from watcher.settings_errors import guess

if TYPE_CHECKING:
    from chains.config import ChainConfig
    from watcher.settings_errors import Faults, Loc

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")

Table = dict[str, Any]


def read(tables: Any, faults: Faults) -> dict[str, ChainConfig]:
    """Return the chains that are right; everything else goes to `faults`."""
    if not isinstance(tables, dict):
        faults.add(("chains",), "is not a table; write [chains.NAME] for each chain")
        return {}
    found = {name: _chain(name, table, faults) for name, table in tables.items()}
    return {name: chain for name, chain in found.items() if chain}


def preset(name: str) -> Table:
    """Return the keys of a preset; ValueError, in one line, when there is none of that name."""
    known = resources.presets()
    if name not in known:
        raise ValueError(f"there is no such preset; {guess(name, known)}")
    return tomllib.loads(resources.preset_file(name).read_text(encoding="utf-8"))


def merge(base: Table, own: Table) -> Table:
    """Return a preset's keys with the user's on top.

    Tables are merged key by key; assets by their symbol, so that one token can be added or one key of it
    changed; every other list is replaced.
    """
    merged = base | own
    for key, value in own.items():
        if key == "assets" and _are_assets(value) and _are_assets(base.get(key)):
            merged[key] = _merged_assets(base[key], value)
        elif isinstance(value, dict) and isinstance(base.get(key), dict):
            merged[key] = merge(base[key], value)
    return merged


def _are_assets(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _merged_assets(base: list[Table], own: list[Table]) -> list[Table]:
    theirs = {asset["symbol"]: asset for asset in base}
    ours = [theirs.get(asset.get("symbol", ""), {}) | asset for asset in own]
    named = {asset.get("symbol") for asset in ours}
    return [asset for asset in base if asset["symbol"] not in named] + ours


def _chain(name: str, table: Any, faults: Faults) -> ChainConfig | None:
    loc: Loc = ("chains", name)
    if not _NAME.fullmatch(name):
        faults.add(loc, "is no name for a chain; write up to 32 of a to z, 0 to 9, _ and -")
    elif not isinstance(table, dict):
        faults.add(loc, "is not a table; write [chains.NAME] and its keys below")
    elif (keys := _with_preset(table, loc, faults)) is not None:
        return _checked(keys, loc, faults)
    return None


def _with_preset(table: Table, loc: Loc, faults: Faults) -> Table | None:
    own = dict(table)
    name = own.pop("preset", None)
    if name is None:
        return own
    try:
        return merge(preset(str(name)), own)
    except ValueError as error:
        faults.add((*loc, "preset"), str(error))
        return None


def _checked(keys: Table, loc: Loc, faults: Faults) -> ChainConfig | None:
    kind = keys.get("kind")
    if kind not in chains.kinds():
        misspelt = get_close_matches("preset", keys, n=1, cutoff=0.7)
        if misspelt:
            faults.add((*loc, misspelt[0]), 'unknown key; did you mean "preset"?')
            return None
        wrong = "is missing" if kind is None else "is not a known value"
        known = ", ".join(f'"{known}"' for known in chains.kinds())
        faults.add((*loc, "kind"), f"{wrong}; write one of {known}, or name a preset")
        return None
    model: type[ChainConfig] = chains.load(kind).Config
    try:
        return model.model_validate(keys)
    except ValidationError as error:
        faults.add_all(error, model, at=loc)
        return None
