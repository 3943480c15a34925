"""Replays and proposals of lead rules as published rows, and as the tables that people read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from revops_analysis.reporting.formats import format_value
from revops_analysis.reporting.key_figures import KeyFigure, collect_rows

if TYPE_CHECKING:
    from revops_analysis.models.lead_proposal import LeadProposal
    from revops_analysis.models.lead_replay import LeadReplay

REPLAY_UNITS = {
    "passed": "count",
    "passed_month": "number",
    "worked": "count",
    "unknown": "count",
    "deals": "count",
    "deal_rate": "rate",
    "deal_floor": "rate",
    "deal_ceiling": "rate",
    "won": "count",
    "close_rate": "rate",
    "close_floor": "rate",
    "close_ceiling": "rate",
    "won_amount": "currency",
    "recall": "rate",
    "recall_floor": "rate",
    "recall_ceiling": "rate",
    "lift": "ratio",
    "missed_deals": "count",
    "missed_won": "count",
    "missed_amount": "currency",
    "hours_month": "number",
    "leads_per_seller": "number",
}
"""Published figures of a replay and their units, in order. `deal_rate` is the precision of a rule."""

_INTERVALS = {"deal_rate": "deal", "close_rate": "close", "recall": "recall"}
_COUNTED = {"deal_rate": ("worked",), "close_rate": ("worked",), "recall": ("deals", "missed_deals")}


def replay_rows(found: LeadReplay) -> tuple[KeyFigure, ...]:
    """A replay as key figures: metric `lead_rule_<figure>`, dimension rule."""
    return collect_rows(
        [_replay_row(row, name, unit) for row in _records(found) for name, unit in REPLAY_UNITS.items()]
    )


def _records(found: LeadReplay) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in found.rules.to_dict("records")]


def _replay_row(row: dict[str, Any], name: str, unit: str) -> dict[str, Any]:
    value = None if pd.isna(row[name]) else row[name]
    ends = {}
    if name in _INTERVALS:
        ends = {end: row[f"{_INTERVALS[name]}_{end}"] for end in ("low", "high")}
    return {
        "metric": f"lead_rule_{name}",
        "rule": row["rule"],
        "value": value,
        "unit": unit,
        **ends,
        "n": sum(int(row[counted]) for counted in _COUNTED.get(name, ("passed",))),
        "reason": None if value is not None else row["reason"] or "nothing to compute it from",
    }


def proposal_rows(found: LeadProposal) -> tuple[KeyFigure, ...]:
    """A proposal as key figures: each rule beside the score at the same recall, scores, and refused columns.

    What is compared is of the test window: leads that neither score nor rule has seen.
    """
    rows: list[dict[str, Any]] = []
    for row in found.against.to_dict("records"):
        of = {"rule": row["rule"], "n": int(row["n"])}
        rows.append({"metric": "lead_rule_precision", **of, "value": row["precision"], "unit": "rate"} | _ends(row))
        rows.append({"metric": "lead_rule_test_recall", **of, "value": row["recall"], "unit": "rate"})
        rows.append({"metric": "lead_score_precision", **of, "value": row["score_precision"], "unit": "rate"})
        rows.append({"metric": "lead_rule_of_best", **of, "value": row["of_best"], "unit": "rate"})
    for row in found.scores.to_dict("records"):
        for name in ("brier", "roc_auc", "average_precision", "calibration_error"):
            figure = {"metric": f"lead_score_{name}", "method": row["method"], "value": row[name], "n": int(row["n"])}
            rows.append(figure | {"unit": "rate" if name == "calibration_error" else "score"})
    conditions = {"metric": "lead_rule_conditions", "unit": "count", "n": int(found.splits["leads"].sum())}
    rows.append(conditions | {"value": found.found.conditions if found.found else None, "reason": found.reason})
    refused = {"metric": "lead_columns_refused", "unit": "count", "n": len(found.leaks.frame)}
    rows.append(refused | {"value": len(found.leaks.refused)})
    return collect_rows([_with_reason(row) for row in rows])


def _ends(row: Any) -> dict[str, Any]:
    return {"low": row["low"], "high": row["high"]}


def _with_reason(row: dict[str, Any]) -> dict[str, Any]:
    if pd.isna(row["value"]):
        return {**row, "value": None, "reason": row.get("reason") or "no lead of the test window to compute it from"}
    return row


def replay_table(found: LeadReplay | None) -> pd.DataFrame:
    """A replay as a person reads it: a row a figure, a column a rule, each value with its interval or bounds.

    Without a replay, which is so where no rule could be proposed, a row that says that.
    """
    if found is None:
        return pd.DataFrame({"figure": ["no rule is proposed, so none is replayed"]})
    columns = {}
    for row in _records(found):
        columns[str(row["rule"])] = [_cell(row, name, unit) for name, unit in _SHOWN.items()]
    return pd.DataFrame({"figure": list(_WORDS.values()), **columns})


_WORDS = {
    "passed_month": "leads passed a month",
    "deal_rate": "become a deal (precision)",
    "deal_bounds": "… if the unknown never, or always, do",
    "close_rate": "become a won deal (close rate)",
    "won": "won deals",
    "won_amount": "won amount",
    "recall": "deals kept (recall)",
    "lift": "lift over all worked leads",
    "unknown": "passed but never worked: unknown",
    "missed_deals": "deals missed",
    "missed_won": "won deals missed",
    "missed_amount": "won amount missed",
    "hours_month": "hours a month",
    "leads_per_seller": "leads a seller and month",
}
_SHOWN = {name: REPLAY_UNITS.get(name, "rate") for name in _WORDS}


def _cell(row: dict[str, Any], name: str, unit: str) -> str:
    if name == "deal_bounds":
        return f"{format_value(row['deal_floor'], 'rate')} to {format_value(row['deal_ceiling'], 'rate')}"
    decimals = {"currency": 0, "number": 0}.get(unit)
    text = format_value(None if pd.isna(row[name]) else row[name], unit, decimals)
    if name not in _INTERVALS or pd.isna(row[f"{_INTERVALS[name]}_low"]):
        return text
    low, high = (format_value(row[f"{_INTERVALS[name]}_{end}"], "rate") for end in ("low", "high"))
    return f"{text} ({low} to {high})"


def as_percentages(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame of shares as text in percent; counts and text stay."""
    shares = [name for name in frame.columns if frame[name].dtype.kind == "f"]
    return frame.assign(**{name: [format_value(value, "rate") for value in frame[name]] for name in shares})
