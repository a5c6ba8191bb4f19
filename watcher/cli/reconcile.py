"""`watcher reconcile`: holds the ledger against a naive reading of the chain, and prints every difference."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from watcher.cli import options, output
from watcher.cli.failure import WRONG_USAGE, Failure, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from watcher.app import App
    from watcher.cli.reconcile_chain import Result
    from watcher.reconcile.compare import Difference, Wanted
    from watcher.settings import Settings

_NO_CHAIN = "no chain is configured: nothing compared"


def reconcile(
    context: typer.Context,
    *,
    chain: Annotated[
        list[str] | None, typer.Option("--chain", metavar="NAME", help="One chain; otherwise all of them.")
    ] = None,
    first: Annotated[
        int | None, typer.Option("--from", min=0, metavar="HEIGHT", help="The first block.")
    ] = None,
    last: Annotated[
        int | None,
        typer.Option(
            "--to", min=0, metavar="HEIGHT", help="The last block; otherwise the last that was read."
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Read the chain anew, slowly and simply, and compare it with what is recorded; changes nothing."""
    settings = options.settings(context)
    names = _names(settings, chain or [])
    _check_span(names, first, last)
    from watcher.reconcile.compare import Wanted

    reports = asyncio.run(_all(settings, names, Wanted(first, last)))
    if as_json:
        output.as_json({"ok": all(each["ok"] for each in reports), "data": reports})
    else:
        for line in (line for each in reports for line in _lines(each)):
            typer.echo(line)
    if not all(each["ok"] for each in reports):
        raise typer.Exit(1)


def _names(settings: Settings, asked: list[str]) -> list[str]:
    unknown = [name for name in asked if name not in settings.chains]
    if unknown:
        known = ", ".join(settings.chains) or "none"
        raise Failure(f"--chain: there is no chain {unknown[0]!r}; configured are: {known}", WRONG_USAGE)
    if not settings.chains:
        raise Failure(_NO_CHAIN)
    return list(dict.fromkeys(asked)) or list(settings.chains)


def _check_span(names: list[str], first: int | None, last: int | None) -> None:
    if (first, last) != (None, None) and len(names) > 1:
        raise Failure("--from and --to are heights of one chain: name it with --chain", WRONG_USAGE)
    if first is not None and last is not None and last < first:
        raise Failure("--to: must not be below --from", WRONG_USAGE)


async def _all(settings: Settings, names: list[str], wanted: Wanted) -> list[dict[str, Any]]:
    """Compare one chain after the other; one that cannot be read does not keep the others from it."""
    from watcher.app import build

    app = build(settings)
    return [await _one(app, name, wanted) for name in names]


async def _one(app: App, name: str, wanted: Wanted) -> dict[str, Any]:
    from chains.base import ChainError
    from watcher.app import naive_reader
    from watcher.cli.reconcile_chain import Reconciler

    assets = app.chains[name].assets()
    with _Progress(name) as progress:
        floors = {asset.symbol: asset.dust for asset in assets}
        work = Reconciler(app.settings, name, floors, progress)
        try:
            result = await work.run(partial(naive_reader, app, name), wanted)
        except ChainError as error:
            return _nothing(name, str(error))
        except Failure as failure:
            if failure.status == WRONG_USAGE:
                raise
            return _nothing(name, str(failure))
    return _report(name, result, {asset.symbol: asset.decimals for asset in assets})


def _nothing(name: str, reason: str) -> dict[str, Any]:
    return {"chain": name, "ok": False, "error": f"nothing compared: {one_line(reason)}"}


def _report(name: str, result: Result, decimals: dict[str, int]) -> dict[str, Any]:
    found = result.comparison
    return {
        "chain": name,
        "ok": not found.differences,
        "error": None,
        "from": result.span.first,
        "to": result.span.last,
        "empty": result.empty,
        "compared": found.compared,
        "by_balance": result.by_balance,
        "differences": [_difference(name, each, decimals[each.asset]) for each in found.differences],
        "not_compared": [{"what": what, "count": count} for what, count in sorted(found.left_out.items())],
        "remedy": _remedy(name, found.differences),
    }


