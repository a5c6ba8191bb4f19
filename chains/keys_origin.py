"""Where an extended public key lies below its wallet's master key, as output descriptors write it (BIP-380).

Signing devices find their keys by it: "d34db33f/84h/0h/0h" is the master key's fingerprint and the steps.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from chains import keys_bip_utils
from chains.base import AddressError
from chains.keys_encoding import base58check_decode

_FORM = re.compile(r"\[?([0-9a-fA-F]{8})((?:/[0-9]{1,10}[h'H]?)*)\]?")
_HARDENED = 2**31
_EXAMPLE = "write it as the wallet shows it, for example d34db33f/84h/0h/0h"


@dataclass(frozen=True, slots=True)
class Origin:
    """The key from which paths are counted, by its fingerprint, and the steps from there to the given key.

    `master`: it is the wallet's own root; otherwise it is the given key itself, because nobody said more.
    """

    fingerprint: bytes
    steps: tuple[int, ...]
    master: bool

    def below(self, branch: int, index: int) -> list[int]:
        """Return the numbers of the path to branch/index below the given key."""
        return [*self.steps, branch, index]

    def path(self, branch: int, index: int) -> str:
        """Return the path as text: "m/84h/0h/0h/0/5" from the root, "0/5" from the given key."""
        words = [_word(step) for step in self.below(branch, index)]
        return "/".join(["m", *words] if self.master else words)


def origin(xpub: str, text: str | None) -> Origin:
    """Return where a key with the prefix xpub lies; `text` None: it is a root itself.

    AddressError in one line where the text has not the form, or cannot be this key's.
    """
    own = keys_bip_utils.fingerprint(xpub)
    if text is None:
        return Origin(own, (), master=False)
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise AddressError(f"this is not a fingerprint and a path; {_EXAMPLE}")
    steps = tuple(_step(word) for word in found[2].split("/")[1:])
    _check_fits(base58check_decode(xpub), own, bytes.fromhex(found[1]), steps)
    return Origin(bytes.fromhex(found[1]), steps, master=True)


def _check_fits(data: bytes, own: bytes, fingerprint: bytes, steps: tuple[int, ...]) -> None:
    """Hold the path against what the key says of itself (BIP-32): depth, parent, its own number."""
    depth, parent, number = data[4], data[5:9], int.from_bytes(data[9:13])
    if depth != len(steps):
        raise AddressError(f"the key is {depth} steps below its master key, this path has {len(steps)}")
    if steps and steps[-1] != number:
        raise AddressError(f"the key's own step is {_word(number)}, this path ends with {_word(steps[-1])}")
    known = {0: own, 1: parent}.get(depth)
    if known is not None and known != fingerprint:
        raise AddressError(f"the fingerprint of the key's master key is {known.hex()}, not this one")


def _step(word: str) -> int:
    number = int(word.rstrip("h'H"))
    if number >= _HARDENED:
        raise AddressError(f"a step of a path is a number below {_HARDENED}; {_EXAMPLE}")
    return number if word[-1].isdigit() else number + _HARDENED


def _word(step: int) -> str:
    return f"{step - _HARDENED}h" if step >= _HARDENED else str(step)
