"""A payment link as its merchant reads it, and as the offer that its payer may see. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from watcher.drafts_link import Limits, LinkDraft
from watcher.model import FeePayer
from watcher.money import format_amount, parse_amount
from watcher.render import moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Row

    from chains.base import Asset, ChainAdapter
    from watcher.drafts_link import LinkOptionDraft
    from watcher.links_opening import Uses
    from watcher.links_stats import Statistics
    from watcher.settings import Settings

_OF_THE_LINK = {"max_uses", "valid_until", "valid_for"}
"""What columns keep, beside the template of the invoices."""


def encode(draft: LinkDraft) -> str:
    """Return the template as it is kept: what was asked for, and no more."""
    asked = draft.model_dump(mode="json", exclude_unset=True, exclude=_OF_THE_LINK)
    return json.dumps(asked, ensure_ascii=False, separators=(",", ":"))


def decode(row: Row[Any]) -> LinkDraft:
    """Return a link's template."""
    return LinkDraft.model_validate(json.loads(row.template))


def link(row: Row[Any], counted: Uses, statistics: Statistics, public_url: str) -> dict[str, Any]:
    """Return a link as its merchant reads it."""
    return {
        "id": row.id,
        "url": f"{public_url}/pay/{row.id}",
        "template": json.loads(row.template),
        "max_uses": row.max_uses,
        "uses": counted.used,
        "created_at": moment(row.created_at),
        "valid_until": moment(row.valid_until),
        "removed_at": moment(row.removed_at),
        "statistics": statistics.shown(),
    }


def payable(template: LinkDraft, chains: Mapping[str, ChainAdapter]) -> list[tuple[LinkOptionDraft, Asset]]:
    """Return the ways to pay that the configuration still has, each with its asset."""
    return [
        (one, asset)
        for _, one in template.ways()
        if one.chain in chains
        for asset in chains[one.chain].assets()
        if asset.symbol == one.asset
    ]


def offer(
    row: Row[Any],
    ways: Iterable[tuple[LinkOptionDraft, Asset]],
    settings: Settings,
    obstacle: str | None,
) -> dict[str, Any]:
    """Return what everyone may see before an invoice is made; `obstacle` is why there can be none now."""
    template = decode(row)
    lifetime = template.expires_in if template.expires_in is not None else settings.invoices.expires_in
    return {
        "id": row.id,
        "description": template.description,
        "options": [
            {"chain": one.chain, "asset": one.asset, "asset_id": asset.id, "amount": _amount(one, asset)}
            for one, asset in ways
        ],
        "fees_added": template.fees is not None and template.fees.payer is FeePayer.CUSTOMER,
        "expires_in": lifetime,
        "valid_until": moment(row.valid_until),
        "usable": obstacle is None,
        "reason": obstacle,
    }


def _amount(one: LinkOptionDraft, asset: Asset) -> str | dict[str, str]:
    def tidy(text: str) -> str:
        return format_amount(parse_amount(text, asset.decimals), asset.decimals)

    if isinstance(one.amount, Limits):
        return {"min": tidy(one.amount.min), "max": tidy(one.amount.max)}
    return tidy(one.amount)
