"""All that the chapter on the hand-off of leads shows, computed once: figures, tables and texts come from this."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from revops_analysis.metrics.funnel.catalogue import PROBLEMS
from revops_analysis.metrics.funnel.leads import STAGES, undated_leads
from revops_analysis.metrics.funnel.speed import SpeedToLead, speed_to_lead
from revops_analysis.metrics.funnel.summary import Funnel, funnel
from revops_analysis.metrics.registry import compute_metric
from revops_analysis.models.lead_proposal import LeadProposal, propose_rule
from revops_analysis.models.lead_replay import AGAINST, NEW, LeadReplay, replay
from revops_analysis.periods import Period, begun_period

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

CUTS = ("source", "segment", "campaign", "team")
"""What the hand-off is shown by."""

NO_OWNER_HISTORY = "the source keeps no history of a lead's owners; supply one to see leads passed from owner to owner"
_HANDED_OVER = "qualified to deal"


@dataclass(frozen=True, eq=False)
class LeadHandOff:
    """The hand-off of leads in the year up to the end of a period.

    funnel    the steps of the leads that entered them in `span`; `cuts`: hand-over (qualified to deal) by each of
              `CUTS`, a row a level: entered, advanced, share, conversion, low, high, median_days, p90_days, reason.
    reached   [stage, n, share, low, high]: of the leads created in `span`, how many had reached each stage.
    speed     waiting and its effect, over two years up to the end of the period; `answers`: figures of `span`.
    refusals  [side, reason_given, n, share]; routing [problem, n, share, reason].
    proposal  the score and the proposed rule; `replay` of it beside today's rule; None where nothing is proposed.
    headline and figures: tidy frames of key figures; notes: what was decided or left out; reason: why all is empty.
    """

    period: Period
    span: Period
    funnel: Funnel
    cuts: dict[str, pd.DataFrame]
    reached: pd.DataFrame
    speed: SpeedToLead
    answers: pd.DataFrame
    refusals: pd.DataFrame
    routing: pd.DataFrame
    proposal: LeadProposal
    replay: LeadReplay | None
    headline: tuple[pd.DataFrame, ...]
    figures: tuple[pd.DataFrame, ...]
    notes: tuple[str, ...]
    reason: str | None = None

    def notes_table(self) -> pd.DataFrame:
        """`notes`, a row each: [note]."""
        return pd.DataFrame({"note": list(self.notes) or ["Nothing was left out."]})

    @property
    def proposal_text(self) -> str:
        """The proposed rule as it can be pasted into `definitions.yml`, or why there is none."""
        return self.proposal.snippet or f"No rule is proposed: {self.proposal.reason or self.reason}."

    @property
    def score_units(self) -> dict[str, str]:
        """The unit of each column of the scores; none where there are no scores."""
        if self.proposal.scores.empty:
            return {}
        shares = dict.fromkeys(["brier", "log_loss", "roc_auc", "average_precision"], "score")
        return {**shares, "calibration_error": "rate", "n": "count"}

    @property
    def value_of_deal(self) -> float | None:
        """Won amount so far for each deal that a lead of the year became; None without a deal."""
        if self.replay is None:
            return None
        row = self.replay.of("all leads")
        return float(row["won_amount"]) / row["deals"] if row["deals"] else None


def lead_handoff(snapshot: Snapshot, period: str | Period) -> LeadHandOff:
    """Compute the hand-off for the year up to the end of `period`; once a snapshot and period.

    Without a leads table everything is empty, and `reason` says so. Raises ConfigurationError for a period that cannot
    be read or begins after the as-of date.
    """
    asked = begun_period(period, snapshot.definitions.fiscal_calendar, snapshot.as_of)
    return snapshot.once(("lead hand-off", asked), lambda: _hand_off(snapshot, asked))


def _hand_off(snapshot: Snapshot, period: Period) -> LeadHandOff:
    span = _years(snapshot, period, 1)
    reason = None if snapshot.has("leads") else "the source has no leads table"
    proposal = propose_rule(snapshot)
    replayed = replay(snapshot, proposal.found.rule, period=span) if proposal.found and not reason else None
    found = funnel(snapshot, span)
    speed = speed_to_lead(snapshot, _years(snapshot, period, 2))
    answers = _answers(snapshot, span)
    routing = _routing(snapshot, span)
    return LeadHandOff(
        period,
        span,
        found,
        {cut: _cut(snapshot, span, cut) for cut in CUTS},
        _reached(snapshot, span),
        speed,
        answers,
        _refusals(snapshot, span),
        routing,
        proposal,
        replayed,
        (*_of_replay(replayed, _HEADLINE), *_of_funnel(found, [_HANDED_OVER]), *_tidy(answers, _FIRST_ANSWERS)),
        (
            *_of_replay(replayed, _FIGURES),
            *_of_funnel(found, [name for name in found.frame["step"] if name != _HANDED_OVER]),
            *_tidy(answers, [name for name in answers["metric"].unique() if name not in _FIRST_ANSWERS]),
            *_of_speed(speed),
            *_of_proposal(proposal),
            *_of_routing(routing),
        ),
        _notes(snapshot, proposal, replayed),
        reason,
    )


def _years(snapshot: Snapshot, period: Period, years: int) -> Period:
    """So many years up to the end of the period, or to the as-of date where that comes first."""
    end = min(period.end, snapshot.as_of)
    start = (pd.Timestamp(end) - pd.DateOffset(years=years) + pd.Timedelta(days=1)).date()
    return Period(f"{start.isoformat()}..{end.isoformat()}", start, end)


def _cut(snapshot: Snapshot, span: Period, cut: str) -> pd.DataFrame:
    frame = funnel(snapshot, span, [cut]).frame
    rows = frame[frame["step"] == _HANDED_OVER]
    columns = ["entered", "advanced", "share", "conversion", "low", "high", "median_days", "p90_days", "reason"]
    return rows[[cut, *columns]].sort_values(["entered", cut], ascending=[False, True], ignore_index=True)


def _reached(snapshot: Snapshot, span: Period) -> pd.DataFrame:
    from revops_analysis.statistics.intervals import wilson_interval

    counts = compute_metric(snapshot, "funnel_reached", span).frame.dropna(subset=["value"])
    n = counts.set_index("stage")["n"].reindex(STAGES).fillna(0).astype("int64")
    whole = int(n.iloc[0])
    low, high = wilson_interval(n, [whole] * len(n))
    share = n / whole if whole else n * float("nan")
    return pd.DataFrame({"stage": STAGES, "n": n.to_numpy(), "share": share.to_numpy(), "low": low, "high": high})


_FIRST_ANSWERS = ("response_minutes", "response_within_target")


def _answers(snapshot: Snapshot, span: Period) -> pd.DataFrame:
    """Speed to lead of the year as tidy rows, a quantile a row where there are some."""
    names = (*_FIRST_ANSWERS, "leads_unanswered")
    frames = [compute_metric(snapshot, name, span).frame.drop(columns="period") for name in names]
    rows = pd.concat([frame.dropna(axis=1, how="all") for frame in frames], ignore_index=True)
    columns = ["metric", "quantile", "value", "unit", "low", "high", "n", "reason"]
    return rows.reindex(columns=columns).replace({"quantile": {"0.5": "median", "0.9": "90%"}})


def _refusals(snapshot: Snapshot, span: Period) -> pd.DataFrame:
    frame = compute_metric(snapshot, "leads_refused", span).frame.dropna(subset=["value"])
    ordered = frame.sort_values(["side", "n", "reason_given"], ascending=[True, False, True], ignore_index=True)
    whole = ordered.groupby("side")["n"].transform("sum")
    share = ordered["n"].astype("float64") / whole.astype("float64")
    return ordered.assign(share=share)[["side", "reason_given", "n", "share"]]


def _routing(snapshot: Snapshot, span: Period) -> pd.DataFrame:
    found = compute_metric(snapshot, "leads_misrouted", span).frame.dropna(subset=["value"])
    created = compute_metric(snapshot, "leads_created", span).frame["value"].iloc[0]
    known = not pd.isna(created)
    counts = found.set_index("problem")["n"].reindex(PROBLEMS).fillna(0).astype("float64")
    rows: list[dict[str, Any]] = [
        {"problem": name, "n": number if known else None, "share": number / created if known and created else None}
        for name, number in counts.items()
    ]
    rows = [{**row, "reason": None if known else "the source has no leads table"} for row in rows]
    rows.append({"problem": "passed from owner to owner", "n": None, "share": None, "reason": NO_OWNER_HISTORY})
    return pd.DataFrame(rows).astype({"n": "Int64", "share": "float64"})


_HEADLINE = {"passed_month": "count", "deal_rate": "rate"}
_FIGURES = {
    "recall": "rate",
    "lift": "ratio",
    "close_rate": "rate",
    "won_amount": "currency",
    "unknown": "count",
    "deal_floor": "rate",
    "deal_ceiling": "rate",
    "missed_deals": "count",
    "missed_won": "count",
    "missed_amount": "currency",
    "hours_month": "number",
}
_ENDS = {"deal_rate": "deal", "close_rate": "close", "recall": "recall"}
_COUNTED = {"deal_rate": ("worked",), "close_rate": ("worked",), "recall": ("deals", "missed_deals")}
_METRICS = {"passed_month": "leads_passed_a_month", "deal_rate": "passed_leads_that_become_deals"}
_NAMES = {AGAINST: "today", NEW: "proposed"}


def _of_replay(found: LeadReplay | None, wanted: dict[str, str]) -> tuple[pd.DataFrame, ...]:
    """Figures of today's and the proposed rule, a frame a figure."""
    if found is None:
        return ()
    frames = []
    for name, unit in wanted.items():
        rows = []
        for rule, word in _NAMES.items():
            row = found.of(rule)
            value = None if pd.isna(row[name]) else row[name]
            ends = {end: row[f"{_ENDS[name]}_{end}"] for end in ("low", "high")} if name in _ENDS else {}
            reason = None if value is not None else row["reason"] or "nothing to compute it from"
            of = {"metric": _METRICS.get(name, f"lead_rule_{name}"), "rule": word, "value": value, "unit": unit, **ends}
            counted = _COUNTED.get(name, ("passed",))
            rows.append({**of, "n": sum(int(row[part]) for part in counted), "reason": reason})
        frames.append(pd.DataFrame(rows))
    return tuple(frames)


