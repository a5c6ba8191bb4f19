"""What must be true of the standing addresses in the end: every deposit is told once in each state."""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from patrons import Patron
    from subject import Subject
    from town import Town

_GONE = ("replaced", "reverted")
_DECIMALS = {"ETH": 18, "USDT": 6, "LTC": 8}


async def patrons(town: Town, events: Sequence[dict[str, Any]]) -> Counter[str]:
    """Hold what was told of standing addresses against what they received; return the counts."""
    shown = {one["id"]: one for one in await town.victim.all("/v1/addresses?limit=200")}
    _promised(town.patrons.all, shown)
    received = {id_: await _deposits(town.victim, id_) for id_ in shown}
    traces: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in events:
        if event["type"].startswith("deposit.") and "address" in event["data"]:
            traces[event["data"]["address"]["id"]].append(event)
    for id_, one in shown.items():
        assert list(range(1, one["sequence"] + 1)) == [e["data"]["sequence"] for e in traces[id_]], id_
        for deposit in received[id_]:
            _told_once(deposit, [e for e in traces[id_] if e["data"]["payment"]["id"] == deposit["id"]])
    await _on_the_chains(town, [one for each in received.values() for one in each])
    told = Counter(event["type"] for trace in traces.values() for event in trace)
    return told + Counter(addresses=len(shown), deposits=sum(map(len, received.values())))


async def _deposits(victim: Subject, id_: str) -> list[dict[str, Any]]:
    return await victim.all(f"/v1/addresses/{id_}/deposits?limit=200")


def _promised(made: Iterable[Patron], shown: dict[str, dict[str, Any]]) -> None:
    """What was answered exists, once, and is archived exactly if that was answered."""
    labels = Counter(one["label"] for one in shown.values())
    for patron in made:
        if patron.made is not None:
            one = shown[patron.made["id"]]
            assert (1, patron.made["address"]) == (labels[patron.name], one["address"]), patron.name
            assert one["archived_at"] or not patron.removed, patron.name
    addresses = Counter((one["chain"], one["address"]) for one in shown.values())
    assert [] == [place for place, times in addresses.items() if times > 1], "an address was given twice"


def _told_once(deposit: dict[str, Any], events: Sequence[dict[str, Any]]) -> None:
    """Detected once, or told to be nobody's; confirmed and taken back in turns; in the end what it is."""
    types = [event["type"].removeprefix("deposit.") for event in events]
    gone = deposit["status"] in _GONE
    if deposit["rule"] == "archived":
        assert all(a != b for a, b in pairwise(types)), (deposit, types)
        assert {"unmatched", "reverted"} >= set(types), (deposit, types)
        assert types[-1:] == (["reverted"] if gone else ["unmatched"]), (deposit, types)
        return
    assert ["detected"] == [t for t in types if t == "detected"] == types[:1], (deposit, types)
    credited = False
    for type_ in types[1:]:
        assert type_ in {"confirmed", "reverted"}, (deposit, types)
        assert type_ == "reverted" or not credited, (deposit, types)
        credited = type_ == "confirmed"
    assert (deposit["status"] == "confirmed") == credited, (deposit, types)
    assert not gone or types[-1] == "reverted", (deposit, types)


async def _on_the_chains(town: Town, deposits: Iterable[dict[str, Any]]) -> None:
    """What the chains say is there is what is recorded as there."""
    sums: Counter[tuple[str, str]] = Counter()
    outputs: dict[tuple[str, str], tuple[str, int]] = {}
    for one in (each for each in deposits if each["status"] not in _GONE):
        units = int(Decimal(one["amount"]).scaleb(_DECIMALS[one["asset"]]))
        if one["chain"] == "litecoin":
            outputs[one["txid"], one["slot"]] = (one["address"], units)
        else:
            sums[one["address"], one["asset"]] += units
    mine: dict[str, list[str]] = defaultdict(list)
    for patron in town.patrons.all:
        if patron.made is not None:
            mine[patron.chain].append(patron.made["address"])
    found = await town.litecoin.outputs(sorted(mine["litecoin"]))
    assert {place: (address, units) for place, (address, units, _) in found.items()} == outputs
    assert await town.evm.balances(sorted(mine["dev"])) == sums
