"""Every rule, status and exception has its sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from watcher.explain import EXCEPTIONS, RULES, STATUSES
from watcher.matcher_rules import COUNTED, Rule
from watcher.model import Exceptional, Status

if TYPE_CHECKING:
    from collections.abc import Mapping
    from enum import StrEnum


@pytest.mark.parametrize(
    ("kind", "table"),
    [(Rule, RULES), (Status, STATUSES), (Exceptional, EXCEPTIONS)],
    ids=lambda a: str(a)[:12],
)
def test_each_has_one_sentence_of_its_own(kind: type[StrEnum], table: Mapping[StrEnum, str]) -> None:
    assert set(kind) == set(table)
    assert len(table) == len(set(table.values()))
    assert all(sentence.endswith(".") for sentence in table.values())


@pytest.mark.parametrize("rule", list(Rule))
def test_a_rule_s_sentence_says_whether_it_counts(rule: Rule) -> None:
    assert (rule in COUNTED) == RULES[rule].startswith("Counted")
    assert (rule not in COUNTED) == RULES[rule].startswith("Not counted")
