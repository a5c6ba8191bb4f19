"""anvil: the private chain that stands for every EVM chain. Knows its flags and its mining calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from watcher.sandbox.node import HOST, Node

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CHAIN_ID = 31337


class Anvil(Node):
    """A chain with ten rich, unlocked accounts that mines on demand.

    `slots_in_an_epoch` N: `safe` is head - N and `finalized` head - 2N. `keep` (False): write the chain to
    `data_dir` at `stop` and read it back at `start`; a `kill` loses what came since.
    `prune_history`: how many blocks stay traceable; None keeps all.
    """

    name: ClassVar[str] = "anvil"

    def __init__(  # noqa: PLR0913 - each is one of the node's own options
        self,
        binary: Path,
        data_dir: Path,
        *,
        chain_id: int = CHAIN_ID,
        slots_in_an_epoch: int = 2,
        prune_history: int | None = 4096,
        keep: bool = False,
        extra: Sequence[str] = (),
    ) -> None:
        super().__init__(binary, data_dir)
        self.chain_id = chain_id
        self._slots = slots_in_an_epoch
        self._prune = prune_history
        self._keep = keep
        self._extra = tuple(extra)

    def command(self) -> list[str]:
        """Return the command line for the present port."""
        words = [str(self.binary), "--host", HOST, "--port", str(self.port), "--chain-id", str(self.chain_id)]
        words += ["--no-mining", "--slots-in-an-epoch", str(self._slots), "-q"]
        if self._keep:
            words += ["--state", str(self.data_dir / "state.json"), "--preserve-historical-states"]
        elif self._prune is not None:
            words += ["--prune-history", str(self._prune)]
        return [*words, *self._extra]

    def ready(self) -> None:
        """Return when the node answers calls as the chain that was asked for."""
        if int(self.rpc("eth_chainId"), 16) != self.chain_id:
            raise ConnectionError("another node answers on this port")

    def opened(self) -> None:
        """Do nothing: its accounts are unlocked from the start."""

    def closing(self) -> None:
        """Do nothing: it writes its state, if it is to, when it ends."""

    @property
    def accounts(self) -> list[str]:
        """The rich accounts, for which the node signs."""
        accounts: list[str] = self.rpc("eth_accounts")
        return accounts

    @property
    def height(self) -> int:
        """The head's number."""
        return int(self.rpc("eth_blockNumber"), 16)

    def mine(self, blocks: int = 1) -> None:
        """Mine without putting the chain's clock ahead."""
        self.rpc("anvil_mine", hex(blocks), "0x0")

    def send(self, to: str | None, value: int = 0, data: str = "0x", sender: str | None = None) -> str:
        """Put a transaction from a rich account into the pool; `value` in wei. Returns its id."""
        fields: dict[str, Any] = {"from": sender or self.accounts[0], "value": hex(value), "data": data}
        if to is not None:
            fields["to"] = to
        txid: str = self.rpc("eth_sendTransaction", fields)
        return txid

    def receipt(self, txid: str) -> dict[str, Any] | None:
        """Return the receipt of a mined transaction."""
        receipt: dict[str, Any] | None = self.rpc("eth_getTransactionReceipt", txid)
        return receipt

    def deploy(self, bytecode: str, sender: str | None = None) -> str:
        """Mine a contract's creation and return its address."""
        txid = self.send(None, data=bytecode, sender=sender)
        self.mine()
        receipt = self.receipt(txid)
        if receipt is None or receipt["status"] != "0x1":
            raise ValueError(f"the contract's creation failed: {receipt}")
        address: str = receipt["contractAddress"]
        return address
