"""The team chapter: quota and credit are exact, rates are shrunk, and what is not known says why."""

from __future__ import annotations

import pandas as pd
import pytest

from models.selling_company import rows, selling_company
from revops_analysis.errors import ConfigurationError
from revops_analysis.findings.playbook import load_playbook
from revops_analysis.findings.registry import Question, assess
from revops_analysis.metrics.registry import compute_metric
from revops_analysis.models import team_tables
from revops_analysis.models.team_performance import team_performance
from revops_analysis.periods import FiscalCalendar, parse_period
from revops_analysis.plots import team as draw

Q3 = parse_period("2026-Q3", FiscalCalendar())
PLOTS = ("attainment", "win_funnel", "productivity_funnel", "pace_funnel", "ramp")


@pytest.fixture(scope="module")
def snapshot():
    tables = rows()
    tables["users"] += [
        {"user_id": "new", "name": "Seller 1", "team": "SMB", "role": "AE", "hired_on": "2026-09-01"},
        {
            "user_id": "gone",
            "name": "Gone",
            "team": "SMB",
            "role": "AE",
            "hired_on": "2024-01-01",
            "left_on": "2026-01-31",
        },
    ]
    return selling_company(tables)


@pytest.fixture(scope="module")
def found(snapshot):
    return team_performance(snapshot, "2026-Q3")


def ask(snapshot, name, project_root):
    return assess(Question(snapshot, Q3, load_playbook(project_root / "params" / "playbook.yml")), name)


def test_sellers_of_the_period_and_what_each_is_credited_with(snapshot, found):
    table = found.sellers.set_index("owner_id")
    assert "gone" not in table.index
    assert table.loc["new", "reason"] == "no quota for the period"
    assert table["bookings"].sum() == compute_metric(snapshot, "bookings", Q3).frame["value"].iloc[0]
    assert table.loc["u1", "attainment"] == table.loc["u1", "bookings"] / 10_000
    assert {"Seller 1 (u1)", "Seller 1 (new)"} <= set(table["owner"])
    assert found.teams["bookings"].tolist() == [table["bookings"].sum()] * 2


def test_shrunk_rates_lie_between_the_raw_ones_and_par(found):
    table = found.sellers[found.sellers["closed"] > 0]
    low, high = table["win_rate_shrunk"].min(), table["win_rate_shrunk"].max()
    assert table["win_rate_adjusted"].min() < low <= high < table["win_rate_adjusted"].max()
    expected = (table["expected_win_rate"] * table["closed"]).sum()
    assert expected == pytest.approx(table["won"].sum())
    made = found.sellers.set_index("owner_id").loc["u1"]
    assert made["productivity"] == pytest.approx(made["bookings_year"] / made["equivalent_year"])


@pytest.mark.parametrize(
    ("target", "says"), [(60_000, None), (90_000, "less than the plan"), (20_000, "more than anyone")]
)
def test_quotas_that_miss_the_plan_are_reported(target, says, project_root):
    tables = rows(2, 10)
    for row in tables["quotas"]:
        row["quota"] = 30_000
    tables["targets"] = [
        {"measure": "bookings", "scope_kind": "company", "period_start": "2026-07-01", "period_end": "2026-09-30"}
        | {"target": target}
    ]
    answer = ask(selling_company(tables), "quota_assignment", project_root)
    assert [says in finding.what for finding in answer.findings] == ([] if says is None else [True])


def test_without_targets_quotas_are_not_judged(snapshot, project_root):
    assert "targets" in ask(snapshot, "quota_assignment", project_root).reason


@pytest.mark.parametrize("name", PLOTS)
def test_titles_state_the_finding(found, name):
    plot, title = getattr(draw, f"plot_{name}"), getattr(draw, f"{name}_title")
    made = plot(found)
    assert made.get_suptitle().replace("\n", " ") == title(found)
    assert any(character.isdigit() for character in title(found))


@pytest.mark.parametrize("name", PLOTS)
def test_without_sellers_the_figure_is_its_reason(name):
    nothing = team_performance(selling_company({"opportunities": [], "users": []}), "2026-Q3")
    assert nothing.reason
    assert "not known" in getattr(draw, f"{name}_title")(nothing)
    assert getattr(draw, f"plot_{name}")(nothing).axes[0].texts


def test_tables_have_the_columns_that_their_units_name(found):
    for make, units in (
        (team_tables.teams_table, team_tables.TEAM_UNITS),
        (team_tables.quota_table, team_tables.QUOTA_UNITS),
        (team_tables.rates_table, team_tables.RATE_UNITS),
        (team_tables.work_table, team_tables.WORK_UNITS),
        (team_tables.hints_table, team_tables.HINT_UNITS),
        (team_tables.ramp_table, team_tables.RAMP_UNITS),
    ):
        table = make(found)
        assert isinstance(table, pd.DataFrame)
        assert set(units) <= set(table.columns)


def test_the_ramp_counts_months_on_record(found):
    first = found.ramp.frame.query("segment == 'SMB' and first_month == 0").iloc[0]
    assert first["sellers"] == 1  # only the new one was seen in the first three months
    assert first["value"] == 0


def test_a_period_that_has_not_begun_is_refused(snapshot):
    with pytest.raises(ConfigurationError):
        team_performance(snapshot, "2026-Q4")
