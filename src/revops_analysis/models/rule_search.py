"""The simplest rule near the best: shallow trees, read as rules of at most four conditions.

A tree of few leaves is grown on leads whose outcome is known; its leaves are taken from the best one on, and what is
taken is written as one rule, as short as it goes. Of all rules found, the one with the best balance of precision and
recall (F1) is kept, or a shorter one that is nearly as good.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from revops_analysis.definitions.rule_text import conditions
from revops_analysis.definitions.rules import AllOf, AnyOf, Condition, Rule

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class RuleSearchOptions:
    """How rules are looked for.

    `most_conditions` in a rule. `leaves` and `depth`: the largest tree. `leaf_share`: least share of leads in a leaf
    (and at least `least_leads`). `nearly`: a shorter rule is kept if its F1 is at least this share of the best.
    `prior`: a level's rate counts beside so many leads at the common rate. A text of more than `most_levels` levels
    makes no rule that can be read.
    """

    most_conditions: int = 4
    leaves: int = 7
    depth: int = 4
    leaf_share: float = 0.01
    least_leads: int = 30
    nearly: float = 0.995
    prior: float = 20.0
    most_levels: int = 50


@dataclass(frozen=True)
class FoundRule:
    """A rule with its figures on the leads it was found on: passed and recall (shares), precision, f1, conditions."""

    rule: Rule
    passed: float
    precision: float
    recall: float
    f1: float

    @property
    def conditions(self) -> int:
        """Number of conditions."""
        return len(conditions(self.rule))


def find_rule(
    leads: pd.DataFrame, kinds: Mapping[str, str], options: RuleSearchOptions = RuleSearchOptions()
) -> FoundRule | None:
    """The simplest rule near the best by `leads["outcome"]` (1 or 0) over the columns of `kinds`; None if none helps.

    A rule that passes every lead, or none, is none. Deterministic: rows in any order give the same rule.
    """
    rows = leads.sort_values("lead_id", kind="stable").reset_index(drop=True)
    outcome = rows["outcome"].to_numpy(dtype=float)
    if not 0 < outcome.sum() < len(outcome):
        return None
    found: dict[str, FoundRule] = {}
    for rule in _candidates(rows, kinds, outcome, options):
        for shorter in (rule, *_shortened(rule, rows, outcome, options)):
            if len(conditions(shorter)) <= options.most_conditions:
                judged = judge(shorter, holds(shorter, rows), outcome)
                if judged is not None:
                    found.setdefault(repr(shorter), judged)
    if not found:
        return None
    best = max(each.f1 for each in found.values())
    near = [each for each in found.values() if each.f1 >= options.nearly * best]
    return min(near, key=lambda each: (each.conditions, -each.f1, repr(each.rule)))


def judge(rule: Rule, passed: Mask, outcome: npt.NDArray[np.float64]) -> FoundRule | None:
    """Figures of a rule, given which leads it passes; None for one that passes all or none, or no good one."""
    taken, good = int(passed.sum()), float(outcome[passed].sum())
    if taken in (0, len(passed)) or good == 0:
        return None
    precision, recall = good / taken, good / float(outcome.sum())
    return FoundRule(rule, taken / len(passed), precision, recall, 2 * precision * recall / (precision + recall))


def holds(rule: Rule, leads: pd.DataFrame) -> Mask:
    """Whether the rule passes each record, by the same rules as `metrics.funnel.passes` in the engine."""
    if isinstance(rule, Condition):
        return _condition_holds(rule, leads[rule.attribute])
    parts = [holds(part, leads) for part in (rule.all if isinstance(rule, AllOf) else rule.any)]
    combine = np.logical_and if isinstance(rule, AllOf) else np.logical_or
    return np.asarray(combine.reduce(parts))


def _condition_holds(condition: Condition, values: pd.Series) -> Mask:
    present = values.notna().to_numpy()
    if condition.op in ("present", "missing"):
        return present if condition.op == "present" else ~present
    wanted = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    if condition.op in ("=", "in"):
        return values.isin(list(wanted)).to_numpy()
    if condition.op in ("!=", "not in"):
        return ~values.isin(list(wanted)).to_numpy() & present
    number = values.to_numpy(dtype=float)
    limit = float(wanted[0])  # type: ignore[arg-type]
    compared = {"<": number < limit, "<=": number <= limit, ">": number > limit, ">=": number >= limit}
    return np.asarray(compared[condition.op])


def _candidates(
    rows: pd.DataFrame, kinds: Mapping[str, str], outcome: npt.NDArray[np.float64], options: RuleSearchOptions
) -> Iterator[Rule]:
    """Rules read from trees of 2 leaves up to the most, taking leaves from the best one on."""
    from sklearn.tree import DecisionTreeClassifier

    names = [name for name in kinds if kinds[name] != "text" or rows[name].nunique() <= options.most_levels]
    if not names:
        return
    rates = {name: _level_rates(rows[name], outcome, options.prior) for name in names if kinds[name] == "text"}
    # Missing lies below every value, as a condition on a missing value never holds.
    columns = [
        rows[name].map(rates[name]).fillna(-1.0) if name in rates else rows[name].fillna(_below(rows[name]))
        for name in names
    ]
    matrix = np.column_stack([column.to_numpy(dtype=float) for column in columns])
    smallest = max(options.least_leads, math.ceil(options.leaf_share * len(rows)))
    for leaves in range(2, options.leaves + 1):
        tree = DecisionTreeClassifier(
            max_leaf_nodes=leaves, max_depth=options.depth, min_samples_leaf=smallest, random_state=0
        ).fit(matrix, outcome)
        reader = _TreeReader(tree.tree_, names, (rows, rates), matrix)
        for taken in reader.choices():
            rule = reader.rule(0, taken)
            if not isinstance(rule, bool):
                yield rule


def _below(values: pd.Series) -> float:
    least = float(values.min())
    return least - 1.0 if math.isfinite(least) else 0.0


def _level_rates(values: pd.Series, outcome: npt.NDArray[np.float64], prior: float) -> dict[Any, float]:
    """The rate of each level, drawn towards the common rate: levels in an order, as a tree needs it."""
    counted = pd.DataFrame({"level": values, "good": outcome}).groupby("level")["good"].agg(["sum", "size"])
    common = float(outcome.mean())
    return dict(((counted["sum"] + prior * common) / (counted["size"] + prior)).items())


class _TreeReader:
    """A fitted tree read as rules."""

    def __init__(
        self, tree: Any, names: list[str], learned: tuple[pd.DataFrame, dict[str, dict[Any, float]]], matrix: Any
    ) -> None:
        self.tree, self.names, self.matrix = tree, names, matrix
        self.rows, self.rates = learned

    def choices(self) -> Iterator[frozenset[int]]:
        """Leaves taken, from the best alone to all but the worst."""
        leaves = np.flatnonzero(self.tree.children_left < 0)
        share = self.tree.value[leaves, 0]
        rate = share[:, -1] / share.sum(axis=1)
        order = leaves[np.lexsort((leaves, -rate))]
        for count in range(1, len(order)):
            yield frozenset(int(leaf) for leaf in order[:count])

    def rule(self, node: int, taken: frozenset[int]) -> Rule | bool:
        """The rule of a subtree; True or False where it passes all or none."""
        if self.tree.children_left[node] < 0:
            return node in taken
        low = self.rule(int(self.tree.children_left[node]), taken)
        high = self.rule(int(self.tree.children_right[node]), taken)
        if low is high and isinstance(low, bool):
            return low
        above, below = self._conditions(node)
        upper, lower = _both(above, high), _both(below, low)
        if isinstance(upper, bool) or isinstance(lower, bool):
            return lower if isinstance(upper, bool) else upper
        # Where one branch passes all, the other need not say that it is the other.
        return _either(high if low is True else upper, low if high is True else lower)

    def _conditions(self, node: int) -> tuple[Condition, Condition]:
        """The condition of the upper branch and that of the lower one."""
        column = int(self.tree.feature[node])
        name, threshold = self.names[column], float(self.tree.threshold[node])
        if name in self.rates:
            levels = sorted(self.rates[name])
            upper = tuple(level for level in levels if self.rates[name][level] > threshold)
            lower = tuple(level for level in levels if self.rates[name][level] <= threshold)
            return _among(name, upper, lower), _among(name, lower, upper)
        values = self.rows[name].dropna().to_numpy(dtype=float)
        if set(np.unique(values)) <= {0.0, 1.0}:
            return (
                Condition(attribute=name, op="=", value=True),
                Condition(attribute=name, op="=", value=False),
            )
        above = round_number(values[values <= threshold].max(initial=-math.inf), values[values > threshold].min())
        return Condition(attribute=name, op=">=", value=above), Condition(attribute=name, op="<", value=above)


def _among(name: str, levels: tuple[Any, ...], others: tuple[Any, ...]) -> Condition:
    """One of the levels, or none of the others where those are fewer."""
    if not levels:
        # A branch without levels holds only missing values.
        return Condition(attribute=name, op="missing")
    if len(levels) == 1:
        return Condition(attribute=name, op="=", value=levels[0])
    if others and len(others) < len(levels):
        return Condition(attribute=name, op="not in", value=others)
    return Condition(attribute=name, op="in", value=levels)


def _both(condition: Condition, rest: Rule | bool) -> Rule | bool:
    if isinstance(rest, bool):
        return condition if rest else False
    return AllOf(all=(condition, *(rest.all if isinstance(rest, AllOf) else (rest,))))


def _either(high: Rule | bool, low: Rule | bool) -> Rule | bool:
    """One rule of both, flat."""
    rules = [rule for rule in (high, low) if not isinstance(rule, bool)]
    return AnyOf(any=tuple(part for rule in rules for part in (rule.any if isinstance(rule, AnyOf) else (rule,))))


def _shortened(
    rule: Rule, rows: pd.DataFrame, outcome: npt.NDArray[np.float64], options: RuleSearchOptions
) -> Iterator[Rule]:
    """Ever shorter rules: at each step the part whose loss costs least, as long as the rule stays nearly as good."""
    current = judge(rule, holds(rule, rows), outcome)
    while current is not None:
        variants = [judge(shorter, holds(shorter, rows), outcome) for shorter in _one_less(current.rule)]
        kept = [variant for variant in variants if variant is not None]
        following = max(kept, key=lambda each: (each.f1, repr(each.rule)), default=None)
        needs_fewer = current.conditions > options.most_conditions
        if following is None or not (needs_fewer or following.f1 >= options.nearly * current.f1):
            return
        yield following.rule
        current = following


def _one_less(rule: Rule) -> Iterator[Rule]:
    """The rule with one of its parts left out, wherever it stands."""
    if isinstance(rule, Condition):
        return
    parts = rule.all if isinstance(rule, AllOf) else rule.any
    make = (lambda kept: AllOf(all=kept)) if isinstance(rule, AllOf) else (lambda kept: AnyOf(any=kept))
    for place, part in enumerate(parts):
        rest = (*parts[:place], *parts[place + 1 :])
        yield rest[0] if len(rest) == 1 else make(rest)
        yield from (make((*parts[:place], less, *parts[place + 1 :])) for less in _one_less(part))


def round_number(low: float, high: float) -> int | float:
    """The roundest number above `low` and not above `high`: a limit between two values that a reader can remember.

    >>> round_number(79, 80), round_number(480, 512), round_number(0.31, 0.329), round_number(-3, 5)
    (80, 500, 0.32, 0)
    """
    if not math.isfinite(low) or low >= high:
        return int(high) if float(high).is_integer() else high
    if low < 0 <= high:
        return 0
    for power in range(math.ceil(math.log10(max(abs(low), abs(high)))) + 1, -12, -1):
        step = 10.0**power
        found = (math.floor(low / step) + 1) * step
        rounded = round(found, max(0, -power))
        if low < rounded <= high:
            return int(rounded) if float(rounded).is_integer() else rounded
    return high
