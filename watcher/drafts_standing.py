"""What a caller writes to ask for a standing address: checked for its form here, against the chain later."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from watcher.drafts import Confirmations, Draft, Metadata, Name, Text


class StandingDraft(Draft):
    """A new standing address. Without `address` the next one below the chain's key is taken."""

    chain: Name
    address: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = None
    label: Annotated[Text, StringConstraints(min_length=1, max_length=200)] | None = None
    metadata: Metadata = Field(default_factory=dict)
    confirmations: Confirmations | None = None
