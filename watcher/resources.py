"""Where the data files lie that ship with the program: in the checkout or in the installed package."""

from __future__ import annotations

from pathlib import Path


def config_dir() -> Path:
    """Return the folder that holds `watcher.toml`, `chains/` and `mail/`."""
    package = Path(__file__).resolve().parent
    installed = package / "_config"
    return installed if installed.is_dir() else package.parent / "config"


def mail_dir() -> Path:
    """Return the folder that holds the texts of mails."""
    return config_dir() / "mail"


def presets() -> list[str]:
    """Return the names of all presets, sorted."""
    return sorted(file.stem for file in (config_dir() / "chains").glob("*.toml"))


def preset_file(name: str) -> Path:
    """Return the file of a preset that `presets` names."""
    return config_dir() / "chains" / f"{name}.toml"
