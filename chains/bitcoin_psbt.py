"""A planned refund as a PSBT (BIP-174, BIP-371), made by `embit`: an extra, imported when it is needed."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from chains.keys import script_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chains.bitcoin_plan import Plan, Spend
    from chains.keys import Origin, PublicKey

MISSING = 'no PSBT: the package embit is not installed; install "deposit-watcher[refund]"'

_REPLACEABLE = 0xFFFFFFFD
"""BIP-125: a refund that waits too long can be sent again with a higher fee."""


@dataclass(frozen=True, slots=True)
class Signer:
    """The configured key and where it lies in its wallet."""

    key: PublicKey
    origin: Origin


def available() -> bool:
    """Tell whether the extra is installed."""
    try:
        import_module("embit.psbt")
    except ImportError:
        return False
    return True


def build(
    plan: Plan,
    destination: bytes,
    change_index: int | None,
    signer: Signer | None,
    previous: Mapping[str, bytes],
) -> str:
    """Return the PSBT in base64. `previous`: by id, the transactions that made what is no witness output."""
    lib = _Library()
    outputs = [lib.output(plan.arrives, destination)]
    if plan.change and signer is not None and change_index is not None:
        script = script_of(signer.key.change(change_index), signer.key.network)
        outputs.append(lib.output(plan.change, script))
    psbt = lib.psbt([lib.input(each) for each in plan.spends], outputs)
    for spend, scope in zip(plan.spends, psbt.inputs, strict=True):
        if spend.witness:
            scope.witness_utxo = lib.output(spend.coin.amount, spend.script)
        else:
            scope.non_witness_utxo = lib.transaction.Transaction.parse(previous[spend.coin.txid])
        if spend.ours and signer is not None and spend.coin.index is not None:
            lib.derive(scope, signer, 0, spend.coin.index)
    if len(outputs) > 1 and signer is not None and change_index is not None:
        lib.derive(psbt.outputs[1], signer, 1, change_index)
    return str(psbt.to_base64())


class _Library:
    """What is used of embit."""

    def __init__(self) -> None:
        self.transaction = import_module("embit.transaction")
        self._psbt = import_module("embit.psbt")
        self._script = import_module("embit.script")
        self._ec = import_module("embit.ec")

    def input(self, spend: Spend) -> Any:
        """Return an unsigned input."""
        txid = bytes.fromhex(spend.coin.txid)
        return self.transaction.TransactionInput(txid, spend.vout, sequence=_REPLACEABLE)

    def output(self, amount: int, script: bytes) -> Any:
        """Return an output."""
        return self.transaction.TransactionOutput(amount, self._script.Script(script))

    def psbt(self, inputs: list[Any], outputs: list[Any]) -> Any:
        """Return an empty PSBT around the transaction."""
        tx = self.transaction.Transaction(version=2, vin=inputs, vout=outputs, locktime=0)
        return self._psbt.PSBT(tx, unknown={})

    def derive(self, scope: Any, signer: Signer, branch: int, index: int) -> None:
        """Say of an input or output of ours by which key, and how that is found."""
        point = self._ec.PublicKey.parse(signer.key.point(branch, index))
        path = self._psbt.DerivationPath(signer.origin.fingerprint, signer.origin.below(branch, index))
        if signer.key.script == "p2tr":
            scope.taproot_internal_key = point
            scope.taproot_bip32_derivations[point] = ([], path)
            return
        scope.bip32_derivations[point] = path
        if signer.key.script == "p2sh-p2wpkh":
            scope.redeem_script = self._script.p2wpkh(point)
