"""What `simulate` writes: the canonical tables, the same every time, whole at dirt 0."""

from __future__ import annotations

import hashlib
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from revops_analysis.simulation import SimulationOptions, simulate
from revops_analysis.simulation.columns import ARROW_TYPES
from revops_analysis.tables.schema import TABLES

SUPPLIED = sorted(set(TABLES) - {"revenue_ledger"})


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def problems(folder: Path) -> list[str]:
    """Missing required values, double keys and references into nothing, over all tables."""
    con = duckdb.connect()
    for name in SUPPLIED:
        con.sql(f"create view {name} as from '{folder}/tables/{name}.parquet'")
    found = []
    for name in SUPPLIED:
        schema = TABLES[name]
        checks = {
            "double key": f"select count(*) - count(distinct ({', '.join(schema.key)})) from {name}",
            **{f"{c} null": f"select count(*) from {name} where {c} is null" for c in schema.required},
            **{
                f"{c.name} orphan": f"select count(*) from {name} where {c.name} is not null"
                f" and {c.name} not in (select {TABLES[c.references].key[0]} from {c.references})"
                for c in schema.columns
                if c.references
            },
        }
        found += [f"{name}: {what}" for what, sql in checks.items() if con.sql(sql).fetchall()[0][0]]
    return found


def test_the_same_options_give_the_same_bytes(tmp_path: Path) -> None:
    options = SimulationOptions(seed=5, scale=0.1)
    first, second = tmp_path / "first", tmp_path / "second"
    simulate(first, options)
    simulate(second, options)
    assert digests(first) == digests(second)
    assert len(digests(first)) == len(SUPPLIED) + 13 + 1


def test_what_was_there_before_is_replaced(tmp_path: Path) -> None:
    simulate(tmp_path, SimulationOptions(seed=1, scale=0.1))
    before = digests(tmp_path)
    (tmp_path / "tables" / "stray.parquet").write_bytes(b"left over")
    simulate(tmp_path, SimulationOptions(seed=1, scale=0.1))
    assert digests(tmp_path) == before


def test_another_seed_is_another_company(tmp_path: Path) -> None:
    one = simulate(tmp_path / "one", SimulationOptions(seed=1, scale=0.1))
    two = simulate(tmp_path / "two", SimulationOptions(seed=2, scale=0.1))
    assert dict(one.tables) != dict(two.tables)


def test_a_block_does_not_depend_on_how_many_there_are(tmp_path: Path) -> None:
    """Scale 2 is the company of scale 1 with another beside it, so memory need hold one at a time only."""
    simulate(tmp_path / "one", SimulationOptions(scale=1, truth=False))
    simulate(tmp_path / "two", SimulationOptions(scale=2, truth=False))
    for name in ("opportunities", "opportunity_history", "touchpoints", "subscriptions"):
        one = pq.read_table(tmp_path / "one" / "tables" / f"{name}.parquet")
        two = pq.ParquetFile(tmp_path / "two" / "tables" / f"{name}.parquet")
        assert two.num_row_groups == 2
        assert two.read_row_group(0).equals(one)
        assert not two.read_row_group(1).equals(one)


def test_two_blocks_share_no_key(tmp_path: Path) -> None:
    simulate(tmp_path, SimulationOptions(seed=4, scale=1.1, dirt=0.0, truth=False))
    assert problems(tmp_path) == []


@pytest.mark.parametrize("name", SUPPLIED)
def test_tables_have_exactly_the_canonical_columns(name: str, default_company: Path) -> None:
    schema = pq.read_schema(default_company / "tables" / f"{name}.parquet")
    expected = pa.schema([(c.name, ARROW_TYPES[c.kind]) for c in TABLES[name].columns])
    assert schema.remove_metadata() == expected


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(seed=st.integers(0, 10**6), scale=st.sampled_from([0.05, 0.12]))
def test_without_dirt_keys_and_references_hold(seed: int, scale: float, tmp_path: Path) -> None:
    simulate(tmp_path, SimulationOptions(seed=seed, scale=scale, dirt=0.0, truth=False))
    assert problems(tmp_path) == []


def test_with_dirt_they_do_not(default_company: Path) -> None:
    found = problems(default_company)
    assert "contacts: double key" in found
    assert "subscriptions: account_id orphan" in found
    assert not [problem for problem in found if problem.endswith("null")]


def clean(folder: Path) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    for name in SUPPLIED:
        con.sql(f"create view {name} as from '{folder}/tables/{name}.parquet'")
    return con