def _difference(chain: str, one: Difference, decimals: int) -> dict[str, Any]:
    from watcher.money import format_amount

    def shown(amount: int | None) -> str | None:
        return None if amount is None else format_amount(amount, decimals)

    return {
        "chain": chain,
        "kind": one.kind.value,
        "address": one.address,
        "txid": one.txid,
        "slot": one.slot,
        "asset": one.asset,
        "recorded": shown(one.recorded),
        "seen": shown(one.seen),
        "height": one.height,
        **_owner(one.owner),
        "detail": one.detail,
    }


def _owner(owner: str | None) -> dict[str, str | None]:
    """Tell whose it is: an invoice's, or a standing address's."""
    standing = owner is not None and owner.startswith("adr_")
    return {"invoice_id": None if standing else owner, "address_id": owner if standing else None}


def _remedy(name: str, differences: list[Difference]) -> list[str]:
    """Return what to do: a rescan records what is missing; what is not on the chain needs a person."""
    from watcher.reconcile.compare import Kind

    heights = [each.height for each in differences if each.height is not None and each.kind != Kind.ABSENT]
    steps = [f"watcher rescan {name} --from {min(heights)}"] if heights else []
    if any(each.kind == Kind.BALANCE for each in differences):
        steps.append(f"coins moved inside contracts: give {name} a node that traces, then rescan")
    if any(each.kind in {Kind.ABSENT, Kind.ASSET, Kind.SLOT, Kind.ADDRESS} for each in differences):
        steps.append("a rescan takes nothing away: look at each with watcher explain INVOICE")
    return steps


def _lines(report: dict[str, Any]) -> Iterator[str]:
    name = report["chain"]
    if report["error"]:
        yield f"{name}: {report['error']}"
        return
    for one in report["differences"]:
        yield _line(one)
    for left_out in report["not_compared"]:
        yield f"{name}: not compared: {left_out['count']} {left_out['what']}"
    yield _verdict(report)
    for step in report["remedy"]:
        yield f"{name}: to do: {step}"


def _line(one: dict[str, Any]) -> str:
    amounts = [
        f"{said} {one[key]} {one['asset']}"
        for said, key in (("recorded", "recorded"), ("on the chain", "seen"))
        if one[key] is not None
    ]
    words = [
        f"{one['chain']}: {one['kind']}: {one['address']}",
        " ".join(each for each in (one["txid"], one["slot"]) if each),
        ", ".join(amounts),
        f"block {one['height']}" if one["height"] is not None else "",
        one["invoice_id"] or one["address_id"] or "no invoice",
        one["detail"] or "",
    ]
    return "; ".join(word for word in words if word)


def _verdict(report: dict[str, Any]) -> str:
    name, differences = report["chain"], len(report["differences"])
    if report["empty"] and not differences:
        return f"{name}: no address was shown yet: nothing to compare"
    first, last, compared = report["from"], report["to"], report["compared"]
    verdict = f"{differences} difference{'s' * (differences != 1)}" if differences else "no difference"
    how = "; coins inside contracts by the balances alone: the node does not trace" * report["by_balance"]
    return f"{name}: blocks {first} to {last}, {compared} credits compared: {verdict}{how}"


class _Progress:
    """A line on a terminal that tells how far the reading is; nothing elsewhere."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._drawn = sys.stderr.isatty()
        self._shown = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._draw("")

    def say(self, text: str) -> None:
        """Tell something that stays on the screen."""
        self._draw("")
        typer.echo(one_line(text), err=True)

    def at(self, first: int, last: int, height: int) -> None:
        """Tell which block was read."""
        share = 100 * (height - first + 1) // (last - first + 1)
        self._draw(f"{self._name}: block {height} of {first} to {last} ({share} %)")

    def _draw(self, text: str) -> None:
        if self._drawn and text != self._shown:
            typer.echo(f"\r{text:<{len(self._shown)}}", nl=False, err=True)
            typer.echo("\r" * (not text), nl=False, err=True)
            self._shown = text
