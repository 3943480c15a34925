"""The data scientist's view of the win probability: data, split, scores, calibration, importance, errors, card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from revops_analysis.models.cutoffs import Cutoff
from revops_analysis.models.evidence import Evidence, gather_evidence
from revops_analysis.models.features import GROUPS
from revops_analysis.models.probability_scores import reliability_curve, score_probabilities
from revops_analysis.models.win_trial import GROUP_TITLES, METHODS, TrialOptions, WinTrial, try_win_probability
from revops_analysis.periods import Period
from revops_analysis.statistics.bootstrap import bootstrap_ratio

if TYPE_CHECKING:
    from revops_analysis.workspace import Workspace

MODEL = "model"
NO_CRM = "the CRM states no probability for these deals"
_SCORES = ("brier", "log_loss", "roc_auc", "average_precision", "calibration_error")
_WEEKS = ((0, "last week"), (4, "1 to 4 weeks"), (8, "5 to 8 weeks"), (99, "9 weeks or more"))


@dataclass(frozen=True, eq=False)
class WinReport:
    """How well the win probability tells deals apart and means what it says, on periods it had not seen.

    trial       what was asked and answered (see `WinTrial`); `trial.reason` says why nothing could be.
    history     a row a past period: period, cutoffs, rows, deals, wins (deals), win_share (wins ÷ deals).
    features    a row a group: group, title, features, known (share of the states in which all are known).
    scores      a row a method of `METHODS`: method, title, brier, log_loss, roc_auc, average_precision,
                calibration_error, brier_by_deal, gain, gain_low, gain_high, n, deals, reason. All on the same rows.
                Each weekly state counts once; in `brier_by_deal` each deal and period does. `gain` is the method's
                Brier score less the model's, with its 95% interval, for which whole deals are drawn.
    curve       the model's `reliability_curve`; `crm_curve` the CRM's, without rows where it states none.
    spread      how the model's probabilities lie: outcome ('won' or 'not won'), low, high, n, share.
    errors      cut, group, n, deals, won, expected (shares), gap (expected − won), brier, stage_brier, skill (1 − brier
                ÷ stage_brier; against the win rate of the stage), reason.
    card        aspect, text: what a reader must know before relying on the model.
    figures     key figures, tidy.
    """

    period: Period
    trial: WinTrial
    history: pd.DataFrame
    features: pd.DataFrame
    scores: pd.DataFrame
    curve: pd.DataFrame
    crm_curve: pd.DataFrame
    spread: pd.DataFrame
    errors: pd.DataFrame
    card: pd.DataFrame
    figures: pd.DataFrame

    @property
    def headline(self) -> pd.DataFrame:
        """The figures to read first: the model's own, and what it gains over the others."""
        ours = self.figures["metric"].isin(_HEADLINE) & (self.figures["method"] == METHODS[MODEL])
        return self.figures[ours | (self.figures["metric"] == _GAIN)]


def win_probability_report(
    workspace: Workspace, period: str | Period | None = None, options: TrialOptions | None = None
) -> WinReport:
    """Test the win probability on the latest periods that are over as of the workspace's day; see `WinReport`.

    `period` is the one whose forecast rests on the model (by default the running quarter, or the next once it is over).
    With too little history the scores are null and say how much is needed.

    In a notebook: `win_probability_report(ws, "2026-Q4").scores`
    """
    from revops_analysis.models.forecast import forecast_period

    ahead = forecast_period(workspace, period)
    evidence = gather_evidence(workspace, (Cutoff(workspace.as_of, ahead),))
    return report_on(evidence, ahead, options)


