"""Deal metrics that need competing risks and stays in a stage: DuckDB and a real PostgreSQL give the same figures."""

from __future__ import annotations

import ibis
import pandas as pd
import pytest

from builders import make_definitions, make_snapshot, make_store
from metrics.test_conversion import SMALL
from metrics.test_stalled import company
from revops_analysis.metrics.conversion import stage_conversion
from revops_analysis.metrics.registry import compute_metric
from revops_analysis.metrics.stages import stage_stays
from revops_analysis.periods import FiscalCalendar, parse_period
from revops_analysis.tables.snapshot import Snapshot

pytestmark = pytest.mark.postgres
PERIOD = parse_period("2026", FiscalCalendar())
METRICS = ("stage_entries", "cohort_win_rate", "cohort_sales_cycle_days", "stalled_pipeline", "stalled_deals")


def tables():
    """The hand-made pipeline of test_conversion, and enough won deals to say what has stalled."""
    deals, history = company(range(1, 41), [3, 10, 36, 80])
    return {
        "opportunities": [*SMALL["opportunities"], *deals],
        "opportunity_history": [*SMALL["opportunity_history"], *history],
    }


def test_both_engines_agree(postgres_url):
    con = ibis.connect(postgres_url)
    con.create_database("conversion")
    theirs = Snapshot(make_store(tables(), con=con, database="conversion"), make_definitions(), "2026-09-30")
    ours = make_snapshot(tables(), as_of="2026-09-30")
    pd.testing.assert_frame_equal(stage_conversion(theirs, PERIOD).frame, stage_conversion(ours, PERIOD).frame)
    stays = [stage_stays(each).to_pandas().sort_values(["opportunity_id", "entered_on"]) for each in (theirs, ours)]
    pd.testing.assert_frame_equal(*[frame.reset_index(drop=True) for frame in stays], check_dtype=False)
    for name in METRICS:
        answers = [compute_metric(each, name, PERIOD, by=["segment"]).frame for each in (theirs, ours)]
        pd.testing.assert_frame_equal(*answers)
    # Beside the 80 days, three deals of the hand-made pipeline that have waited in Discovery since early 2026.
    assert answers[0]["value"].tolist() == [4.0]
    con.disconnect()
