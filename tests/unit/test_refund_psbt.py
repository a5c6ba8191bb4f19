"""What is in the PSBT of a refund, in the opinion of a second library (bdk), which also signs it."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import bdkpython as bdk
import pytest

import refund_signer
from chains import bitcoin_calls, bitcoin_psbt, keys
from chains.base import BlockRef, Coin
from chains.bitcoin_coins import COINS
from chains.bitcoin_refund import Refunds
from chains.rpc import RpcError
from public_keys import MNEMONIC, account

if TYPE_CHECKING:
    from chains.keys import Network

BLOCK = BlockRef(7, "cd" * 32, "ef" * 32, datetime(2026, 11, 22, tzinfo=UTC))
BITCOIN = keys.network("bitcoin", "regtest")
PAYER = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
PURPOSE = {"p2pkh": 44, "p2sh-p2wpkh": 49, "p2wpkh": 84, "p2tr": 86}
FUNDING = "0200000001" + "11" * 32 + "0000000000ffffffff{count:02x}{outputs}00000000"


class Stub:
    """A node that answers what it was given; `old` takes no block where it is asked for a transaction."""

    url = "http://stub"

    def __init__(self, raw: str | None = None, *, old: bool = False, pruned: bool = False) -> None:
        self.raw = raw
        self.old = old
        self.pruned = pruned

    async def call(self, method: str, params: Any = (), *, of: Any = Any) -> Any:
        match method:
            case "gettxout":
                return {}
            case "getrawtransaction" if self.old and len(params) > 2:
                raise RpcError(method, -1, "help")
            case "getrawtransaction" if self.pruned:
                raise RpcError(method, -1, "Block not available (pruned data)")
            case "getrawtransaction":
                return bitcoin_calls.Found(str(self.raw), BLOCK.hash)
            case "estimatesmartfee":
                return of(Decimal("0.00002"))
            case "getmempoolinfo":
                return of(0, mempoolminfee=Decimal("0.00001"))
            case _:
                return of(relayfee=Decimal("0.00001"))


def signer(script: str, network: Network = BITCOIN, *, origin: bool = True) -> bitcoin_psbt.Signer:
    purpose = PURPOSE[script]
    key = keys.PublicKey.parse(account(f"m/{purpose}'/1'/0'", test=True), network, script)
    text = refund_signer.origin(f"{purpose}h/1h/0h") if origin else None
    return bitcoin_psbt.Signer(key, keys.origin(key.xpub, text))


def funding(scripts: list[bytes]) -> tuple[str, str]:
    """Return a transaction that pays a coin to each script, and its id."""
    amount = (10**8).to_bytes(8, "little").hex()
    outputs = [f"{amount}{len(script):02x}{script.hex()}" for script in scripts]
    raw = FUNDING.format(count=len(outputs), outputs="".join(outputs))
    return raw, str(bdk.Transaction(bytes.fromhex(raw)).compute_txid())


def coins(who: bitcoin_psbt.Signer, *indexes: int) -> tuple[str, list[Coin]]:
    """Return the transaction that paid a coin to each of these addresses, and what was received."""
    addresses = [who.key.address(index) for index in indexes]
    raw, txid = funding([keys.script_of(each, who.key.network) for each in addresses])
    return raw, [
        Coin("BTC", txid, f"vout:{place}", address, 10**8, BLOCK, index)
        for place, (address, index) in enumerate(zip(addresses, indexes, strict=True))
    ]


async def made(script: str, amount: int, node: Stub | None = None, *, origin: bool = True) -> dict[str, Any]:
    who = signer(script, origin=origin)
    raw, received = coins(who, 5, 6)
    refunds = Refunds(COINS["bitcoin"], BITCOIN, who)
    node = node or Stub(raw)
    node.raw = raw
    return dict((await refunds.unsigned(node, received, PAYER, amount)).fields)  # type: ignore[arg-type]


def wallet(script: str) -> bdk.Wallet:
    """Return another implementation's wallet of the same seed."""
    make = {
        "p2pkh": bdk.Descriptor.new_bip44,
        "p2sh-p2wpkh": bdk.Descriptor.new_bip49,
        "p2wpkh": bdk.Descriptor.new_bip84,
        "p2tr": bdk.Descriptor.new_bip86,
    }[script]
    secret = bdk.DescriptorSecretKey(bdk.NetworkKind.TEST, bdk.Mnemonic.from_string(MNEMONIC), None)
    chains = [
        make(secret, kind, bdk.NetworkKind.TEST)
        for kind in (bdk.KeychainKind.EXTERNAL, bdk.KeychainKind.INTERNAL)
    ]
    return bdk.Wallet(*chains, bdk.Network.REGTEST, bdk.Persister.new_in_memory())


