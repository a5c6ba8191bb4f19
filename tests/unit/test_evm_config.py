"""The keys of an EVM chain: what is refused in one line, and the names of its assets."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from chains.base import AddressError, Asset, Mempool, Watched
from chains.evm import Adapter, Config
from public_keys import account

USDT = "0xdAC17F958D2ee523a2206206994597C13D831ec7"
DAI = "0x6B175474E89094C44Da98b954EedeAC495271d0F"
OURS = "0x52908400098527886E0F7030069857D2E4169EE7"


def token(**changes: Any) -> dict[str, Any]:
    return {"symbol": "USDT", "contract": USDT, "decimals": 6, **changes}


def config(**changes: Any) -> Config:
    keys = {"rpc": ["http://127.0.0.1:1"], "chain_id": 1, "native": "ETH", "confirmations": "finalized"}
    return Config.model_validate({**keys, **changes})


def adapter(**changes: Any) -> Adapter:
    return Adapter("ethereum", config(**changes), lambda: datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"assets": [token(symbol="ETH")]}, "the chain's own coin", id="token-named-as-the-coin"),
        pytest.param({"assets": [token(symbol="eth")]}, "the chain's own coin", id="nearly-as-the-coin"),
        pytest.param({"assets": [token(), token(contract=DAI)]}, "twice", id="symbol-twice"),
        pytest.param({"assets": [token(), token(symbol="DAI")]}, "twice", id="contract-twice"),
        pytest.param({"assets": [token(contract=USDT[:-1])]}, "40 hex digits", id="short-contract"),
        pytest.param({"assets": [token(contract=USDT[:-1] + "8")]}, "EIP-55", id="mistyped-contract"),
        pytest.param({"assets": [token()], "native_emitters": [USDT]}, "native_emitters", id="h57-emitter"),
        pytest.param({"assets": [token(decimals=-1)]}, "greater", id="negative-decimals"),
        pytest.param({"assets": [token(dust="0.0000001")]}, "more than the 6 decimals", id="dust-too-fine"),
        pytest.param({"native_emitters": ["0x12"]}, "40 hex digits", id="broken-emitter"),
        pytest.param({"chain_id": 0}, "greater", id="no-chain-id"),
        pytest.param({"genesis": "0x12"}, "pattern", id="broken-genesis"),
        pytest.param({"confirmations": 0}, "at least 1", id="unconfirmed"),
        pytest.param({"script": "p2wpkh"}, "remove the key", id="script"),
        pytest.param({"xpub": "xpub1"}, "xpub", id="broken-xpub"),
        pytest.param({"chian_id": 1}, "chian_id", id="misspelt-key"),
    ],
)
def test_a_wrong_key_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words) as caught:
        config(**changes)

    assert 1 == caught.value.error_count()
    assert "\n" not in caught.value.errors()[0]["msg"]


def test_the_assets_carry_their_caip_names() -> None:
    assets = adapter(assets=[token(contract=USDT.lower(), dust="0.5", verify_balance=True)]).assets()

    assert (
        Asset("ETH", "eip155:1/slip44:60", 18),
        Asset(
            "USDT",
            "eip155:1/erc20:0xdac17f958d2ee523a2206206994597c13d831ec7",
            6,
            contract=USDT,
            verify_balance=True,
            dust=500_000,
        ),
    ) == assets


def test_a_chain_with_a_coin_of_its_own_names_it() -> None:
    avalanche = adapter(chain_id=43114, native="AVAX", slip44=9005)

    assert ("eip155:43114", "eip155:43114/slip44:9005") == (avalanche.chain_id, avalanche.assets()[0].id)


@pytest.mark.parametrize(
    ("chain_id", "asset", "uri"),
    [
        pytest.param(1, "ETH", f"ethereum:{OURS}?value=15", id="coin"),
        pytest.param(137, "ETH", f"ethereum:{OURS}@137?value=15", id="coin-of-another-chain"),
        pytest.param(1, "USDT", f"ethereum:{USDT}/transfer?address={OURS}&uint256=15", id="token"),
        pytest.param(
            10, "USDT", f"ethereum:{USDT}@10/transfer?address={OURS}&uint256=15", id="token-elsewhere"
        ),
    ],
)
def test_payment_links_follow_eip_681(chain_id: int, asset: str, uri: str) -> None:
    assert uri == adapter(chain_id=chain_id, assets=[token()]).payment_uri(OURS, asset, 15)


def test_addresses_are_derived_below_the_key() -> None:
    """m/44'/60'/0'/0/0 of the seed "abandon … about", as every wallet shows it."""
    chain = adapter(xpub=account("m/44'/60'/0'"))

    assert "0x9858EfFD232B4033E47d90003D41EC34EcaEda94" == chain.derive(0)
    assert chain.key_fingerprint() is not None


def test_without_a_key_nothing_is_derived() -> None:
    with pytest.raises(AddressError, match=r"chains\.ethereum has no xpub"):
        adapter().derive(0)
    assert adapter().key_fingerprint() is None


async def test_nothing_unconfirmed_is_ever_told() -> None:
    assert Mempool() == await adapter().mempool(Watched({b"\x22" * 20}))
