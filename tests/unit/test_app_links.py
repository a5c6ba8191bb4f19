"""Wallet links: none to an address that is not read any more, or with another currency than was asked for."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from api_server import settings
from chains.evm import Adapter, Config
from invoice_facts import option
from watcher import app_links

USDT = "0xdAC17F958D2ee523a2206206994597C13D831ec7"
DAI = "0x6B175474E89094C44Da98b954EedeAC495271d0F"
ASKED = f"eip155:1/erc20:{USDT.lower()}"
MISSING = 5


def token(contract: str) -> dict[str, Any]:
    return {"symbol": "USDT", "contract": contract, "decimals": 6}


def wallet_link(chains: dict[str, list[dict[str, Any]]], missing: int = MISSING) -> str | None:
    adapters = {name: adapter(name, assets) for name, assets in chains.items()}
    way = option(chain="ethereum", asset="USDT", asset_id=ASKED, address=DAI)
    return app_links.links(settings(Path()), adapters).payment_uri(way, missing)


def adapter(name: str, assets: list[dict[str, Any]]) -> Adapter:
    keys = {"rpc": ["http://127.0.0.1:1"], "chain_id": 1, "native": "ETH", "confirmations": 1}
    config = Config.model_validate({**keys, "assets": assets})
    return Adapter(name, config, lambda: datetime(2026, 1, 1, tzinfo=UTC))


def test_a_wallet_link_names_contract_address_and_what_is_missing() -> None:
    found = wallet_link({"ethereum": [token(USDT)]})

    assert f"ethereum:{USDT}/transfer?address={DAI}&uint256={MISSING}" == found


@pytest.mark.parametrize(
    ("chains", "missing"),
    [
        pytest.param({"ethereum": [token(USDT)]}, 0, id="nothing-missing"),
        pytest.param({}, MISSING, id="forgotten-chain"),
        pytest.param({"ethereum": []}, MISSING, id="forgotten-asset"),
        pytest.param({"ethereum": [token(DAI)]}, MISSING, id="another-contract-by-that-name"),
    ],
)
def test_what_cannot_be_paid_any_more_has_no_wallet_link(
    chains: dict[str, list[dict[str, Any]]], missing: int
) -> None:
    assert wallet_link(chains, missing) is None
