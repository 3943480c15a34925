"""How much of the open pipeline hangs on few deals, in the whole company and in each segment."""

from __future__ import annotations

import numpy as np
import pandas as pd

from revops_analysis.metrics.dealflow.book import DealBook

COMPANY = "Company"


def concentration(book: DealBook) -> pd.DataFrame:
    """[scope, deals, amount, top_1, top_5, top_10, gini]: shares of the open pipeline in its largest deals, Gini.

    The company first, then segments by amount; only deals with an amount above 0. Agrees with the metrics
    `concentration` and `pipeline_gini`. No rows where no open deal has an amount.
    """
    priced = book.open[book.open["cents"] > 0]
    groups = [(COMPANY, priced), *priced.groupby("segment", sort=True)] if len(priced) else []
    frame = pd.DataFrame([_row(str(name), group["cents"].to_numpy()) for name, group in groups], columns=_COLUMNS)
    rest = frame.iloc[1:].sort_values(["amount", "scope"], ascending=[False, True])
    return pd.concat([frame.iloc[:1], rest], ignore_index=True)


def largest_deals(book: DealBook, most: int = 10) -> pd.DataFrame:
    """[opportunity_id, name, owner, segment, stage, close_date, amount, share] of the largest open deals."""
    priced = book.open[book.open["cents"] > 0].sort_values(["cents", "opportunity_id"], ascending=[False, True])
    top = priced.head(most)
    shown = top.assign(amount=top["cents"] / 100, share=top["cents"] / priced["cents"].sum())
    names = ["opportunity_id", "name", "owner", "segment", "stage", "close_date", "amount", "share"]
    return shown[names].reset_index(drop=True)


_COLUMNS = ["scope", "deals", "amount", "top_1", "top_5", "top_10", "gini"]


def _row(scope: str, cents: np.ndarray) -> tuple[object, ...]:
    ordered = np.sort(cents)[::-1]
    whole, n = ordered.sum(), len(ordered)
    gini = (n + 1 - 2 * (ordered * np.arange(1, n + 1)).sum() / whole) / n
    return (scope, n, whole / 100, *(ordered[:k].sum() / whole for k in (1, 5, 10)), gini)
