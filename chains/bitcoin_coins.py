"""What tells the coins of Bitcoin's family apart, and the block 0 of each of their networks. Data only.

Sources: chainparams.cpp, consensus.h and policy.h of Bitcoin Core 29, Litecoin Core 0.21 and Dogecoin Core
1.14; BIP-21 and its registered schemes; SLIP-44.
"""

from __future__ import annotations

from dataclasses import dataclass

from chains.bitcoin_wire import Dialect

DECIMALS = 8
PEGOUT_MATURITY = 6
"""Confirmations before coins that left MWEB can be spent."""


@dataclass(frozen=True, slots=True)
class Coin:
    """One coin: its symbol, payment scheme and serialisation.

    `maturity`: confirmations before a block's reward can be spent. `least_rate`: base units per 1,000 virtual
    bytes below which its nodes hardly pass a transaction on. Outputs are dust below what spending them costs
    at `dust_rate`, and below `dust_floor`.
    """

    symbol: str
    slip44: int
    scheme: str
    dialect: Dialect
    maturity: int = 100
    least_rate: int = 1000
    dust_rate: int = 3000
    dust_floor: int = 0


COINS = {
    "bitcoin": Coin("BTC", 0, "bitcoin", Dialect(witness=True)),
    "litecoin": Coin("LTC", 2, "litecoin", Dialect(witness=True, mweb=True), dust_rate=30_000),
    "dogecoin": Coin(
        "DOGE", 3, "dogecoin", Dialect(auxpow=True), maturity=240, least_rate=10**6, dust_floor=10**6
    ),
}

GENESIS = {
    ("bitcoin", "mainnet"): "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
    ("bitcoin", "testnet"): "000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943",
    ("bitcoin", "testnet4"): "00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043",
    ("bitcoin", "signet"): "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6",
    ("bitcoin", "regtest"): "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
    ("litecoin", "mainnet"): "12a765e31ffd4059bada1e25190f6e98c99d9714d334efa41a195a7e7e04bfe2",
    ("litecoin", "testnet"): "4966625a4b2851d9fdee139e56211a0d88575f59ed816ff5e6a63deb4e3e29a0",
    ("litecoin", "regtest"): "530827f38f93b43ed12af0b3ad25a288dc02ed74d6d7857862df51fc56c416f9",
    ("dogecoin", "mainnet"): "1a91e3dace36e2be3bf030a65679fe821aa1d6ef92e7c9902eb318182c355691",
    ("dogecoin", "testnet"): "bb0a78264637406b6360aad926284d544d7049f45189db5664f3c4d07350559e",
    ("dogecoin", "regtest"): "3d2160a3b5dc4a9d62e7e66a295f70313ac808440ef7400d6c0772171ce973a5",
}


def name_of(genesis: str) -> str:
    """Return a block 0's hash with the name of its network, where it is known."""
    for (coin, network), known in GENESIS.items():
        if known == genesis:
            return f"{genesis} ({coin} {network})"
    return genesis


def decimal(amount: int) -> str:
    """Return base units as a decimal string of coins, without trailing zeros."""
    whole, rest = divmod(amount, 10**DECIMALS)
    return f"{whole}.{rest:0{DECIMALS}d}".rstrip("0").rstrip(".")