def test_the_last_change_is_the_current_state(clean_company: Path) -> None:
    differing = (
        clean(clean_company)
        .sql("""
        with last as (
            select opportunity_id, max_by(h, (changed_at, change_number)) as h from opportunity_history h group by 1
        )
        select count(*), count(*) filter (
            where (o.stage, o.amount, o.currency, o.close_date, o.forecast_category, o.probability, o.owner_id)
            is distinct from
            (h.stage, h.amount, h.currency, h.close_date, h.forecast_category, h.probability, h.owner_id)
        ) from opportunities o join last using (opportunity_id)
        """)
        .fetchall()[0]
    )
    assert differing[0] > 1500
    assert differing[1] == 0


def test_a_history_begins_with_the_deal_and_ends_with_its_closing(clean_company: Path) -> None:
    wrong = (
        clean(clean_company)
        .sql("""
        select count(*) from (
            select o.created_at, o.closed_at, min(h.changed_at) as first, max(h.changed_at) as last
            from opportunities o join opportunity_history h using (opportunity_id) group by all
        ) where first <> created_at or (closed_at is not null and last <> closed_at)
        """)
        .fetchall()[0][0]
    )
    assert wrong == 0


def test_nothing_is_dated_after_history(default_company: Path) -> None:
    """Days in New York, where the last evening of history is already the next date in UTC."""
    con = clean(default_company)
    for table, column in (
        ("opportunity_history", "changed_at"),
        ("opportunities", "created_at"),
        ("activities", "occurred_at"),
        ("touchpoints", "responded_at"),
        ("leads", "converted_at"),
        ("contacts", "created_at"),
        ("subscriptions", "cancelled_at"),
    ):
        latest = con.sql(f"select max({column}) < timestamp '2026-10-01 04:00' from {table}").fetchall()[0][0]
        assert latest, (table, column)


def test_won_deals_and_billing_tie_out(clean_company: Path) -> None:
    """12 × MRR of the terms that a won deal started is its ARR, to the cent."""
    rows = (
        clean(clean_company)
        .sql("""
        select count(*), count(*) filter (where abs(billed - arr) > 0.005) from (
            select o.opportunity_id, o.arr, sum(12 * s.mrr) as billed
            from opportunities o join subscriptions s using (opportunity_id) where o.stage = 'Closed Won' group by all
        )
        """)
        .fetchall()[0]
    )
    assert rows[0] > 500
    assert rows[1] == 0


def test_revenue_shares_add_up(clean_company: Path) -> None:
    sums = clean(clean_company).sql(
        "select distinct sum(share) from opportunity_splits where kind = 'revenue' group by opportunity_id"
    )
    assert [float(row[0]) for row in sums.fetchall()] == [1.0]


def test_nobody_works_before_being_hired_or_after_leaving(clean_company: Path) -> None:
    wrong = (
        clean(clean_company)
        .sql("""
        select count(*), count(*) filter (where occurred_at < hired_on or occurred_at > left_on + interval 3 day)
        from activities join users using (user_id)
        """)
        .fetchall()[0]
    )
    assert wrong[0] > 10_000
    assert wrong[1] == 0


def test_the_company_has_the_people_it_says(default_company: Path) -> None:
    roles = dict(
        clean(default_company).sql("select role, count(*) from users where left_on is null group by 1").fetchall()
    )
    assert (roles["AE"], roles["SDR"], roles["CSM"]) == (32, 18, 6)
    left = clean(default_company).sql("select count(*) from users where left_on is not null").fetchall()[0][0]
    assert left > 20


def test_owners_change_when_sellers_leave(clean_company: Path) -> None:
    changed = (
        clean(clean_company)
        .sql("""
        select count(*) from (
            select opportunity_id from opportunity_history group by 1 having count(distinct owner_id) > 1
        )
        """)
        .fetchall()[0][0]
    )
    assert changed > 5


def test_submissions_carry_overrides(default_company: Path) -> None:
    con = clean(default_company)
    kinds = dict(con.sql("select scope, count(*) from forecast_submissions group by 1").fetchall())
    assert set(kinds) == {"own", "team"}
    lowered = con.sql(
        "select avg((m.amount < s.amount)::int) from forecast_submissions m join forecast_submissions s"
        " on s.user_id = m.override_of and s.period_start = m.period_start and s.category = m.category"
        " and s.submitted_at::date = m.submitted_at::date and s.scope = 'own'"
    ).fetchall()[0][0]
    assert lowered == 1.0
