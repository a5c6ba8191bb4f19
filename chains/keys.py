"""Extended public keys -> addresses -> what is looked for on the chain; the checks on all three.

The one public face: what lies beside it (`keys_*.py`) is imported from here alone. Holds no private key, and
refuses one by name without repeating it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Self

from eth_utils.address import to_checksum_address

from chains import keys_bip_utils, keys_bitcoinlib
from chains.base import AddressError
from chains.keys_address import address_of, script_of
from chains.keys_encoding import base58check_decode, base58check_encode
from chains.keys_networks import (
    MULTISIG,
    NETWORKS,
    P2PKH,
    P2SH_P2WPKH,
    PRIVATE,
    XPUB,
    Network,
    Prefix,
    network,
)
from chains.keys_origin import Origin, origin
from chains.keys_private import refuse_private

__all__ = [
    "EvmPublicKey",
    "Network",
    "Origin",
    "PublicKey",
    "address_of",
    "checksum",
    "evm_key",
    "network",
    "origin",
    "refuse_private",
    "script_of",
]

_LENGTH = 78  # BIP-32: version 4, depth 1, parent 4, index 4, chain code 32, key 33
_DEEPEST = 253  # two more steps have to fit into a byte
_HARDENED = 2**31
_EVM = re.compile(r"0x[0-9a-fA-F]{40}")
_PREFIXES = {prefix.version: prefix for each in NETWORKS for prefix in each.prefixes} | {
    prefix.version: prefix for prefix in MULTISIG
}


def _read(text: str, wanted: str) -> bytes:
    """Return the 78 bytes of an extended key whose checksum is right; the text is never repeated."""
    text = text.strip()
    refuse_private(text, wanted)
    if text.endswith("…"):
        raise AddressError(f"this is still the placeholder: fill in the account's key, {wanted}")
    try:
        data = base58check_decode(text)
    except ValueError as reason:
        raise AddressError(f"this is not {wanted}, or it was mistyped: {reason}") from None
    if len(data) != _LENGTH:
        raise AddressError(f"this is not {wanted}: its length is wrong")
    if data[:4] in PRIVATE.values() or data[45] == 0:
        raise AddressError(
            f"this is an extended private key: never give it to a server; {wanted} belongs here"
        )
    return data


def _canonical(data: bytes) -> str:
    """Return the key with the prefix xpub, which both libraries read, after all checks of BIP-32."""
    if data[4] > _DEEPEST:
        raise AddressError("this extended public key lies too deep: addresses are two steps below it")
    xpub = base58check_encode(XPUB.version + data[4:])
    keys_bip_utils.check(xpub)
    return xpub


def _accepted(data: bytes, prefixes: tuple[Prefix, ...], where: str) -> Prefix:
    found = next((prefix for prefix in prefixes if prefix.version == data[:4]), None)
    if found:
        return found
    right = " or ".join(prefix.name for prefix in prefixes)
    given = _PREFIXES.get(data[:4])
    if given is None:
        raise AddressError(f"this extended public key has an unknown prefix; {where} takes {right}")
    if given in MULTISIG:
        raise AddressError(f"{given.name} is the key of a multisig wallet; {where} takes {right}")
    raise AddressError(f"{given.name} is a key of {_home(given)}; {where} takes {right}")


def _home(prefix: Prefix) -> str:
    return str(next(each for each in NETWORKS if prefix in each.prefixes))


def _agree(path: str, first: str, second: str) -> str:
    if first != second:
        raise AddressError(
            f"the two key libraries disagree about address {path} (bip_utils {first}, "
            f"bitcoinlib {second}): it is not shown to anybody; report this"
        )
    return first


def _check_index(index: int) -> None:
    if not 0 <= index < _HARDENED:
        raise AddressError(
            f"there is no address 0/{index} below a public key: indexes are 0 to {_HARDENED - 1}"
        )


def _fingerprint(data: bytes, family: str) -> str:
    return sha256(f"{family}:".encode() + data[13:]).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A checked extended public key of the Bitcoin family and the script that its addresses pay to.

    Any depth is taken: the addresses are 0/index below it. `fingerprint` says nothing about the key; keys
    that give the same addresses have the same one, whatever their prefix.
    """

    network: Network
    script: str
    fingerprint: str
    xpub: str = field(repr=False)

    @classmethod
    def parse(cls, text: str, network: Network, script: str | None = None) -> Self:
        """Read a key as a wallet exports it. `script` None: its prefix decides, xpub means p2wpkh."""
        right = " or ".join(prefix.name for prefix in network.prefixes)
        data = _read(text, f"an extended public key ({right})")
        prefix = _accepted(data, network.prefixes, str(network))
        if script is not None and script not in network.scripts:
            raise AddressError(f"{network} has no script {script}; it takes {' or '.join(network.scripts)}")
        if script and prefix.script and script != prefix.script:
            raise AddressError(
                f"{prefix.name} is a key for {prefix.script}, but script is {script}: leave script out, "
                f"or give the key of the wallet's {script} account"
            )
        chosen = script or prefix.script or network.default_script
        return cls(network, chosen, _fingerprint(data, _family(network, chosen)), _canonical(data))

    def address(self, index: int) -> str:
        """Return the canonical address 0/index, on which both libraries agree."""
        return self._address(0, index)

    def change(self, index: int) -> str:
        """Return the canonical address 1/index, of the chain on which wallets keep their change (BIP-44)."""
        return self._address(1, index)

    def point(self, branch: int, index: int) -> bytes:
        """Return the 33 bytes of the public key branch/index, which the addresses' two opinions cover."""
        _check_index(index)
        return keys_bip_utils.point(self.xpub, branch, index)

    def _address(self, branch: int, index: int) -> str:
        _check_index(index)
        asked = (self.xpub, index, self.script, self.network, branch)
        return _agree(f"{branch}/{index}", keys_bip_utils.address(*asked), keys_bitcoinlib.address(*asked))


def _family(network: Network, script: str) -> str:
    """Name all networks on which the same key gives the same addresses."""
    marks = {P2PKH: network.p2pkh, P2SH_P2WPKH: network.p2sh}
    return f"{script}:{marks.get(script, network.hrp)}"


@dataclass(frozen=True, slots=True)
class EvmPublicKey:
    """A checked extended public key of the Ethereum family; every chain of it gives the same addresses."""

    fingerprint: str
    xpub: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a key as a wallet exports it."""
        data = _read(text, "an extended public key (xpub)")
        _accepted(data, (XPUB,), "an Ethereum-like chain")
        return cls(_fingerprint(data, "evm"), _canonical(data))

    def address(self, index: int) -> str:
        """Return the address 0/index in EIP-55 form, on which both libraries agree."""
        _check_index(index)
        first = keys_bip_utils.evm_address(self.xpub, index)
        return _agree(f"0/{index}", first, keys_bitcoinlib.evm_address(self.xpub, index))


def checksum(address: str) -> str:
    """Return an Ethereum address in its one form (EIP-55); AddressError if it is broken or mistyped."""
    wanted = "an Ethereum address (0x and 40 hex digits)"
    if not _EVM.fullmatch(address):
        refuse_private(address, wanted)
        raise AddressError(f"this is not {wanted}")
    right = str(to_checksum_address(address.lower()))
    if address not in (right, address.lower()) and address[2:] != address[2:].upper():
        raise AddressError(
            "this Ethereum address was mistyped: its capital letters (EIP-55) do not fit; copy it again"
        )
    return right


def evm_key(address: str) -> bytes:
    """Return the 20 bytes by which an Ethereum address is found on the chain."""
    return bytes.fromhex(checksum(address)[2:])
