"""Ten million touches of a million deals: journeys, and credit under all eight rule models, beside plain pandas.

`python -m benchmarks.attribution [--touches N] [--deals N] [--memory MB] [--only revops|pandas]`

Both read the same generated tables: touches by account, one in twenty known only by its person, channels in two
spellings, three in ten without campaign, one in a hundred repeated within minutes. Each runs in a process of its own,
which says how long its work took and how much memory it held; the engine gets `--memory` and two threads.

The pandas version is what an analyst would write: merge, filter, drop repeats, sort, number, weigh, group. It does
less: shares are floats, nothing is rounded to the cent, and what is left out is not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

AS_OF = "2026-09-30"
CHANNELS = ("Paid search", "google ads", "Email", "Newsletter", "Webinar", "Event", "Outbound", "Partner")
MODELS = ("first_touch", "last_touch", "linear", "u_shaped", "w_shaped", "full_path", "position", "time_decay")


def main() -> int:
    """Make the tables, run both, print what each took."""
    options = _options()
    if options.run:
        _child(options)
        return 0
    with tempfile.TemporaryDirectory(prefix="revops-attribution-") as folder:
        make_tables(Path(folder), options.touches, options.deals)
        print(f"{options.touches:,} touches, {options.deals:,} deals, engine memory {options.memory} MB, 2 threads")
        for name in RUNS if options.only is None else (options.only,):
            command = [sys.executable, "-m", "benchmarks.attribution", "--run", name, "--folder", folder]
            env = {**os.environ, "REVOPS_ENGINE_MB": str(options.memory)}
            done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
            if done.returncode:
                print(f"{name}: failed: {done.stderr.strip().splitlines()[-1][:200]}")
                continue
            told = json.loads(done.stdout.strip().splitlines()[-1])
            print(f"{name}: " + ", ".join(f"{key} {value}" for key, value in told.items()))
    return 0


def make_tables(folder: Path, touches: int, deals: int) -> None:
    """Write the canonical tables that attribution reads: one DuckDB file, and the same as Parquet."""
    import duckdb

    from revops_analysis.tables.warehouse import connect, create_tables

    empty = connect()
    create_tables(empty)
    ddl = [text for (text,) in empty.raw_sql("SELECT sql FROM duckdb_tables()").fetchall()]
    con = duckdb.connect(str(folder / "tables.duckdb"), config={"threads": 2})
    for text in ddl:
        con.sql(text)
    for name, select in _generated(touches, deals).items():
        con.sql(f"INSERT INTO {name} BY NAME {select}")
        con.sql(f"COPY {name} TO '{folder / name}.parquet'")
    con.close()


def _generated(touches: int, deals: int) -> dict[str, str]:
    """SELECTs that make every row from its number: the same tables each time."""
    words = ", ".join(f"'{word}'" for word in CHANNELS)
    made = "TIMESTAMP '2025-01-01 12:00:00' + to_days((hash(d) % 540)::INTEGER)"
    campaign = "CASE WHEN hash(o, 'k') % 10 > 2 THEN 'CMP-' || lpad((hash(o, 'm') % 500)::VARCHAR, 9, '0') END"
    repeat = "hash(t, 'again') % 100 = 0"
    first = f"(CASE WHEN {repeat} AND t > 0 THEN t - 1 ELSE t END)"
    return {
        "opportunities": f"""
            SELECT 'OPP-' || lpad(d::VARCHAR, 9, '0') opportunity_id, 'ACC-' || lpad(d::VARCHAR, 9, '0') account_id,
                'new' AS type, 'SMB' AS segment, 'Outbound' AS source, {made} created_at,
                ({made} + to_days(60))::DATE close_date, {made} + to_days(60) closed_at,
                ['Closed Won', 'Closed Lost', 'Proposal'][1 + (hash(d, 's') % 3)::INTEGER] stage,
                (1000 + hash(d, 'a') % 9000000 / 100)::DECIMAL(18, 2) amount
            FROM range({deals}) r(d)""",
        "contacts": f"""
            SELECT 'CON-' || lpad(c::VARCHAR, 9, '0') contact_id, 'ACC-' || lpad((c // 2)::VARCHAR, 9, '0') account_id,
                TIMESTAMP '2024-01-01' created_at
            FROM range({2 * deals}) r(c)""",
        "leads": f"""
            SELECT 'LEA-' || lpad(d::VARCHAR, 9, '0') lead_id, 'ACC-' || lpad(d::VARCHAR, 9, '0') account_id,
                {made} - to_days(30) created_at, {made} converted_at
            FROM range(0, {deals}, 3) r(d)""",
        "touchpoints": f"""
            WITH numbered AS (SELECT t, {first} o FROM range({touches}) r(t)),
            placed AS (SELECT t, o, (hash(o, 'd') % {deals})::BIGINT d FROM numbered),
            timed AS (SELECT *, {made} - to_seconds(7776000) + to_seconds((hash(o, 't') % 12960000)::BIGINT
                + (t - o) * 300) moment FROM placed)
            SELECT 'TCH-' || lpad(t::VARCHAR, 9, '0') touchpoint_id,
                CASE WHEN hash(t, 'n') % 20 > 0 THEN 'ACC-' || lpad(d::VARCHAR, 9, '0') END account_id,
                'CON-' || lpad((2 * d + hash(o, 'p') % 2)::VARCHAR, 9, '0') contact_id,
                [{words}][1 + (hash(o, 'c') % {len(CHANNELS)})::INTEGER] channel,
                {campaign} campaign_id, moment occurred_at, moment responded_at
            FROM timed""",
    }


def _child(options: argparse.Namespace) -> None:
    answer = RUNS[options.run](Path(options.folder))
    answer["peak MB"] = _peak_mb()
    print(json.dumps(answer))


def run_revops(folder: Path) -> dict[str, Any]:
    """The package: open the deals, then on the clock journeys and the totals of all rules by channel."""
    import datetime as dt

    from revops_analysis.attribution.credit import compare
    from revops_analysis.attribution.journeys import journeys
    from revops_analysis.definitions import load_definitions
    from revops_analysis.tables.snapshot import Snapshot
    from revops_analysis.tables.store import Store
    from revops_analysis.tables.warehouse import CATALOG, WarehouseInfo, connect

    con = connect(folder)
    con.raw_sql("SET threads = 2")
    con.attach(folder / "tables.duckdb", name=CATALOG, read_only=True)
    supplied = ("opportunities", "contacts", "leads", "touchpoints", "accounts")
    info = WarehouseInfo("bench", "0" * 16, dt.date.fromisoformat(AS_OF), supplied)
    words = load_definitions(Path(__file__).resolve().parents[1] / "params" / "definitions.yml")
    snapshot = Snapshot(Store(con, info, (CATALOG, "main")), words, AS_OF)
    opened = _timed(lambda: snapshot.deals.count().execute())
    made = journeys(snapshot)
    joined = _timed(lambda: made.placed.count().execute())
    frames: list[pd.DataFrame] = []
    credited = _timed(lambda: frames.append(compare(made, by=["channel"])))
    peak = _peak_mb()
    reasons = _timed(lambda: made.deals.count().execute())
    sums = frames[0].groupby("model")["pipeline"].sum()
    touches = frames[0].loc[frames[0]["model"] == "linear", "touches"].sum()
    return {
        "deals opened": opened,
        "journeys": joined,
        "credit": credited,
        "journeys and credit": _added(joined, credited),
        "peak MB until then": peak,
        "reasons of deals without touches": reasons,
        "touches in journeys": int(touches),
        "pipeline": str(sums.iloc[0]),
        "models agree": bool((sums == sums.iloc[0]).all()),
    }


def run_pandas(folder: Path) -> dict[str, Any]:
    """The same in pandas, tables read before the clock starts."""
    read = {name: pd.read_parquet(folder / f"{name}.parquet") for name in ("opportunities", "contacts", "leads")}
    touches = pd.read_parquet(
        folder / "touchpoints.parquet",
        columns=["touchpoint_id", "account_id", "contact_id", "channel", "campaign_id", "occurred_at", "responded_at"],
    )
    frames: list[pd.DataFrame] = []
    took = _timed(lambda: frames.append(_pandas_credit(touches, **read)))
    by_channel = frames[0]
    return {"journeys and credit": took, "pipeline": f"{by_channel['linear'].sum():.2f}", "channels": len(by_channel)}


def _pandas_credit(
    touches: pd.DataFrame, opportunities: pd.DataFrame, contacts: pd.DataFrame, leads: pd.DataFrame
) -> pd.DataFrame:
    place = touches["contact_id"].map(contacts.set_index("contact_id")["account_id"])
    words = {"google ads": "Paid search", "Newsletter": "Email"}
    touches = touches.assign(account_id=touches["account_id"].fillna(place), channel=touches["channel"].replace(words))
    touches = touches[touches["campaign_id"].isna() | touches["responded_at"].notna()]
    touches = touches.sort_values(["contact_id", "channel", "campaign_id", "occurred_at"])
    gap = touches.groupby(["contact_id", "channel", "campaign_id"], dropna=False)["occurred_at"].diff()
    touches = touches[~(gap <= pd.Timedelta(minutes=30))]
    first_lead = leads.groupby("account_id")["created_at"].min().rename("lead")
    deals = opportunities[["opportunity_id", "account_id", "created_at", "closed_at", "stage", "amount"]]
    deals = deals.assign(amount=deals["amount"].astype(float)).join(first_lead, on="account_id")
    is_open = deals["stage"] == "Proposal"
    deals["until"] = deals["closed_at"].where(~is_open, pd.Timestamp("2026-10-01"))
    rows = touches.merge(deals, on="account_id")
    start = rows["created_at"] - pd.Timedelta(days=90)
    rows = rows[(rows["occurred_at"] >= start) & (rows["occurred_at"] <= rows["until"])]
    rows = rows.sort_values(["opportunity_id", "occurred_at", "touchpoint_id"])
    return _pandas_models(rows)


def _pandas_models(rows: pd.DataFrame) -> pd.DataFrame:
    deal = rows.groupby("opportunity_id", sort=False)["touchpoint_id"]
    k, n = deal.cumcount() + 1, deal.transform("size")
    by_deal = (rows["occurred_at"] <= rows["created_at"]).groupby(rows["opportunity_id"], sort=False).transform("sum")
    by_lead = (rows["occurred_at"] <= rows["lead"]).groupby(rows["opportunity_id"], sort=False).transform("sum")
    closed = n.where(rows["stage"] != "Proposal", 0)
    inside = k <= by_deal
    weight = 0.5 ** ((rows["until"] - rows["occurred_at"]).dt.days / 7)
    shares = {
        "first_touch": (k == 1) & inside,
        "last_touch": k == n,
        "linear": 1 / n,
        "u_shaped": _anchored(k, by_deal, {"first": 0.4, "lead": 0.4, "others": 0.2}, {"lead": by_lead}),
        "w_shaped": _anchored(
            k,
            by_deal,
            {"first": 0.3, "lead": 0.3, "deal": 0.3, "others": 0.1},
            {"lead": by_lead, "deal": by_deal},
        ),
        "full_path": _anchored(
            k,
            n,
            {"first": 0.225, "lead": 0.225, "deal": 0.225, "closing": 0.225, "others": 0.1},
            {"lead": by_lead, "deal": by_deal, "closing": closed},
        ),
        "position": _anchored(k, n, {"first": 0.4, "last": 0.4, "others": 0.2}, {"last": n}),
        "time_decay": weight / weight.groupby(rows["opportunity_id"], sort=False).transform("sum"),
    }
    amounts = pd.DataFrame({name: share * rows["amount"] for name, share in shares.items()})
    return amounts.groupby(rows["channel"]).sum()


def _anchored(k: pd.Series, n: pd.Series, weights: dict[str, float], places: dict[str, pd.Series]) -> pd.Series:
    """Weights of anchors, the rest evenly between, in proportion where something is missing."""
    held = (k == 1) * weights["first"]
    anchor = k == 1
    total = weights["first"]
    distinct = pd.Series(1, index=k.index)
    seen = [pd.Series(1, index=k.index)]
    for name, at in places.items():
        held = held + ((k == at) & (at > 0)) * weights[name]
        anchor |= k == at
        total = total + (at > 0) * weights[name]
        distinct += (at > 0) & ~pd.concat([at == other for other in seen], axis=1).any(axis=1)
        seen.append(at)
    between = n - distinct
    total = total + (between > 0) * weights["others"]
    each = (weights["others"] / between.where(between > 0)).fillna(0.0)
    return ((held + each.where(~anchor, 0.0)) / total).where(k <= n, 0.0)


def _timed(work: Callable[[], object]) -> str:
    """What a piece of work took: seconds by the wall clock, and of all cores."""
    begun, used = time.perf_counter(), _cpu()
    work()
    return f"{time.perf_counter() - begun:.2f} s ({_cpu() - used:.2f} CPU s)"


def _added(*times: str) -> str:
    walls, cpus = zip(*[re.findall(r"[\d.]+", text) for text in times], strict=True)
    return f"{sum(map(float, walls)):.2f} s ({sum(map(float, cpus)):.2f} CPU s)"


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _peak_mb() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


RUNS: dict[str, Callable[[Path], dict[str, Any]]] = {"revops": run_revops, "pandas": run_pandas}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attribution", description=__doc__.splitlines()[0])
    parser.add_argument("--touches", type=int, default=10_000_000)
    parser.add_argument("--deals", type=int, default=1_000_000)
    parser.add_argument("--memory", type=int, default=1_400, help="what the engine may hold, MB")
    parser.add_argument("--only", choices=list(RUNS))
    parser.add_argument("--run", choices=list(RUNS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
