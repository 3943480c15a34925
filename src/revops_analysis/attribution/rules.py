"""Rule models: how the touches of one journey share its deal, as closed forms of their place in it.

Each model says, for the touch at place k of n, which share of the deal the touches before it have together, and which
share with it. Money is rounded by both (see `allocation`). Both are a line with steps: so much for each touch, and a
step at each anchor. Lines are worked out once a deal, and read off once a touch, for all models in one pass and without
sorting the touches again. They are arithmetic on whole numbers: exact, the same on every engine, and several times as
fast as choosing between cases.

Anchors (first touch, lead creation, deal creation, closing, last) take their weights; the touches between share
`others` evenly. Anchors that fall on one touch add up. The weight of a missing anchor, and `others` where no touch lies
between, go to the rest in proportion; if nothing with a weight is there, all touches share evenly.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Literal

import ibis
import ibis.expr.types as ir

if TYPE_CHECKING:
    from revops_analysis.definitions import Definitions

Window = Literal["sourced", "influence"]


UNITS = 10**9
"""Weights are whole numbers of this unit: sums and products are then exact in binary floating point."""


@dataclass(frozen=True)
class Anchors:
    """Where the anchors of a deal's journey stand, as expressions of the deal: `n` touches, and the place of each.

    `places` has first, last, lead_creation, deal_creation and closing; a missing one is 0 or less.
    """

    n: ir.Value
    places: Mapping[str, ir.Value]


@dataclass(frozen=True)
class Line:
    """How a rule shares out a deal: up to place k all touches have `each` · k and the steps of the anchors passed.

    `each` is a number, or an expression of the deal; `steps` (by anchor) and `whole`, what all touches have together,
    are expressions of the deal. All are whole numbers. `takes_all` is the anchor that takes all, if one does.
    """

    each: float | ir.Value
    steps: Mapping[str, ir.Value]
    whole: ir.Value
    takes_all: str | None = None


@dataclass(frozen=True)
class Parts:
    """Shares as quotients of whole numbers: of all touches before this one, and of all up to and including it."""

    before: ir.Value
    so_far: ir.Value
    whole: ir.Value


WINDOWS: Mapping[Window, tuple[str, ...]] = {
    "sourced": ("last", "lead_creation"),
    "influence": ("last", "lead_creation", "deal_creation"),
}
"""The windows, and the anchors in each that can be anywhere but on the first touch. What is not among them is on the
last touch if it is there at all: closing, and the creation of the deal, with which the sourced window ends."""


def first_of(touched: ir.Table, window: Window) -> ir.Value:
    """How many touches of a deal of `Journeys.touched` lie before a window."""
    return touched.early if window == "sourced" else ibis.literal(0, "int32")


def anchors_in(touched: ir.Table, window: Window) -> Anchors:
    """Return where the anchors of each deal of `Journeys.touched` stand in a window."""
    if window == "influence":
        n = touched.touches
        places = {
            "lead_creation": touched.by_lead,
            "deal_creation": touched.by_deal,
            "closing": n * _one(touched.is_closed),
        }
    else:
        n = touched.by_deal - touched.early
        places = {"lead_creation": touched.by_lead - touched.early, "deal_creation": n}
    return Anchors(n, {"first": ibis.literal(1, "int32"), "last": n, **places})


def even(deal: Anchors) -> Line:
    """All touches share evenly."""
    return Line(1.0, {}, _number(deal.n))


def only(anchor: str) -> Line:
    """All to the first or the last touch."""
    return Line(0.0, {}, ibis.literal(1.0), anchor)


def anchored(deal: Anchors, weights: Mapping[str, float]) -> Line:
    """Anchors take their weights, all other touches share `weights['others']` evenly.

    The step of an anchor is its weight, less the part of the touch that it is on: that touch is no other. All is
    multiplied by the number of touches between, which makes it whole.
    """
    named = {name: round(weight * UNITS) for name, weight in weights.items() if name != "others"}
    others = float(round(weights.get("others", 0.0) * UNITS))
    places = [deal.places[name] for name in named]
    there = [_is_there(name, at) for name, at in zip(named, places, strict=True)]
    fresh = [_number(_one(_is_new(there, places, number))) for number in range(len(named))]
    between = _number(deal.n) - _sum(fresh)
    has_between = _number(_one(between > 0))
    divisor = between + (1.0 - has_between)
    held = [_number(_one(is_there)) * float(weight) for is_there, weight in zip(there, named.values(), strict=True)]
    steps = [weight * divisor - new * others for weight, new in zip(held, fresh, strict=True)]
    line = Line(others, dict(zip(named, steps, strict=True)), (_sum(held) + has_between * others) * divisor)
    certain = any(weight for name, weight in named.items() if name in ("first", "last"))
    return line if certain else _or_even(line, deal)


def _or_even(line: Line, deal: Anchors) -> Line:
    """Where nothing that has a weight is there, all touches share evenly."""
    nothing = line.whole == 0
    return Line(
        ibis.ifelse(nothing, 1.0, line.each),
        {anchor: ibis.ifelse(nothing, 0.0, step) for anchor, step in line.steps.items()},
        ibis.ifelse(nothing, _number(deal.n), line.whole),
    )


def passed(k: ir.Value, places: Mapping[str, ir.Value]) -> dict[str, tuple[ir.Value, ir.Value]]:
    """By anchor: 1 where it lies before the touch at place k, else 0; and 1 where before or on it. Inside a window.

    `places` has last, and may have lead_creation and deal_creation.
    """
    one, nothing = ibis.literal(1, "int32"), ibis.literal(0.0)
    found = {
        "first": (_number(_one(k > one)), ibis.literal(1.0)),
        "last": (nothing, _number(_one(k >= places["last"]))),
    }
    others = {name: at for name, at in places.items() if name != "last"}
    return found | {name: (_number(_one(at < k)), _number(_one(at <= k))) for name, at in others.items()}


def _is_there(name: str, at: ir.Value) -> ir.Value:
    return ibis.literal(True) if name in ("first", "last") else at > 0


def _is_new(there: list[ir.Value], places: list[ir.Value], number: int) -> ir.Value:
    """Whether an anchor is there, and on no touch that an earlier one is on."""
    return reduce(operator.and_, [places[number] != earlier for earlier in places[:number]], there[number])


def _sum(values: list[ir.Value]) -> ir.Value:
    return reduce(operator.add, values)


def _one(condition: ir.Value) -> ir.Value:
    return condition.cast("int32")


def _number(value: ir.Value) -> ir.Value:
    return value.cast("float64")


@dataclass(frozen=True)
class RuleModel:
    """A rule: its window, what it says in a sentence, and its line (None: by weights, see `credit`)."""

    name: str
    window: Window
    meaning: str
    line: Callable[[Anchors, Definitions], Line] | None


def _of_definitions(name: str) -> Callable[[Anchors, Definitions], Line]:
    def line(deal: Anchors, definitions: Definitions) -> Line:
        return anchored(deal, getattr(definitions.attribution, name).model_dump())

    return line


RULES: Mapping[str, RuleModel] = {
    rule.name: rule
    for rule in (
        RuleModel("first_touch", "sourced", "All to the first touch.", lambda _deal, _: only("first")),
        RuleModel(
            "last_touch",
            "influence",
            "All to the last touch before closing.",
            lambda _deal, _: only("last"),
        ),
        RuleModel("linear", "influence", "All touches share evenly.", lambda deal, _: even(deal)),
        RuleModel(
            "u_shaped", "sourced", "First touch and lead creation, the rest between.", _of_definitions("u_shaped")
        ),
        RuleModel(
            "w_shaped",
            "sourced",
            "First touch, lead creation and deal creation, the rest between.",
            _of_definitions("w_shaped"),
        ),
        RuleModel(
            "full_path",
            "influence",
            "First touch, lead creation, deal creation and closing, the rest between.",
            _of_definitions("full_path"),
        ),
        RuleModel("position", "influence", "First and last touch, the rest between.", _of_definitions("position")),
        RuleModel("time_decay", "influence", "The later a touch, the more: half as much a half-life earlier.", None),
    )
}
"""The rule models, in the order of reports."""
