"""The funnel from another engine: PostgreSQL, on a real server."""

from __future__ import annotations

import ibis
import pandas as pd
import pytest

from metrics.funnel.companies import by_chance, company, touches_by_chance, without_repeats
from revops_analysis.definitions.rule_text import parse_rule
from revops_analysis.metrics.funnel import funnel, lead_table
from revops_analysis.metrics.funnel.behaviour import behaviour
from revops_analysis.metrics.funnel.catalogue import FAMILY
from revops_analysis.metrics.registry import compute_metric, metrics
from revops_analysis.models.lead_records import lead_records
from revops_analysis.models.lead_replay import replay
from revops_analysis.periods import FiscalCalendar, parse_period

YEAR = parse_period("2026", FiscalCalendar())


@pytest.mark.postgres
def test_both_engines_agree(postgres_url) -> None:
    con = ibis.connect(postgres_url)
    con.create_database("funnel")
    leads, deals, tables = by_chance(11, 150)
    given = (leads, without_repeats(deals))
    tables["touchpoints"] = touches_by_chance(leads)
    theirs = company(*given, tables=tables, con=con, database="funnel", business_time_zone="America/New_York")
    ours = company(*given, tables=tables, business_time_zone="America/New_York")
    rows = [lead_table(each).to_pandas().sort_values("lead_id", ignore_index=True) for each in (theirs, ours)]
    pd.testing.assert_frame_equal(*rows, check_dtype=False)
    pd.testing.assert_frame_equal(*[funnel(each, YEAR, ["segment"]).frame for each in (theirs, ours)])
    for name, metric in metrics().items():
        if metric.family == FAMILY:
            answers = [compute_metric(each, name, YEAR, by=["source"]).frame for each in (theirs, ours)]
            pd.testing.assert_frame_equal(*answers, obj=name)
    did = [behaviour(each).to_pandas().sort_values("lead_id", ignore_index=True) for each in (theirs, ours)]
    pd.testing.assert_frame_equal(*did, check_dtype=False)
    assert did[0]["touches"].sum() > 20
    rule = parse_rule("employees >= 100 or keen = true or touches >= 2 or days_since_last_touch < 3")
    other = parse_rule("source = Paid")
    replays = [replay(each, rule, other, YEAR) for each in (theirs, ours)]
    pd.testing.assert_frame_equal(*[found.rules for found in replays])
    pd.testing.assert_frame_equal(*[found.months for found in replays])
    assert replays[0].of("new rule")["passed"] > 0
    records = [lead_records(each) for each in (theirs, ours)]
    pd.testing.assert_frame_equal(*[each.frame for each in records])
    assert records[0].names == records[1].names
    assert records[0].names[:4] == ("source", "employees", "keen", "touches")
    con.disconnect()
