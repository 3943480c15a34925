"""The sample company's past quarters forecast by forecast-os-gtm (from PyPI), beside this package's deal model.

    pip install --no-deps --target ../peers forecast-os-gtm
    PYTHONPATH=../peers python -m benchmarks.forecast_peers [--seeds N] [--first S]

The peer is no dependency of this package and is not installed with it; without it nothing is run. Both forecast the
same quarters at the ends of weeks 2, 5, 8 and 11 from the same evidence of the day. Rows of the deal model are those
that `benchmarks.forecast_accuracy` keeps of a seed; where they are missing they are made first.

The peer has no forecast of a period: it has win probabilities of deals (`DealScorer`, or any given) and their sum
(`weighted_pipeline`), and leaves open which deals belong to the period. It is used in four ways, each with what is
already booked and signed added:

- stage: open deals due in the period or overdue, at the probability that the CRM gives their stage;
- scorer: the same deals, at the probability of a `DealScorer` fitted as its documentation shows it: on closed deals,
  a row each, as they were last seen open, won or not, by age of the stage and activities;
- scorer, with stage: the same, by stage and five more numbers too;
- scorer, by week: all open deals, at the probability of a `DealScorer` fitted on all deals that were open in the same
  week of earlier periods, won within their period or not. The documentation does not show this; it is the use that
  asks it for what is forecast.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.forecast_accuracy import AS_OF, SCORED, WEEKS, _file, paired_ratio, score, simulated_workspace
from revops_analysis.models.backtest import BacktestOptions, backtest
from revops_analysis.models.cutoffs import Cutoff
from revops_analysis.models.evidence import Evidence, gather_evidence
from revops_analysis.models.forecaster import NotPossible, Outlook
from revops_analysis.periods import parse_period

MISSING = (
    "Nothing was run: forecast-os-gtm is not installed. "
    "`pip install --no-deps --target ../peers forecast-os-gtm`, then put ../peers on PYTHONPATH."
)
SHOWN_FEATURES = ("days_in_stage", "activities_56d")
"""Those of the documentation's example: age of the stage, and activities."""

FEATURES = ("stage_order", "days_in_stage", "age_days", "activities_56d", "days_since_activity", "pushes", "contacts")
"""Numbers of a deal that the scorer reads; it takes no categories and no nulls."""

SHOWN = ("floor", "chosen", "deal_model", "crm_weighted", "stage_week_conversion")
"""Rows of `forecast_accuracy` that are printed beside the peer's."""


def main() -> int:
    """Forecast, print the table, return 0; say how to install the peer where it is not."""
    options = _options()
    if importlib.util.find_spec("forecast_os") is None:
        print(MISSING)
        return 0
    seeds = range(options.first, options.first + options.seeds)
    print(report(pd.concat([rows(seed) for seed in seeds], ignore_index=True)))
    return 0


def rows(seed: int) -> pd.DataFrame:
    """Every forecast of one company: the peer's and this package's."""
    with tempfile.TemporaryDirectory(prefix="revops-peers-") as folder:
        workspace = simulated_workspace(Path(folder), "default", seed)
        next_quarter = parse_period("2026-Q4", workspace.definitions.fiscal_calendar)
        evidence = gather_evidence(workspace, [Cutoff(AS_OF, next_quarter)])
        return side_by_side(evidence, workspace.definitions.fiscal_calendar, seed)


def side_by_side(evidence: Evidence, calendar: Any, seed: int) -> pd.DataFrame:
    """The peer's rows of the last quarters, and the kept rows of the same cutoffs."""
    labels = evidence.past.drop_duplicates("period").sort_values("first_day")["period"].tolist()[-SCORED:]
    periods = [parse_period(label, calendar) for label in labels]
    tested = backtest(evidence, periods, [Peer(way) for way in WAYS], BacktestOptions(WEEKS, workers=1))
    if not tested.skipped.empty:
        print(tested.skipped.to_string(index=False), file=sys.stderr)
    kept_rows = _file("default", seed)
    if not kept_rows.exists():
        kept_rows.parent.mkdir(parents=True, exist_ok=True)
        score("default", seed)
    mine = pd.read_parquet(kept_rows)
    mine = mine[mine["method"].isin(SHOWN) & mine["period"].isin(labels)]
    return pd.concat([tested.frame.assign(seed=seed), mine], ignore_index=True)


WAYS = ("stage", "scorer", "scorer, with stage", "scorer, by week")


