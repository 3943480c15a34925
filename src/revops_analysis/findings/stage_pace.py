"""Detectors of pace: a stage that slowed, and one that lets fewer deals through. `seller_pace` has the sellers.

All rest on moves and days at risk (`stage_moves`), compared like with like: same stage, segment, type and age in the
stage. Deals that stand count for as long as they have stood, so nothing has to end before it shows.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from revops_analysis.findings.building import Judgement, Subject, build, severity_of
from revops_analysis.findings.comparison import Comparisons, Row
from revops_analysis.findings.cuts import (
    EARLIER,
    SPANS,
    Cases,
    Method,
    at_least,
    clearest,
    dated_cuts,
    relevance_of,
    shifts,
    stratum_of,
    watch_of,
    weights_for,
)
from revops_analysis.findings.finding import Finding, Place
from revops_analysis.findings.registry import Answer, NotAssessed, Question, detector
from revops_analysis.findings.words import cut_id, cut_name, money, share, weeks_to
from revops_analysis.metrics.stage_moves import StageMoves, stage_moves
from revops_analysis.statistics.stratified import (
    compare_rates,
    compare_shares,
    overdispersion,
    trend_of_rates,
    trend_of_shares,
)

CHAPTER = "pipeline_health"

MINIMUM_MOVES = 10
"""A cut of which fewer moves were to be expected is not compared."""

SLOWER = 0.7
"""The pace, against before or against others, that weights are chosen for."""

POINTS = 0.10
"""The fall of a stage's conversion that weights are chosen for."""

CUTS = ("segment", "source", "product", "type")
NO_HISTORY = "the source has no opportunity_history, so how long deals stay in a stage is not known"


def moves_of(question: Question) -> StageMoves:
    """Moves of three years, read once for all detectors of pace."""
    snapshot, end = question.snapshot, question.end
    cuts = dated_cuts(snapshot, CUTS)
    key = ("stage moves", end, tuple(cuts))
    return snapshot.once(key, lambda: stage_moves(snapshot, end, SPANS[-1] + EARLIER, [*cuts, "owner_id"]))


def _alike(frame: pd.DataFrame, *more: str) -> list[str]:
    """What is compared within: stage, and segment and type where they may be used."""
    return ["stage", *(name for name in ("segment", "type") if name in frame.columns), *more]


def pace_cases(question: Question) -> Cases:
    """Moves and days at risk of three years, like with like by stage, segment, type and age in the stage."""
    return by_age(moves_of(question).frame)


def by_age(frame: pd.DataFrame) -> Cases:
    """Moves and days at risk, like with like by age in the stage too."""
    hit, size = (frame[name].to_numpy(dtype=float) for name in ("advanced", "days"))
    return Cases(frame, hit, size, stratum_of(frame, _alike(frame, "age")))


def dispersion_of(cases: Cases) -> float:
    """How much more moves vary by deal than if each were on its own."""
    rate = np.bincount(cases.stratum, cases.hit) / np.bincount(cases.stratum, cases.size)
    expected = rate[cases.stratum] * cases.size
    deal = cases.frame["deal"].to_numpy()
    return overdispersion(np.bincount(deal, cases.hit - expected), expected)


def _stage_cuts(frame: pd.DataFrame) -> list[tuple[str, ...]]:
    """Each stage, as a whole and by each dimension; all stages together likewise, and by segment and another."""
    names = [name for name in CUTS if name in frame.columns]
    pairs = [("segment", name) for name in names if name != "segment"] if "segment" in names else []
    single: list[tuple[str, ...]] = [(), *((name,) for name in names)]
    return [*(("stage", *cut) for cut in single), *single, *pairs]


def _relevance(dims: pd.Series) -> list[float]:
    """As for other cuts, the stage being what the question is about."""
    return relevance_of(pd.Series([tuple(part for part in cut if part[0] != "stage") for cut in dims], dtype=object))


_SLOWED = ("cut", "period", "pace", "expected", "moves", "amount", "n")


@detector("stage_slowed", CHAPTER, facts=_SLOWED, budget=2, watch=0.5)
def stage_slowed(question: Question) -> Answer:
    """Deals that move on more slowly than in the two years before: in a stage, in a cut, or in a stage of a cut.

    Money: what stands there now × the share that is won from its stage × the part of the moves that is missing.
    """
    if not question.snapshot.has_history:
        return NotAssessed(NO_HISTORY)
    cases = pace_cases(question)
    if not len(cases.frame):
        return NotAssessed("no deal was in a stage in the last three years")
    dispersion = dispersion_of(cases)
    compare = partial(compare_rates, dispersion=dispersion)
    method = Method(compare, partial(trend_of_rates, dispersion=dispersion))
    rows = shifts(cases, _stage_cuts(cases.frame), method, lambda found: found["expected"] >= MINIMUM_MOVES)
    rows = pace_rows(cases, rows)
    if rows.empty:
        return NotAssessed(f"fewer than {MINIMUM_MOVES} moves were to be expected in every stage")
    rows = rows.assign(
        weight=weights_for(rows, -np.log(SLOWER), _relevance(rows["dims"])),
        watch=watch_of(rows["dims"], [cut for cut in rows["dims"] if [name for name, _ in cut] == ["stage"]]),
    )
    return Comparisons(rows, "ratio", _slowed, lambda held: clearest(cases, held, compare))


