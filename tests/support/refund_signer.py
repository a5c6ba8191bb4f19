"""The merchant's wallet, of a seed that all the world knows: signs what the daemon asked to be signed."""

from __future__ import annotations

from functools import cache
from typing import Any

from embit import bip32, bip39, finalizer  # type: ignore[import-untyped]
from embit.psbt import PSBT  # type: ignore[import-untyped]

from public_keys import MNEMONIC

_HARDENED = 2**31


@cache
def root() -> Any:
    return bip32.HDKey.from_seed(bip39.mnemonic_to_seed(MNEMONIC))


def origin(path: str) -> str:
    """Return `key_origin` of the account at a path such as "84h/1h/0h"."""
    return f"{root().my_fingerprint.hex()}/{path}"


def signed(psbt: str, account: str | None = None) -> str:
    """Return the raw transaction; `account` signs with that account's key alone, "84h/1h/0h"."""
    key = root() if account is None else root().derive(f"m/{account}")
    made = PSBT.from_base64(psbt)
    assert len(made.inputs) == made.sign_with(key)
    final = finalizer.finalize_psbt(made)
    assert final is not None
    return str(final)
