"""The team chapter's tables, and the hints to coach on, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from revops_analysis.models.seller_pace import ADVANCED, ALL_STAGES

if TYPE_CHECKING:
    from revops_analysis.models.team_performance import TeamPerformance

TEAM_UNITS = {
    "sellers": "count",
    "equivalent": "ratio",
    **dict.fromkeys(("quota", "bookings", "deal_size", "created", "productivity"), "currency"),
    **dict.fromkeys(("attainment", "win_rate", "low", "high"), "rate"),
    "closed": "count",
    "cycle_days": "days",
}
QUOTA_UNITS = {
    "tenure_months": "number",
    "equivalent": "ratio",
    **dict.fromkeys(("quota", "bookings", "open_pipeline"), "currency"),
    "attainment": "rate",
}
RATE_UNITS = {
    **dict.fromkeys(("win_rate", "expected_win_rate", "shrunk_win_rate", "low", "high"), "rate"),
    "closed": "count",
    "cycle_days": "days",
    "deal_size": "currency",
}
WORK_UNITS = {
    "equivalent_year": "ratio",
    **dict.fromkeys(("bookings_year", "productivity", "created"), "currency"),
    **dict.fromkeys(("against_peers", "shrunk", "low", "high", "activities_week"), "ratio"),
}
HINT_UNITS = {
    **dict.fromkeys(("deals", "observed"), "count"),
    "expected": "number",
    **dict.fromkeys(("pace", "low", "high"), "ratio"),
    "p_adjusted": "score",
    "money": "currency",
}
RAMP_UNITS = {**dict.fromkeys(("value", "low", "high"), "currency"), "share": "rate", "sellers": "count"}
"""Units of the columns of the tables below, as a chapter's `table` takes them."""


def teams_table(found: TeamPerformance) -> pd.DataFrame:
    """Teams against quota, with the columns of `TeamPerformance.teams`; the last row is the company's."""
    last = found.teams.index == len(found.teams) - 1
    return found.teams.assign(team=found.teams["team"].astype(object).mask(last, "Company"))


def quota_table(found: TeamPerformance) -> pd.DataFrame:
    """Sellers against quota in the period: owner, team, tenure_months, equivalent, quota, bookings, attainment,
    open_pipeline, reason."""
    return found.sellers[["owner", "team", *QUOTA_UNITS, "reason"]]


def rates_table(found: TeamPerformance) -> pd.DataFrame:
    """Win rates in the year: owner, team, closed, win_rate (raw), expected_win_rate (of the same mix), shrunk_win_rate
    with its 95% limits low and high, cycle_days, deal_size."""
    names = {"win_rate_shrunk": "shrunk_win_rate", "win_rate_low": "low", "win_rate_high": "high"}
    return found.sellers.rename(columns=names)[["owner", "team", *RATE_UNITS]]


def work_table(found: TeamPerformance) -> pd.DataFrame:
    """Bookings and work in the year: owner, team, equivalent_year (ramped quarters), bookings_year, productivity,
    against_peers (1 is par), shrunk with its 95% limits low and high, created, activities_week."""
    names = {
        "productivity_ratio": "against_peers",
        "productivity_shrunk": "shrunk",
        "productivity_low": "low",
        "productivity_high": "high",
    }
    columns = ["equivalent_year", "bookings_year", "productivity", "against_peers", "shrunk", "low", "high"]
    return found.sellers.rename(columns=names)[["owner", "team", *columns, "created", "activities_week"]]


def hints_table(found: TeamPerformance) -> pd.DataFrame:
    """Where sellers depart from peers beyond chance, the clearest first: owner, team, stage, deals, observed,
    expected, pace with its 95% interval low and high, p_adjusted, money (what missing advances were worth) and hint."""
    rows = found.pace.departures
    hints = [hint(row) for row in rows.to_dict("records")]
    return rows.assign(hint=pd.Series(hints, dtype=object))[["owner", "team", "stage", *HINT_UNITS, "hint"]]


def hint(row: dict[Any, Any]) -> str:
    """What a departure from peers says, in words to coach with.

    >>> hint({"stage": "Proposal", "event": "advanced", "pace": 0.5, "observed": 6, "expected": 12.0})
    'from Proposal 6 deals moved on, where peers’ pace would have moved 12.0: help there'
    """
    where = "over all stages" if row["stage"] == ALL_STAGES else f"from {row['stage']}"
    moved, would = ("moved on", "moved") if row["event"] == ADVANCED else ("were lost", "lost")
    good = (row["pace"] > 1) == (row["event"] == ADVANCED)
    end = "learn from it" if good else "help there"
    return (
        f"{where} {row['observed']:,} deals {moved}, where peers’ pace would have {would} {row['expected']:.1f}: {end}"
    )


def ramp_table(found: TeamPerformance) -> pd.DataFrame:
    """The ramp curve: segment, months, value, low, high, share, sellers, reason."""
    return found.ramp.frame[["segment", "months", *RAMP_UNITS, "reason"]]
