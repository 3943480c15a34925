"""Which forecast is published: the deal model blended with a rule, by what earlier periods showed.

For a cutoff nothing counts but the back-test rows of periods that were over before its period began. The weight of the
model is the one under which the blend would have erred least. While the past leaves it in doubt, it is drawn towards
what the deals won so far can teach a model: with few, model and rule err in different ways, and less together (Bates &
Granger, 1969). The range is widened or narrowed by what the blend missed. Both are split conformal in spirit: measured
on past periods that the forecasts had not seen, and not on the fit.

While deals stand in stages that did not exist in most of the past, the process is another one than the model has
learned. The CRM's probabilities need no past, so they get half of the weight until there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from revops_analysis.models.forecaster import QUANTILE_NAMES

CHOSEN = "chosen"
"""Name of the published forecast among the methods of a back-test."""


@dataclass(frozen=True)
class SelectionOptions:
    """How the choice is made.

    `model`: the method that is preferred. Before any past period is looked at, it has the weight of the deals won that
    it learned from beside `wins_of_rule`; `weight_spread`: how far from there the right weight is thought to lie (a
    standard deviation). `rule` is blended in unless another erred less beyond chance, by `rule_margin` standard errors:
    with few periods the best of seven is best by luck. None: the one that erred least.
    `minimum_periods` must be scored before a rule is blended in. `half_life` (periods): how fast old periods lose
    weight. `range_periods`: as many past periods count for the range as the model draws it.
    Above `new_stages` (share of the open deals, see `new_stages_share`) half of the weight goes to `without_past`, and
    what was forecast at such times teaches nothing for others.
    """

    model: str = "deal_model"
    rule: str | None = "stage_week_conversion"
    rule_margin: float = 2.0
    wins_of_rule: float = 100.0
    weight_spread: float = 0.15
    minimum_periods: int = 3
    half_life: float = 6.0
    range_periods: float = 8.0
    new_stages: float = 0.03
    without_past: str = "crm_weighted"


@dataclass(frozen=True)
class Situation:
    """What is known when a choice is made.

    `wins`: deals won in periods that are over; `new_stages`: the share of the open deals that stand in new stages, 0
    where the rule that needs no past has nothing to say.
    """

    wins: float = np.inf
    new_stages: float = 0.0

    def weight_before(self, options: SelectionOptions) -> float:
        """The model's weight by the number of deals won alone, between 0 and 1."""
        return 1.0 if np.isinf(self.wins) else self.wins / (self.wins + options.wins_of_rule)


@dataclass(frozen=True)
class Choice:
    """What was chosen for a cutoff: `weight` of the model, 1 − weight of `rival`, `stretch` of the model's range.

    `periods` were scored; `reason` says why in a sentence. `reach`: how far the rival has been from the model in the
    past, in standard deviations of the model's range. The weight was learned from such distances, so a rule that
    suddenly says something else altogether is heard no further than that.
    """

    model: str
    rival: str | None
    weight: float
    stretch: float
    periods: int
    reason: str
    reach: float = np.inf


def choose(past: pd.DataFrame, options: SelectionOptions | None = None, now: Situation = Situation()) -> Choice:
    """Choose by back-test rows with an outcome, all of earlier periods: columns of `Backtest.frame`."""
    options = options or SelectionOptions()
    if "new_stages" in past.columns:
        past = past[past["new_stages"] <= options.new_stages]
    table = _by_cutoff(past, options.model)
    if now.new_stages > options.new_stages:
        return _without_past(table, now.new_stages, options)
    count = int(table["period"].nunique())
    if count < options.minimum_periods:
        reason = f"{count} past periods were scored; from {options.minimum_periods} on rules are weighed against it."
        return Choice(options.model, None, 1.0, _stretch(table, 1.0, None, options), count, reason)
    rival = _rival(table, options)
    weight = 1.0 if rival is None else _weight(table, rival, now.weight_before(options), options)
    stretch = _stretch(table, weight, rival, options)
    reach = np.inf if rival is None else _reach(table, rival, options)
    return Choice(options.model, rival, weight, stretch, count, _reason(table, rival, weight, options), reach)


