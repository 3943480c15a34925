"""Comparing the outlines of two loads: how large each change is, and whether chance alone could have made it.

Sizes, not significance, decide: with a million rows everything is significant. But a change must also exceed what
chance alone makes of so few rows (one time in a thousand), or small tables would alarm by themselves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from revops_analysis.validation.drift.profile import ALL, LATEST, PACE_DAYS, LoadProfile
from revops_analysis.validation.repairs.columns import FAMILY_OF

if TYPE_CHECKING:
    from revops_analysis.definitions.words import Thresholds

ROWS, PAST, NEW, MISSING, WORDS, AMOUNTS = "rows", "past rows", "new rows", "missing", "words", "amounts"
KINDS = (ROWS, PAST, NEW, MISSING, WORDS, AMOUNTS)
STEADY, DRIFT, TOO_FEW = "steady", "drift", "not compared"
COLUMNS = (
    *("table", "kind", "column", "scope", "rows_before", "rows_now", "before", "now", "change", "chance", "limit"),
    *("verdict", "what"),
)
FEWEST_DAYS = 7
"""Days between two loads from which on the pace of new rows can be judged: fewer may be a weekend."""
FEWEST_NEW = 30
_LEAST_SHARE = 0.001
_SURE = 3.29  # standard errors that chance exceeds one time in a thousand
_UNEVEN = 4.0  # variance of weekly counts over that of even arrival: campaigns and quarter ends come in waves


@dataclass(frozen=True, eq=False)
class Drift:
    """What changed between the load before and this one.

    `changes`, a row a table, kind, column and scope:
    - kind: rows (all), past rows (dated up to the earlier load's last day), new rows (dated after it), missing (share
      of rows without a value), words (spread of a column's words), amounts (spread of an amount);
    - scope: all rows, or the latest rows of each load, which are of equal age;
    - before and now: rows, shares (of the word that moved most, for words) or medians; new rows: expected and found;
    - change: its size (share, points, stability index, or distance); chance: what chance alone makes of so many rows
      one time in a thousand; limit: the threshold of the definitions;
    - verdict: drift (above limit and chance), steady, or not compared; what: a sentence with before and after.

    `before` and `now` are the content hashes, `days` those between the last days of the two.
    """

    changes: pd.DataFrame
    before: str
    now: str
    last_day_before: date
    last_day_now: date

    @property
    def days(self) -> int:
        """Days from the last day of the load before to that of this one."""
        return (self.last_day_now - self.last_day_before).days

    @property
    def alarms(self) -> pd.DataFrame:
        """The changes that are drift, the largest multiple of their limit first."""
        found = self.changes[self.changes["verdict"] == DRIFT]
        order = (-(found["change"] / found["limit"]).to_numpy(dtype=float)).argsort(kind="stable")
        return found.iloc[order].reset_index(drop=True)

    @property
    def rows_before(self) -> dict[str, int]:
        """Rows of each compared table at the load before."""
        rows = self.changes[self.changes["kind"] == ROWS]
        return {str(name): int(count) for name, count in zip(rows["table"], rows["rows_before"], strict=True)}

    def of(self, table: str, kind: str) -> pd.DataFrame:
        """The changes of a table and a kind."""
        return self.changes[(self.changes["table"] == table) & (self.changes["kind"] == kind)]


def compare(before: LoadProfile, now: LoadProfile, limits: Thresholds) -> pd.DataFrame:
    """Every change between two outlines, made over the same stretch: the frame of `Drift.changes`."""
    rows = [*_volumes(before, now, limits), *_missing(before, now, limits), *_spreads(before, now, limits)]
    return pd.DataFrame([_judged(row, limits) for row in rows], columns=list(COLUMNS))


def _judged(row: dict[str, Any], limits: Thresholds) -> dict[str, Any]:
    few = row.pop("few", None) or min(row["rows_before"], row["rows_now"]) < limits.drift_minimum_rows
    if row["kind"] in (ROWS, PAST):
        few = row["rows_before"] < limits.drift_minimum_rows
    is_large = row["change"] > max(row["limit"], row["chance"])
    return row | {"verdict": TOO_FEW if few else DRIFT if is_large else STEADY}


def _volumes(before: LoadProfile, now: LoadProfile, limits: Thresholds) -> list[dict[str, Any]]:
    days = (now.data_through - before.data_through).days
    found = []
    for table in before.volumes.index.intersection(now.volumes.index):
        old, new = before.volumes.loc[table], now.volumes.loc[table]
        has_dates = bool(pd.notna(old["recent"]) and pd.notna(new["past"]))
        expected_new = float(old["recent"]) / PACE_DAYS * days if has_dates else 0.0
        expected = float(old["rows"]) + expected_new
        found.append(_volume(table, ROWS, (expected, float(new["rows"])), (old, new), limits.volume_change_share))
        if not has_dates:
            continue
        kept = (float(old["past"]), float(new["past"]))
        found.append(_volume(table, PAST, kept, (old, new), limits.drift_past_share))
        arrived = float(new["rows"]) - float(new["past"])
        row = _volume(table, NEW, (expected_new, arrived), (old, new), limits.drift_new_share)
        recent = max(float(old["recent"]), 1.0)
        noise = _SURE * math.sqrt(_UNEVEN * (1 / max(expected_new, 1.0) + 1 / recent))
        found.append(row | {"chance": noise, "few": days < FEWEST_DAYS or expected_new < FEWEST_NEW})
    return found


def _volume(
    table: str, kind: str, pair: tuple[float, float], rows: tuple[pd.Series, pd.Series], limit: float
) -> dict[str, Any]:
    expected, found = pair
    old, new = (int(side["rows"]) for side in rows)
    texts = {
        ROWS: f"{new:,} rows, {old:,} at the last load" + (f", {expected:,.0f} expected" if expected > old else ""),
        PAST: f"{found:,.0f} rows of the time before the last load, which had {expected:,.0f}",
        NEW: f"{found:,.0f} new rows since the last load, {expected:,.0f} at its pace",
    }
    change = abs(found / expected - 1) if expected else (0.0 if not found else math.inf)
    row: dict[str, Any] = {"table": table, "kind": kind, "column": None, "scope": ALL if kind == ROWS else kind}
    row |= {"rows_before": old, "rows_now": new, "before": expected, "now": found}
    return row | {"change": change, "chance": 0.0, "limit": limit, "what": texts[kind]}


_KEY = ["table", "column", "scope"]


def _missing(before: LoadProfile, now: LoadProfile, limits: Thresholds) -> list[dict[str, Any]]:
    both = before.missing.merge(now.missing, on=_KEY, suffixes=("_before", "_now")).dropna(
        subset=["missing_before", "missing_now"]
    )
    n0, n1 = (both[f"rows_{side}"].to_numpy(dtype=float) for side in ("before", "now"))
    x0, x1 = (both[f"missing_{side}"].to_numpy(dtype=float) for side in ("before", "now"))
    with np.errstate(divide="ignore", invalid="ignore"):
        p0, p1, pooled = x0 / n0, x1 / n1, (x0 + x1) / (n0 + n1)
        chance = _SURE * np.sqrt(pooled * (1 - pooled) * (1 / n0 + 1 / n1))
    frame = both.assign(p0=p0, p1=p1, chance=np.nan_to_num(chance)).fillna({"p0": 0.0, "p1": 0.0})
    return [_missing_row(row, limits.drift_missing_share) for row in frame.to_dict("records")]


def _missing_row(row: Mapping[Any, Any], limit: float) -> dict[str, Any]:
    one, two = float(row["p0"]), float(row["p1"])
    found = {name: row[name] for name in _KEY} | {"kind": MISSING, "before": one, "now": two, "limit": limit}
    found |= {"rows_before": int(row["rows_before"]), "rows_now": int(row["rows_now"])}
    what = f"{row['column']} missing in {one:.1%} before, {two:.1%} now ({row['scope']})"
    return found | {"change": abs(two - one), "chance": row["chance"], "what": what}


def _spreads(before: LoadProfile, now: LoadProfile, limits: Thresholds) -> list[dict[str, Any]]:
    sides = [side.words.set_index([*_KEY, "word"])["rows"] for side in (before, now)]
    both = pd.concat(sides, axis=1, keys=["before", "now"]).fillna(0).reset_index()
    rated = before.missing.merge(now.missing, on=_KEY, suffixes=("_before", "_now"))
    pairs = zip(rated["median_before"], rated["median_now"], strict=True)
    medians = dict(zip(rated[_KEY].itertuples(index=False, name=None), pairs, strict=True))
    found = []
    for key, own in both.groupby(_KEY, sort=True):
        counts = own[["before", "now"]].to_numpy(dtype=float)
        if not counts.sum(axis=0).all():
            continue
        base = dict(zip(_KEY, key, strict=True))
        totals = counts.sum(axis=0)
        base |= {"rows_before": int(totals[0]), "rows_now": int(totals[1])}
        if (base["table"], base["column"]) in FAMILY_OF:
            found.append(base | _words(own["word"].tolist(), counts, limits))
        else:
            bins = own["word"].astype(int).to_numpy()
            found.append(base | _amounts(bins, counts, (base, medians[tuple(key)], limits)))
    return found


def _words(words: list[str], counts: np.ndarray, limits: Thresholds) -> dict[str, Any]:
    shares = counts / counts.sum(axis=0)
    moved = int(np.argmax(np.abs(shares[:, 1] - shares[:, 0])))
    one, two = shares[moved]
    text = f"{words[moved]} is {one:.1%} of the words before, {two:.1%} now"
    size, chance = stability_index(counts[:, 0], counts[:, 1]), index_by_chance(counts)
    found = {"kind": WORDS, "before": float(one), "now": float(two), "change": size, "chance": chance}
    return found | {"limit": limits.drift_word_index, "what": text}


def stability_index(before: np.ndarray, now: np.ndarray) -> float:
    """The population stability index Σ (q − p) · ln(q ÷ p) of two sets of counts of the same words.

    A share below a thousandth counts as one, so that a word which is new, or gone, weighs the same however many rows
    there are. Below 0.1 is usually called stable, above 0.25 shifted (Siddiqi 2006, Credit Risk Scorecards).

    >>> round(stability_index(np.array([50, 50]), np.array([50, 50])), 3)
    0.0
    >>> round(stability_index(np.array([50, 50]), np.array([70, 30])), 3)
    0.169
    """
    p, q = (np.maximum(side / side.sum(), _LEAST_SHARE) for side in (before, now))
    return float(((q - p) * np.log(q / p)).sum())


def index_by_chance(counts: np.ndarray) -> float:
    """What the index is by chance one time in a thousand where nothing changed.

    About χ² with one degree less than words, × (1/n + 1/m) (Yurdakul and Naranjo 2020, Journal of Risk Model
    Validation 14(4)).
    """
    from scipy.stats import chi2

    words = int((counts.sum(axis=1) > 0).sum())
    return float(chi2.ppf(0.999, words - 1) * (1 / counts.sum(axis=0)).sum()) if words > 1 else 0.0


def _amounts(
    bins: np.ndarray, counts: np.ndarray, about: tuple[dict[str, Any], tuple[float, float], Thresholds]
) -> dict[str, Any]:
    base, medians, limits = about
    shares = counts[np.argsort(bins, kind="stable")] / counts.sum(axis=0)
    distance = float(np.abs(np.diff(shares.cumsum(axis=0), axis=1)).max())
    chance = 1.95 * math.sqrt(float((1 / counts.sum(axis=0)).sum()))
    one, two = (float(value) for value in medians)
    text = f"{base['column']}: median {one:,.0f} before, {two:,.0f} now ({base['scope']})"
    found = {"kind": AMOUNTS, "before": one, "now": two, "change": distance, "chance": chance}
    return found | {"limit": limits.drift_amount_distance, "what": text}


__all__ = ["ALL", "KINDS", "LATEST", "Drift", "compare", "index_by_chance", "stability_index"]
