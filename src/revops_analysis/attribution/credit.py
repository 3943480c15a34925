"""Credit: what each touch of each deal receives under a model, to the cent, and what channels receive in total.

    made = journeys(snapshot)
    credit(made, "w_shaped").table                          # a row a touch and deal
    credit(made, "w_shaped").totals(by=["channel"])         # pipeline, bookings and deals by channel
    compare(made, by=["channel"])                           # all rule models, in one pass of the engine

Rule models are in `rules`. Others add themselves with `register_model`, and use `shared_by_weights`, which gives every
deal's amount away to the cent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir

from revops_analysis.attribution.allocation import cents_between, money, whole_weight
from revops_analysis.attribution.journeys import Journeys
from revops_analysis.attribution.rules import RULES, Place, Window, place_in
from revops_analysis.metrics.deals import missing
from revops_analysis.metrics.where import check_names

if TYPE_CHECKING:
    import pandas as pd

    from revops_analysis.attribution.totals import Cut

KEYS = ("opportunity_id", "touchpoint_id", "channel", "campaign_id", "team", "deal_number")
"""Columns that every table of credit begins with."""


@dataclass(frozen=True)
class CreditModel:
    """A model: its window, what it says in a sentence, and the function that makes its table from journeys.

    The table has `KEYS`, `share` (of the deal, 0 to 1) and `cents` (Int64, null where the deal has no amount), a row a
    touch of its window.
    """

    name: str
    window: Window
    meaning: str
    make: Callable[[Journeys], ir.Table]


@dataclass(frozen=True, eq=False)
class Credit:
    """The credit of a model. `table`, a row a touch and deal: opportunity_id, touchpoint_id, channel, campaign_id,
    team, model, share (0 to 1; 1 in all for each deal) and amount (DECIMAL(18, 2), in the reporting currency; null
    where the deal has none). The amounts of a deal add up to its amount exactly.
    """

    journeys: Journeys
    model: CreditModel
    shared: ir.Table

    @property
    def table(self) -> ir.Table:
        """The tidy table."""
        shared = self.shared
        return shared.select(
            *KEYS[:-1], model=ibis.literal(self.model.name), share=shared.share, amount=money(shared.cents)
        )

    def totals(self, by: Sequence[str] = ("channel",), cut: Cut | None = None) -> pd.DataFrame:
        """Return what each channel, campaign, segment … receives; see `totals.totals` for columns and views."""
        from revops_analysis.attribution.totals import Cut, totals

        renamed = self.shared.rename({f"{self.model.name}_{name}": name for name in ("share", "cents")})
        windows = {self.model.name: self.model.window}
        return totals(self.journeys, renamed, windows, cut or Cut(by=tuple(by)))


_MODELS: dict[str, CreditModel] = {}


def register_model(model: CreditModel) -> CreditModel:
    """Add a model to those that `credit` knows, and return it."""
    _MODELS[model.name] = model
    return model


def models() -> dict[str, CreditModel]:
    """Every model by name, in the order of reports: rules first."""
    import revops_analysis.attribution.path_models  # noqa: F401  (adds its models)

    rules = {
        rule.name: CreditModel(rule.name, rule.window, rule.meaning, _by_rule(rule.name)) for rule in RULES.values()
    }
    return {**rules, **_MODELS}


def credit(journeys: Journeys, model: str | None = None) -> Credit:
    """Return the credit of the journeys' deals under a model; by default under the official one of the definitions.

    Deals without touches in the model's window are in no row of the table; `totals` has them apart, as not attributed.
    Raises ConfigurationError, with the near names, for a model that does not exist.
    """
    name = model or journeys.snapshot.definitions.attribution.official_model
    known = models()
    check_names([name], known, "attribution model", "credit")
    return Credit(journeys, known[name], known[name].make(journeys))


def compare(journeys: Journeys, by: Sequence[str] = ("channel",), cut: Cut | None = None) -> pd.DataFrame:
    """Return the totals of all rule models, computed in one pass; columns of `totals.totals`, a block a model."""
    from revops_analysis.attribution.totals import Cut, totals

    windows = {rule.name: rule.window for rule in RULES.values()}
    return totals(journeys, by_rules(journeys, list(RULES)), windows, cut or Cut(by=tuple(by)))


def by_rules(journeys: Journeys, names: Sequence[str]) -> ir.Table:
    """Return `KEYS` and `<model>_share`, `<model>_cents` of several rules, null outside a rule's window."""
    touches = journeys.touches
    definitions = journeys.snapshot.definitions
    if any(RULES[name].shares is None for name in names):
        touches = _decayed(touches, definitions.attribution.half_life_days)
    places = {window: place_in(touches, window) for window in ("sourced", "influence")}
    columns: dict[str, ir.Value] = {}
    for name in names:
        rule, place = RULES[name], places[RULES[name].window]
        if rule.shares is None:
            own, up_to, before = (touches[f"decay_{part}"] for part in ("share", "up_to", "before"))
        else:
            shares = rule.shares(place, definitions)
            own, up_to, before = shares.own, shares.up_to(place.k), shares.up_to(place.k - 1)
        columns |= _columns(name, touches, place, (own, up_to, before))
    return touches.select(*KEYS, **columns)


