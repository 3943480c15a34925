"""The same work as an analyst would write it in plain pandas, vectorised, from the same Parquet files.

It is kept honest rather than equal: no quarantine ledger, no content hash, no exchange-rate checks, no intervals. Where
it is faster, it does less; the facts that both report (rows, states, sums) can be compared.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.steps import PAST, Context, generated

Facts = dict[str, Any]
ZONE = "America/New_York"
OPEN = ("Discovery", "Qualification", "Solution", "Proposal", "Negotiation")


def read(context: Context, table: str) -> pd.DataFrame:
    folder = generated(context.project)
    single = folder / f"{table}.parquet"
    paths = [single] if single.is_file() else sorted((folder / table).glob("*.parquet"))
    return pd.concat([pd.read_parquet(path) for path in paths], ignore_index=True)


def tables(context: Context) -> list[str]:
    return sorted({path.name.removesuffix(".parquet") for path in generated(context.project).iterdir()})


def load(context: Context) -> Facts:
    """Read every table, drop rows without key, repeated rows and deals of unknown stage, and write them out."""
    from revops_analysis.tables.schema import TABLES

    read_rows = loaded = 0
    target = context.project.warehouse / "pandas"
    target.mkdir(parents=True, exist_ok=True)
    for name in tables(context):
        frame = read(context, name)
        read_rows += len(frame)
        key = [column for column in TABLES[name].key if column in frame]
        kept = frame.drop_duplicates().dropna(subset=key[:1]).drop_duplicates(subset=key)
        if name == "opportunities":
            kept = kept[kept["stage"].isin([*OPEN, "Closed Won", "Closed Lost"])]
        loaded += len(kept)
        kept.to_parquet(target / f"{name}.parquet")
    return {"rows_read": read_rows, "rows_loaded": loaded}


def _clean(context: Context, name: str, columns: list[str] | None = None) -> pd.DataFrame:
    return pd.read_parquet(Path(context.project.warehouse / "pandas" / f"{name}.parquet"), columns=columns)


def validate(context: Context) -> Facts:
    """Twenty-five rules over deals, their history and what they refer to, counted by masks."""
    deals = _clean(context, "opportunities")
    history = _clean(context, "opportunity_history", ["opportunity_id", "changed_at", "stage", "amount"])
    accounts, users = _clean(context, "accounts", ["account_id"]), _clean(context, "users", ["user_id"])
    created, closed = pd.to_datetime(deals["created_at"]), pd.to_datetime(deals["closed_at"])
    amount = pd.to_numeric(deals["amount"])
    ended = deals["stage"].isin(["Closed Won", "Closed Lost"])
    wrong = [
        deals["opportunity_id"].isna(),
        deals["opportunity_id"].duplicated(),
        deals["stage"].isna(),
        ~deals["stage"].isin([*OPEN, "Closed Won", "Closed Lost"]),
        ~deals["type"].isin(["new", "expansion", "renewal"]),
        deals["segment"].isna(),
        ~deals["segment"].isin(["SMB", "Mid-Market", "Enterprise"]),
        ~deals["account_id"].isin(accounts["account_id"]),
        ~deals["owner_id"].isin(users["user_id"]),
        amount.isna(),
        amount < 0,
        amount > 1e8,
        created.isna(),
        created > pd.Timestamp("2026-10-01"),
        closed < created,
        ended & closed.isna(),
        ~ended & closed.notna(),
        deals["close_date"].isna(),
        ~deals["probability"].between(0, 1),
        ~deals["currency"].isin(["USD", "EUR"]),
        deals["forecast_category"].isna(),
        (deals["stage"] == "Closed Lost") & deals["loss_reason"].isna(),
        history["changed_at"].isna(),
        ~history["opportunity_id"].isin(deals["opportunity_id"]),
        history.duplicated(["opportunity_id", "changed_at", "stage"]),
    ]
    return {"rules": len(wrong), "failed_rows": int(sum(int(mask.sum()) for mask in wrong))}


def deals_on(context: Context, day: str) -> pd.DataFrame:
    """Deals at the end of a day: the last change on or before it."""
    end = (pd.Timestamp(day, tz=ZONE) + pd.Timedelta(days=1)).tz_convert("UTC").tz_localize(None)
    history = _clean(context, "opportunity_history")
    history = history[pd.to_datetime(history["changed_at"]) < end].sort_values(
        ["opportunity_id", "changed_at", "change_number"], kind="stable"
    )
    last = history.groupby("opportunity_id", sort=False).tail(1)
    columns = ["opportunity_id", "type", "segment", "source", "account_id", "created_at", "deleted_at"]
    deals = _clean(context, "opportunities", columns)
    gone = pd.to_datetime(deals["deleted_at"]) < end
    state = deals[(pd.to_datetime(deals["created_at"]) < end) & ~gone].merge(last, on="opportunity_id", how="left")
    names = {"Closed Won": "won", "Closed Lost": "lost"}
    status = state["stage"].map(names).fillna("open")
    return _reporting(context, state.assign(status=status), day)


def _reporting(context: Context, frame: pd.DataFrame, day: str) -> pd.DataFrame:
    rates = _clean(context, "exchange_rates")
    rates = rates[pd.to_datetime(rates["day"]) <= pd.Timestamp(day)].sort_values("day")
    latest = rates.groupby("currency")["rate_to_reporting"].last()
    rate = frame["currency"].map(latest).astype(float).fillna(1.0)
    return frame.assign(amount=pd.to_numeric(frame["amount"]).astype(float) * rate)


def as_of_state(context: Context) -> Facts:
    counts = deals_on(context, PAST)["status"].value_counts()
    return {str(name): int(count) for name, count in counts.sort_index().items()}


def bookings(context: Context) -> Facts:
    """Bookings, counts, win rates, sizes and cycle of the quarter."""
    state = deals_on(context, "2026-09-30")
    state = state[state["type"].isin(["new", "expansion"])]
    day = pd.to_datetime(state["close_date"])
    inside = state[day.between(pd.Timestamp("2026-07-01"), pd.Timestamp("2026-09-30"))]
    won, lost = inside[inside["status"] == "won"], inside[inside["status"] == "lost"]
    cycle = (pd.to_datetime(won["close_date"]) - pd.to_datetime(won["created_at"])).dt.days
    return {
        "bookings": round(float(won["amount"].sum()), 2),
        "win_rate": len(won) / max(len(won) + len(lost), 1),
        "mean_size": float(won["amount"].mean()),
        "median_size": float(won["amount"].median()),
        "cycle": float(cycle.median()),
    }


def pipeline(context: Context) -> Facts:
    """Open, overdue and created pipeline, and its concentration."""
    state = deals_on(context, "2026-09-30")
    state = state[state["type"].isin(["new", "expansion"])]
    is_open = state[(state["status"] == "open") & (state["forecast_category"] != "Omitted")]
    late = pd.to_datetime(is_open["close_date"]) < pd.Timestamp("2026-09-30")
    top = is_open["amount"].nlargest(10).sum() / is_open["amount"].sum()
    made = pd.to_datetime(state["created_at"]).between(pd.Timestamp("2026-07-01"), pd.Timestamp("2026-10-01"))
    return {
        "open": round(float(is_open["amount"].sum()), 2),
        "overdue": round(float(is_open.loc[late, "amount"].sum()), 2),
        "created": round(float(state.loc[made, "amount"].sum()), 2),
        "top_10": float(top),
    }


def conversion(context: Context) -> Facts:
    """First day in each stage and the share that went on: open deals counted as not converted, as is usual."""
    history = _clean(context, "opportunity_history", ["opportunity_id", "changed_at", "stage"])
    order = {name: place for place, name in enumerate([*OPEN, "Closed Won"], 1)}
    reached = history.assign(place=history["stage"].map(order), day=pd.to_datetime(history["changed_at"]))
    reached = reached.dropna(subset=["place"])
    first = reached.pivot_table(index="opportunity_id", columns="place", values="day", aggfunc="min")
    entered = first.iloc[:, ::-1].cummin(axis=1).iloc[:, ::-1]
    inside = entered.apply(lambda column: column.between("2026-01-01", "2026-03-31"))
    shares = {
        OPEN[int(place) - 1]: float(entered.loc[inside[place], place + 1].notna().mean()) for place in range(1, 6)
    }
    return {"conversion": shares}


def retention(context: Context) -> Facts:
    """MRR by account and month from subscription terms, and net retention over twelve months."""
    terms = _clean(context, "subscriptions")
    months = pd.date_range("2022-10-01", "2026-09-01", freq="MS") + pd.offsets.MonthEnd(0)
    start, end = pd.to_datetime(terms["started_on"]), pd.to_datetime(terms["ended_on"]).fillna(pd.Timestamp.max)
    mrr = pd.to_numeric(terms["mrr"]).astype(float)
    by_month = {month: mrr[(start <= month) & (end >= month)].groupby(terms["account_id"]).sum() for month in months}
    wide = pd.DataFrame(by_month).fillna(0.0)
    now, then = wide[months[-1]], wide[months[-13]]
    kept = then > 0
    change = wide.diff(axis=1)
    return {
        "mrr": round(float(now.sum()), 2),
        "nrr": float(now[kept].sum() / then[kept].sum()),
        "grr": float(pd.concat([now, then], axis=1)[kept].min(axis=1).sum() / then[kept].sum()),
        "gained": round(float(change.clip(lower=0).to_numpy()[:, 1:].sum()), 2),
    }


def movement(context: Context) -> Facts:
    from benchmarks.movement import in_pandas

    return in_pandas(context)


PEERS: dict[str, Callable[[Context], Facts]] = {
    "load": load,
    "validate": validate,
    "as-of state": as_of_state,
    "metrics: bookings": bookings,
    "metrics: pipeline": pipeline,
    "metrics: conversion": conversion,
    "metrics: retention": retention,
    "movement": movement,
}