def report_on(evidence: Evidence, period: Period, options: TrialOptions | None = None) -> WinReport:
    """The report from evidence already gathered, with the weekly states of past periods."""
    options = options or TrialOptions()
    trial = try_win_probability(evidence.states, options)
    known = evidence.states[evidence.states["won"].notna()]
    compared = _comparable(trial.rows)
    scores = _scores(compared, trial, options.seed)
    return WinReport(
        period,
        trial,
        _history(known),
        _features(known),
        scores,
        reliability_curve(trial.rows["won"], trial.rows[MODEL]),
        reliability_curve(trial.rows["won"], trial.rows["crm"]),
        _spread(trial.rows),
        _errors(trial.rows),
        _card(trial, scores, options),
        _figures(scores, trial),
    )


def _history(known: pd.DataFrame) -> pd.DataFrame:
    grouped = known.groupby("period", sort=False)
    wins = known[known["won"] == 1].groupby("period")["opportunity_id"].nunique()
    frame = pd.DataFrame(
        {
            "last_day": grouped["last_day"].first(),
            "cutoffs": grouped["cutoff"].nunique(),
            "rows": grouped.size(),
            "deals": grouped["opportunity_id"].nunique(),
        }
    )
    frame = frame.assign(wins=wins.reindex(frame.index).fillna(0).astype("int64"))
    frame = frame.assign(win_share=frame["wins"] / frame["deals"]).sort_values("last_day", kind="stable")
    return frame.drop(columns="last_day").reset_index()


def _features(known: pd.DataFrame) -> pd.DataFrame:
    """What the model reads, and how much of it is known: a group whose columns the source lacks is known in 0%."""
    sources = {group: [name for name in _SOURCES.get(group, names) if name in known] for group, names in GROUPS.items()}
    rows = [
        {
            "group": group,
            "title": GROUP_TITLES[group],
            "features": ", ".join(name.replace("_", " ") for name in GROUPS[group]),
            "known": float(known[names].notna().all(axis=1).mean()) if names and len(known) else np.nan,
        }
        for group, names in sources.items()
    ]
    return pd.DataFrame(rows)


_SOURCES: dict[str, tuple[str, ...]] = {
    "close_date": ("close_date",),
    "activity": ("activities_56d",),
    "amount": ("amount",),
    "owner": ("owner_won", "owner_closed"),
    "time": ("last_day", "cutoff"),
    "process": ("stage_order",),
}
"""Columns of the states from which a group's features are made, where their names differ."""


def _comparable(rows: pd.DataFrame) -> pd.DataFrame:
    """The test rows for which every method states a probability; all of them where the CRM never does."""
    return rows[rows["crm"].notna()] if rows["crm"].notna().any() else rows


def _scores(rows: pd.DataFrame, trial: WinTrial, seed: int) -> pd.DataFrame:
    lines = []
    for method, title in METHODS.items():
        known = rows[rows[method].notna()]
        scored = score_probabilities(known["won"], known[method]).set_index("score")
        why = trial.reason or (NO_CRM if known.empty else scored["reason"].iloc[0])
        line: dict[str, object] = {"method": method, "title": title}
        line |= dict(zip(scored.index.astype(str), scored["value"].astype(float), strict=True))
        line |= {**_by_deal(known, method), **_gain(known, method, seed)}
        line |= {"n": len(known), "deals": known["opportunity_id"].nunique(), "reason": why}
        lines.append(line)
    return pd.DataFrame(lines)


def _by_deal(rows: pd.DataFrame, method: str) -> dict[str, float]:
    """The Brier score in which every deal and period weighs the same, however many weeks it was open."""
    if rows.empty:
        return {"brier_by_deal": np.nan}
    squares = (rows[method] - rows["won"]) ** 2
    return {"brier_by_deal": float(squares.groupby([rows["period"], rows["opportunity_id"]]).mean().mean())}


def _gain(rows: pd.DataFrame, method: str, seed: int) -> dict[str, float]:
    """By how much the method's Brier score is worse than the model's."""
    names = ("gain", "gain_low", "gain_high")
    if rows.empty or method == MODEL:
        return dict.fromkeys(names, np.nan)
    worse = (rows[method] - rows["won"]) ** 2 - (rows[MODEL] - rows["won"]) ** 2
    found = bootstrap_ratio(worse, np.ones(len(rows)), seed, clusters=rows["opportunity_id"].to_numpy())
    values = (found.value, found.low, found.high)
    return {name: np.nan if value is None else value for name, value in zip(names, values, strict=True)}