@dataclass(frozen=True)
class Peer:
    """forecast-os-gtm as a forecaster, used in one of `WAYS`."""

    way: str

    @property
    def name(self) -> str:
        return f"forecast-os-gtm: {self.way}"

    title = name

    def forecast(self, evidence: Evidence, cutoff: Cutoff) -> Outlook | NotPossible:
        """Booked and signed so far plus its weighted pipeline, with the 80% range that it states."""
        from forecast_os.gtm import weighted_pipeline

        open_deals, fact = evidence.at(cutoff)
        deals = open_deals[open_deals["amount"].notna()]
        if self.way != "scorer, by week":
            deals = deals[deals["close_date"] <= fact["last_day"]]
        certain = float(fact["booked"] + fact["signed"])
        low = high = expected = 0.0
        if len(deals):
            said = weighted_pipeline(deals, proba=self._chances(evidence, cutoff, deals), level=80).iloc[0]
            expected, low, high = (float(said[name]) for name in ("expected", "lo-80", "hi-80"))
        parts = pd.DataFrame({"component": ["booked", "pipeline"], "mean": [certain, expected]})
        quantiles = (np.nan, certain + low, np.nan, np.nan, np.nan, certain + high, np.nan)
        return Outlook(self.name, cutoff, certain + expected, quantiles, parts)

    def _chances(self, evidence: Evidence, cutoff: Cutoff, deals: pd.DataFrame) -> pd.Series:
        from forecast_os.gtm import DealScorer

        if self.way == "stage":
            return deals["crm_probability"].fillna(0.0)
        known = same_week(evidence, cutoff) if self.way == "scorer, by week" else closed_deals(evidence)
        features = SHOWN_FEATURES if self.way == "scorer" else FEATURES
        scorer = DealScorer().fit(numbers(known), target="won", features=list(features))
        return scorer.predict_proba(numbers(deals))


def closed_deals(evidence: Evidence) -> pd.DataFrame:
    """Deals that were gone by the end of the last period that is over: a row each, as last seen open, won or not."""
    over = evidence.states[evidence.states["won"].notna()].sort_values("cutoff", kind="stable")
    last = over.drop_duplicates("opportunity_id", keep="last")
    gone = last[last["cutoff"] < over["last_day"].max()]
    return gone.assign(won=gone["opportunity_id"].isin(evidence.wins["opportunity_id"]))


def same_week(evidence: Evidence, cutoff: Cutoff) -> pd.DataFrame:
    """Every deal that was open in the same week of a period that is over, won within it or not."""
    weeks = evidence.past.loc[evidence.past["week"] == cutoff.week, ["cutoff", "period"]]
    past = evidence.states.merge(weeks, on=["cutoff", "period"])
    return past.assign(won=past["won"] == 1)


def numbers(deals: pd.DataFrame) -> pd.DataFrame:
    """The deals with nulls of the features replaced: never an activity is silence since creation, the rest is 0."""
    quiet = deals["days_since_activity"].fillna(deals["age_days"])
    return deals.assign(days_since_activity=quiet).fillna(dict.fromkeys(FEATURES, 0.0))


def report(frame: pd.DataFrame) -> str:
    """WAPE, bias and coverage of the 80% range by method; the deal model against each way of the peer."""
    table = pd.DataFrame([_line(name, group) for name, group in frame.groupby("method")]).sort_values("WAPE")
    lines = [table.to_string(index=False, float_format="{:.4f}".format)]
    for way in WAYS:
        ratio, low, high = paired_ratio(frame, "deal_model", Peer(way).name)
        lines.append(f"WAPE of deal_model ÷ {Peer(way).name}: {ratio:.3f} (95% {low:.3f}–{high:.3f})")
    return "\n".join(lines)


def _line(name: object, group: pd.DataFrame) -> dict[str, object]:
    miss, total = group["mean"] - group["outcome"], group["outcome"].sum()
    by_week = miss.abs().groupby(group["week"]).sum() / group.groupby("week")["outcome"].sum()
    inside = group["outcome"].between(group["p10"], group["p90"]).mean() if group["p10"].notna().any() else np.nan
    scores = {"WAPE": miss.abs().sum() / total, "bias": miss.sum() / total, "in 80%": inside}
    return {"method": name, "n": len(group), **scores, **{f"week {week}": by_week[week] for week in WEEKS}}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.forecast_peers", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