def _without_past(table: pd.DataFrame, new_stages: float, options: SelectionOptions) -> Choice:
    """Half and half: the model, and the rule that needs no past. The range is stretched as it was at usual times."""
    rival = options.without_past
    has_rival = rival in table.columns and bool(table[rival].notna().all())
    stretch = _stretch(table, 0.5, rival, options) if has_rival else 1.0
    reason = (
        f"{new_stages:.0%} of the open deals are in stages that hardly any past period had, so the past says less than "
        f"usual: the deal model and the rule “{rival.replace('_', ' ')}” have half of the weight each."
    )
    return Choice(options.model, rival, 0.5, stretch, int(table["period"].nunique()), reason)


def _by_cutoff(past: pd.DataFrame, model: str) -> pd.DataFrame:
    """One row a cutoff: outcome, the mean of each method (columns named by method), the model's spread, and age."""
    known = past[past["outcome"].notna() & (past["outcome"] > 0)]
    means = known.set_index(["cutoff", "period", "method"])["mean"].unstack("method").dropna(axis=1, how="all")
    if model not in means.columns:
        return pd.DataFrame({"period": pd.Series(dtype="object")})
    rows = known[known["method"] == model].set_index(["cutoff", "period"])
    table = means.assign(outcome=rows["outcome"], spread=_spread(rows))
    table = table[table[model].notna()].reset_index()
    order = {period: place for place, period in enumerate(table["period"].unique())}
    return table.assign(age=len(order) - 1 - table["period"].map(order))


def _spread(rows: Any) -> Any:
    """Standard deviation of the normal distribution with this 80% range."""
    return (rows["p90"] - rows["p10"]) / 2.5631


_FACTS = ("cutoff", "period", "outcome", "spread", "age")


def _rival(table: pd.DataFrame, options: SelectionOptions) -> str | None:
    """The rule to blend in, among those that forecast every cutoff: the usual one, or one that is better beyond chance.

    Errors are absolute and weighted; the weeks of a period count as one observation, because they share their outcome.
    """
    methods = [name for name in table.columns if name not in (*_FACTS, options.model) and table[name].notna().all()]
    if not methods:
        return None
    importance = _importance(table, options)
    errors = {name: importance * (table[name] - table["outcome"]).abs() for name in sorted(methods)}
    best = min(errors, key=lambda name: float(errors[name].sum()))
    if options.rule not in errors:
        return best
    gain = (errors[options.rule] - errors[best]).groupby(table["period"]).mean()
    chance = float(gain.std()) / len(gain) ** 0.5
    return best if float(gain.mean()) > options.rule_margin * chance else options.rule


def _importance(table: pd.DataFrame, options: SelectionOptions) -> pd.Series:
    return 0.5 ** (table["age"] / options.half_life) / _size(table)


def _size(table: pd.DataFrame) -> pd.Series:
    """What errors are measured by: the outcome, but at least half of the usual one: no tiny period decides alone."""
    usual = float(table.drop_duplicates("period")["outcome"].median())
    return table["outcome"].clip(lower=usual / 2)


def _weight(table: pd.DataFrame, rival: str, before: float, options: SelectionOptions) -> float:
    """The model's share in the blend, between 0 and 1: regression of what the rule lacked on what the model adds.

    A normal prior around the share `before` holds it there while past errors leave it in doubt; the weeks of a period
    count as one observation, because they share their outcome. Where a rule was right and
    the model was not, nothing holds it.
    """
    gap = (table[options.model] - table[rival]) / _size(table)
    needed = (table["outcome"] - table[rival]) / _size(table)
    importance = 0.5 ** (table["age"] / options.half_life)
    squares = float((importance * gap**2).sum())
    if squares == 0:
        return 1.0
    plain = float(np.clip((importance * gap * needed).sum() / squares, 0.0, 1.0))
    noise = float((importance * (needed - plain * gap) ** 2).sum() / importance.sum())
    information = squares * table["period"].nunique() / len(table)
    belief = noise / options.weight_spread**2
    return float(np.clip((plain * information + before * belief) / (information + belief), 0.0, 1.0))


