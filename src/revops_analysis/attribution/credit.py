"""Credit: what each touch of each deal receives under a model, to the cent, and what channels receive in total.

    made = journeys(snapshot)
    credit(made, "w_shaped").table                          # a row a touch and deal
    credit(made, "w_shaped").totals(by=["channel"])         # pipeline, bookings and deals by channel
    compare(made, by=["channel"])                           # all rule models, in one pass of the engine

Rule models are in `rules`. Others add themselves with `register_model`, and use `shared_by_weights`, which gives every
deal's amount away to the cent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir

from revops_analysis.attribution.allocation import cents_between, money, whole_weight
from revops_analysis.attribution.journeys import Journeys, named
from revops_analysis.attribution.rules import (
    RULES,
    WINDOWS,
    Anchors,
    Line,
    Parts,
    Window,
    anchors_in,
    first_of,
    passed,
)
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
    """Return the totals of all rule models, one pass a window; columns of `totals.totals`, a block a model."""
    import pandas as pd

    from revops_analysis.attribution.totals import Cut, totals

    asked, blocks = cut or Cut(by=tuple(by)), []
    for window in WINDOWS:
        windows = dict.fromkeys(rules_of(window), window)
        blocks.append(totals(journeys, by_rules(journeys, window), windows, asked))
    found = pd.concat([block for block in blocks if len(block)] or blocks[:1], ignore_index=True)
    place = found["model"].map({name: number for number, name in enumerate(RULES)})
    return found.iloc[place.argsort(kind="stable")].reset_index(drop=True)


def rules_of(window: Window) -> tuple[str, ...]:
    """Names of the rules that look at a window."""
    return tuple(name for name, rule in RULES.items() if rule.window == window)


def by_rules(journeys: Journeys, window: Window, names: Sequence[str] | None = None) -> ir.Table:
    """Return the touches of a window: `KEYS` and `<model>_share`, `<model>_cents` of its rules, or of those named."""
    definitions, touched, ranked = journeys.snapshot.definitions, journeys.touched, journeys.ranked
    asked = {name: RULES[name] for name in names or rules_of(window)}
    if any(rule.line is None for rule in asked.values()):
        ranked = _decayed(ranked, touched, definitions.attribution.half_life_days)
    anchors = anchors_in(touched, window)
    lines = {name: rule.line(anchors, definitions) for name, rule in asked.items() if rule.line is not None}
    before = first_of(touched, window)
    deals = touched.select("deal_number", "cents", before=before, **_of_deals(anchors, window, lines))
    rows = _placed(ranked.inner_join(deals, "deal_number"), window)
    found = {name: _credit(name, lines.get(name), rows) for name in asked}
    columns = {f"{name}_{part}": value for name, values in found.items() for part, value in values.items()}
    return rows.select(*KEYS, **columns)


def _of_deals(anchors: Anchors, window: Window, lines: Mapping[str, Line]) -> dict[str, ir.Value]:
    """What the touches of a deal share: the places of its anchors, and the lines of the rules."""
    found = {anchor: anchors.places[anchor] for anchor in WINDOWS[window]}
    for name, line in lines.items():
        found |= {f"{name}_step_{anchor}": step for anchor, step in line.steps.items()}
        found |= {} if line.takes_all else {f"{name}_whole": line.whole}
        found |= {} if isinstance(line.each, float) else {f"{name}_each": line.each}
    return found


def _placed(rows: ir.Table, window: Window) -> ir.Table:
    """The touches inside a window, with their place in it and 1 or 0 for each anchor passed, and each reached."""
    placed = rows.mutate(k=rows.touch_order - rows.before) if window == "sourced" else rows.mutate(k=rows.touch_order)
    inside = placed.filter((placed.k > 0) & (placed.k <= placed["last"])) if window == "sourced" else placed
    reached: dict[str, ir.Value] = {}
    for anchor, (before, so_far) in passed(inside.k, {name: inside[name] for name in WINDOWS[window]}).items():
        reached |= {f"passed_{anchor}": before, f"reached_{anchor}": so_far}
    return inside.mutate(number=inside.k.cast("float64"), **reached)


def _credit(name: str, line: Line | None, rows: ir.Table) -> dict[str, ir.Value]:
    """The share of each touch in its deal and its cents, under a rule."""
    if line is not None and line.takes_all:
        takes = rows[f"reached_{line.takes_all}"] - rows[f"passed_{line.takes_all}"]
        return {"share": takes, "cents": ibis.ifelse(takes > 0, rows.cents, rows.cents * 0)}
    return _of_parts(_by_weight(rows, "decay") if line is None else _parts(name, line, rows), rows.cents)


def _parts(name: str, line: Line, rows: ir.Table) -> Parts:
    """Read a rule's line off at each touch, and at the one before it."""
    each = line.each if isinstance(line.each, float) else rows[f"{name}_each"]
    before, so_far = (rows.number - 1.0) * each, rows.number * each
    for anchor in line.steps:
        step, place = rows[f"{name}_step_{anchor}"], anchor if f"passed_{anchor}" in rows.columns else "last"
        before, so_far = before + step * rows[f"passed_{place}"], so_far + step * rows[f"reached_{place}"]
    return Parts(before, so_far, rows[f"{name}_whole"])