def _spread(rows: pd.DataFrame, bins: int = 20) -> pd.DataFrame:
    """How many states of deals won, and of others, have a probability within each twentieth."""
    edges = np.linspace(0.0, 1.0, bins + 1)
    parts = []
    for outcome, name in ((0.0, "not won"), (1.0, "won")):
        chosen = rows.loc[rows["won"] == outcome, MODEL].to_numpy(dtype="float64")
        counts = np.histogram(chosen, bins=edges)[0]
        share = counts / len(chosen) if len(chosen) else np.full(bins, np.nan)
        part = {"outcome": name, "low": edges[:-1], "high": edges[1:], "n": counts, "share": share}
        parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)


def _errors(rows: pd.DataFrame) -> pd.DataFrame:
    """Where the model errs: by segment, stage, weeks left, and whether the deal was among the training rows."""
    left = _weeks_text(rows["weeks_left"].to_numpy(dtype="float64"))
    cuts = {
        "segment": rows["segment"].astype(object).where(rows["segment"].notna(), None),
        "stage": rows["stage"].astype(object).where(rows["stage"].notna(), None),
        "weeks left": pd.Series(left, index=rows.index, dtype=object),
        "deal": rows["is_new"].map({True: "not in the training rows", False: "in them with earlier states"}),
    }
    return pd.concat([_errors_of(rows, cut, labels) for cut, labels in cuts.items()], ignore_index=True)


def _weeks_text(weeks: npt.NDArray[np.float64]) -> npt.NDArray[np.object_]:
    conditions = [weeks <= most for most, _ in _WEEKS]
    return np.select(conditions, [text for _, text in _WEEKS], _WEEKS[-1][1]).astype(object)


def _errors_of(rows: pd.DataFrame, cut: str, labels: pd.Series) -> pd.DataFrame:
    squares = rows.assign(
        group=labels, brier=(rows[MODEL] - rows["won"]) ** 2, stage_brier=(rows["stage_rate"] - rows["won"]) ** 2
    )
    grouped = squares.groupby("group", sort=True, dropna=False)
    frame = grouped.agg(
        n=("won", "size"),
        deals=("opportunity_id", "nunique"),
        won=("won", "mean"),
        expected=(MODEL, "mean"),
        brier=("brier", "mean"),
        stage_brier=("stage_brier", "mean"),
    ).reset_index()
    frame.insert(0, "cut", cut)
    frame.insert(6, "gap", frame["expected"] - frame["won"])
    base = frame["stage_brier"].where(frame["stage_brier"] > 0)
    frame = frame.assign(skill=1 - frame["brier"] / base)
    reason = pd.Series(None, index=frame.index, dtype=object).mask(base.isna(), "the stage's rate made no error")
    return _ordered(frame.assign(reason=reason), [text for _, text in _WEEKS] if cut == "weeks left" else [])


def _ordered(frame: pd.DataFrame, order: Sequence[str]) -> pd.DataFrame:
    if not order:
        return frame
    place = {name: number for number, name in enumerate(order)}
    return frame.sort_values("group", key=lambda names: names.map(place), kind="stable")


