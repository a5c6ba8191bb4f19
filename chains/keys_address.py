"""Addresses <-> output scripts of the Bitcoin family, one address for each script.

Knows no keys. What it refuses it names without repeating it: it may be a private key in the wrong place.
"""

from __future__ import annotations

from chains.base import AddressError
from chains.keys_encoding import base58check_decode, base58check_encode, witness_decode, witness_encode
from chains.keys_networks import NETWORKS, Network, named
from chains.keys_private import refuse_private

_HRPS = {each.hrp for each in NETWORKS if each.hrp}
_MWEB = {each.mweb for each in NETWORKS if each.mweb}
_P2PKH = (b"\x76\xa9\x14", b"\x88\xac")  # OP_DUP OP_HASH160 <20 bytes> OP_EQUALVERIFY OP_CHECKSIG
_P2SH = (b"\xa9\x14", b"\x87")  # OP_HASH160 <20 bytes> OP_EQUAL
_HASH = 20
_OP_1 = 0x51


def script_of(address: str, network: Network) -> bytes:
    """Return the output script (scriptPubKey); AddressError on a broken address or another network's."""
    hrp = address.rpartition("1")[0].lower()
    if hrp in _MWEB:
        raise AddressError(
            f"this is a MWEB address, which hides what it receives: give one that begins {network.forms}"
        )
    try:
        return _witness_script(address, network) if hrp in _HRPS else _hash_script(address, network)
    except AddressError:
        raise
    except ValueError as reason:
        wanted = f"an address of {network} ({network.forms})"
        refuse_private(address, wanted)
        raise AddressError(f"this is not {wanted}: {reason}") from None


def _witness_script(address: str, network: Network) -> bytes:
    hrp, version, program = witness_decode(address)
    if hrp != network.hrp:
        raise _elsewhere([each for each in NETWORKS if each.hrp == hrp], network)
    return bytes((version and _OP_1 - 1 + version, len(program))) + program


def _hash_script(address: str, network: Network) -> bytes:
    data = base58check_decode(address)
    if len(data) != 1 + _HASH:
        raise ValueError("its length is wrong")
    version = data[0]
    if version == network.p2pkh:
        return data[1:].join(_P2PKH)
    if version in (network.p2sh, network.p2sh_old):
        return data[1:].join(_P2SH)
    others = [each for each in NETWORKS if version in (each.p2pkh, each.p2sh, each.p2sh_old)]
    if not others:
        raise ValueError("it belongs to an unknown coin")
    raise _elsewhere(others, network)


def _elsewhere(others: list[Network], network: Network) -> AddressError:
    """Say where the address belongs; networks of the same coin are the likelier mistake."""
    same = [each for each in others if each.coin == network.coin]
    return AddressError(
        f"this is an address of {named(same or others)}, but the chain is {network}: give one that begins "
        f"{network.forms}"
    )


def address_of(script: bytes, network: Network) -> str | None:
    """Return the one canonical address of a standard output script, None if it has none."""
    for version, (before, after) in ((network.p2pkh, _P2PKH), (network.p2sh, _P2SH)):
        if (
            len(script) == len(before) + _HASH + len(after)
            and script.startswith(before)
            and script.endswith(after)
        ):
            return base58check_encode(bytes((version,)) + script[len(before) : -len(after)])
    witness = _witness(script)
    return witness_encode(network.hrp, *witness) if network.hrp and witness else None


def _witness(script: bytes) -> tuple[int, bytes] | None:
    """Return version and program of a witness output (BIP-141)."""
    if not 4 <= len(script) <= 42 or script[1] != len(script) - 2:  # noqa: PLR2004 - BIP-141
        return None
    if script[0] == 0:
        return (0, script[2:]) if script[1] in (20, 32) else None
    version = script[0] - _OP_1 + 1
    return (version, script[2:]) if 1 <= version <= 16 else None  # noqa: PLR2004 - BIP-141
