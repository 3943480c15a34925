"""The renewal model put to the test: asked about later renewals on past days, beside rates of segments and of all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from revops_analysis.models.lifetime.renewal_model import RenewalModel, SegmentRates
from revops_analysis.models.lifetime.terms import RenewalPanel
from revops_analysis.models.probability_scores import CurveOptions, reliability_curve, score_probabilities

METHODS = {
    "model": "Our model",
    "segment_rates": "Rate of the segment, or of those that gave notice",
    "base_rate": "Rate of all renewals",
}
"""Who states a probability, and what readers see."""


@dataclass(frozen=True)
class TrialOptions:
    """Up to `cutoffs` latest past days are asked about, on lots that end within `days`, as far as they are decided."""

    cutoffs: int = 6
    days: int = 90


@dataclass(frozen=True, eq=False)
class RenewalTrial:
    """What was asked, what was answered, and what became of it.

    `rows`: [cutoff, account_id, ended_on, lead_days, mrr, segment, has_notice, lost, model, segment_rates, base_rate],
    a row a lot and cutoff. `scores`: [method, title, score, value, n, events, reason]. `reliability`: the curve of the
    model. `money`: [cutoff, at_stake, expected, lost, low, high], what was expected to be lost on each cutoff and what
    was. `reason`: why nothing could be tested.
    """

    rows: pd.DataFrame
    scores: pd.DataFrame
    reliability: pd.DataFrame
    money: pd.DataFrame
    days: int
    reason: str | None = None

    def score(self, method: str, score: str) -> float | None:
        """One score of one method; None where it is not known."""
        found = self.scores[(self.scores["method"] == method) & (self.scores["score"] == score)]["value"]
        return None if found.empty or pd.isna(found.iloc[0]) else float(found.iloc[0])


_ROWS = ("cutoff", "account_id", "ended_on", "lead_days", "mrr", "segment", "has_notice", "lost", *METHODS)


def try_renewals(
    panel: RenewalPanel, models: Mapping[dt.date, RenewalModel], options: TrialOptions = TrialOptions()
) -> RenewalTrial:
    """Ask the model of each past day about the lots that ended soon after; outcomes as known on the panel's day.

    `models`: by the day each was fitted on, from what was known then. Cutoffs that lie `days` apart or more never ask
    about one lot twice; others do. Only days on which a model or rates could answer are asked.
    """
    asked = [day for day in sorted(models) if models[day].basis_ != "nothing"]
    rows = [_asked(panel, day, models[day], options.days) for day in asked]
    settled = [part for part in rows if len(part) and part["lost"].notna().all()]
    filled = settled[-options.cutoffs :]
    if not filled:
        reason = (
            panel.reason or f"on no past day renewals had been decided, and others within {options.days} days since"
        )
        nothing = pd.DataFrame(columns=list(_ROWS))
        return RenewalTrial(nothing, _scores(nothing), _curve(nothing), _money(nothing), options.days, reason)
    frame = pd.concat(filled, ignore_index=True)
    return RenewalTrial(frame, _scores(frame), _curve(frame), _money(frame), options.days)


def _asked(panel: RenewalPanel, day: dt.date, model: RenewalModel, days: int) -> pd.DataFrame:
    known = panel.known_at(panel.as_of)
    rows = known[(known["cutoff"] == pd.Timestamp(day)) & (known["lead_days"] <= days)]
    past = panel.known_at(day)
    decided = past[past["lost"].notna()].drop_duplicates(["account_id", "ended_on"])
    shown = rows[["cutoff", "account_id", "ended_on", "lead_days", "mrr", "segment"]]
    return shown.assign(
        has_notice=rows["notice_on"].notna(),
        lost=rows["lost"],
        model=model.predict_proba(rows),
        segment_rates=SegmentRates().fit(past[past["lost"].notna()]).predict_proba(rows),
        base_rate=float(decided["lost"].mean()),
    )


def _scores(frame: pd.DataFrame) -> pd.DataFrame:
    parts = []
    for method, title in METHODS.items():
        scored = score_probabilities(frame["lost"].astype(float), frame[method].astype(float))
        scored.insert(0, "method", method)
        scored.insert(1, "title", title)
        parts.append(scored)
    return pd.concat(parts, ignore_index=True)


def _curve(frame: pd.DataFrame) -> pd.DataFrame:
    return reliability_curve(frame["lost"].astype(float), frame["model"].astype(float), CurveOptions(bins=6))


def _money(frame: pd.DataFrame) -> pd.DataFrame:
    """Revenue at stake, expected to be lost (with the 95% range that chance alone gives) and lost, by cutoff."""
    p, mrr = frame["model"].astype(float), frame["mrr"].astype(float)
    parts = frame.assign(
        at_stake=mrr, expected=p * mrr, lost_mrr=frame["lost"].astype(float) * mrr, spread=p * (1 - p) * mrr**2
    )
    made = parts.groupby("cutoff", as_index=False)[["at_stake", "expected", "lost_mrr", "spread"]].sum()
    half = 1.96 * np.sqrt(made["spread"].astype(float))
    made = made.assign(low=(made["expected"] - half).clip(lower=0), high=made["expected"] + half)
    return made.rename(columns={"lost_mrr": "lost"})[["cutoff", "at_stake", "expected", "low", "high", "lost"]]
