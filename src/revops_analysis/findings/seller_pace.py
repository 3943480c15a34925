"""Detector of sellers whose deals move on more slowly than those of others: `stage_pace`, asked of people."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from revops_analysis.findings.building import Judgement, Subject, build, severity_of
from revops_analysis.findings.comparison import Comparisons, Row
from revops_analysis.findings.cuts import Cases, Compare, departures, weights_for
from revops_analysis.findings.finding import Finding, Place
from revops_analysis.findings.registry import Answer, NotAssessed, Question, detector
from revops_analysis.findings.stage_pace import (
    MINIMUM_MOVES,
    NO_HISTORY,
    SLOWER,
    by_age,
    dispersion_of,
    moves_of,
    pace_facts,
    pace_rows,
)
from revops_analysis.findings.words import money
from revops_analysis.metrics.stage_moves import StageMoves
from revops_analysis.periods import DAYS_A_MONTH
from revops_analysis.statistics.stratified import compare_rates

CHAPTER = "team_performance"
SECTION = "pace, and what to coach on"

SELLER_SPANS = {2: 0.25, 4: 1.0}
"""How many times 13 weeks of a seller are looked at, and how relevant each is: half a year is little for one person."""


def seller_cases(question: Question) -> Cases:
    """Moves and days at risk of the last year, of owners who are users and of visits that began after their ramp."""
    return by_age(_after_ramp(question, moves_of(question), _sellers(question)))


_SELLER_FACTS = ("seller", "stage", "period", "pace", "expected", "moves", "amount", "n", "open")


@detector("seller_stalls", CHAPTER, facts=_SELLER_FACTS, budget=3)
def seller_stalls(question: Question) -> Answer:
    """A seller whose deals move on more slowly than those of the others, over all stages, after the ramp.

    Against deals of the same stage, segment, type and age in the same weeks. The stage is said with it, not tested on
    its own. Sellers who have left are compared with, and not named. Money as for a stage that slowed.
    """
    if not question.snapshot.has_history:
        return NotAssessed(NO_HISTORY)
    cases = seller_cases(question)
    if not len(cases.frame):
        return NotAssessed("no deal of a known seller who is past the ramp was in a stage in the last year")
    sellers = _sellers(question)
    compare = partial(compare_rates, dispersion=dispersion_of(cases))
    parts = [departures(cases, [("owner_id",)], span, compare) for span in SELLER_SPANS]
    rows = pd.concat(parts, ignore_index=True)
    rows = pace_rows(cases, rows[rows["expected"] >= MINIMUM_MOVES].reset_index(drop=True))
    if rows.empty:
        return NotAssessed(f"no seller has {MINIMUM_MOVES} moves to be expected in the last year")
    here = set(sellers.index[sellers["left_on"].isna()])
    owner = rows["dims"].map(lambda dims: dims[0][1])
    rows = rows.assign(
        weight=weights_for(rows, -np.log(SLOWER), rows["span"].map(SELLER_SPANS)),
        is_reported=owner.isin(here),
        seller=owner.map(sellers["name"]),
    )
    rows["slowest"] = rows["dims"].map(_slowest_stage(cases, compare).get)
    return Comparisons(rows, "ratio", _stalls)


def _sellers(question: Question) -> pd.DataFrame:
    users = question.snapshot.table("users")
    known = users.select("user_id", "name", "hired_on", "left_on").to_pandas().drop_duplicates("user_id")
    named = known["name"].where(known["name"].notna(), known["user_id"])
    return known.assign(name=named).set_index("user_id")


def _after_ramp(question: Question, moves: StageMoves, sellers: pd.DataFrame) -> pd.DataFrame:
    """Rows of the last year of owners who are users, for visits that began after the owner's ramp."""
    frame = moves.frame[(moves.frame["slice"] < max(SELLER_SPANS)) & moves.frame["owner_id"].isin(sellers.index)]
    ramp = question.snapshot.definitions.ramp_months
    longest = max(ramp.values(), default=0)
    segment = frame["segment"] if "segment" in frame.columns else pd.Series(None, index=frame.index, dtype=object)
    months = segment.map(ramp).fillna(longest).astype(float)
    hired = pd.to_datetime(frame["owner_id"].map(sellers["hired_on"]))
    entered = pd.Timestamp(moves.end) - pd.to_timedelta(frame["entered"], unit="D")
    ramped = hired.isna() | ((entered - hired).dt.days >= months * DAYS_A_MONTH)
    return frame[ramped].reset_index(drop=True)


def _slowest_stage(cases: Cases, compare: Compare) -> dict[Any, str]:
    """For each seller the stage in which most moves are missing."""
    found = departures(cases, [("owner_id", "stage")], max(SELLER_SPANS), compare)
    missing = found.assign(missing=found["expected"] - found["observed"]).sort_values("missing", kind="stable")
    return {(dims[0],): str(dims[1][1]) for dims in missing["dims"]}


def _stalls(question: Question, row: Row) -> Finding:
    facts = pace_facts(question, row) | {"seller": row["seller"], "stage": row["slowest"]}
    facts["open"] = money(row["stands"], question.currency)
    what = (
        f"The deals of {facts['seller']} move on at {facts['pace']} of the pace of comparable deals of others: "
        f"{facts['moves']} moves in {facts['period']} where {facts['expected']} were to be expected, most missing in "
        f"{facts['stage']}; {facts['n']} deals worth {facts['open']} are open."
    )
    judged = (row["evidence"], Judgement(severity_of(question, row), row["confidence"], row["money"]))
    return build(question, Subject("seller_stalls", Place(CHAPTER, SECTION), row["dims"]), what, facts, judged)
