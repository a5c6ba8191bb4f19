"""What answers and events show that configuration and chains know: pages, wallet links, decimals."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from watcher.render import Links

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chains.base import ChainAdapter
    from watcher.model import Option
    from watcher.settings import Settings


def links(settings: Settings, adapters: Mapping[str, ChainAdapter]) -> Links:
    """Return the links of one process."""
    return Links(
        settings.server.public_url,
        partial(_payment_uri, adapters),
        partial(_decimals, adapters),
        mail=settings.mail is not None,
    )


def _payment_uri(adapters: Mapping[str, ChainAdapter], option: Option, missing: int) -> str | None:
    """Return the wallet link for what is still to be paid; None for nothing, or what is configured no longer.

    A symbol may name another contract by now: the link must not ask for that one.
    """
    adapter = adapters.get(option.chain)
    asset = (option.asset, option.asset_id)
    if not missing or adapter is None or asset not in {(one.symbol, one.id) for one in adapter.assets()}:
        return None
    return adapter.payment_uri(option.address, option.asset, missing)


def _decimals(adapters: Mapping[str, ChainAdapter], chain: str, asset: str) -> int:
    """Return an asset's decimals; 0, hence base units, for one that is no longer configured."""
    known = adapters[chain].assets() if chain in adapters else ()
    return next((a.decimals for a in known if a.symbol == asset), 0)
