"""Sellers' close-date habits: how the dates given came true, early, on time or late, and how many are month-ends."""

from __future__ import annotations

import pandas as pd

from revops_analysis.metrics.dealflow.book import DealBook

ON_TIME_DAYS = 7
"""A deal that closes within so many days of the date given, either way, closed on time."""

ALL = "All sellers"
_BEFORE = 400
"""Days added so that closing early is a duration too; no date is met more than this early."""


def dates_given(book: DealBook) -> pd.DataFrame:
    """Dates that were given on the evenings before months, and how they came true.

    [cutoff, opportunity_id, owner_id, given, days_late, closed, outcome]: `days_late` is closing day less date given
    (negative: early); for a deal still open it is as-of date less date given, and `closed` is False. `outcome` is
    early, on_time or late for a win, late for a deal still open past the date, or lost; null while a deal still open
    could be on time. Dates that had passed are no dates given.
    """
    seen = book.seen[book.seen["cutoff"].isin(pd.to_datetime(pd.Series(book.month_ends[:-1])))]
    given = seen[seen["close_date"] > seen["cutoff"]]
    joined = given.merge(book.deals[["opportunity_id", "status", "closed_on"]], on="opportunity_id", how="left")
    closed = joined["closed_on"].notna() & (joined["closed_on"] >= joined["cutoff"])
    ended = joined["closed_on"].where(closed, pd.Timestamp(book.as_of))
    late = (ended - joined["close_date"]).dt.days
    outcome = pd.Series("on_time", index=joined.index, dtype=object).mask(late > ON_TIME_DAYS, "late")
    outcome = outcome.mask(closed & (late < -ON_TIME_DAYS), "early").mask(~closed & (late <= ON_TIME_DAYS), None)
    outcome = outcome.mask(closed & (joined["status"] == "lost"), "lost")
    rows = joined[["cutoff", "opportunity_id", "owner_id"]]
    return rows.assign(given=joined["close_date"], days_late=late, closed=closed, outcome=outcome)


def date_habits(book: DealBook) -> pd.DataFrame:
    """One row a seller, and first all together: [owner, dates, deals, undecided, lost, early, on_time, late, shrunk,
    low, high, days_late, month_end].

    `lost` is the share of decided dates whose deals were lost since; early, on_time and late are shares of the others,
    deals won or still open past the date, and null where there is none. `shrunk` is the share on time
    pulled towards all sellers' with its interval (empirical Bayes, deals as cases, because a deal's dates hang
    together). `days_late` is the median by Kaplan–Meier over deals won or still open, which count for as long as they
    are late already; null while it is not known. `month_end` is the share of dates that are a month's last day: one in
    thirty by chance.
    """
    from revops_analysis.statistics.shrinkage import shrink_beta_binomial

    rows = dates_given(book)
    names = book.owner_names
    sellers = rows.groupby("owner_id", sort=True)
    parts = pd.DataFrame([{"owner": names.get(str(key), key), **_summary(group)} for key, group in sellers])
    whole = pd.DataFrame([{"owner": ALL, **_summary(rows)}])
    if parts.empty:
        return whole.assign(shrunk=float("nan"), low=float("nan"), high=float("nan"))[_COLUMNS]
    cases = parts["kept_deals"].to_numpy(dtype=float)
    shrunk = shrink_beta_binomial(parts["on_time"].fillna(0).to_numpy(dtype=float) * cases, cases).frame
    parts = parts.join(shrunk[["shrunk", "low", "high"]])
    ordered = parts.sort_values(["shrunk", "owner"], ignore_index=True)
    return pd.concat([whole, ordered], ignore_index=True)[_COLUMNS]


_COLUMNS = [
    *("owner", "dates", "deals", "undecided", "lost", "early", "on_time", "late"),
    *("shrunk", "low", "high", "days_late", "month_end"),
]


def _summary(rows: pd.DataFrame) -> dict[str, object]:
    from revops_analysis.statistics.survival import kaplan_meier

    decided, kept = rows[rows["outcome"].notna()], rows[rows["outcome"] != "lost"]
    judged = kept[kept["outcome"].notna()]
    shares = {name: float((judged["outcome"] == name).mean()) for name in ("early", "on_time", "late")}
    days = (kept["days_late"] + _BEFORE).clip(lower=0)
    median = kaplan_meier(days, kept["closed"]).median if len(kept) else None
    is_end = rows["given"] == rows["given"] + pd.offsets.MonthEnd(0)
    return {
        "dates": len(rows),
        "deals": rows["opportunity_id"].nunique(),
        "kept_deals": judged["opportunity_id"].nunique(),
        "undecided": len(rows) - len(decided),
        "lost": float((decided["outcome"] == "lost").mean()),
        **shares,
        "days_late": float("nan") if median is None else median - _BEFORE,
        "month_end": float(is_end.mean()),
    }
