"""Detectors of attribution: programmes that no model credits with their cost, disputes, touches without channel."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pandas as pd
from scipy.stats import norm

from revops_analysis.errors import RevopsError
from revops_analysis.findings.building import Judgement, Subject, build
from revops_analysis.findings.comparison import Comparisons, Row, dims_of
from revops_analysis.findings.finding import Evidence, Finding, Place, Severity
from revops_analysis.findings.registry import Answer, NotAssessed, Question, detector
from revops_analysis.findings.words import money, share

if TYPE_CHECKING:
    from revops_analysis.attribution.overview import AttributionOverview
    from revops_analysis.attribution.robustness import Robustness
    from revops_analysis.attribution.sourcing import Sourcing
    from revops_analysis.periods import Period
    from revops_analysis.tables.snapshot import Snapshot

_Made = TypeVar("_Made")

CHAPTER = "attribution"

DISPUTED_SHARE = 0.10
"""Share of the pipeline created on which the sides must differ before it is said."""

UNKNOWN_SHARE = 0.01
"""Share of the year's credit that must lie with touches without channel before it is said."""

BELOW = 0.95
"""A programme is named when even the most favourable model credits it with less than this part of its cost."""


@detector(
    "programme_below_cost",
    CHAPTER,
    facts=("channel", "spend", "credited", "gap", "lowest", "highest", "year_end"),
    budget=0.5,
)
def programme_below_cost(question: Question) -> Answer:
    """A channel that every model credits with fewer bookings than its programme cost in the year.

    A row a channel with programme spend. That every model says so is as likely by chance as for the model that is most
    favourable to it (`_chance_of`); whether the credit is the channel's merit is not tested.
    """
    overview = _overview(question)
    if isinstance(overview, NotAssessed):
        return overview
    returns = overview.returns
    if returns.empty:
        return NotAssessed("no channel has programme spend recorded for every month of the year")
    frame = returns.assign(
        dims=dims_of(["channel"] * len(returns), returns["channel"]),
        n=overview.compared.accounts,
        effect=returns["highest"],
        p_value=_chance_of(overview.compared, returns),
        money=(returns["spend"] * (1 - returns["highest"])).clip(lower=0.0),
        is_reported=returns["highest"] < BELOW,
    )
    return Comparisons(frame, "ratio", partial(_below_cost, overview))


def _chance_of(compared: Robustness, returns: pd.DataFrame) -> list[float]:
    """For each channel, how likely so little credit is if the most favourable model credits it with its whole cost.

    Credit is a sum over accounts, whose variance grows with the sum (a compound Poisson sum). So its variance at the
    cost is the cost × the variance per unit of credit, that of the channel's resamples or that of all channels
    together, whichever is more: a channel of which hardly any account was seen shows too little of its own.
    """
    largest = dict.fromkeys(returns["channel"], 0.0)
    for model, rows in compared.shares.groupby("model", sort=False):
        drawn, amounts = compared.drawn[str(model)], rows["amount"].to_numpy(dtype=float)
        variances = drawn.var(axis=0)
        usual = float(variances.sum() / amounts.sum()) if amounts.sum() > 0 else 0.0
        for place, channel in enumerate(rows["channel"]):
            if channel not in largest:
                continue
            spend = float(returns.loc[returns["channel"] == channel, "spend"].iloc[0])
            own = variances[place] / amounts[place] if amounts[place] > 0 else 0.0
            spread = float(np.sqrt(spend * max(usual, own)))
            p_value = float(norm.cdf((amounts[place] - spend) / spread)) if spread > 0 else 1.0
            largest[channel] = max(largest[channel], p_value)
    return [largest[channel] for channel in returns["channel"]]


def _below_cost(overview: AttributionOverview, question: Question, row: Row) -> Finding:
    spend, best = float(row["spend"]), float(row["spend"] * row["highest"])
    facts = {
        "channel": row["channel"],
        "spend": money(spend, question.currency),
        "credited": money(best, question.currency),
        "gap": money(spend - best, question.currency),
        "lowest": f"{row['lowest']:.2f}",
        "highest": f"{row['highest']:.2f}",
        "year_end": overview.year.end.isoformat(),
    }
    what = (
        f"{row['channel']} cost {facts['spend']} in the year to {facts['year_end']}, and no model credits it with "
        f"more than {facts['credited']} of bookings ({facts['lowest']} to {facts['highest']} per unit of spend)."
    )
    judged = (row["evidence"], Judgement("warning", row["confidence"], row["money"]))
    return build(question, Subject("programme_below_cost", Place(CHAPTER, "returns"), row["dims"]), what, facts, judged)