def _of_parts(parts: Parts, cents: ir.Value) -> dict[str, ir.Value]:
    return {
        "share": (parts.so_far - parts.before) / parts.whole,
        "cents": cents_between(cents, parts.before, parts.so_far, parts.whole),
    }


def _by_rule(name: str) -> Callable[[Journeys], ir.Table]:
    def make(journeys: Journeys) -> ir.Table:
        wide = by_rules(journeys, RULES[name].window, [name])
        return wide.rename(share=f"{name}_share", cents=f"{name}_cents")

    return make


def _decayed(ranked: ir.Table, touched: ir.Table, half_life_days: float) -> ir.Table:
    """Add the weights of touches, which halve with every half-life before the deal's last touch, and their sums."""
    rows = ranked.inner_join(touched.select("deal_number", "last_at"), "deal_number")
    seconds = rows.last_at.epoch_seconds() - rows.occurred_at.epoch_seconds()
    weight = whole_weight(2.0 ** (seconds.cast("float64") / 86_400.0 / -half_life_days))
    return _with_sums(rows.select(*KEYS, "touch_order", decay=weight), "decay")


def _with_sums(touches: ir.Table, weight: str) -> ir.Table:
    """Add `so_far` and `in_all`: the sums of whole-number weights up to each touch, and over its deal."""
    along = {"group_by": "deal_number", "order_by": "touch_order"}
    return touches.mutate(
        so_far=touches[weight].sum().over(ibis.window(**along, preceding=None, following=0)).cast("int64"),
        in_all=touches[weight].sum().over(ibis.window(**along, preceding=None, following=None)).cast("int64"),
    )


def _by_weight(summed: ir.Table, weight: str) -> Parts:
    so_far = summed.so_far.cast("float64")
    return Parts(so_far - summed[weight].cast("float64"), so_far, summed.in_all.cast("float64"))


def shared_by_weights(journeys: Journeys, weights: ir.Table, window: Window = "influence") -> ir.Table:
    """Return the table of a model that weighs touches: each deal's amount is shared in proportion, to the cent.

    `weights` has opportunity_id, touchpoint_id and weight, from 0 to 1; touches of the window that it does not name
    weigh nothing. A deal whose touches all weigh nothing is shared evenly.
    """
    placed, deals = journeys.placed, journeys.base.select("opportunity_id", of_deal="deal_number")
    k = placed.touch_order - first_of(placed, window)
    inside = placed.filter((k > 0) & (k <= anchors_in(placed, window).n))
    given = weights.inner_join(deals, "opportunity_id").select("of_deal", of_touch="touchpoint_id", given="weight")
    joined = inside.left_join(
        given, [inside.deal_number == given.of_deal, inside.touchpoint_id == given.of_touch]
    ).drop("of_deal", "of_touch")
    whole = joined.mutate(weight=whole_weight(joined.given.cast("float64").fill_null(0.0)))
    nothing = whole.weight.max().over(ibis.window(group_by="deal_number")) == 0
    even = whole.mutate(weight=ibis.ifelse(nothing, ibis.literal(1, "int64"), whole.weight))
    summed = _with_sums(even, "weight")
    return summed.select(*KEYS, **_of_parts(_by_weight(summed, "weight"), summed.cents))


def describe_models() -> pd.DataFrame:
    """Return every model with the touches that it looks at: model, window, from, until, meaning."""
    import pandas as pd

    spans = {
        "sourced": ("sourced_days before the deal's creation", "the deal's creation"),
        "influence": ("influence_days before the deal's creation", "closing, or the as-of date"),
    }
    rows = [(m.name, m.window, *spans[m.window], m.meaning) for m in models().values()]
    return pd.DataFrame(rows, columns=["model", "window", "from", "until", "meaning"])