@pytest.mark.parametrize("script", PURPOSE)
async def test_another_wallet_signs_it_and_knows_the_change_for_its_own(script: str) -> None:
    fields = await made(script, 150_000_000)
    psbt = bdk.Psbt(fields["psbt"])
    own = wallet(script)
    options = bdk.SignOptions(
        trust_witness_utxo=True,
        assume_height=None,
        allow_all_sighashes=False,
        try_finalize=True,
        sign_with_tap_internal_key=True,
        allow_grinding=True,
    )
    done = own.sign(psbt, options)
    change = own.peek_address(bdk.KeychainKind.INTERNAL, 5).address

    assert done
    assert fields["fee"] == psbt.fee()
    assert fields["outputs"] == [
        {"address": PAYER, "amount": 150_000_000, "change": False},
        {"address": str(change), "amount": 50_000_000 - fields["fee"], "change": True},
    ]
    assert psbt.extract_tx().vsize() <= fields["vsize"] <= psbt.extract_tx().vsize() + 4


@pytest.mark.parametrize("script", PURPOSE)
async def test_each_input_says_what_it_spends_and_whose_key_it_takes(script: str) -> None:
    fields = await made(script, 150_000_000)
    read = json.loads(bdk.Psbt(fields["psbt"]).json_serialize())
    tx, (first, _), (payment, change) = read["unsigned_tx"], read["inputs"], read["outputs"]
    path = [refund_signer.origin("").rstrip("/"), f"{PURPOSE[script]}'/1'/0'/0/5"]

    assert [0xFFFFFFFD] * 2 == [each["sequence"] for each in tx["input"]]
    assert (2, 0) == (tx["version"], tx["lock_time"])
    assert (script == "p2pkh") == (first["non_witness_utxo"] is not None)
    assert (script != "p2pkh") == (first["witness_utxo"] is not None)
    assert (script == "p2sh-p2wpkh") == (first["redeem_script"] is not None)
    if script == "p2tr":
        assert [[first["tap_internal_key"], [[], path]]] == first["tap_key_origins"]
        assert change["tap_internal_key"] is not None
    else:
        assert [path] == [each[1] for each in first["bip32_derivation"]]
        assert 1 == len(change["bip32_derivation"])
    assert not payment["bip32_derivation"] + payment["tap_key_origins"]


async def test_without_key_origin_the_given_key_is_the_root() -> None:
    fields = await made("p2wpkh", 150_000_000, origin=False)
    (derivation,) = json.loads(bdk.Psbt(fields["psbt"]).json_serialize())["inputs"][0]["bip32_derivation"]
    own = refund_signer.root().derive("m/84h/1h/0h").my_fingerprint.hex()

    assert [own, "0/5"] == derivation[1]
    assert ["0/5", "0/6"] == [each["path"] for each in fields["inputs"]]


async def test_without_the_extra_all_but_the_psbt_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = await made("p2wpkh", 150_000_000)
    monkeypatch.setitem(sys.modules, "embit.psbt", None)
    without = await made("p2wpkh", 150_000_000)

    assert without.pop("psbt") is None
    assert "deposit-watcher[refund]" in without.pop("note")
    assert {name: value for name, value in whole.items() if name != "psbt"} == without


async def test_an_older_node_looks_for_the_transaction_itself() -> None:
    """Dogecoin Core takes no block, and finds what has an unspent output."""
    assert await made("p2pkh", 10**8) == await made("p2pkh", 10**8, Stub(old=True))


async def test_a_pruned_node_gives_no_psbt_where_it_would_have_to_show_the_transaction() -> None:
    fields = await made("p2pkh", 10**8, Stub(pruned=True))

    assert fields["psbt"] is None
    assert "thrown away" in fields["note"]
    assert (await made("p2wpkh", 10**8, Stub(pruned=True)))["psbt"]


async def test_a_key_that_was_changed_since_leads_to_no_derivation() -> None:
    """The address is of the former xpub: its index says nothing about the new one."""
    who = signer("p2wpkh")
    raw, received = coins(signer("p2tr"), 5)
    refunds = Refunds(COINS["bitcoin"], BITCOIN, who)

    part = await refunds.unsigned(Stub(raw), received, PAYER, 10**7)  # type: ignore[arg-type]
    whole = await refunds.unsigned(Stub(raw), received, PAYER, 10**8)  # type: ignore[arg-type]

    assert part.fields["psbt"] is None
    assert "no PSBT: the addresses are not below the chain's xpub" in part.fields["note"]
    assert whole.fields["psbt"]
    assert [None] == [each["path"] for each in whole.fields["inputs"]]


async def test_more_than_was_received_is_refused() -> None:
    with pytest.raises(ValueError, match="the payments are 200000000 base units, and 200000001 are"):
        await made("p2wpkh", 2 * 10**8 + 1)
