"""What a renewal model reads of a lot, as numbers, and what it says about it, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]

LEADS = (30, 60, 90, 180)
"""Days to the end at which what is known changes its meaning."""

FIRST_YEAR = 400
"""Days since its first term for which an account counts as new: a term of a year, and its lead."""

GROUPS: dict[str, tuple[str, ...]] = {
    "notice": (),
    "deal": (
        "no_deal",
        "no_deal_near",
        "deal_lost",
        "deal_won",
        "progress",
        "progress_near",
        "stage_days",
    ),
    "tenure": ("new_customer",),
    "size": ("size", "share"),
    "products": ("several_products", "several_terms"),
    "segment": (),
    "auto_renews": ("auto_renews",),
}
"""Columns that are one thing for a reader; those of the segment are named by the encoding, and notice stands
outside of the regression."""


@dataclass(frozen=True)
class Encoding:
    """What is learned before any model: `typical_mrr`, the segments seen, and the number of open stages."""

    typical_mrr: float
    segments: tuple[str, ...]
    stages: int

    @staticmethod
    def learn(rows: pd.DataFrame, stages: int) -> Encoding:
        """From rows of a panel."""
        positive = rows.loc[rows["mrr"] > 0, "mrr"]
        segments = tuple(sorted(rows["segment"].dropna().unique()))
        return Encoding(float(positive.median()) if len(positive) else 1.0, segments, max(stages, 1))

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """`GROUPS` with the columns of the segments."""
        return {**GROUPS, "segment": tuple(f"segment {name}" for name in self.segments)}


def renewal_matrix(rows: pd.DataFrame, encoding: Encoding) -> pd.DataFrame:
    """A row a lot, a column a number; never null."""
    lead, near = rows["lead_days"], (rows["lead_days"] <= LEADS[1]).astype(float)
    status = rows["deal_status"].astype(object)
    no_deal = status.isna().astype(float)
    is_open = (status == "open").astype(float)
    progress = (rows["deal_stage"].fillna(0.0) / encoding.stages).clip(0, 1) * is_open
    # Only whether an account is in its first year: longer tenures grow with the history itself, and whoever learns
    # from them sees trends that are none.
    age = (rows["cutoff"] - rows["first_start"]).dt.days
    share = (rows["mrr"] / rows["account_mrr"].where(rows["account_mrr"] > 0)).fillna(1.0).clip(0, 1)
    columns = {
        **{f"within {days}": (lead <= days).astype(float) for days in LEADS},
        "no_deal": no_deal * (lead <= LEADS[2]),
        "no_deal_near": no_deal * near,
        "deal_lost": (status == "lost").astype(float),
        "deal_won": (status == "won").astype(float),
        "progress": progress,
        "progress_near": progress * near,
        "stage_days": np.log1p(rows["stage_days"].fillna(0.0).clip(lower=0)) * is_open,
        "new_customer": ((rows["earlier_lots"] == 0) & (age <= FIRST_YEAR)).astype(float),
        "size": np.log(rows["mrr"].clip(lower=1e-6) / encoding.typical_mrr).clip(-4, 4),
        "share": share,
        "several_products": (rows["products"] > 1).astype(float),
        "several_terms": (rows["terms"] > 1).astype(float),
        "auto_renews": rows["auto_renews"].astype(float),
        **{f"segment {name}": (rows["segment"] == name).astype(float) for name in encoding.segments},
    }
    return pd.DataFrame({name: np.asarray(values, dtype=float) for name, values in columns.items()}, index=rows.index)


def describe(rows: pd.DataFrame, group: str) -> list[str]:
    """What a lot has of a group, in words a reader can check; a text a row."""
    return [_WORDS[group](row) for row in rows.to_dict("records")]


def _notice(row: dict[Any, Any]) -> str:
    given = row["notice_on"]
    return "no notice given" if pd.isna(given) else f"notice given on {pd.Timestamp(given).date().isoformat()}"


def _deal(row: dict[Any, Any]) -> str:
    left = f"{_days(row['lead_days'])} before the end"
    status = row["deal_status"]
    if not isinstance(status, str):
        return f"no renewal deal {left}"
    if status == "lost":
        return "the renewal deal is lost"
    if status == "won":
        return "the renewal deal is won, its term is not booked"
    stage = row.get("deal_stage_name") or "an unknown stage"
    since = "" if pd.isna(row["stage_days"]) else f" for {_days(row['stage_days'])}"
    return f"renewal deal in {stage}{since}, {left}"


def _days(number: float) -> str:
    return "1 day" if int(number) == 1 else f"{int(number)} days"


def _tenure(row: dict[Any, Any]) -> str:
    if row["earlier_lots"] == 0 and (row["cutoff"] - row["first_start"]).days <= FIRST_YEAR:
        return "first renewal of a new customer"
    return f"customer since {pd.Timestamp(row['first_start']).date().isoformat()}"


def _size(row: dict[Any, Any]) -> str:
    whole = row["account_mrr"] <= 0 or row["mrr"] >= row["account_mrr"] - 0.005
    return (
        "all of the account's revenue" if whole else f"{row['mrr'] / row['account_mrr']:.0%} of the account's revenue"
    )


def _products(row: dict[Any, Any]) -> str:
    return "one product" if row["products"] == 1 else f"{int(row['products'])} products"


def _segment(row: dict[Any, Any]) -> str:
    return "segment not set" if not isinstance(row["segment"], str) else f"segment {row['segment']}"


def _auto(row: dict[Any, Any]) -> str:
    return "renews by itself unless cancelled" if row["auto_renews"] else "must be renewed by hand"


_WORDS = {
    "notice": _notice,
    "deal": _deal,
    "tenure": _tenure,
    "size": _size,
    "products": _products,
    "segment": _segment,
    "auto_renews": _auto,
}
