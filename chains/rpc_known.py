"""Asks one endpoint after the other for something that not each of them has to know."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from chains.base import ChainError
from chains.rpc_node import Use

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from chains.rpc import Rpc
    from chains.rpc_node import Node

T = TypeVar("T")


async def known(rpc: Rpc, question: Callable[[Node], Awaitable[T | None]], within: float) -> T | None:
    """Return the first answer that is not None, the endpoint in use asked first; None where none has one.

    Each has `within` seconds. Raises the first one's ChainError if not one of them could be asked.
    """
    serving = [node for node in rpc.nodes if node.use is not Use.NEVER] or list(rpc.nodes)
    errors: list[ChainError] = []
    for node in sorted(serving, key=lambda each: each is not rpc.in_use):
        try:
            found = await rpc.ask(node, question, within)
        except ChainError as error:
            errors.append(error)
        else:
            if found is not None:
                return found
    if len(errors) == len(serving):
        raise errors[0]
    return None
