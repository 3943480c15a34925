"""Detector of pipeline created: fewer new deals than in the same weeks a year before, in the company or in a cut.

Against the same weeks, because creation has seasons (campaigns, holidays, the end of the year). What is tested is the
number of deals, since one large deal can hide that fifty small ones are missing; what is said is the amount too, and
whether it fell by number, by size or by the mix of segments.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from revops_analysis.findings.building import Judgement, Subject, build, severity_of
from revops_analysis.findings.comparison import Comparisons, Row
from revops_analysis.findings.cuts import Dims, dated_cuts, relevance_of, watch_of, weights_for
from revops_analysis.findings.finding import Finding, Place
from revops_analysis.findings.registry import Answer, NotAssessed, Question, detector
from revops_analysis.findings.words import cut_name, money, weeks_to
from revops_analysis.metrics.deals import headline
from revops_analysis.metrics.registry import MetricRequest, get_metric
from revops_analysis.metrics.stage_moves import SLICE_DAYS
from revops_analysis.periods import Period
from revops_analysis.statistics.mix_rate import split_change
from revops_analysis.statistics.stratified import compare_rates

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

CHAPTER = "pipeline_health"

CUTS = ("segment", "source", "product", "team")
"""Dimensions looked at, beside the whole company. The team is that of the deal's owner, as known today."""

SPANS = {1: 0.3, 2: 1.0, 4: 1.0}
"""How many times 13 weeks are looked at, and how relevant each is: a quarter is soon over."""

YEAR = 4
"""Slices between a week and the same a year before."""

SLICES = 12
WATCHED_SPAN = 2
MINIMUM_DEALS = 20
"""A cut with fewer deals created in the weeks of the year before is not compared."""

FEWER = 0.8
"""The number against the year before that weights are chosen for."""

_HARDLY = 0.01  # what is left of the company counts as a fall of its own up to this p-value


_FACTS = ("cut", "period", "n", "n_before", "share", "amount")


@detector("pipeline_created_drop", CHAPTER, facts=_FACTS, budget=1, watch=1)
def pipeline_created_drop(question: Question) -> Answer:
    """Fewer deals created than in the same weeks of the year before.

    Money: the deals that are missing × the mean first amount × what was won of a unit of created pipeline in the two
    years before.
    """
    created = _created(question)
    too_few = NotAssessed(f"fewer than {MINIMUM_DEALS} deals were created in the year before that to {question.end}")
    if created.empty:
        return too_few
    counts = pd.concat([_counts(created, cut) for cut in ([], *([name] for name in created.columns if name in CUTS))])
    rows = pd.concat([_compared(counts, span) for span in SPANS], ignore_index=True)
    # Cuts that hold the same deals as one before (the only product is the whole company) are looked at once.
    rows = rows[~rows.round(2).duplicated(["span", "n", "n_before", "created", "created_before"])]
    enough = rows[rows["n_before"] >= MINIMUM_DEALS].reset_index(drop=True)
    if enough.empty:
        return too_few
    is_watched = (enough["span"] == WATCHED_SPAN).to_numpy(dtype=float)
    relevance = np.array(relevance_of(enough["dims"])) * enough["span"].map(SPANS).to_numpy()
    frame = enough.assign(
        effect=enough["ratio"],
        p_value=enough["p_lower"],
        money=(enough["n_before"] - enough["n"]).clip(lower=0) * enough["mean"] * _won_share(created),
        weight=weights_for(enough, -np.log(FEWER), relevance),
        watch=np.array(watch_of(enough["dims"])) * is_watched,
    )
    return Comparisons(frame, "ratio", partial(_say, created), partial(_own, rows))


