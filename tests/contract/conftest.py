"""Runs each test of the contract against the fake chain and every real adapter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from drivers import ChainDriver, FakeDriver
from node_drivers import AnvilDriver, BitcoinDriver, TokenDriver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from chains.base import ChainAdapter

MAINNET_BITCOIN = "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"
TESTNET_BITCOIN = "tb1q6rz28mcfaxtmd6v789l9rrlrusdprr9pqcpvkl"
MAINNET_LITECOIN = "ltc1qjmxnz78nmc8nq77wuxh25n2es7rzm5c2rkk4wh"
REGTEST_LITECOIN_BROKEN = "rltc1qqcwgcvwkt3n2ypuvdxw7vdhe4cuyesm4apyj36"
REGTEST_BITCOIN_BROKEN = "bcrt1q6rz28mcfaxtmd6v789l9rrlrusdprr9pz3cppp"


def _fake(_: Callable[[str], Any]) -> ChainDriver:
    return FakeDriver()


def _anvil_coin(fixture: Callable[[str], Any]) -> ChainDriver:
    return AnvilDriver(fixture("anvil_factory")(keep=True))


def _anvil_token(fixture: Callable[[str], Any]) -> ChainDriver:
    return TokenDriver(fixture("anvil_factory")(keep=True))


def _litecoind(*, rest: bool) -> Callable[[Callable[[str], Any]], ChainDriver]:
    refused = (MAINNET_LITECOIN, MAINNET_BITCOIN, TESTNET_BITCOIN, REGTEST_LITECOIN_BROKEN, "")
    return lambda fixture: BitcoinDriver(
        fixture("litecoind_factory")(rest=rest), coin="litecoin", asset="LTC", refused=refused, rest=rest
    )


def _bitcoind(fixture: Callable[[str], Any]) -> ChainDriver:
    refused = (MAINNET_BITCOIN, TESTNET_BITCOIN, MAINNET_LITECOIN, REGTEST_BITCOIN_BROKEN, "")
    return BitcoinDriver(
        fixture("bitcoind_factory")(), coin="bitcoin", asset="BTC", refused=refused, rest=True
    )


@pytest.fixture(
    params=[
        pytest.param(_fake, id="fake"),
        pytest.param(_anvil_coin, id="anvil-coin"),
        pytest.param(_anvil_token, id="anvil-token"),
        pytest.param(_litecoind(rest=True), id="litecoind-rest"),
        pytest.param(_litecoind(rest=False), id="litecoind-rpc"),
        pytest.param(_bitcoind, id="bitcoind"),
    ]
)
def driver(request: pytest.FixtureRequest) -> ChainDriver:
    made: ChainDriver = request.param(request.getfixturevalue)
    return made


@pytest.fixture
async def adapter(driver: ChainDriver) -> AsyncIterator[ChainAdapter]:
    adapter = driver.adapter()
    try:
        await adapter.open()
        yield adapter
    finally:
        await adapter.close()
