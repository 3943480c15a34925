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
from revops_analysis.attribution.journeys import Journeys, named
from revops_analysis.attribution.rules import RULES, Parts, Window, place_in
from revops_analysis.metrics.deals import missing
from revops_analysis.metrics.where import check_names

if TYPE_CHECKING:
    import pandas as pd

    from revops_analysis.attribution.totals import Cut

KEYS = ("deal_number", "touchpoint_id", "channel_number", "campaign_number")
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

    def credited(self, journeys: Journeys) -> Credit:
        """The credit of the journeys under this model."""
        return Credit(journeys, self, self.make(journeys))


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
        deals = self.journeys.base.select(of_deal="deal_number", opportunity_id="opportunity_id")
        joined = self.shared.inner_join(deals, self.shared.deal_number == deals.of_deal)
        shared = named(joined, self.journeys.names).mutate(model=ibis.literal(self.model.name))
        columns = ("opportunity_id", "touchpoint_id", "channel", "campaign_id", "team", "model", "share")
        return shared.select(*columns, amount=money(shared.cents))

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
    return known[name].credited(journeys)


def compare(journeys: Journeys, by: Sequence[str] = ("channel",), cut: Cut | None = None) -> pd.DataFrame:
    """Return the totals of all rule models, computed in one pass; columns of `totals.totals`, a block a model."""
    from revops_analysis.attribution.totals import Cut, totals

    windows = {rule.name: rule.window for rule in RULES.values()}
    return totals(journeys, by_rules(journeys, list(RULES)), windows, cut or Cut(by=tuple(by)))


def by_rules(journeys: Journeys, names: Sequence[str]) -> ir.Table:
    """Return `KEYS` and `<model>_share`, `<model>_cents` of several rules, null outside a rule's window."""
    placed, definitions = journeys.placed, journeys.snapshot.definitions
    if any(RULES[name].parts is None for name in names):
        placed = _decayed(placed, definitions.attribution.half_life_days)
    places = {window: place_in(placed, window) for window in ("sourced", "influence")}
    columns: dict[str, ir.Value] = {}
    for name in names:
        rule, place = RULES[name], places[RULES[name].window]
        parts = rule.parts(place, definitions) if rule.parts else Parts(placed.decay, placed.so_far, placed.in_all)
        columns |= {f"{name}_{part}": value for part, value in zip(_PARTS, _fields(parts), strict=True)}
    inside = (places["sourced"].k > 0) & (places["sourced"].k <= places["sourced"].n)
    staged = placed.select(*KEYS, "cents", in_sourced=inside, **columns)
    shares = {column: value for name in names for column, value in _shares(name, staged).items()}
    return staged.select(*KEYS, **shares)


_PARTS = ("own", "so_far", "whole")


def _fields(parts: Parts) -> tuple[ir.Value, ir.Value, ir.Value]:
    return parts.own, parts.so_far, parts.whole


def _shares(name: str, staged: ir.Table) -> dict[str, ir.Value]:
    """The two columns of a rule from its parts."""
    own, so_far, whole = (staged[f"{name}_{part}"].cast("float64") for part in _PARTS)
    share = own / whole
    cents = cents_between(staged.cents, so_far - own, so_far, whole)
    if RULES[name].window == "sourced":
        share = ibis.ifelse(staged.in_sourced, share, ibis.null("float64"))
        cents = ibis.ifelse(staged.in_sourced, cents, ibis.null("int64"))
    return {f"{name}_share": share, f"{name}_cents": cents}


def _by_rule(name: str) -> Callable[[Journeys], ir.Table]:
    def make(journeys: Journeys) -> ir.Table:
        wide = by_rules(journeys, [name])
        renamed = wide.rename(share=f"{name}_share", cents=f"{name}_cents")
        return renamed.filter(~missing(renamed.share))

    return make


def _decayed(placed: ir.Table, half_life_days: float) -> ir.Table:
    """Add the weights of touches, which halve with every half-life before the deal's last touch, and their sums."""
    days = placed.seconds_before_last.cast("float64") / 86_400.0
    return _with_sums(placed.mutate(decay=whole_weight(2.0 ** (days / -half_life_days))), "decay", "touch_order")


def _with_sums(touches: ir.Table, weight: str, order: str) -> ir.Table:
    """Add `so_far` and `in_all`: the sums of whole-number weights up to each touch, and over its deal."""
    along = {"group_by": "deal_number", "order_by": order}
    return touches.mutate(
        so_far=touches[weight].sum().over(ibis.window(**along, preceding=None, following=0)).cast("int64"),
        in_all=touches[weight].sum().over(ibis.window(**along, preceding=None, following=None)).cast("int64"),
    )


def shared_by_weights(journeys: Journeys, weights: ir.Table, window: Window = "influence") -> ir.Table:
    """Return the table of a model that weighs touches: each deal's amount is shared in proportion, to the cent.

    `weights` has opportunity_id, touchpoint_id and weight, from 0 to 1; touches of the window that it does not name
    weigh nothing. A deal whose touches all weigh nothing is shared evenly.
    """
    placed, deals = journeys.placed, journeys.base.select("opportunity_id", of_deal="deal_number")
    place = place_in(placed, window)
    inside = placed.filter((place.k > 0) & (place.k <= place.n))
    given = weights.inner_join(deals, "opportunity_id").select("of_deal", of_touch="touchpoint_id", given="weight")
    joined = inside.left_join(
        given, [inside.deal_number == given.of_deal, inside.touchpoint_id == given.of_touch]
    ).drop("of_deal", "of_touch")
    whole = joined.mutate(weight=whole_weight(joined.given.cast("float64").fill_null(0.0)))
    nothing = whole.weight.max().over(ibis.window(group_by="deal_number")) == 0
    even = whole.mutate(weight=ibis.ifelse(nothing, ibis.literal(1, "int64"), whole.weight))
    summed = _with_sums(even, "weight", "touch_order")
    own, so_far, total = (summed[name].cast("float64") for name in ("weight", "so_far", "in_all"))
    cents = cents_between(summed.cents, so_far - own, so_far, total)
    return summed.select(*KEYS, share=own / total, cents=cents)


def describe_models() -> pd.DataFrame:
    """Return every model with the touches that it looks at: model, window, from, until, meaning."""
    import pandas as pd

    spans = {
        "sourced": ("sourced_days before the deal's creation", "the deal's creation"),
        "influence": ("influence_days before the deal's creation", "closing, or the as-of date"),
    }
    rows = [(m.name, m.window, *spans[m.window], m.meaning) for m in models().values()]
    return pd.DataFrame(rows, columns=["model", "window", "from", "until", "meaning"])