def _figures(scores: pd.DataFrame, trial: WinTrial) -> pd.DataFrame:
    """The scores as key figures: a row a score and method; what differs from the model with its interval."""
    rows = []
    for line in scores.to_dict("records"):
        unit = dict.fromkeys(_SCORES, "score") | {"calibration_error": "rate"}
        shared = {"method": line["title"], "n": line["n"], "reason": line["reason"]}
        for name in _SCORES:
            rows.append({"metric": f"win_probability_{name}", "value": line[name], "unit": unit[name], **shared})
        if line["method"] != MODEL:
            limits = {"low": line["gain_low"], "high": line["gain_high"]}
            rows.append({"metric": _GAIN, "value": line["gain"], "unit": "score", **limits, **shared})
    frame = pd.DataFrame(rows).astype({"value": "float64", "low": "float64", "high": "float64"})
    tested = int(trial.splits["test_rows"].sum()) if len(trial.splits) else 0
    counts = {"metric": "win_probability_tested_states", "method": None, "value": float(tested), "unit": "count"}
    return pd.concat([frame, pd.DataFrame([counts | {"n": tested}])], ignore_index=True)[_COLUMNS]


_COLUMNS = ["metric", "method", "value", "unit", "low", "high", "n", "reason"]
_GAIN = "win_probability_brier_gain"
_HEADLINE = ("win_probability_brier", "win_probability_roc_auc", "win_probability_calibration_error")


def _card(trial: WinTrial, scores: pd.DataFrame, options: TrialOptions) -> pd.DataFrame:
    """What a reader must know before relying on the model, from what was measured and how it is made."""
    win = options.win
    texts = {
        "Purpose": (
            "The probability that a deal open on a day is won and booked by the end of the period. It feeds the "
            "bookings forecast and the order in which deals are reviewed. It is not a judgement of people."
        ),
        "Data": (
            "Weekly states of all headline deals that were open, each only with what was known at the end of its day. "
            "States of one deal resemble each other, so the number of deals says more than the number of rows."
        ),
        "Features": "; ".join(f"{GROUP_TITLES[group].lower()} ({', '.join(names)})" for group, names in GROUPS.items())
        .replace("_", " ")
        .capitalize()
        + ".",
        "Not used": (
            "Names, owners' identity, next steps and other free text; the loss reason, which is known only afterwards; "
            "and any column of which only the latest value is known, unless the definitions allow it."
        ),
        "Training": (
            f"Gradient boosting, {win.trees} trees of {win.leaves} leaves at a learning rate of {win.learning_rate:g}. "
            "Two of its features, the chance to be alive and to be won if alive, come from a hidden Markov model of "
            f"the deals' weeks. Rows weigh as their amount to the power of {win.amount_power:g}. Fewer than "
            f"{win.minimum_periods} periods that are over, or than {win.minimum_wins} deals won, and win rates by "
            "stage are used instead."
        ),
        "Calibration": (
            f"A model of the earlier periods is asked about the latest {win.calibration_share:.0%}; slope and "
            "intercept of its log odds are corrected by what happened, drawn towards no correction as if "
            f"{win.calibration_weight:g} deals had shown none."
        ),
        "Test": _tested(trial, scores),
        "Limits": (
            "Won by the end of the period, and not won ever: early in a period most deals are improbable. Of deals in "
            "a stage, segment or source never seen in training less is known than the figure suggests. A change of "
            "price, process or market shows only after periods that have felt it. A deal with few recorded activities "
            "looks worse than it is where activities are not logged."
        ),
    }
    return pd.DataFrame({"aspect": list(texts), "text": list(texts.values())})


def _tested(trial: WinTrial, scores: pd.DataFrame) -> str:
    if trial.reason:
        return trial.reason
    model = scores.set_index("method").loc[MODEL]
    periods = trial.splits["period"]
    rules = sorted(set(trial.splits["basis"]) - {MODEL})
    how = " Where history was too short for a model, win rates by stage answered." if rules else ""
    return (
        f"Refitted for each of {len(periods)} periods, {periods.iloc[0]} to {periods.iloc[-1]}, on the periods before "
        f"it, and asked about {model['n']:,} weekly states of {model['deals']:,} deals. Each state counts once; a deal "
        "open in two periods may be in training with its earlier states, whose outcome was known by then, and never "
        f"with the outcome that is asked for.{how}"
    )
