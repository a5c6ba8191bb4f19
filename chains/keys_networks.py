"""The constants of each Bitcoin-like network: address prefixes and the prefixes of extended keys.

Data only. Sources: chainparams.cpp of Bitcoin Core 31, Litecoin Core 0.21 and Dogecoin Core 1.14; SLIP-44,
SLIP-132 and SLIP-173; the prefixes that Electrum, Electrum-LTC and Trezor export.
"""

from __future__ import annotations

from dataclasses import dataclass

from chains.base import AddressError

P2PKH = "p2pkh"
P2SH_P2WPKH = "p2sh-p2wpkh"
P2WPKH = "p2wpkh"
P2TR = "p2tr"
SCRIPTS = (P2PKH, P2SH_P2WPKH, P2WPKH, P2TR)


@dataclass(frozen=True, slots=True)
class Prefix:
    """The first four characters of an extended public key. `script` None: any script may follow."""

    name: str
    version: bytes
    script: str | None = None


def _prefix(name: str, version: str, script: str | None = None) -> Prefix:
    return Prefix(name, bytes.fromhex(version), script)


XPUB = _prefix("xpub", "0488b21e")
YPUB = _prefix("ypub", "049d7cb2", P2SH_P2WPKH)
ZPUB = _prefix("zpub", "04b24746", P2WPKH)
TPUB = _prefix("tpub", "043587cf")
UPUB = _prefix("upub", "044a5262", P2SH_P2WPKH)
VPUB = _prefix("vpub", "045f1cf6", P2WPKH)
LTUB = _prefix("Ltub", "019da462")
MTUB = _prefix("Mtub", "01b26ef6", P2SH_P2WPKH)
TTUB = _prefix("ttub", "0436f6e1")
DGUB = _prefix("dgub", "02facafd")
TGUB = _prefix("tgub", "0432a9a8")

MULTISIG = {
    _prefix(name, version)
    for name, version in (
        ("Ypub", "0295b43f"),
        ("Zpub", "02aa7ed3"),
        ("Upub", "024289ef"),
        ("Vpub", "02575483"),
    )
}

PRIVATE = {
    name: bytes.fromhex(version)
    for name, version in (
        ("xprv", "0488ade4"),
        ("yprv", "049d7878"),
        ("zprv", "04b2430c"),
        ("Yprv", "0295b005"),
        ("Zprv", "02aa7a99"),
        ("tprv", "04358394"),
        ("uprv", "044a4e28"),
        ("vprv", "045f18bc"),
        ("Uprv", "024285b5"),
        ("Vprv", "02575048"),
        ("Ltpv", "019d9cfe"),
        ("Mtpv", "01b26792"),
        ("ttpv", "0436ef7d"),
        ("dgpv", "02fac398"),
        ("tgpv", "0432a243"),
    )
}


@dataclass(frozen=True, slots=True)
class Network:
    """One network of one coin.

    `p2pkh`, `p2sh`: version bytes of its base58 addresses. `p2sh_old`: a former version of the same script,
    read but never written. `hrp` None: the coin has no segregated witness. `mweb`: the human-readable part
    of Litecoin's confidential addresses. `prefixes`: the extended public keys that its wallets export, the
    most common first. `forms`: how its addresses begin, for messages.
    """

    coin: str
    network: str
    hrp: str | None
    p2pkh: int
    p2sh: int
    prefixes: tuple[Prefix, ...]
    slip44: int
    forms: str
    p2sh_old: int | None = None
    mweb: str | None = None

    def __str__(self) -> str:
        """Return its name in messages."""
        return f"{self.coin} {self.network}"

    @property
    def scripts(self) -> tuple[str, ...]:
        """The scripts that it can receive to."""
        return SCRIPTS if self.hrp else (P2PKH,)

    @property
    def default_script(self) -> str:
        """The script where neither the configuration nor the key's prefix names one."""
        return P2WPKH if self.hrp else P2PKH


_TEST = (TPUB, UPUB, VPUB)
_LITECOIN_TEST = (*_TEST, TTUB)
_TB = "tb1…, m…, n… or 2…"

NETWORKS = (
    Network("bitcoin", "mainnet", "bc", 0x00, 0x05, (XPUB, YPUB, ZPUB), 0, "bc1…, 1… or 3…"),
    Network("bitcoin", "testnet", "tb", 0x6F, 0xC4, _TEST, 1, _TB),
    Network("bitcoin", "testnet4", "tb", 0x6F, 0xC4, _TEST, 1, _TB),
    Network("bitcoin", "signet", "tb", 0x6F, 0xC4, _TEST, 1, _TB),
    Network("bitcoin", "regtest", "bcrt", 0x6F, 0xC4, _TEST, 1, "bcrt1…, m…, n… or 2…"),
    Network(
        "litecoin",
        "mainnet",
        "ltc",
        0x30,
        0x32,
        (XPUB, YPUB, ZPUB, LTUB, MTUB),
        2,
        "ltc1…, L… or M…",
        0x05,
        "ltcmweb",
    ),
    Network(
        "litecoin", "testnet", "tltc", 0x6F, 0x3A, _LITECOIN_TEST, 1, "tltc1…, m…, n… or Q…", 0xC4, "tmweb"
    ),
    Network(
        "litecoin", "regtest", "rltc", 0x6F, 0x3A, _LITECOIN_TEST, 1, "rltc1…, m…, n… or Q…", 0xC4, "tmweb"
    ),
    Network("dogecoin", "mainnet", None, 0x1E, 0x16, (DGUB, XPUB), 3, "D… or 9… or A…"),
    Network("dogecoin", "testnet", None, 0x71, 0xC4, (TPUB, TGUB), 1, "n… or 2…"),
    Network("dogecoin", "regtest", None, 0x6F, 0xC4, (TPUB, TGUB), 1, "m…, n… or 2…"),
)

_BY_NAME = {(each.coin, each.network): each for each in NETWORKS}


def network(coin: str, network: str) -> Network:
    """Return the constants of a network; AddressError names those that exist."""
    found = _BY_NAME.get((coin, network))
    if found:
        return found
    coins = list(dict.fromkeys(each.coin for each in NETWORKS))
    if coin not in coins:
        raise AddressError(f"unknown coin {coin!r}: it is one of {', '.join(coins)}")
    names = ", ".join(each.network for each in NETWORKS if each.coin == coin)
    raise AddressError(f"{coin} has no network {network!r}: it is one of {names}")


def named(networks: list[Network]) -> str:
    """Return the networks in one phrase: "bitcoin testnet, testnet4 or signet"."""
    first = networks[0].coin
    names = [each.network for each in networks if each.coin == first]
    *most, last = names
    return f"{first} {', '.join(most)} or {last}" if most else f"{first} {last}"
