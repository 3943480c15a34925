"""The mess is there, is small enough for the gate, and grows with its option."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from revops_analysis.simulation import SimulationOptions, simulate
from revops_analysis.simulation.words import INDUSTRIES, STAGES


def share(folder: Path, table: str, condition: str) -> float:
    path = folder / "tables" / f"{table}.parquet"
    return float(duckdb.sql(f"select avg(coalesce(({condition})::int, 0)) from '{path}'").fetchall()[0][0])


STAGE_WRONG = f"stage not in {STAGES}"
KINDS = {
    "stage": ("opportunity_history", STAGE_WRONG, 0.0002, 0.003),
    "industry": ("accounts", f"industry not in {INDUSTRIES}", 0.01, 0.03),
    "domain": ("accounts", "domain like 'www.%'", 0.01, 0.06),
    "channel spelling": ("touchpoints", "channel in ('Adwords/', 'google ads', 'paid-search')", 0.002, 0.02),
    "no channel": ("touchpoints", "channel is null", 0.01, 0.03),
    "no amount": ("opportunity_history", "amount is null", 0.005, 0.08),
    "no reason": ("opportunities", "stage = 'Closed Lost' and loss_reason is null", 0.03, 0.2),
    "strange date": ("opportunities", "close_date > '2100-01-01'", 0.0001, 0.003),
    "1970": ("activities", "occurred_at < '1990-01-01'", 0.0003, 0.003),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_mess_is_there_and_small(kind: str, default_company: Path, clean_company: Path) -> None:
    table, condition, low, high = KINDS[kind]
    assert low <= share(default_company, table, condition) <= high
    assert share(clean_company, table, condition) == 0.0


def test_unusable_deals_are_few_and_small(default_company: Path) -> None:
    path = default_company / "tables" / "opportunities.parquet"
    rows, amount = duckdb.sql(
        f"select avg(bad::int), sum(amount) filter (where bad) / sum(amount) from ("
        f"select amount, {STAGE_WRONG} or close_date > '2100-01-01' as bad from '{path}')"
    ).fetchall()[0]
    assert 0 < rows < 0.003
    assert amount < 0.002


def test_twice_the_dirt_is_about_twice_the_mess(tmp_path: Path) -> None:
    once, twice = tmp_path / "once", tmp_path / "twice"
    simulate(once, SimulationOptions(scale=0.4, dirt=1.0, truth=False))
    simulate(twice, SimulationOptions(scale=0.4, dirt=2.0, truth=False))
    for kind in ("industry", "no channel"):
        table, condition, _, _ = KINDS[kind]
        assert share(twice, table, condition) == pytest.approx(2 * share(once, table, condition), rel=0.35)


def test_dirt_does_not_change_what_happens(tmp_path: Path) -> None:
    """A messier CRM shows the same deals with the same ends."""
    outcome = {}
    for dirt in (0.0, 2.0):
        folder = tmp_path / str(dirt)
        simulate(folder, SimulationOptions(scale=0.2, dirt=dirt))
        path = folder / "truth" / "deals.parquet"
        outcome[dirt] = duckdb.sql(f"select opportunity_id, outcome, outcome_on, won_usd from '{path}'").fetchall()
    assert outcome[0.0] == outcome[2.0]


@pytest.mark.parametrize("seed", range(4))
def test_even_a_small_company_loses_less_than_one_row_in_a_hundred(seed: int, tmp_path: Path) -> None:
    """The gate refuses more than 1% of any table, and a small one has few rows."""
    simulate(tmp_path, SimulationOptions(seed=seed, scenario="small_company", dirt=2.0, truth=False))
    tables = tmp_path / "tables"
    deals = f"'{tables}/opportunities.parquet'"
    bad = f"select opportunity_id from {deals} where {STAGE_WRONG} or close_date > '2100-01-01'"
    for table in ("opportunities", "opportunity_history", "opportunity_contacts", "opportunity_splits"):
        lost = "opportunity_id in (" + bad + ")" + (f" or {STAGE_WRONG}" if table == "opportunity_history" else "")
        assert share(tmp_path, table, lost) < 0.01, table
