"""Pieces of configuration files for tests. The canary stands where a password does: it may appear nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from public_keys import account
from watcher.settings import SettingsError, load

if TYPE_CHECKING:
    from pathlib import Path

XPUB = account("84'/0'/0'")
TPUB = account("84'/1'/0'", test=True)
CANARY = "c4n4ry-Xk9"
WHSEC = f"whsec_{'A' * 40}"
BITCOIN = (
    f'[chains.bitcoin]\npreset = "bitcoin"\nrpc = ["http://user:{CANARY}@127.0.0.1:8332"]\nxpub = "{XPUB}"\n'
)
ETHEREUM = f'[chains.ethereum]\npreset = "ethereum"\nrpc = ["http://127.0.0.1:8545"]\nxpub = "{XPUB}"\n'
ENDPOINT = "[[webhooks.endpoints]]\n"


def refused(file: Path, text: str, **environ: str) -> str:
    """Return what the user is told, without the path of the file; always one line without a secret."""
    file.write_text(text)
    with pytest.raises(SettingsError) as error:
        load(file, environ)
    message = str(error.value)
    assert "\n" not in message
    assert CANARY not in message
    return message.replace(str(file), "watcher.toml")
