"""Extended public keys of a seed that all the world knows; nobody may ever send real money to them.

The seed is that of the BIP-84 vectors: "abandon" eleven times, then "about".
"""

from __future__ import annotations

from functools import cache

from bip_utils import (  # type: ignore[import-untyped]
    Bip32KeyNetVersions,
    Bip32Slip10Secp256k1,
    Bip39SeedGenerator,
)

MNEMONIC = "abandon " * 11 + "about"
_TPUB = Bip32KeyNetVersions(bytes.fromhex("043587cf"), bytes.fromhex("04358394"))


@cache
def account(path: str, *, test: bool = False) -> str:
    """Return the public key at a hardened path such as m/84'/0'/0', as xpub or, for test networks, tpub."""
    seed = Bip39SeedGenerator(MNEMONIC).Generate()
    root = Bip32Slip10Secp256k1.FromSeed(seed, _TPUB) if test else Bip32Slip10Secp256k1.FromSeed(seed)
    return str(root.DerivePath(path).PublicKey().ToExtended())