def _of_funnel(found: Funnel, steps: list[str]) -> tuple[pd.DataFrame, ...]:
    rows = found.frame[found.frame["step"].isin(steps)]
    conversion = rows[["step", "conversion", "low", "high", "entered", "reason"]].rename(
        columns={"conversion": "value", "entered": "n"}
    )
    why = "no lead advanced"
    median = pd.DataFrame({"step": rows["step"], "value": rows["median_days"], "n": rows["advanced"]})
    median["reason"] = pd.Series(None, index=median.index, dtype=object).mask(median["value"].isna(), why)
    return (
        conversion.assign(metric="funnel_conversion", unit="rate"),
        median.assign(metric="funnel_median_days", unit="days"),
    )


def _tidy(answers: pd.DataFrame, names: Iterable[str]) -> tuple[pd.DataFrame, ...]:
    parts = [answers[answers["metric"] == name] for name in names]
    # Without a cut by quantile, the column would become a dimension without a value.
    kept = [part for part in parts if len(part)]
    return tuple(part if part["quantile"].notna().any() else part.drop(columns="quantile") for part in kept)


def _of_speed(speed: SpeedToLead) -> tuple[pd.DataFrame, ...]:
    if speed.effects.empty:
        nothing = {"metric": "response_effect", "value": None, "unit": "rate", "n": 0, "reason": speed.reason}
        return (pd.DataFrame([nothing]),)
    rows = speed.effects
    named = rows.assign(
        metric="response_effect",
        within=[f"{minutes:g} minutes" for minutes in rows["minutes"]],
        value=rows["difference"],
        unit="rate",
        n=rows["n_answered"] + rows["n_waiting"],
    )
    return (named[["metric", "within", "value", "unit", "low", "high", "n", "reason"]],)


