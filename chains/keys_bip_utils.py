"""The first opinion on a derived address: bip_utils. Imported when first needed (half a second).

Is given only extended public keys that `chains.keys` has already read.
"""

from __future__ import annotations

from functools import cache, lru_cache
from importlib import import_module
from typing import Any

from chains.base import AddressError
from chains.keys_networks import P2PKH, P2SH_P2WPKH, P2WPKH, Network


@cache
def _library() -> Any:
    return import_module("bip_utils")


def check(xpub: str) -> None:
    """Raise AddressError unless the key keeps the rules of BIP-32: point, depth, fingerprint, index."""
    library = _library()
    try:
        library.Bip32Slip10Secp256k1.FromExtendedKey(xpub)
    except (library.Bip32KeyError, ValueError):
        raise AddressError(
            "this is not a valid extended public key: export it again from the wallet"
        ) from None


def fingerprint(xpub: str) -> bytes:
    """Return the four bytes by which BIP-32 names a key."""
    return bytes(_library().Bip32Slip10Secp256k1.FromExtendedKey(xpub).FingerPrint().ToBytes())


@lru_cache(maxsize=64)
def _branch(xpub: str, branch: int) -> Any:
    return _library().Bip32Slip10Secp256k1.FromExtendedKey(xpub).ChildKey(branch)


def _child(xpub: str, index: int, branch: int = 0) -> Any:
    return _branch(xpub, branch).ChildKey(index).PublicKey().KeyObject()


def point(xpub: str, branch: int, index: int) -> bytes:
    """Return the 33 bytes of the public key branch/index below a key with the prefix xpub."""
    return bytes(_child(xpub, index, branch).RawCompressed().ToBytes())


def address(xpub: str, index: int, script: str, network: Network, branch: int = 0) -> str:
    """Return the address branch/index below a key with the prefix xpub."""
    library, key = _library(), _child(xpub, index, branch)
    if script == P2PKH:
        return str(library.P2PKHAddrEncoder.EncodeKey(key, net_ver=bytes((network.p2pkh,))))
    if script == P2SH_P2WPKH:
        return str(library.P2SHAddrEncoder.EncodeKey(key, net_ver=bytes((network.p2sh,))))
    if script == P2WPKH:
        return str(library.P2WPKHAddrEncoder.EncodeKey(key, hrp=network.hrp))
    return str(library.P2TRAddrEncoder.EncodeKey(key, hrp=network.hrp))


def evm_address(xpub: str, index: int) -> str:
    """Return the Ethereum address 0/index below a key with the prefix xpub, with its EIP-55 checksum."""
    return str(_library().EthAddrEncoder.EncodeKey(_child(xpub, index)))