def pace_rows(cases: Cases, rows: pd.DataFrame) -> pd.DataFrame:
    """What a comparison of pace hands in: n moves, the ratio, what stands in the cut now, and what is at stake."""
    there = _take(cases, cases.frame["is_standing"].to_numpy())
    amount = there.frame["amount"].fillna(0.0)
    worth = amount * there.frame["stage"].map(_chances(cases.frame)).fillna(0.0)
    inside = [there.members(dims) for dims in rows["dims"]]
    stands, expected = ([float(values[members].sum()) for members in inside] for values in (amount, worth))
    return rows.assign(
        n=rows["observed"].astype("int64"),
        effect=rows["ratio"],
        p_value=rows["p_lower"],
        standing=[int(members.sum()) for members in inside],
        stands=stands,
        money=np.array(expected, dtype=float) * (1 - rows["ratio"].clip(upper=1.0)),
    )


def _take(cases: Cases, rows: npt.NDArray[np.bool_]) -> Cases:
    return Cases(cases.frame[rows].reset_index(drop=True), cases.hit[rows], cases.size[rows], cases.stratum[rows])


def _chances(frame: pd.DataFrame, later: bool = False) -> dict[str, float]:
    """For each stage, the share of deals that are won from it (`later`: once they have left it forward), by the ends
    of all visits read: the product of what each stage lets through."""
    ends = frame.groupby("stage_number")[["advanced", "lost"]].sum().sort_index(ascending=False)
    through = ends["advanced"] / (ends["advanced"] + ends["lost"]).where(lambda n: n > 0)
    chance = through.fillna(1.0).cumprod()
    if later:
        chance = chance.shift(1, fill_value=1.0)
    names = frame.drop_duplicates("stage_number").set_index("stage_number")["stage"].reindex(chance.index)
    return dict(zip(names, chance.astype(float), strict=True))


def _slowed(question: Question, row: Row) -> Finding:
    facts = pace_facts(question, row) | {"cut": cut_name(dict(row["dims"]))}
    what = (
        f"Deals of {facts['cut']} move on at {facts['pace']} of the pace of the two years before: {facts['moves']} "
        f"moves in {facts['period']} where {facts['expected']} were to be expected; {facts['n']} deals worth "
        f"{money(row['stands'], question.currency)} stand there."
    )
    judged = (row["evidence"], Judgement(severity_of(question, row), row["confidence"], row["money"]))
    return build(
        question, Subject("stage_slowed", Place(CHAPTER, "stage conversion"), row["dims"]), what, facts, judged
    )


def pace_facts(question: Question, row: Row) -> dict[str, Any]:
    """What playbook texts on pace may use, of a row of `pace_rows`."""
    return {
        "period": weeks_to(row["span"], question.end),
        "pace": f"{row['effect']:.0%}",
        "moves": f"{row['observed']:,.0f}",
        "expected": f"{row['expected']:,.0f}",
        "amount": money(row["money"], question.currency),
        "n": f"{row['standing']:,}",
    }


_CONVERTS = ("cut", "period", "rate", "rate_before", "points", "amount")


@detector("stage_conversion_drop", CHAPTER, facts=_CONVERTS, budget=3, watch=4)
def stage_conversion_drop(question: Question) -> Answer:
    """Of the deals that left a stage, fewer went on and more were lost than in the two years before.

    Money: the amount of the deals that left × the share that is won of those that go on × the fall.
    """
    if not question.snapshot.has_history:
        return NotAssessed(NO_HISTORY)
    cases = _exits(moves_of(question).frame)
    method = Method(compare_shares, trend_of_shares)
    enough = shifts(cases, _stage_cuts(cases.frame), method, at_least(MINIMUM_MOVES))
    if enough.empty:
        return NotAssessed(f"fewer than {MINIMUM_MOVES} deals left a stage in the last year or before")
    frame = enough.assign(
        n=enough["size"].astype("int64"),
        effect=enough["difference"],
        p_value=enough["p_lower"],
        money=-enough["difference"] * enough["amount"],
        weight=weights_for(enough, POINTS, _relevance(enough["dims"])),
        watch=watch_of(enough["dims"]),
    )
    return Comparisons(frame, "rate", _converts_less, lambda held: clearest(cases, held, compare_shares))


def _exits(frame: pd.DataFrame) -> Cases:
    """Ends of visits: advanced or lost, like with like by stage, segment and type."""
    ended = frame[frame["advanced"] + frame["lost"] > 0].reset_index(drop=True)
    ended["amount"] *= ended["stage"].map(_chances(frame, later=True))
    return Cases(ended, ended["advanced"].to_numpy(dtype=float), np.ones(len(ended)), stratum_of(ended, _alike(ended)))


def _converts_less(question: Question, row: Row) -> Finding:
    stage = dict(row["dims"]).get("stage")
    where = {name: value for name, value in row["dims"] if name != "stage"}
    facts = {
        "cut": f"{'any stage' if stage is None else stage} in {cut_name(where)}",
        "period": weeks_to(row["span"], question.end),
        "rate": share(row["hits"] / row["size"]),
        "rate_before": share(row["hits_before"] / row["size_before"]),
        "points": f"{-100 * row['effect']:.1f} points",
        "amount": money(row["money"], question.currency),
    }
    what = (
        f"Of the deals that left {facts['cut']}, {facts['rate']} went on in {facts['period']} and "
        f"{facts['rate_before']} in the two years before, {facts['points']} less like for like; that is worth "
        f"{facts['amount']} of bookings."
    )
    judged = (row["evidence"], Judgement(severity_of(question, row), row["confidence"], row["money"]))
    about = cut_id("fewer wins", where) if stage is None else ""
    subject = Subject("stage_conversion_drop", Place(CHAPTER, "stage conversion"), row["dims"], about)
    return build(question, subject, what, facts, judged)