def _reach(table: pd.DataFrame, rival: str, options: SelectionOptions) -> float:
    """The largest distance between model and rule, in standard deviations of the model; infinite without any range."""
    apart = (table[options.model] - table[rival]).abs() / table["spread"].where(table["spread"] > 0)
    return float(apart.max()) if apart.notna().any() else np.inf


def _stretch(table: pd.DataFrame, weight: float, rival: str | None, options: SelectionOptions) -> float:
    """By how much past errors were wider than the model's range: root mean square, drawn towards 1."""
    if table.empty:
        return 1.0
    mean = weight * table[options.model] + (1 - weight) * (table[rival] if rival else 0.0)
    score = ((table["outcome"] - mean) / table["spread"].where(table["spread"] > 0)).clip(-3, 3) ** 2
    by_period = score.groupby(table["period"]).mean().dropna()
    squares = options.range_periods + float(by_period.sum())
    return float(np.sqrt(squares / (options.range_periods + len(by_period))))


def _reason(table: pd.DataFrame, rival: str | None, weight: float, options: SelectionOptions) -> str:
    count = table["period"].nunique()
    if rival is None:
        return f"Over {count} past periods no rule forecast every cutoff, so none is blended in."
    wape = {
        name: float((table[name] - table["outcome"]).abs().sum() / table["outcome"].sum())
        for name in (options.model, rival)
    }
    return (
        f"Over {count} past periods the deal model missed by {wape[options.model]:.1%} and the rule "
        f"“{rival.replace('_', ' ')}” by {wape[rival]:.1%}: the model has {weight:.0%} of the weight."
    )


def apply_choice(choice: Choice, rows: Mapping[str, Mapping[str, Any]], certain: float) -> dict[str, float]:
    """The published mean and quantiles from the methods' rows at a cutoff.

    `rows`: method → its mean and quantiles by name. `certain` is booked and signed: no quantile is lower. Without the
    model's row the rival's stands as it is.
    """
    model, rival = rows.get(choice.model), rows.get(choice.rival or "")
    if model is None:
        only = rival or {}
        return {name: float(only.get(name, np.nan)) for name in ("mean", *QUANTILE_NAMES)}
    other = model["mean"] if rival is None else rival["mean"]
    limit = choice.reach * _spread(model)
    if np.isfinite(limit):
        other = float(np.clip(other, model["mean"] - limit, model["mean"] + limit))
    mean = choice.weight * model["mean"] + (1 - choice.weight) * other
    moved = {name: mean + choice.stretch * (model[name] - model["mean"]) for name in QUANTILE_NAMES}
    return {"mean": float(mean), **{name: max(float(value), certain) for name, value in moved.items()}}


def with_choice(frame: pd.DataFrame, options: SelectionOptions | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Add to a back-test the rows of the method `chosen`, each by periods that were over before its own began.

    `frame`: columns of `Backtest.frame`. Returns it with the new rows, in order of cutoff, and a row a cutoff of what
    was chosen: cutoff, period, rival, weight, stretch, periods, reason.
    """
    options = options or SelectionOptions()
    rows, choices = [], []
    ends = frame.groupby("period")["cutoff"].max()
    for period in frame["period"].unique():
        mine = frame[frame["period"] == period]
        earlier = ends.index[ends < mine["cutoff"].min()]
        past = frame[frame["period"].isin(earlier)]
        for cutoff, group in mine.groupby("cutoff", sort=True):
            methods = group.set_index("method").to_dict("index")
            first = group.iloc[0]
            new_stages = first.get("new_stages", 0.0) if options.without_past in methods else 0.0
            choice = choose(past, options, Situation(first.get("wins", np.inf), new_stages))
            facts = {name: first[name] for name in frame.columns if name not in ("method", "mean", *QUANTILE_NAMES)}
            found = apply_choice(choice, methods, float(first["booked"]))
            rows.append({**facts, "method": CHOSEN, **found})
            choices.append(
                {"cutoff": cutoff, "period": period, "rival": choice.rival, "weight": choice.weight}
                | {"stretch": choice.stretch, "periods": choice.periods, "reason": choice.reason}
            )
    whole = pd.concat([frame, pd.DataFrame(rows, columns=frame.columns)], ignore_index=True)
    return whole.sort_values(["cutoff", "period"], kind="stable", ignore_index=True), pd.DataFrame(choices)
