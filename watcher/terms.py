"""Turns a draft into an invoice's frozen terms: amounts in base units, tolerance, fees, confirmations.

Knows the chains' assets and the configured defaults; stores nothing and makes no address.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from chains.base import AddressError, NodeUnavailable
from watcher.drafts import FeesDraft
from watcher.errors import Refused
from watcher.model import FeePayer, Finality, Option
from watcher.money import format_amount, gross_up, parse_amount, percent

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction

    from chains.base import Asset, ChainAdapter
    from chains.config import ChainConfig, FeeConfig
    from watcher.drafts import InvoiceDraft, OptionDraft
    from watcher.model import Confirmations
    from watcher.settings import Settings

LARGEST = 2**256 - 1
"""No chain moves more base units than this; a sum above it could not be written down."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to pay, with the adapter that will look for it. The option's address may still be empty."""

    prefix: str
    adapter: ChainAdapter
    option: Option


@dataclass(frozen=True, slots=True)
class _Fees:
    share: Fraction
    fixed: int
    payer: FeePayer


async def ways_of(
    draft: InvoiceDraft, settings: Settings, chains: Mapping[str, ChainAdapter]
) -> tuple[list[Way], FeePayer]:
    """Return the ways to pay a draft, and who bears the fees; Refused names the faulty field."""
    drafts = draft.ways()
    _check_tolerance(draft)
    ways = [
        await _way(draft, prefix, one, position, settings, chains)
        for position, (prefix, one) in enumerate(drafts)
    ]
    seen: set[tuple[str, str, str]] = set()
    for way in ways:
        key = (way.option.chain, way.option.asset, way.option.address)
        if key in seen:
            raise Refused(
                "duplicate_option", f"{key[1]} on {key[0]} is offered twice", field=f"{way.prefix}asset"
            )
        seen.add(key)
    return ways, draft.fees.payer if draft.fees else FeePayer.MERCHANT


def _check_tolerance(draft: InvoiceDraft) -> None:
    assets = {option.asset for _, option in draft.ways()}
    if draft.tolerance and Decimal(draft.tolerance.absolute) and len(assets) > 1:
        raise Refused(
            "invalid_tolerance",
            "an absolute tolerance has no meaning across different assets; give tolerance.percent",
            field="tolerance.absolute",
        )


async def _way(  # noqa: PLR0913, PLR0917 - what an option is made of
    draft: InvoiceDraft,
    prefix: str,
    one: OptionDraft,
    position: int,
    settings: Settings,
    chains: Mapping[str, ChainAdapter],
) -> Way:
    adapter = chain_of(prefix, one.chain, chains)
    asset = _asset(prefix, one, adapter)
    config = settings.chains[one.chain]
    amount = _units(one.amount, asset, f"{prefix}amount")
    if amount == 0:
        raise Refused("invalid_amount", "is zero; ask for more than nothing", field=f"{prefix}amount")
    fees = await _fees(draft.fees, config.fees, adapter, asset)
    customer = fees.payer is FeePayer.CUSTOMER
    expected = gross_up(amount, fees.share, fees.fixed) if customer else amount
    if expected > LARGEST:
        raise Refused("invalid_amount", "is more than any chain can move", field=f"{prefix}amount")
    address = address_of(prefix, one.address, adapter)
    option = Option(
        position=position,
        chain=one.chain,
        asset=asset.symbol,
        asset_id=asset.id,
        decimals=asset.decimals,
        address=address,
        amount=amount,
        expected=expected,
        minimum=max(1, amount - _tolerance(draft, settings, amount, asset)),
        confirmations=_confirmations(draft, config, adapter, one),
        from_height=-1,
        fee_percent=fees.share,
        fee_fixed=fees.fixed,
        dust=asset.dust,
        refund_address=_refund_address(prefix, one, address, adapter),
    )
    return Way(prefix, adapter, option)


def chain_of(prefix: str, name: str, chains: Mapping[str, ChainAdapter]) -> ChainAdapter:
    """Return the chain of a name; Refused where none is configured."""
    if name not in chains:
        known = ", ".join(sorted(chains)) or "none"
        raise Refused(
            "unknown_chain", f"{name!r} is not configured; there is: {known}", field=f"{prefix}chain"
        )
    return chains[name]


def _asset(prefix: str, one: OptionDraft, adapter: ChainAdapter) -> Asset:
    for asset in adapter.assets():
        if asset.symbol == one.asset:
            return asset
    known = ", ".join(a.symbol for a in adapter.assets())
    raise Refused(
        "unknown_asset",
        f"{one.asset!r} is not known on {one.chain}; there is: {known}",
        field=f"{prefix}asset",
    )


def address_of(prefix: str, own: str | None, adapter: ChainAdapter) -> str:
    """Return the caller's address in its one form, or "" for one to be derived; Refused where neither is."""
    if own is None:
        if adapter.key_fingerprint() is None:
            message = f"{adapter.name} has no xpub to take an address from; bring an address of your own"
            raise Refused("address_needed", message, field=f"{prefix}address")
        return ""
    return destination(f"{prefix}address", own, adapter)


