"""What a merchant's program asks for: each with a reason of its own, mostly with a key to repeat it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from watcher.errors import Refused
from watcher.idempotency import Idempotency, Replay
from wrong import Wrong

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from run import Run

BY = "a merchant"
KEPT = timedelta(hours=23)
"""For so long a request is repeated: its answer is kept a little longer."""


@dataclass
class Request:
    """One request. `outcome`: "unknown" while its process died before it answered."""

    number: int
    act: str
    ids: tuple[str, ...]
    draft: Any
    at: datetime
    idem: Idempotency | None
    outcome: str = "unknown"
    answer: Any = None

    @property
    def reason(self) -> str:
        """What makes it known again in the audit trail."""
        return f"r{self.number}"

    def __str__(self) -> str:
        return f"{self.reason} {self.act} {' '.join(self.ids)} {self.draft!r}"


class Requests:
    """Every request of a run."""

    def __init__(self) -> None:
        self.made: list[Request] = []

    def new(self, run: Run, act: str, *ids: str, form: type[Any], **fields: Any) -> Request:
        """Write a request down, with a reason and, mostly, a key."""
        number, now = len(self.made), run.deployment.clock()
        fields = {name: value for name, value in fields.items() if value is not None}
        draft = form.model_validate({**fields, "reason": f"r{number}"})
        idem = None
        if run.dice.random() < 0.7:
            idem = Idempotency("key", f"/{act}/{'/'.join(ids)}", f"k{number}", draft.model_dump_json(), now)
        request = Request(number, act, ids, draft, now, idem)
        self.made.append(request)
        return request

    def repeatable(self, now: datetime) -> list[Request]:
        """Return the requests that a program could send once more."""
        return [r for r in self.made if r.idem is not None and now - r.at < KEPT]


async def send(run: Run, request: Request) -> Any:
    """Have a request answered; Refused as the product says, Wrong if a repeated one decides again."""
    run.note(str(request))
    method: Callable[..., Any] = getattr(run.deployment, request.act)
    try:
        answer = await method(*request.ids, request.draft, BY, request.idem)
    except Replay as replay:
        _replayed(request, json.loads(replay.stored.body))
        run.tally["answered once more"] += 1
        return request.answer
    except Refused as refusal:
        if request.outcome == "done":
            raise Wrong(f"{request} was done, and is refused: {refusal}") from refusal
        request.outcome = "refused"
        run.tally[f"refused {refusal.code}"] += 1
        raise
    if request.outcome == "done":
        raise Wrong(f"{request} is done twice")
    request.outcome, request.answer = "done", answer
    return answer


def _replayed(request: Request, answer: Any) -> None:
    if request.outcome == "refused":
        raise Wrong(f"{request} was refused, and is answered with {answer}")
    if request.outcome == "done" and json.loads(json.dumps(request.answer)) != answer:
        raise Wrong(f"{request} was answered with {request.answer}, and now with {answer}")
    request.outcome, request.answer = "done", answer


async def send_together(run: Run, requests: Sequence[Request]) -> list[Request]:
    """Send requests at the same moment; return those that were done."""
    results = await asyncio.gather(*(send(run, r) for r in requests), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, Refused):
            raise result
    return [r for r in requests if r.outcome == "done"]
