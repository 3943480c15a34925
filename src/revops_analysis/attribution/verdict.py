"""Statements about budgets, and whether every model makes them or only some.

`holds`: every model says so, and in none could chance turn it (95% interval over accounts). `leans`: every model says
so, but in at least one chance could turn it. `depends`: models differ, so it is the choice of a model that speaks.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from revops_analysis.attribution.robustness import Robustness

Verdict = Literal["holds", "leans", "depends"]

TITLES = {
    "first_touch": "first touch",
    "last_touch": "last touch",
    "linear": "linear",
    "u_shaped": "U-shaped",
    "w_shaped": "W-shaped",
    "full_path": "full path",
    "position": "position",
    "time_decay": "time decay",
    "markov": "Markov",
    "markov_by_deal": "Markov by deal",
    "shapley": "Shapley",
    "shapley_ordered": "ordered Shapley",
}
"""Models as readers see them."""

CAVEAT = (
    "Credit is not causal lift: it shares out deals among the touches that were recorded, and cannot see what would "
    "have happened without them. Buyers who are interested anyway answer more, above all while a deal is open, and "
    "models that count those touches credit channels for deals that were going well without them."
)
"""What stands beside every figure of credit."""

NOT_RECORDED = "channel not recorded"
COLUMNS = ("subject", "statement", "verdict", "lowest", "lowest_model", "highest", "highest_model")


def model_title(name: str) -> str:
    """A model as readers see it.

    >>> model_title("w_shaped"), model_title("my_model")
    ('W-shaped', 'my model')
    """
    return TITLES.get(name, name.replace("_", " "))


def verdict(found: Robustness, spend: Mapping[str, float] | None = None) -> pd.DataFrame:
    """Return statements about budgets, those that hold first.

    Columns: subject (largest, return, order), statement, verdict, and what the models say at least and at most: lowest,
    lowest_model, highest, highest_model (a share for `largest`; bookings per unit of spend for `return`; for `order`
    how often the first brings what the second does).

    `spend` is programme spend by channel in the same period; channels without it are in no statement about returns.
    Without spend, order is that of credit. Statements about touches without a channel are not made.
    """
    if found.reason:
        return pd.DataFrame(columns=list(COLUMNS))
    known = found.shares[found.shares["channel"].notna()]
    paid = {channel: cost for channel, cost in (spend or {}).items() if cost > 0 and channel in set(known["channel"])}
    rows = [_largest(found, known), *(_return(known, channel, paid[channel]) for channel in sorted(paid))]
    rows += _orders(found, known, paid)
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    order = frame["verdict"].map({"holds": 0, "leans": 1, "depends": 2})
    return frame.iloc[np.argsort(order, kind="stable")].reset_index(drop=True)


def _largest(found: Robustness, known: pd.DataFrame) -> dict[str, object]:
    """Which channel has the most credit."""
    first = known[known.groupby("model")["share"].transform("max") == known["share"]]
    leaders = first.groupby("channel", sort=False)["model"].agg(list)
    channel = first[first["model"] == found.official]["channel"].iloc[0] if len(leaders) else ""
    mine = known[known["channel"] == channel].set_index("model")["share"]
    if len(leaders) == 1:
        sure = all(_leads(found, known, model, channel) for model in mine.index)
        said = f"{channel} has the largest share of the bookings under every model, {_span(mine, _percent)}"
        return _row("largest", _closed(said, sure=sure), "holds" if sure else "leans", mine)
    others = "; ".join(f"{name} under {_listed(models)}" for name, models in leaders.items() if name != channel)
    own = leaders[channel]
    under = f"the other {len(own)} models" if len(own) > 3 else _listed(own)
    said = f"Which channel has the largest share depends on the model: {others}; {channel} under {under}."
    return _row("largest", said, "depends", mine)


def _leads(found: Robustness, known: pd.DataFrame, model: str, channel: str) -> bool:
    """Whether the channel is above every other one in 95 of 100 resamples."""
    names = found.shares[found.shares["model"] == model]["channel"].tolist()
    drawn = found.drawn[model]
    kept = [at for at, name in enumerate(names) if name is not None and not pd.isna(name)]
    best = np.array(kept)[drawn[:, kept].argmax(axis=1)]
    return bool((best == names.index(channel)).mean() >= 0.95)


def _return(known: pd.DataFrame, channel: str, cost: float) -> dict[str, object]:
    """Whether a channel brings more than its programme spend."""
    mine = known[known["channel"] == channel].set_index("model")
    ratio, low, high = (mine[name] / cost for name in ("amount", "amount_low", "amount_high"))
    span = _span(ratio, _times)
    if (ratio > 1).all() or (ratio < 1).all():
        more = bool((ratio > 1).all())
        sure = bool((low > 1).all() if more else (high < 1).all())
        size = "more" if more else "less"
        said = f"{channel} is credited with {size} than its programme costs under every model, {span}"
        return _row("return", _closed(said, sure=sure), "holds" if sure else "leans", ratio)
    said = f"Whether {channel} is credited with more than its programme costs depends on the model: {span}."
    return _row("return", said, "depends", ratio)


def _orders(found: Robustness, known: pd.DataFrame, paid: Mapping[str, float]) -> list[dict[str, object]]:
    """Channels in the order of what a unit of spend brings (or of credit), each against the next."""
    official = known[known["model"] == found.official].set_index("channel")["amount"]
    cost = pd.Series(paid, dtype=float) if paid else pd.Series(1.0, index=official.index)
    rank = (official.reindex(cost.index) / cost).sort_values(ascending=False, kind="stable")
    return [_order(found, pair, cost, has_spend=bool(paid)) for pair in pairwise(rank.index)]


def _order(found: Robustness, pair: tuple[str, str], cost: pd.Series, *, has_spend: bool) -> dict[str, object]:
    better, worse = pair
    ratios, sure = {}, True
    for model, rows in found.shares.groupby("model", sort=False):
        names = rows["channel"].tolist()
        one, two = names.index(better), names.index(worse)
        amount = rows["amount"].to_numpy()
        second = amount[two] / cost[worse]
        ratios[str(model)] = amount[one] / cost[better] / second if second > 0 else np.inf
        drawn = found.drawn[str(model)]
        sure &= bool((drawn[:, one] / cost[better] > drawn[:, two] / cost[worse]).mean() >= 0.975)
    ratio = pd.Series(ratios)
    more = f"{better} is credited with more bookings than {worse}"
    goal = "per unit of programme spend" if has_spend else "in all"
    span = _span(ratio, _times)
    if (ratio > 1).all():
        said = f"{more} {goal} under every model, {span}"
        return _row("order", _closed(said, sure=sure), "holds" if sure else "leans", ratio)
    said = f"Whether {more} {goal} depends on the model: {span}."
    return _row("order", said, "depends", ratio)


def _closed(said: str, *, sure: bool) -> str:
    return f"{said}." if sure else f"{said}, though by chance alone it could be otherwise."


def _row(subject: str, statement: str, verdict_: Verdict, values: pd.Series) -> dict[str, object]:
    return {"subject": subject, "statement": statement, "verdict": verdict_} | {
        "lowest": float(values.min()),
        "lowest_model": values.idxmin(),
        "highest": float(values.max()),
        "highest_model": values.idxmax(),
    }


def _span(values: pd.Series, write: object) -> str:
    low, high = write(values.min()), write(values.max())  # type: ignore[operator]
    return f"{low} ({model_title(str(values.idxmin()))}) to {high} ({model_title(str(values.idxmax()))})"


def _listed(models: list[str]) -> str:
    return ", ".join(model_title(model) for model in models)


def _percent(value: float) -> str:
    return f"{value:.0%}"


def _times(value: float) -> str:
    return f"{value:.2f} times"