def _columns(
    name: str, touches: ir.Table, place: Place, parts: tuple[ir.Value, ir.Value, ir.Value]
) -> dict[str, ir.Value]:
    """The columns of one rule from its shares: the touch's own, up to the touch, and before it."""
    own, up_to, before = parts
    inside = ~missing(place.k)
    cents = cents_between(touches.cents, before, up_to, place.k == place.n)
    return {
        f"{name}_share": ibis.ifelse(inside, own, ibis.null("float64")),
        f"{name}_cents": ibis.ifelse(inside, cents, ibis.null("int64")),
    }


def _by_rule(name: str) -> Callable[[Journeys], ir.Table]:
    def make(journeys: Journeys) -> ir.Table:
        wide = by_rules(journeys, [name])
        renamed = wide.rename(share=f"{name}_share", cents=f"{name}_cents")
        return renamed.filter(~missing(renamed.share))

    return make


def _decayed(touches: ir.Table, half_life_days: float) -> ir.Table:
    """Add the shares of touches that count half for every half-life before the deal's last touch."""
    weight = whole_weight(2.0 ** (touches.days_before_last.cast("float64") / -half_life_days))
    return _with_sums(touches.mutate(decay=weight), "decay")


def _with_sums(touches: ir.Table, name: str, order: str = "touch_order") -> ir.Table:
    """Add `<name>_share`, `<name>_up_to` and `<name>_before`: the shares by a whole-number weight in column `name`."""
    along = {"group_by": "deal_number", "order_by": order}
    running = touches[name].sum().over(ibis.window(**along, preceding=None, following=0)).cast("int64")
    whole = touches[name].sum().over(ibis.window(**along, preceding=None, following=None)).cast("int64")
    summed = touches.mutate(so_far=running, in_all=whole)
    total = summed.in_all.cast("float64")
    return summed.mutate(
        **{
            f"{name}_share": summed[name].cast("float64") / total,
            f"{name}_up_to": summed.so_far.cast("float64") / total,
            f"{name}_before": (summed.so_far - summed[name]).cast("float64") / total,
        }
    ).drop("so_far", "in_all")


def shared_by_weights(journeys: Journeys, weights: ir.Table, window: Window = "influence") -> ir.Table:
    """Return the table of a model that weighs touches: each deal's amount is shared in proportion, to the cent.

    `weights` has opportunity_id, touchpoint_id and weight, from 0 to 1; touches of the window that it does not name
    weigh nothing. A deal whose touches all weigh nothing is shared evenly.
    """
    touches = journeys.touches
    place = touches.touch_order if window == "influence" else touches.sourced_order
    inside = touches.mutate(place=place).filter(lambda rows: ~missing(rows.place))
    given = weights.select(weighed_deal="opportunity_id", weighed_touch="touchpoint_id", weight="weight")
    on = [inside.opportunity_id == given.weighed_deal, inside.touchpoint_id == given.weighed_touch]
    joined = inside.left_join(given, on).drop("weighed_deal", "weighed_touch")
    whole = joined.mutate(weight=whole_weight(joined.weight.cast("float64").fill_null(0.0)))
    nothing = whole.weight.max().over(ibis.window(group_by="deal_number")) == 0
    summed = _with_sums(whole.mutate(weight=ibis.ifelse(nothing, 1, whole.weight)), "weight", "place")
    last = summed.place == summed.place.max().over(ibis.window(group_by="deal_number"))
    cents = cents_between(summed.cents, summed.weight_before, summed.weight_up_to, last)
    return summed.select(*KEYS, share=summed.weight_share, cents=cents)
