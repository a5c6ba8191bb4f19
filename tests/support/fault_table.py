"""The faults P1 to P15, to which answers each can happen, and which of them one endpoint cannot disprove."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import fault_answers as answers
import fault_transport as ways
from fault_proxy import EVERY, Fault, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fault_answers import Liar, OtherFork


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the table: `make` gives the fault of one resource; `hazards` are rows of HAZARDS.

    `slow`: its node does not answer in time. `connection`: it is the connection's, not the answer's.
    """

    name: str
    hazards: str
    make: Callable[[str, Liar, OtherFork], Fault]
    slow: bool = False
    connection: bool = False

    def __str__(self) -> str:
        return f"{self.name}-{self.hazards}"


def _altering(pick: Callable[[Liar, OtherFork], Any]) -> Callable[[str, Liar, OtherFork], Fault]:
    return lambda resource, liar, fork: Fault(resource, alter=pick(liar, fork))


def _sending(transport: Any) -> Callable[[str, Liar, OtherFork], Fault]:
    return lambda resource, _, __: Fault(resource, transport=transport)


def _ordering(reorder: Any) -> Callable[[str, Liar, OtherFork], Fault]:
    return lambda resource, _, __: Fault(resource, reorder=reorder)


def _zero(_: Any, result: Any) -> Any:
    return {**result, "number": "0x0"}


KINDS = (
    Kind("P1-stale-backend", "h42-h74", _altering(lambda liar, _: liar.stale)),
    Kind("P2-alternating-backends", "h7-h42", _altering(lambda liar, _: answers.alternating(liar.stale))),
    Kind("P3-empty-answer", "h43", _altering(lambda _, __: answers.empty)),
    Kind("P4-null", "h47", _altering(lambda _, __: answers.null)),
    Kind("P5-one-dropped", "h43-h47", _altering(lambda liar, _: liar.dropped)),
    Kind("P6-wrong-id", "h75", _ordering(answers.wrong_ids), connection=True),
    Kind("P6-rotated-batch", "h75", _ordering(answers.rotated)),
    Kind("P6-reordered-batch", "h75", _ordering(answers.backwards)),
    Kind("P7-truncated-or-html", "h75", _sending(ways.in_turn(ways.truncated, ways.html)), connection=True),
    Kind(
        "P8-refused",
        "h34-h35-h46",
        _sending(ways.in_turn(ways.too_many, ways.unavailable, ways.limited, ways.warming_up)),
        connection=True,
    ),
    Kind(
        "P9-hang-or-drip",
        "h34-h127",
        _sending(ways.in_turn(ways.hang, ways.drip)),
        slow=True,
        connection=True,
    ),
    Kind("P10-reset", "h34", _sending(ways.reset), connection=True),
    Kind("P11-frozen", "h9", _altering(lambda _, __: answers.frozen())),
    Kind("P11-null", "h11", _altering(lambda _, __: answers.null)),
    Kind("P11-zero", "h11", _altering(lambda _, __: _zero)),
    Kind("P12-another-chain", "h71", _altering(lambda liar, _: liar.foreign)),
    Kind("P13-another-fork", "h6", _altering(lambda _, fork: fork.alter)),
    Kind("P14-injected", "h49-h56", _altering(lambda liar, _: liar.injected)),
    Kind("P14-hidden", "h43-h53", _altering(lambda liar, _: liar.hidden)),
    Kind("P15-method-missing", "h74", _altering(lambda _, __: answers.missing)),
)


class Excluded(NamedTuple):
    """Cells that cannot be: these faults (by their code) of these resources, where `when` holds, and why."""

    faults: str
    resources: str
    reason: str
    when: Callable[[Sample], bool] = lambda _: True


def _holds_nothing(sample: Sample) -> bool:
    result = sample.result
    if isinstance(result, dict):
        return not (
            result.get("logs") or [tx for tx in result.get("transactions") or () if isinstance(tx, dict)]
        )
    return not isinstance(result, list | bytes | str) or (isinstance(result, str) and len(result) <= 66)


