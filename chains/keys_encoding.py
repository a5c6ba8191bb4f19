"""The two text encodings with a checksum: base58check, and bech32 (BIP-173) with bech32m (BIP-350).

Ours and short, because a million addresses are read at start; the key libraries check it in the tests.
A ValueError gives the reason in a few words and never repeats the text.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256

BECH32 = 1
BECH32M = 0x2BC830A3

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE58_VALUES = {character: value for value, character in enumerate(_BASE58)}
_BASE58_LONGEST = 120  # an extended key has 111 characters, and the time grows with the square
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_VALUES = {character: value for value, character in enumerate(_BECH32)}
_BECH32_LONGEST = 90
_BECH32_TO_BASE32 = str.maketrans(_BECH32, "0123456789abcdefghijklmnopqrstuv")
_CHECK = 6  # characters of a bech32 checksum


def _step(top: int) -> int:
    """Return what the five bits that leave the bech32 checksum add to it."""
    generator = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
    step = 0
    for bit, term in enumerate(generator):
        step ^= term if top >> bit & 1 else 0
    return step


_STEPS = tuple(_step(top) for top in range(32))


def _sum256(data: bytes) -> bytes:
    return sha256(sha256(data).digest()).digest()[:4]


def base58check_decode(text: str) -> bytes:
    """Return the bytes without their checksum."""
    if len(text) > _BASE58_LONGEST:
        raise ValueError("it is too long")
    number = 0
    try:
        for character in text:
            number = number * 58 + _BASE58_VALUES[character]
    except KeyError:
        raise ValueError("it has a character that base58 does not use") from None
    zeros = len(text) - len(text.lstrip("1"))
    data = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8)
    if len(data) <= 4 or _sum256(data[:-4]) != data[-4:]:  # noqa: PLR2004 - bytes of a checksum
        raise ValueError("its checksum is wrong")
    return data[:-4]


def base58check_encode(data: bytes) -> str:
    """Return the bytes with their checksum as text."""
    data += _sum256(data)
    number = int.from_bytes(data)
    digits = []
    while number:
        number, digit = divmod(number, 58)
        digits.append(_BASE58[digit])
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + "".join(reversed(digits))


def _checksum(state: int, values: list[int]) -> int:
    for value in values:
        state = (state & 0x1FFFFFF) << 5 ^ value ^ _STEPS[state >> 25]
    return state


@lru_cache(maxsize=64)
def _start(hrp: str) -> int:
    return _checksum(1, [ord(c) >> 5 for c in hrp] + [0] + [ord(c) & 31 for c in hrp])


def bech32_decode(text: str) -> tuple[str, str, int]:
    """Return the human-readable part, the data without its checksum (lower case), and the checksum's kind."""
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("it has a character that bech32 does not use")
    lower = text.lower()
    if text not in (lower, text.upper()):
        raise ValueError("it mixes upper and lower case")
    hrp, separator, data = lower.rpartition("1")
    if not (hrp and separator) or len(data) < _CHECK or len(text) > _BECH32_LONGEST:
        raise ValueError("its length is wrong")
    try:
        values = [_BECH32_VALUES[character] for character in data]
    except KeyError:
        raise ValueError("it has a character that bech32 does not use") from None
    kind = _checksum(_start(hrp), values)
    if kind not in (BECH32, BECH32M):
        raise ValueError("its checksum is wrong")
    return hrp, data[:-_CHECK], kind


def witness_decode(text: str) -> tuple[str, int, bytes]:
    """Return the human-readable part, the version and the program of a segregated witness address."""
    hrp, data, kind = bech32_decode(text)
    version = _BECH32_VALUES[data[0]] if data else 17
    if version > 16:  # noqa: PLR2004 - BIP-141
        raise ValueError("it names no witness version")
    if kind != (BECH32M if version else BECH32):
        raise ValueError("its checksum is of the wrong kind for its witness version")
    size, spare = divmod((len(data) - 1) * 5, 8)
    if not 2 <= size <= 40 or (not version and size not in (20, 32)):  # noqa: PLR2004 - BIP-141
        raise ValueError("its length is wrong")
    number = int(data[1:].translate(_BECH32_TO_BASE32), 32)
    if spare > 4 or number & ((1 << spare) - 1):  # noqa: PLR2004 - padding is at most four zero bits
        raise ValueError("its padding is wrong")
    return hrp, version, (number >> spare).to_bytes(size)


def witness_encode(hrp: str, version: int, program: bytes) -> str:
    """Return the address of a witness program that `witness_decode` accepts."""
    count = -(-len(program) * 8 // 5)
    number = int.from_bytes(program) << (count * 5 - len(program) * 8)
    values = [version, *(number >> 5 * place & 31 for place in reversed(range(count)))]
    check = _checksum(_start(hrp), values + [0] * _CHECK) ^ (BECH32M if version else BECH32)
    values += [check >> 5 * place & 31 for place in reversed(range(_CHECK))]
    return f"{hrp}1{''.join(_BECH32[value] for value in values)}"