def _of_proposal(found: LeadProposal) -> tuple[pd.DataFrame, ...]:
    row = {"metric": "lead_rule_conditions", "value": found.found.conditions if found.found else None, "unit": "count"}
    frames = [pd.DataFrame([{**row, "n": int(found.splits["leads"].sum()), "reason": found.reason}])]
    against = found.against[found.against["rule"] == "proposed rule"] if len(found.against) else found.against
    for name in ("precision", "recall", "score_precision") if len(against) else ():
        one = against.iloc[0]
        reason = None if pd.notna(one[name]) else "no deal in the test window"
        figure = {"metric": f"lead_test_{name}", "value": one[name], "unit": "rate", "n": int(one["n"])}
        ends = {"low": one["low"], "high": one["high"]} if name == "precision" else {}
        frames.append(pd.DataFrame([{**figure, **ends, "reason": reason}]))
    if len(found.scores):
        scores = found.scores[["method", "roc_auc", "n"]].rename(columns={"roc_auc": "value"})
        frames.append(scores.assign(metric="lead_score_roc_auc", unit="score"))
    return tuple(frames)


def _of_routing(routing: pd.DataFrame) -> tuple[pd.DataFrame, ...]:
    rows = routing.assign(metric="leads_misrouted", value=routing["n"], unit="count")
    return (rows[["metric", "problem", "value", "unit", "n", "reason"]],)


def _notes(snapshot: Snapshot, proposal: LeadProposal, replayed: LeadReplay | None) -> tuple[str, ...]:
    undated = undated_leads(snapshot)
    notes = []
    if undated:
        notes.append(f"{undated:,} leads have no moment of creation and are in no figure.")
    notes += [f"{name} is not used: {why}." for name, why in proposal.leaks.refused.items()]
    if proposal.reason:
        notes.append(f"No rule is proposed: {proposal.reason}.")
    notes.append(f"Leads passed from owner to owner cannot be counted: {NO_OWNER_HISTORY}.")
    return (*notes, *(replayed.warnings if replayed else ()))