EXCLUDED = (
    Excluded(
        r"P1-|P2-|P13-",
        r"eth_chainId|.* genesis|eth_call 0x313ce567|/rest/chaininfo.json|getmempoolinfo|eth_gasPrice",
        "the answer is the same at every height and on every fork",
    ),
    Excluded(r"P3-", r".*", "the answer is no list", lambda s: not isinstance(s.result, list | bytes | str)),
    Excluded(r"P3-", r"every", "empty is no answer of a header: each list alone is emptied"),
    Excluded(r"P5-", r".*", "nothing can be left out of the answer", _holds_nothing),
    Excluded(r"P5-|P14-", r"every", "each list alone"),
    Excluded(r"P6-r", r"(?!every).*", "never sent in a batch", lambda s: s.batch == 1),
    Excluded(r"P6-", r"/rest/.*", "REST has no ids"),
    Excluded(r"P11-", r"(?!.* (safe|finalized)$).*", "names no final block"),
    Excluded(r"P12-", r"(?!.* genesis$)get.*|/rest/.*", "says nothing of the chain that it belongs to"),
    Excluded(r"P14-", r".*", "nothing that pays can be put into the answer", _holds_nothing),
    Excluded(
        r"P14-hidden",
        r"(?!getblock$|/rest/block$|getrawtransaction$|.* whole$|.*Receipts?$|.*trace).*",
        "does not say who is paid",
    ),
    Excluded(r"P14-", r"/rest/chaininfo.json|getblockheader|getblockhash.*", "holds no payment"),
)


class Unprovable(NamedTuple):
    """Cells of these modes in which one endpoint's answers are in order in themselves, and yet wrong.

    `by`: what tells all the same. `always` False: by chance the answers can also be right.
    """

    modes: str
    faults: str
    resources: str
    by: str
    always: bool = True


_CROSS_CHECK = "no root of the header covers it: the comparison of balances (cross_check) tells"
_SHOWN = "`check`, /v1/chains and the log show the lesser mode; what it does not see, the balances tell"
UNPROVABLE = (
    Unprovable(r"anvil-(traces|parity)", r"P14-", r"debug_traceBlockByHash|trace_block", _CROSS_CHECK),
    Unprovable(r"anvil-.*", r"P14-hidden", r"eth_getBlockByNumber whole", _CROSS_CHECK),
    Unprovable(
        r"anvil-balances",
        r"P5-",
        r"eth_getBlockByNumber whole",
        "the balance: told as unattributed, not lost",
        always=False,
    ),
    Unprovable(
        r"anvil-.*",
        r"P6-rotated",
        r"eth_call 0x70a08231|eth_getBalance",
        "numbers with each other's ids: the next comparison of balances tells",
        always=False,
    ),
    Unprovable(r"anvil-parity", r"P15-", r"trace_block", _SHOWN),
    Unprovable(r"anvil-balances", r"P15-", r"eth_getBalance", _SHOWN),
)
"""One endpoint alone; where several are configured, `agreement` proves the hash of each block."""


def unprovable(mode: str, kind: Kind, resource: str) -> Unprovable | None:
    return next((row for row in UNPROVABLE if _names(row, mode, kind, resource)), None)


def _names(row: Unprovable, mode: str, kind: Kind, resource: str) -> bool:
    named = re.fullmatch(row.modes, mode) and re.match(row.faults, kind.name)
    return bool(named and re.fullmatch(row.resources, resource))


def cells(kind: Kind, seen: Mapping[str, Sample]) -> tuple[list[str], dict[str, str]]:
    """Return the resources that can have the fault, and why the others cannot."""
    wanted, without = [], {}
    for resource, sample in {**seen, EVERY: Sample(batch=2)}.items():
        rules = [rule for rule in EXCLUDED if _matches(rule, kind, resource, sample)]
        if rules:
            without[resource] = rules[0].reason
        else:
            wanted.append(resource)
    return wanted, without


def _matches(rule: Excluded, kind: Kind, resource: str, sample: Sample) -> bool:
    named = re.match(rule.faults, kind.name) and re.fullmatch(rule.resources, resource)
    return bool(named) and (resource == EVERY or rule.when(sample))
