"""What the documented bands are about, measured on the written tables by plain SQL."""

from __future__ import annotations

from pathlib import Path

import duckdb

OPEN_ROLL_UP = """
with quarters as (
    select distinct date_trunc('quarter', close_date)::date as first from deals
    where stage = 'Closed Won' and close_date between '2023-01-01' and '2026-09-30'
),
states as (
    select q.first, h.opportunity_id, arg_max(h.stage, (h.changed_at, h.change_number)) as stage,
        arg_max(h.forecast_category, (h.changed_at, h.change_number)) as category,
        arg_max(h.close_date, (h.changed_at, h.change_number)) as close_date,
        arg_max(coalesce(h.amount, 0) * r, (h.changed_at, h.change_number)) as amount
    from quarters q, history h where h.changed_at < q.first + interval 46 day group by all
),
called as (
    select first, sum(amount) filter (
        where (category = 'Closed' and close_date >= first)
           or (category = 'Commit' and close_date < first + interval 3 month)
    ) as said from states group by all
),
booked as (
    select date_trunc('quarter', close_date)::date as first, sum(amount * r) as actual
    from deals where stage = 'Closed Won' group by all
)
select sum(abs(said - actual)) / sum(actual), sum(said - actual) / sum(actual) from called join booked using (first)
"""

CLAIMS = """
with touched as (
    select distinct o.opportunity_id from deals o join touchpoints t on t.account_id = o.account_id
    where t.responded_at is not null and t.user_id is null and t.kind not in ('partner referral', 'business review')
      and t.occurred_at <= o.created_at and t.occurred_at > o.created_at - interval 90 day
)
select sum(amount * r) filter (where opportunity_id in (from touched)) / sum(amount * r),
    sum(amount * r) filter (where source in ('Inbound', 'Event', 'Paid')) / sum(amount * r)
from deals where amount is not null
"""


def connect(folder: Path) -> duckdb.DuckDBPyConnection:
    """Views of the written tables; `deals` and `history` are new and expansion deals with `r` dollars a unit."""
    con = duckdb.connect(config={"threads": 2})
    for path in sorted((folder / "tables").glob("*.parquet")):
        con.sql(f"create view {path.stem} as from '{path}'")
    rate = "case when currency = 'EUR' then 1.08 else 1 end as r"
    con.sql(f"create view deals as select *, {rate} from opportunities where type in ('new', 'expansion')")
    con.sql(
        f"create view history as select *, {rate} from opportunity_history semi join deals using (opportunity_id)"
        " where stage is not null"
    )
    return con


def number(con: duckdb.DuckDBPyConnection, sql: str) -> float:
    return float(con.sql(sql).fetchall()[0][0])


def measures(folder: Path) -> dict[str, float]:
    """Every banded figure of one company."""
    con = connect(folder)
    rates = "case when currency = 'EUR' then 1.08 else 1 end"
    result = {
        "ending ARR": number(
            con,
            f"select 12 * sum(mrr * {rates}) from subscriptions where '2026-09-30' between started_on and ended_on",
        )
    }
    for segment, won, all_ in con.sql(
        "select segment, count(*) filter (where stage = 'Closed Won'), count(*) from deals"
        " where type = 'new' and stage in ('Closed Won', 'Closed Lost') group by 1"
    ).fetchall():
        result[f"win rate of new deals, {segment}"] = won / all_
    for source, n in con.sql(
        "select source, count(*) from deals where created_at >= '2022-10-01' and source is not null group by 1"
    ).fetchall():
        result[f"deals a month, {source}"] = n / 48
    result["roll-up error"] = number(con, OPEN_ROLL_UP)
    said, field = con.sql(CLAIMS).fetchall()[0]
    result["marketing's claim"], result["sales' claim"] = float(said), float(field)
    result["leads passed a month"] = number(
        con, "select count(distinct lead_id) / 48 from leads where qualified_at >= '2022-10-01'"
    )
    result["passed leads worth it"] = number(
        con,
        f"select avg(truly_good::int) from '{folder}/truth/leads.parquet' join leads using (lead_id)"
        " where qualified_at is not null",
    )
    result["duplicate contacts"] = number(con, f"select avg(is_copy::int) from '{folder}/truth/people.parquet'")
    result["deals"] = number(con, "select count(*) from opportunities")
    result["history rows"] = number(con, "select count(*) from opportunity_history")
    result["touchpoints"] = number(con, "select count(*) from touchpoints")
    return result