def destination(field: str, text: str, adapter: ChainAdapter) -> str:
    """Return an address of a chain and its network in its one form; Refused if money sent there were lost."""
    try:
        address = adapter.canonical(text)
    except AddressError as error:
        raise Refused("invalid_address", str(error), field=field) from error
    for asset in adapter.assets():
        if asset.contract is not None and adapter.key(address) == adapter.key(asset.contract):
            message = f"is the contract of {asset.symbol}; what is sent there is lost"
            raise Refused("invalid_address", message, field=field)
    if not any(adapter.key(address)):
        raise Refused("invalid_address", "belongs to nobody: it is all zeros", field=field)
    return address


def _refund_address(prefix: str, one: OptionDraft, address: str, adapter: ChainAdapter) -> str | None:
    """Return where the payer wants money back, None if that was not said."""
    if one.refund_address is None:
        return None
    field = f"{prefix}refund_address"
    back = destination(field, one.refund_address, adapter)
    if address and adapter.key(back) == adapter.key(address):
        message = "is the address that is to be paid; write one of the payer's"
        raise Refused("invalid_address", message, field=field)
    return back


def _units(text: str, asset: Asset, field: str) -> int:
    try:
        units = parse_amount(text, asset.decimals)
    except ValueError as error:
        raise Refused("invalid_amount", f"{asset.symbol}: {error}", field=field) from error
    if units > LARGEST:
        raise Refused("invalid_amount", "is more than any chain can move", field=field)
    return units


def _share(text: str, field: str) -> Fraction:
    try:
        return percent(text)
    except ValueError as error:
        raise Refused("invalid_percent", str(error), field=field) from error


def _tolerance(draft: InvoiceDraft, settings: Settings, amount: int, asset: Asset) -> int:
    """Return the larger of percent and absolute in base units, rounded down (CONTRACT, Amounts)."""
    text = draft.tolerance.percent if draft.tolerance else settings.invoices.tolerance_percent
    share = _share(text, "tolerance.percent")
    absolute = 0
    if draft.tolerance:
        absolute = _units(draft.tolerance.absolute, asset, "tolerance.absolute")
    if absolute >= amount:
        message = f"is not below the amount; write less than {format_amount(amount, asset.decimals)}"
        raise Refused("invalid_tolerance", message, field="tolerance.absolute")
    return max(int(amount * share), absolute)


async def _fees(draft: FeesDraft | None, config: FeeConfig, adapter: ChainAdapter, asset: Asset) -> _Fees:
    """Return the invoice's own fees, or the chain's; the cost of spending is estimated once, now."""
    own = draft or FeesDraft()
    share = _share(config.percent if own.percent is None else own.percent, "fees.percent")
    if share == 1:
        message = "takes the whole payment; below 100 is possible"
        raise Refused("invalid_percent", message, field="fees.percent")
    if own.fixed is not None:
        fixed = _units(own.fixed, asset, "fees.fixed")
    else:
        fixed = _units(config.fixed, asset, "fees.fixed") + await _spending(config, adapter, asset)
    return _Fees(share, fixed, own.payer)


async def _spending(config: FeeConfig, adapter: ChainAdapter, asset: Asset) -> int:
    """Return what spending one deposit costs, where the merchant wants that deducted."""
    if not config.spending_cost:
        return 0
    try:
        return await adapter.spending_cost(asset.symbol)
    except NodeUnavailable as error:
        message = f"{adapter.name}: the cost of spending cannot be estimated now: {error}"
        raise Refused("chain_not_ready", message, status=503) from error


def _confirmations(
    draft: InvoiceDraft, config: ChainConfig, adapter: ChainAdapter, one: OptionDraft
) -> Confirmations:
    """Return the invoice's own rule, or the chain's for this amount."""
    rule = draft.confirmations if draft.confirmations is not None else _by_amount(config, one)
    return rule_of(rule, adapter)


def rule_of(rule: int | str, adapter: ChainAdapter) -> Confirmations:
    """Return a confirmation rule; Refused if it is none that the chain can follow."""
    if rule == 0 and not adapter.has_mempool:
        message = f"{adapter.name} shows no unconfirmed payments; ask for 1 confirmation or more"
        raise Refused("invalid_confirmations", message, field="confirmations")
    if isinstance(rule, str) and adapter.has_mempool:
        message = f"{adapter.name} has no {rule!r} blocks; give a number"
        raise Refused("invalid_confirmations", message, field="confirmations")
    return Finality(rule) if isinstance(rule, str) else rule


def _by_amount(config: ChainConfig, one: OptionDraft) -> int | str:
    amount = Decimal(one.amount)
    for step in config.confirmations_by_amount:
        if amount <= Decimal(step.up_to):
            return step.confirmations
    return config.confirmations
