"""Rule models: how the touches of one journey share its deal, as closed forms of their place in it.

Each model says, for the touch at place k of n, which share of the deal is its own and which share all touches up to it
have together. The second is what money is rounded by (see `allocation`). Both are formulas of the journey's columns, so
the engine shares out all models in one pass, without sorting the touches again.

Anchors (first touch, lead creation, deal creation, closing, last) take their weights; the touches between share
`others` evenly. Anchors that fall on one touch add up. The weight of a missing anchor, and `others` where no touch lies
between, go to the rest in proportion; if nothing with a weight is there, all touches share evenly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import ibis
import ibis.expr.types as ir

if TYPE_CHECKING:
    from revops_analysis.definitions import Definitions

Window = Literal["sourced", "influence"]


@dataclass(frozen=True)
class Place:
    """Where a touch stands in its journey, as expressions: place `k` of `n`, and the places of the anchors there are.

    `anchors` has first, last, lead_creation, deal_creation and closing; a missing one is null.
    """

    k: ir.IntegerValue
    n: ir.IntegerValue
    anchors: Mapping[str, ir.IntegerValue]


Formula = Callable[[ir.Value], ir.Value]


@dataclass(frozen=True)
class Shares:
    """The share of a touch (`own`), and of all touches up to place k (`up_to(k)`), both 0 to 1."""

    own: ir.Value
    up_to: Formula


def place_in(touches: ir.Table, window: Window) -> Place:
    """Return the place of each touch of `Journeys.touches` in a window; null outside it."""
    if window == "influence":
        names = {name: touches[f"{name}_order"] for name in ("lead_creation", "deal_creation", "closing")}
        k, n = touches.touch_order, touches.touches
    else:
        k, n = touches.sourced_order, touches.sourced_touches
        skipped = touches.touch_order - touches.sourced_order
        lead = touches.lead_creation_order - skipped
        none = ibis.null("int32")
        # Whatever sources a deal ends with its creation, so the last touch of the window is the deal's.
        names = {"lead_creation": ibis.ifelse(lead > 0, lead, none), "deal_creation": n, "closing": none}
    return Place(k, n, {"first": ibis.literal(1, "int32"), "last": n, **names})


def even(place: Place) -> Shares:
    """All touches share evenly."""
    total = place.n.cast("float64")
    return Shares(1.0 / total, lambda k: k.cast("float64") / total)


def anchored(place: Place, weights: Mapping[str, float]) -> Shares:
    """Anchors take their weights, all other touches share `weights['others']` evenly."""
    named = [(place.anchors[name], weight) for name, weight in weights.items() if name != "others"]
    others = float(weights.get("others", 0.0))
    fresh = [_is_new(at, [earlier for earlier, _weight in named[:number]]) for number, (at, _) in enumerate(named)]
    between = (place.n - sum(_one(new) for new in fresh)).cast("float64")
    total = sum(ibis.ifelse(at.notnull(), float(weight), 0.0) for at, weight in named)
    total = total + ibis.ifelse(between > 0, others, 0.0)
    each = ibis.ifelse(between > 0, others / between, 0.0)

    def share(at_or_up_to: Callable[[ir.Value], ir.Value], count: ir.Value) -> ir.Value:
        held = sum(ibis.ifelse(at_or_up_to(at), float(weight), 0.0) for at, weight in named)
        anchors = sum(_one(new & at_or_up_to(at)) for new, (at, _) in zip(fresh, named, strict=True))
        return ibis.ifelse(
            total > 0, (held + each * (count - anchors).cast("float64")) / total, count.cast("float64") / place.n
        )

    return Shares(
        share(lambda at: (at == place.k).fill_null(False), ibis.literal(1, "int32")),
        lambda k: share(lambda at: (at <= k).fill_null(False), k),
    )


def _is_new(at: ir.Value, earlier: list[ir.Value]) -> ir.BooleanValue:
    """Whether an anchor is there and on no touch that an earlier one is on."""
    new = at.notnull()
    for other in earlier:
        new = new & (at != other).fill_null(True)
    return new


def _one(condition: ir.Value) -> ir.Value:
    return condition.cast("int32")


@dataclass(frozen=True)
class RuleModel:
    """A rule: its window, what it says in a sentence, and its shares (None: by weights, see `time_decay`)."""

    name: str
    window: Window
    meaning: str
    shares: Callable[[Place, Definitions], Shares] | None


def _of_definitions(name: str) -> Callable[[Place, Definitions], Shares]:
    def shares(place: Place, definitions: Definitions) -> Shares:
        return anchored(place, getattr(definitions.attribution, name).model_dump())

    return shares


RULES: Mapping[str, RuleModel] = {
    rule.name: rule
    for rule in (
        RuleModel(
            "first_touch", "sourced", "All to the first touch.", lambda place, _: anchored(place, {"first": 1.0})
        ),
        RuleModel(
            "last_touch",
            "influence",
            "All to the last touch before closing.",
            lambda place, _: anchored(place, {"last": 1.0}),
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