def _own(rows: pd.DataFrame, held: pd.DataFrame) -> pd.Series:
    """Which falls say something of their own: cuts of one dimension, and the company if it fell without them.

    The same deals are in cuts of every dimension; the one with the clearest cut tells where they are missing. Where the
    company fell without these cuts too, a cut is said only if it fell further (p ≤ .025). `rows`: all cuts and spans.
    """
    is_whole = held["dims"].map(len) == 0
    if is_whole.all() or held.empty:
        return is_whole
    names = held["dims"].map(lambda dims: dims[0][0] if dims else "")
    first = names[held.loc[~is_whole, "p_value"].sort_values(kind="stable").index[0]]
    is_kept = names == first
    if not is_whole.any():
        return is_kept
    whole, half = held[is_whole].iloc[0], (held["high"] / held["low"]).map(np.log) / 2
    parts = rows[(rows["span"] == whole["span"]) & rows["dims"].isin(held.loc[is_kept, "dims"])]
    left = [np.array([[float(whole[side] - parts[side].sum())]]) for side in ("n", "n_before")]
    days = np.ones((1, 1))
    alone = compare_rates((left[0], days), (left[1], days), dispersion=float(whole["dispersion"])).iloc[0]
    if alone["p_lower"] > _HARDLY:
        return is_kept
    further = (held["ratio"] / whole["ratio"]).map(np.log) + np.hypot(half, float(half[is_whole].iloc[0])) <= 0
    return is_whole | (is_kept & further)


def _created(question: Question) -> pd.DataFrame:
    """Headline deals created in the three years up to the end: slice, first amount, won amount, and the cuts."""
    snapshot, end = question.snapshot, question.end
    cuts = dated_cuts(snapshot, CUTS, always=("team",))
    return snapshot.once(("deals created", end, tuple(cuts)), lambda: _read(snapshot, end, cuts))


