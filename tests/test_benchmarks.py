"""The benchmarks: their table of measurements, and what data sets and peers are asked about."""

from __future__ import annotations

import json
from datetime import date

import pandas as pd
from benchmarks import bpi2012, forecast_peers
from benchmarks.measure import Measurement
from benchmarks.steps import REPORT, SOURCE, make_project
from benchmarks.tables import as_markdown, write

from revops_analysis.models.cutoffs import Cutoff
from revops_analysis.models.evidence import Evidence
from revops_analysis.periods import Period
from revops_analysis.project import Project
from revops_analysis.reporting.spec import load_report
from revops_analysis.sources.profile import load_profile


def taken(step, scale, seconds, failed=None):
    return Measurement(step, scale, seconds, None if seconds is None else seconds / 2, 100, {}, failed)


RESULTS = [
    taken("load", 1, 2.0),
    taken("pandas: load", 1, 1.0),
    taken("load", 10, 20.0),
    taken("load", 100, 2000.0),
    taken("pandas: load", 100, None, "out of memory"),
]


def test_growth_is_the_exponent_between_the_two_largest():
    row = as_markdown(RESULTS).splitlines()[2]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:7] == ["load", "2.00", "1.00", "100", "1.00", "0.50", "100"]
    assert cells[-1] == "2.00"
    assert "out of memory" in cells
    one = as_markdown(RESULTS[:2]).splitlines()
    assert one[2].rstrip("|").rstrip().endswith("100 |")
    assert {line.count("|") for line in one} == {one[0].count("|")}


def test_results_are_written_whole(tmp_path):
    page = write(RESULTS, tmp_path)
    assert "pandas: load ×100: out of memory" in page.read_text(encoding="utf-8")
    assert len(json.loads((tmp_path / "latest.json").read_text(encoding="utf-8"))) == 5


def test_the_report_that_is_measured_has_always_the_same_chapters(tmp_path):
    make_project(tmp_path, 0.5)
    spec = load_report(REPORT, Project(tmp_path))
    assert [chapter.notebook for chapter in spec.notebooks] == ["pipeline_health", "cohort_nrr"]
    assert load_profile(SOURCE, Project(tmp_path)).scale == 0.5


def test_an_application_is_seen_as_it_stood_at_the_end_of_a_day():
    cases = pd.DataFrame(
        {"case_id": ["a", "b"], "reg_date": ["2011-10-01T09:00:00.000+02:00"] * 2, "amount_req": [1, 2]}
    )
    events = [
        ("a", "A_SUBMITTED", "2011-10-01T09:00:00.000+02:00"),
        ("a", "A_PREACCEPTED", "2011-10-01T09:05:00.000+02:00"),
        ("a", "A_ACCEPTED", "2011-10-03T09:00:00.000+02:00"),
        ("a", "A_APPROVED", "2011-10-05T09:00:00.000+02:00"),
        ("b", "A_SUBMITTED", "2011-10-01T09:00:00.000+02:00"),
        ("b", "A_DECLINED", "2011-10-02T23:59:00.000+02:00"),
    ]
    log = pd.DataFrame(events, columns=["case_id", "activity", "timestamp"]).assign(resource="1")
    rows = bpi2012.states(cases, log, ages=(0, 1, 3, 4)).set_index(["age_days", "opportunity_id"])
    assert list(rows.index) == [(0, "a"), (0, "b"), (1, "a"), (3, "a")]
    mine = rows.xs("a", level="opportunity_id")
    assert mine["stage_order"].tolist() == [2, 2, 3]
    assert mine["days_in_stage"].tolist() == [0, 1, 1]
    assert mine["stage_changes"].tolist() == [1, 1, 2]
    assert mine["activities_7d"].tolist() == [2, 2, 3]
    assert rows["won"].tolist() == [1, 0, 1, 1]


def test_without_its_data_or_its_peer_a_benchmark_says_what_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("REVOPS_SHARED_DATA", str(tmp_path))
    assert bpi2012.main() == 0
    assert "bpi2012_loan_funnel" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["forecast_peers"])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert forecast_peers.main() == 0
    assert "pip install" in capsys.readouterr().out


def test_the_peer_learns_from_closed_deals_and_from_the_same_week_of_earlier_periods():
    days = pd.to_datetime(["2026-01-14", "2026-01-21", "2026-03-31", "2026-01-14"])
    states = pd.DataFrame({"cutoff": days, "opportunity_id": ["a", "a", "b", "c"], "won": [1.0, 1.0, 0.0, 0.0]})
    states = states.assign(period="2026-Q1", last_day=pd.Timestamp("2026-03-31"))
    cutoffs = states[["cutoff", "period"]].drop_duplicates().assign(week=[2, 3, 13], bookings=5.0)
    wins = pd.DataFrame({"opportunity_id": ["a"]})
    known = Evidence(date(2026, 4, 14), states, cutoffs, wins, pd.DataFrame(), "USD")
    closed = forecast_peers.closed_deals(known)
    assert dict(zip(closed["opportunity_id"], closed["won"], strict=True)) == {"a": True, "c": False}
    quarter = Period("2026-Q2", date(2026, 4, 1), date(2026, 6, 30))
    same = forecast_peers.same_week(known, Cutoff(date(2026, 4, 14), quarter))
    assert dict(zip(same["opportunity_id"], same["won"], strict=True)) == {"a": True, "c": False}
    assert set(same["cutoff"]) == {pd.Timestamp("2026-01-14")}
