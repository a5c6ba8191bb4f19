"""The parser of blocks and transactions, on blocks put together here byte by byte."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.bitcoin_block import parse_block
from chains.bitcoin_coins import COINS
from chains.bitcoin_transaction import parse_transaction
from chains.bitcoin_wire import Dialect, Output, WireError, outpoint, outpoint_text

BITCOIN, LITECOIN, DOGECOIN = (COINS[name].dialect for name in ("bitcoin", "litecoin", "dogecoin"))
P2WPKH = b"\x00\x14" + b"\x11" * 20
P2PKH = b"\x76\xa9\x14" + b"\x22" * 20 + b"\x88\xac"
P2TR = b"\x51\x20" + b"\x33" * 32
PAYEE = P2PKH.replace(b"\x22", b"\x21")
OTHER = b"\xa9\x14" + b"\x44" * 20 + b"\x87"
PARENT = "ab" * 32
COIN_A, COIN_B = f"{'0a' * 32}:0", f"{'0b' * 32}:70000"


def sha256d(data: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def size(number: int) -> bytes:
    if number < 0xFD:
        return bytes([number])
    return b"\xfd" + struct.pack("<H", number) if number < 0x10000 else b"\xfe" + struct.pack("<I", number)


@dataclass(frozen=True)
class Tx:
    spends: tuple[str, ...]
    pays: tuple[tuple[bytes, int], ...]
    witness: tuple[bytes, ...] = ()
    hogex: bool = False
    mweb: bytes = b""
    unlock: bytes = b""

    def body(self) -> bytes:
        inputs = b"".join(
            outpoint(each) + size(len(self.unlock)) + self.unlock + b"\xff\xff\xff\xff"
            for each in self.spends
        )
        outputs = b"".join(
            struct.pack("<Q", value) + size(len(script)) + script for script, value in self.pays
        )
        return size(len(self.spends)) + inputs + size(len(self.pays)) + outputs

    def bytes(self) -> bytes:
        flags = (1 if self.witness else 0) | (8 if self.hogex or self.mweb else 0)
        stack = size(len(self.witness)) + b"".join(size(len(each)) + each for each in self.witness)
        return b"".join(
            (
                b"\x02\x00\x00\x00",
                bytes([0, flags]) if flags else b"",
                self.body(),
                stack * len(self.spends) if self.witness else b"",
                (b"\x01" + self.mweb if self.mweb else b"\x00") if flags & 8 else b"",
                b"\x07\x00\x00\x00",
            )
        )

    @property
    def txid(self) -> str:
        return sha256d(b"\x02\x00\x00\x00" + self.body() + b"\x07\x00\x00\x00")[::-1].hex()


def root_of(hashes: list[bytes]) -> bytes:
    if len(hashes) == 1:
        return hashes[0]
    padded = hashes + hashes[-1:] * (len(hashes) % 2)
    return root_of([sha256d(left + right) for left, right in zip(padded[::2], padded[1::2], strict=True)])


def block(*txs: Tx, version: int = 4, between: bytes = b"", after: bytes = b"") -> bytes:
    root = root_of([bytes.fromhex(each.txid)[::-1] for each in txs])
    header = struct.pack("<I", version) + bytes.fromhex(PARENT)[::-1] + root + struct.pack("<III", 1000, 1, 2)
    return header + between + size(len(txs)) + b"".join(each.bytes() for each in txs) + after


COINBASE = Tx((f"{'00' * 32}:{0xFFFFFFFF}",), ((P2PKH, 50),), witness=(b"\x00" * 32,), unlock=b"\x51" * 99)
LEGACY = Tx((COIN_A,), ((OTHER, 1), (P2PKH, 2), (P2PKH, 3)), unlock=b"\x01" * 300)
SEGWIT = Tx((COIN_A, COIN_B), ((P2WPKH, 2**63 - 1), (P2TR, 5)), witness=(b"", b"\x05" * 260))
HOGEX = Tx((COIN_B,), ((b"\x58\x20" + b"\x09" * 32, 9), (P2WPKH, 4)), hogex=True)
MWEB_BLOCK = b"\x01" + b"\xee" * 40
OLD_COINBASE = Tx(COINBASE.spends, COINBASE.pays, unlock=COINBASE.unlock)
AUXPOW = (
    Tx(COINBASE.spends, ((OTHER, 1),), witness=(b"\x00" * 32,), unlock=b"\xfa\xbemm").bytes()
    + b"\x0c" * 32
    + size(2) + b"\x0d" * 64 + b"\x00" * 4
    + size(1) + b"\x0e" * 32 + b"\x01" * 4
    + b"\x0f" * 80
)  # fmt: skip
BLOCKS = [
    pytest.param(BITCOIN, block(COINBASE, LEGACY, SEGWIT), id="witness"),
    pytest.param(BITCOIN, block(OLD_COINBASE, LEGACY), id="legacy"),
    pytest.param(BITCOIN, block(OLD_COINBASE), id="coinbase alone"),
    pytest.param(BITCOIN, block(OLD_COINBASE, LEGACY, version=0x20000100), id="version bit 8 without auxpow"),
    pytest.param(DOGECOIN, block(OLD_COINBASE, LEGACY, version=0x620104, between=AUXPOW), id="auxpow"),
    pytest.param(DOGECOIN, block(OLD_COINBASE, LEGACY, version=0x620004), id="dogecoin mined alone"),
    pytest.param(LITECOIN, block(COINBASE, SEGWIT), id="litecoin before MWEB"),
]


@pytest.mark.parametrize(
    ("dialect", "data"),
    [*BLOCKS, pytest.param(LITECOIN, block(COINBASE, SEGWIT, HOGEX, after=MWEB_BLOCK), id="MWEB")],
)
def test_a_block_tells_its_hash_parent_and_time(dialect: Dialect, data: bytes) -> None:
    found = parse_block(data, dialect, {P2PKH})

    assert (sha256d(data[:80])[::-1].hex(), PARENT, 1000) == (found.hash, found.parent, found.time)
    assert (0, P2PKH, 50, True, False) == found.outputs[0][1:]


@pytest.mark.parametrize(
    ("scripts", "expected"),
    [
        pytest.param(
            {P2PKH},
            [
                Output(COINBASE.txid, 0, P2PKH, 50, coinbase=True),
                Output(LEGACY.txid, 1, P2PKH, 2),
                Output(LEGACY.txid, 2, P2PKH, 3),
            ],
            id="h26 two outputs to one script",
        ),
        pytest.param({P2WPKH}, [Output(SEGWIT.txid, 0, P2WPKH, 2**63 - 1)], id="h25 exact amounts"),
        pytest.param({P2TR}, [Output(SEGWIT.txid, 1, P2TR, 5)], id="taproot"),
        pytest.param({P2TR[:-1], P2TR + b"\x00"}, [], id="a longer or shorter script is another"),
        pytest.param(set(), [], id="nothing watched"),
    ],
)
def test_watched_scripts_are_found_with_their_transaction(
    scripts: set[bytes], expected: list[Output]
) -> None:
    assert expected == parse_block(block(COINBASE, LEGACY, SEGWIT), BITCOIN, scripts).outputs


def test_h30_a_hogex_has_the_txid_of_its_plain_form_and_is_marked() -> None:
    found = parse_block(block(COINBASE, SEGWIT, HOGEX, after=MWEB_BLOCK), LITECOIN, {P2WPKH})

    expected = [Output(SEGWIT.txid, 0, P2WPKH, 2**63 - 1), Output(HOGEX.txid, 1, P2WPKH, 4, hogex=True)]
    assert expected == found.outputs


def test_what_a_paying_transaction_spends_is_told() -> None:
    found = parse_block(block(COINBASE, LEGACY, SEGWIT), BITCOIN, {P2PKH, P2WPKH})

    expected = {COINBASE.txid: (), LEGACY.txid: LEGACY.spends, SEGWIT.txid: SEGWIT.spends}
    assert expected == found.inputs


def test_watched_outpoints_are_found_with_their_spender() -> None:
    raw = {outpoint(COIN_B)}

    assert {outpoint(COIN_B): SEGWIT.txid} == parse_block(block(COINBASE, SEGWIT), BITCOIN, set(), raw).spent


def test_counts_and_scripts_above_one_byte_are_read() -> None:
    many = Tx(tuple(f"{number:064x}:{number}" for number in range(1, 300)), ((b"\x6a" * 70000, 1),) * 2)
    last = Tx((COIN_A,), ((OTHER, 1),) * 260 + ((P2TR, 8),))

    found = parse_block(block(OLD_COINBASE, many, last), BITCOIN, {P2TR}, {outpoint(f"{299:064x}:299")})

    assert [Output(last.txid, 260, P2TR, 8)] == found.outputs
    assert [many.txid] == list(found.spent.values())


@pytest.mark.parametrize(("dialect", "data"), BLOCKS)
def test_a_block_cut_or_prolonged_anywhere_is_refused(dialect: Dialect, data: bytes) -> None:
    for end in range(len(data)):
        with pytest.raises(WireError):
            parse_block(data[:end], dialect, {P2PKH})
    with pytest.raises(WireError, match="should end at"):
        parse_block(data + b"\x00", dialect, {P2PKH})


@pytest.mark.parametrize(
    ("dialect", "data", "reason"),
    [
        pytest.param(BITCOIN, block(COINBASE, HOGEX, after=MWEB_BLOCK), "flags 0x08", id="HogEx in Bitcoin"),
        pytest.param(DOGECOIN, block(COINBASE), "flags 0x01", id="witness in Dogecoin"),
        pytest.param(LITECOIN, block(COINBASE, SEGWIT, after=MWEB_BLOCK), "should end", id="MWEB, no HogEx"),
        pytest.param(
            LITECOIN, block(COINBASE, HOGEX, after=b"\x00\x00"), "absent MWEB", id="absent, yet more"
        ),
        pytest.param(LITECOIN, block(COINBASE, HOGEX), "truncated", id="HogEx without what follows"),
        pytest.param(
            LITECOIN,
            block(COINBASE, Tx((COIN_A,), ((P2PKH, 1),), mweb=b"\x01" * 9), HOGEX, after=MWEB_BLOCK),
            "MWEB data of its own",
            id="MWEB data within a block's transaction",
        ),
        pytest.param(BITCOIN, block(COINBASE)[:80] + b"\x00", "no transaction", id="empty"),
        pytest.param(BITCOIN, block(COINBASE)[:80] + b"\xff" * 9, "truncated", id="2^64 transactions"),
        pytest.param(BITCOIN, block(COINBASE, LEGACY).replace(P2PKH, PAYEE, 1), "merkle", id="another payee"),
        pytest.param(
            BITCOIN, block(LEGACY, version=5)[:80] + block(SEGWIT)[80:], "merkle", id="other header"
        ),
    ],
)
def test_a_block_that_cannot_be_is_refused(dialect: Dialect, data: bytes, reason: str) -> None:
    with pytest.raises(WireError, match=reason):
        parse_block(data, dialect, {P2PKH, OTHER, P2WPKH})


def test_h41_a_block_that_seems_to_hold_nothing_is_proven_where_that_is_asked() -> None:
    hidden = block(COINBASE, LEGACY).replace(P2PKH, PAYEE, 1)
    assert [] == parse_block(hidden, BITCOIN, {P2WPKH}).outputs

    with pytest.raises(WireError, match="merkle"):
        parse_block(hidden, BITCOIN, {P2WPKH}, prove=True)


@pytest.mark.parametrize(
    ("tx", "dialect"),
    [(LEGACY, BITCOIN), (LEGACY, DOGECOIN), (SEGWIT, BITCOIN), (SEGWIT, LITECOIN)],
)
def test_a_lone_transaction_tells_what_it_spends_and_pays(tx: Tx, dialect: Dialect) -> None:
    found = parse_transaction(tx.bytes(), tx.txid, dialect, {P2PKH, P2WPKH})

    assert tx.spends == tuple(outpoint_text(each) for each in found.inputs)
    expected = [(n, *pay) for n, pay in enumerate(tx.pays) if pay[0] in {P2PKH, P2WPKH}]
    assert expected == [(each.vout, each.script, each.value) for each in found.outputs]


def test_a_lone_transaction_into_mweb_keeps_its_plain_outputs() -> None:
    pegin = Tx(
        (COIN_A,), ((b"\x59\x20" + b"\x01" * 32, 9), (P2WPKH, 7)), witness=(b"\x01",), mweb=b"\xee" * 50
    )

    found = parse_transaction(pegin.bytes(), pegin.txid, LITECOIN, {P2WPKH})

    assert [Output(pegin.txid, 1, P2WPKH, 7)] == found.outputs


def test_h29_a_lone_transaction_inside_mweb_pays_and_spends_nothing() -> None:
    inside = Tx((), (), mweb=P2WPKH * 3)

    found = parse_transaction(inside.bytes(), "cd" * 32, LITECOIN, {P2WPKH})

    assert ([], []) == (found.inputs, found.outputs)


@pytest.mark.parametrize("tx", [LEGACY, SEGWIT])
def test_a_lone_transaction_that_is_cut_or_another_is_refused(tx: Tx) -> None:
    data = tx.bytes()
    for broken in [*(data[:end] for end in range(len(data))), data + b"\x00", data[:-1] + b"\x01"]:
        with pytest.raises(WireError):
            parse_transaction(broken, tx.txid, BITCOIN, {P2PKH})


WHOLE = block(COINBASE, LEGACY, SEGWIT, HOGEX, after=MWEB_BLOCK)


@settings(max_examples=300)
@given(
    st.binary(max_size=300), st.integers(0, len(WHOLE) - 1), st.sampled_from([BITCOIN, LITECOIN, DOGECOIN])
)
def test_any_bytes_give_a_block_or_the_parsers_own_error(noise: bytes, at: int, dialect: Dialect) -> None:
    for data in (
        noise,
        WHOLE[:at] + noise,
        WHOLE[:at] + noise + WHOLE[at + len(noise) :],
        AUXPOW[:80] + noise,
    ):
        for parse in (
            lambda data=data: parse_block(data, dialect, {P2PKH, P2WPKH}, {outpoint(COIN_A)}),
            lambda data=data: parse_transaction(data, LEGACY.txid, dialect, {P2PKH}),
        ):
            try:
                parse()
            except WireError:
                continue
