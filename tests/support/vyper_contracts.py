"""Compiles the Vyper contracts of the tests and encodes calls to them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import vyper  # type: ignore[import-untyped]
from eth_abi.abi import encode
from eth_utils.crypto import keccak

FOLDER = Path(__file__).parent / "contracts"


def compiled(source: Path) -> dict[str, Any]:
    """Return `abi` and `bytecode` of one source file."""
    output: dict[str, Any] = vyper.compile_code(source.read_text(), output_formats=["abi", "bytecode"])
    return output


@cache
def bytecode(name: str) -> str:
    """Return the creation code of contracts/NAME.vy; compiled once a run."""
    return str(compiled(FOLDER / f"{name}.vy")["bytecode"])


def calldata(signature: str, *arguments: Any) -> str:
    """Return the data of a call: calldata("transfer(address,uint256)", to, 5)."""
    types = signature[signature.index("(") + 1 : -1]
    selector = keccak(text=signature)[:4]
    return "0x" + (selector + encode(types.split(",") if types else [], arguments)).hex()