@detector("sourcing_disputed", CHAPTER, facts=("n", "amount", "share", "period", "largest", "official"))
def sourcing_disputed(question: Question) -> Answer:
    """Pipeline on which the sides' definitions of who sourced it differ."""
    sourced = _sourced(question)
    if isinstance(sourced, NotAssessed):
        return sourced
    if len(sourced.claims) < 2:
        return NotAssessed("fewer than two claims about sourcing are defined (sourcing_claims)")
    amounts = sourced.disputed["amount"].dropna().astype(float)
    whole = float(sourced.deals["amount"].dropna().astype(float).sum())
    if not whole or amounts.sum() < DISPUTED_SHARE * whole:
        return []
    part = float(amounts.sum()) / whole
    mine = sourced.official[sourced.official["team"] == "marketing"]["amount_share"].sum()
    facts = {
        "n": len(sourced.disputed),
        "amount": money(float(amounts.sum()), question.currency),
        "share": share(part),
        "period": question.period.label,
        "largest": money(float(amounts.max()), question.currency),
        "official": share(float(mine)),
    }
    what = (
        f"The sides differ on who sourced {len(sourced.disputed)} deals of {facts['period']} worth {facts['amount']}, "
        f"{facts['share']} of the pipeline created; the official figure for marketing is {facts['official']}."
    )
    # The money is pipeline under dispute, not lost: what is at stake is which budget it speaks for.
    judged = (Evidence(len(sourced.disputed), part, "rate"), Judgement("info", 1.0, None))
    subject = Subject("sourcing_disputed", Place(CHAPTER, "headline"), (("period", facts["period"]),))
    return [build(question, subject, what, facts, judged)]


@detector("touches_without_channel", CHAPTER, facts=("n", "deals", "amount", "credit", "share"))
def touches_without_channel(question: Question) -> Answer:
    """Touches whose channel is not recorded and that nevertheless carry credit, which then belongs to nobody."""
    overview = _overview(question)
    if isinstance(overview, NotAssessed):
        return overview
    if overview.compared.reason:
        return NotAssessed(overview.compared.reason)
    rows = overview.compared.shares
    mine = rows[rows["channel"].isna() & (rows["model"] == overview.compared.official)]
    gap = overview.gaps[overview.gaps["reason"] == "touch without channel"]
    if mine.empty or gap.empty or float(mine["share"].iloc[0]) < UNKNOWN_SHARE:
        return []
    credit, part = float(mine["amount"].iloc[0]), float(mine["share"].iloc[0])
    facts = {
        "n": f"{int(gap['touches'].iloc[0]):,}",
        "deals": int(gap["deals"].iloc[0]),
        "amount": money(gap["amount"].iloc[0], question.currency),
        "credit": money(credit, question.currency),
        "share": share(part),
    }
    what = (
        f"{facts['n']} touches have no channel and no campaign that names one; {facts['credit']} of the year's "
        f"bookings, {facts['share']}, is credited to no channel."
    )
    severity: Severity = "info"
    low, high = float(mine["low"].iloc[0]), float(mine["high"].iloc[0])
    judged = (Evidence(overview.compared.accounts, part, "rate", low, high), Judgement(severity, 1.0, credit))
    return [build(question, Subject("touches_without_channel", Place(CHAPTER, "gaps")), what, facts, judged)]


def _overview(question: Question) -> AttributionOverview | NotAssessed:
    """What the chapter shows, computed once."""
    from revops_analysis.attribution.overview import attribution_overview

    return _computed(question, attribution_overview)


def _sourced(question: Question) -> Sourcing | NotAssessed:
    """Who sourced the pipeline of the period, which is a small part of what the chapter shows."""
    from revops_analysis.attribution.overview import sourced_in

    return _computed(question, sourced_in)


def _computed(question: Question, make: Callable[[Snapshot, Period], _Made]) -> _Made | NotAssessed:
    """What is made of the snapshot and the period; a source without touches says so."""
    if not question.snapshot.has("touchpoints"):
        return NotAssessed("the source has no touchpoints")
    try:
        return make(question.snapshot, question.period)
    except RevopsError as problem:
        return NotAssessed(f"attribution could not be computed: {problem.what}")
