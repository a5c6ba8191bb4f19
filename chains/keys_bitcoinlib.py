"""The second opinion on a derived address: bitcoinlib, fenced.

Four places of it are unsafe and are not used: it reads an extended key without its checksum (`chains.keys`
checks that first), derives hardened steps as if they were not (only checked indexes reach it), makes wrong
taproot addresses (the tweak of BIP-341 is applied here) and wrong scripts for witness versions above 1
(`chains.keys_address` has its own). Importing it writes into the home directory: `load` prevents that.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import warnings
from contextlib import contextmanager
from functools import cache, lru_cache
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from chains.base import AddressError
from chains.keys_networks import P2PKH, P2SH_P2WPKH, P2WPKH, Network

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIELD = 2**256 - 2**32 - 977
_TAG = sha256(b"TapTweak").digest()
_loading = Lock()


@contextmanager
def _folder_of_its_own() -> Iterator[None]:
    """Give bitcoinlib a private folder (mode 0700) for the time of its import: it needs none afterwards."""
    before = os.environ.get("BCL_DATA_DIR")
    package = find_spec("bitcoinlib")
    if package is None or package.origin is None:
        raise AddressError("the package bitcoinlib is not installed: install deposit-watcher again")
    with tempfile.TemporaryDirectory(prefix="deposit-watcher-") as folder:
        Path(folder, "install.log").touch()
        Path(folder, "database").mkdir()
        Path(folder, "config.ini").write_text("[logs]\nenable_bitcoinlib_logging=false\n", encoding="ascii")
        shutil.copy(Path(package.origin).parent / "data" / "networks.json", folder)
        os.environ["BCL_DATA_DIR"] = folder
        try:
            yield
        finally:
            del os.environ["BCL_DATA_DIR"]
            if before is not None:
                os.environ["BCL_DATA_DIR"] = before


def load() -> Any:
    """Import bitcoinlib (about a second the first time) without a trace in the home directory."""
    with _loading:  # addresses are derived in threads, and the first two may come at once
        return _load()


@cache
def _load() -> Any:
    try:
        with warnings.catch_warnings(), _folder_of_its_own():
            warnings.simplefilter("ignore")  # it leaves files open
            library = import_module("bitcoinlib")
    except OSError as error:
        raise AddressError(f"the package bitcoinlib cannot start: {error}") from error
    logging.getLogger("bitcoinlib").setLevel(logging.CRITICAL)  # it logs what it was given
    return library


@lru_cache(maxsize=64)
def _branch(xpub: str, branch: int) -> Any:
    return load().keys.HDKey.from_wif(xpub, network="bitcoin").child_public(branch)


def _child(xpub: str, index: int, branch: int = 0) -> Any:
    return _branch(xpub, branch).child_public(index)


def _taproot(key: Any) -> bytes:
    """Return the output key of a key without scripts (BIP-341, BIP-86): lift_x(x) + hash(x) * G."""
    x, y = key.public_point()
    y = y if y % 2 == 0 else _FIELD - y
    tweak = int.from_bytes(sha256(_TAG + _TAG + x.to_bytes(32)).digest())
    keys = load().keys
    tx, ty = keys.ec_point_multiplication((keys.secp256k1_Gx, keys.secp256k1_Gy), tweak)
    slope = (ty - y) * pow(tx - x, -1, _FIELD) % _FIELD
    return int((slope * slope - x - tx) % _FIELD).to_bytes(32)


def address(xpub: str, index: int, script: str, network: Network, branch: int = 0) -> str:
    """Return the address branch/index below a key with the prefix xpub."""
    encoding, key = load().encoding, _child(xpub, index, branch)
    if script == P2PKH:
        return str(encoding.pubkeyhash_to_addr_base58(key.hash160, bytes((network.p2pkh,))))
    if script == P2SH_P2WPKH:
        nested = encoding.hash160(b"\x00\x14" + key.hash160)
        return str(encoding.pubkeyhash_to_addr_base58(nested, bytes((network.p2sh,))))
    if script == P2WPKH:
        return str(encoding.pubkeyhash_to_addr_bech32(key.hash160, network.hrp))
    return str(encoding.pubkeyhash_to_addr_bech32(_taproot(key), network.hrp, witver=1))


def evm_address(xpub: str, index: int) -> str:
    """Return the Ethereum address 0/index below a key with the prefix xpub, with its EIP-55 checksum."""
    x, y = _child(xpub, index).public_point()
    return str(to_checksum_address(keccak(x.to_bytes(32) + y.to_bytes(32))[-20:]))