def _read(snapshot: Snapshot, end: object, cuts: list[str]) -> pd.DataFrame:
    snapshot.use_columns(["owner_team"])
    first = (np.datetime64(end) - np.timedelta64(SLICES * SLICE_DAYS - 1, "D")).astype(object)  # type: ignore[call-overload]
    window = Period("three years", first, end)  # type: ignore[arg-type]
    deals = headline(snapshot.deals)
    deals = deals.filter(deals.created_on.between(window.start, window.end).fill_null(False))
    named = MetricRequest(get_metric("pipeline_created"), snapshot, window, tuple(cuts)).named(deals)
    amounts = {"amount": deals.first_amount.cast("float64"), "final": deals.amount.cast("float64")}
    frame = deals.select("status", day=deals.created_on, **amounts, **named).to_pandas()
    back = (np.datetime64(end) - frame["day"].to_numpy().astype("datetime64[D]")) / np.timedelta64(1, "D")  # type: ignore[call-overload]
    won = frame["final"].where(frame["status"] == "won", 0.0).fillna(0.0)
    return frame.drop(columns=["day", "status", "final"]).assign(slice=back.astype(np.int64) // SLICE_DAYS, won=won)


_PARTS = ("size", "sum")


def _counts(created: pd.DataFrame, cut: list[str]) -> pd.DataFrame:
    """A row a value of the cut: dims, kind (the cut), counts and amounts by slice as arrays, and the dispersion."""
    grouped = created.groupby([*cut, "slice"], dropna=False, sort=True)["amount"].agg(["size", "sum"]).reset_index()
    if cut:
        wide = grouped.pivot_table(index=cut, columns="slice", values=["size", "sum"], aggfunc="sum", dropna=False)
        wide = wide[wide.notna().any(axis=1)]
    else:
        wide = grouped.assign(all=0).pivot_table(index="all", columns="slice", values=["size", "sum"], aggfunc="sum")
    sizes, sums = (pd.DataFrame(wide[name]).reindex(columns=range(SLICES)).fillna(0.0).to_numpy() for name in _PARTS)
    dims: list[Dims] = [((cut[0], None if pd.isna(label) else label),) if cut else () for label in wide.index]
    columns = {"sizes": list(sizes), "sums": list(sums), "dispersion": _dispersion(sizes)}
    return pd.DataFrame({"dims": pd.Series(dims, dtype=object), **columns})


def _dispersion(sizes: npt.NDArray[np.float64]) -> float:
    """How much more the difference to the year before varies from one quarter to the next than independent deals do.

    Growth and seasons cancel; the two latest quarters are left out, so that a drop does not hide itself.
    """
    differences = sizes[:, 2 : SLICES - YEAR] - sizes[:, 2 + YEAR :]
    totals = sizes[:, 2 : SLICES - YEAR] + sizes[:, 2 + YEAR :]
    expected = float((totals[:, 1:] + totals[:, :-1]).sum())
    return max(1.0, float((np.diff(differences, axis=1) ** 2).sum()) / expected) if expected else 1.0


def _compared(counts: pd.DataFrame, span: int) -> pd.DataFrame:
    """Each cut's last `span` slices against the same a year before."""
    sizes, sums = np.stack(counts["sizes"].to_list()), np.stack(counts["sums"].to_list())
    # What moves all cuts at once shows in the company, what moves one in the cuts.
    most = counts["dispersion"].max()
    later, before = (side.sum(axis=1) for side in (sizes[:, :span], sizes[:, YEAR : YEAR + span]))
    days = np.full((len(counts), 1), float(span * SLICE_DAYS))
    found = compare_rates((later[:, None], days), (before[:, None], days), dispersion=float(most))
    amount, amount_before = (side.sum(axis=1) for side in (sums[:, :span], sums[:, YEAR : YEAR + span]))
    mean = np.divide(amount, later, out=np.zeros(len(later)), where=later > 0)
    columns = {"span": span, "n": later.astype(np.int64), "n_before": before.astype(np.int64), "mean": mean}
    columns |= {"created": amount, "created_before": amount_before, "dispersion": most}
    return found.assign(dims=counts["dims"].to_numpy(), **columns)


def _won_share(created: pd.DataFrame) -> float:
    """What was won of a unit of pipeline created in the two years before the last."""
    old = created[created["slice"] >= YEAR]
    whole = float(old["amount"].sum())
    return float(old["won"].sum()) / whole if whole else 0.0


def _say(created: pd.DataFrame, question: Question, row: Row) -> Finding:
    facts = {
        "cut": cut_name(dict(row["dims"])),
        "period": weeks_to(row["span"], question.end),
        "n": f"{row['n']:,}",
        "n_before": f"{row['n_before']:,}",
        "share": f"{1 - row['effect']:.0%}",
        "amount": money(row["money"], question.currency),
    }
    sides = [money(row[name], question.currency) for name in ("created", "created_before")]
    what = (
        f"{facts['n']} deals worth {sides[0]} were created in {facts['cut']} in {facts['period']}, {facts['share']} "
        f"fewer than in the same weeks a year before ({facts['n_before']} worth {sides[1]}); at the usual yield that "
        f"is {facts['amount']} of bookings.{_explained(created, row, question.currency)}"
    )
    judged = (row["evidence"], Judgement(severity_of(question, row), row["confidence"], row["money"]))
    subject = Subject("pipeline_created_drop", Place(CHAPTER, "pipeline to be created"), row["dims"])
    return build(question, subject, what, facts, judged)


def _explained(created: pd.DataFrame, row: Row, currency: str) -> str:
    """What of the change of the amount is number, size and mix of segments; they add up to it."""
    if "segment" not in created.columns or any(name == "segment" for name, _ in row["dims"]):
        return ""
    inside = np.ones(len(created), dtype=bool)
    for name, value in row["dims"]:
        inside &= (created[name].isna() if value is None else created[name] == value).to_numpy()
    mine = created[inside]
    back = mine["slice"]
    segment = mine["segment"].fillna("not given")
    names = sorted(segment.unique())
    before, after = (
        mine[side].groupby(segment[side])["amount"].agg(["sum", "size"]).reindex(names, fill_value=0.0)
        for side in ((back >= YEAR) & (back < YEAR + row["span"]), back < row["span"])
    )
    if not before["size"].sum() or not after["size"].sum():
        return ""
    parts = split_change((before["sum"], before["size"]), (after["sum"], after["size"]))
    number = (before["size"].sum() + after["size"].sum()) / 2
    size, mix = (float(parts[name].sum()) * number for name in ("rate_effect", "mix_effect"))
    fewer = float(after["sum"].sum() - before["sum"].sum()) - size - mix
    most = names[int((after["size"] - before["size"]).to_numpy().argmin())]
    told = (money(part, currency) for part in (fewer, size, mix))
    number_words, size_words, mix_words = told
    return f" By number {number_words} (most of it {most}), by size {size_words}, by the mix of segments {mix_words}."
