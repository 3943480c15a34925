"""Rule models: how the touches of one journey share its deal, as closed forms of their place in it.

Each model says, for the touch at place k of n, which share of the deal is its own and which share all touches up to it
have together. The second is what money is rounded by (see `allocation`). Both are formulas of the touch's place, so the
engine shares out all models in one pass, without sorting the touches again. They are written as arithmetic on whole
numbers: exact, the same on every engine, and several times as fast as choosing between cases.

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
class Place:
    """Where a touch stands in its journey, as expressions: place `k` of `n`, and the places of the anchors there are.

    `anchors` has first, last, lead_creation, deal_creation and closing; a missing one is 0 or less.
    """

    k: ir.Value
    n: ir.Value
    anchors: Mapping[str, ir.Value]


@dataclass(frozen=True)
class Parts:
    """Shares as quotients of whole numbers: the touch's own, and that of all touches up to and including it."""

    own: ir.Value
    so_far: ir.Value
    whole: ir.Value


def place_in(placed: ir.Table, window: Window) -> Place:
    """Return the place of each touch of `Journeys.placed` in a window; outside it, k is below 1 or above n."""
    one = ibis.literal(1, "int32")
    if window == "influence":
        k, n = placed.touch_order, placed.touches
        anchors = {
            "lead_creation": placed.by_lead,
            "deal_creation": placed.by_deal,
            "closing": n * _one(placed.is_closed),
        }
    else:
        k, n = placed.touch_order - placed.early, placed.by_deal - placed.early
        # Whatever sources a deal ends with its creation, so the last touch of the window is the deal's.
        anchors = {"lead_creation": placed.by_lead - placed.early, "deal_creation": n}
    return Place(k, n, {"first": one, "last": n, **anchors})


def even(place: Place) -> Parts:
    """All touches share evenly."""
    return Parts(_number(ibis.literal(1, "int32")), _number(place.k), _number(place.n))


def only(place: Place, anchor: str) -> Parts:
    """All to the first or the last touch."""
    own = _number(_one(place.k == place.anchors[anchor]))
    one = _number(ibis.literal(1, "int32"))
    return Parts(own, own if anchor == "last" else one, one)


def anchored(place: Place, weights: Mapping[str, float]) -> Parts:
    """Anchors take their weights, all other touches share `weights['others']` evenly."""
    named = [(name, place.anchors[name], round(weight * UNITS)) for name, weight in weights.items() if name != "others"]
    others = round(weights.get("others", 0.0) * UNITS)
    places = [at for _name, at, _weight in named]
    there = [_is_there(name, at) for name, at, _weight in named]
    reached = [_number(_one(is_there & (at <= place.k))) for is_there, at in zip(there, places, strict=True)]
    hit = [_number(_one(at == place.k)) for at in places]
    fresh = [_number(_one(_is_new(there, places, number))) for number in range(len(named))]
    between = _number(place.n) - _sum(fresh)
    divisor = ibis.greatest(between, 1.0)
    has_between = _number(_one(between > 0))
    total = _sum([_number(_one(is_there)) * weight for is_there, (_, _, weight) in zip(there, named, strict=True)])
    is_anchor = _sum([new * at for new, at in zip(fresh, hit, strict=True)])
    passed = _sum([new * so_far for new, so_far in zip(fresh, reached, strict=True)])
    held = _sum([at * weight for at, (_, _, weight) in zip(hit, named, strict=True)])
    gone = _sum([at * weight for at, (_, _, weight) in zip(reached, named, strict=True)])
    parts = Parts(
        held * divisor + (1.0 - is_anchor) * others,
        gone * divisor + (_number(place.k) - passed) * others,
        (total + has_between * others) * divisor,
    )
    certain = any(weight for name, _, weight in named if name in ("first", "last"))
    return parts if certain else _or_even(parts, place)


def _or_even(parts: Parts, place: Place) -> Parts:
    """Where nothing that has a weight is there, all touches share evenly."""
    nothing, evenly = parts.whole == 0, even(place)
    return Parts(
        ibis.ifelse(nothing, evenly.own, parts.own),
        ibis.ifelse(nothing, evenly.so_far, parts.so_far),
        ibis.ifelse(nothing, evenly.whole, parts.whole),
    )


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
    """A rule: its window, what it says in a sentence, and its parts (None: by weights, see `credit`)."""

    name: str
    window: Window
    meaning: str
    parts: Callable[[Place, Definitions], Parts] | None


def _of_definitions(name: str) -> Callable[[Place, Definitions], Parts]:
    def parts(place: Place, definitions: Definitions) -> Parts:
        return anchored(place, getattr(definitions.attribution, name).model_dump())

    return parts


RULES: Mapping[str, RuleModel] = {
    rule.name: rule
    for rule in (
        RuleModel("first_touch", "sourced", "All to the first touch.", lambda place, _: only(place, "first")),
        RuleModel(
            "last_touch",
            "influence",
            "All to the last touch before closing.",
            lambda place, _: only(place, "last"),
        ),
        RuleModel("linear", "influence", "All touches share evenly.", lambda place, _: even(place)),
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
