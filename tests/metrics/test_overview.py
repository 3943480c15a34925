"""The pipeline chapter's result: its parts agree with the registry and with each other, with and without tables."""

from __future__ import annotations

import pytest

from builders import make_snapshot
from metrics.generated import company
from revops_analysis.errors import ConfigurationError
from revops_analysis.metrics.overview import COMPANY, PipelineOverview, pipeline_overview
from revops_analysis.metrics.registry import compute_metric
from revops_analysis.tables.snapshot import Snapshot


@pytest.fixture(scope="module")
def overview(sample_snapshot: Snapshot) -> PipelineOverview:
    return pipeline_overview(sample_snapshot, "2026-Q3")


def test_the_parts_agree_on_the_open_pipeline(overview: PipelineOverview) -> None:
    whole = overview.headline[0].frame["value"][0]
    assert whole > 0
    assert round(overview.open_by_stage["value"].sum() - whole, 2) == 0
    assert round(overview.open_by_period["value"].sum() - whole, 2) == 0
    assert overview.movement.closing == whole
    assert round(overview.ageing.frame["amount"].sum() - whole, 2) == 0


def test_stages_come_in_the_order_of_the_definitions(overview: PipelineOverview, sample_snapshot: Snapshot) -> None:
    order = sample_snapshot.definitions.open_stages
    shown = list(dict.fromkeys(overview.open_by_stage["stage"]))
    assert shown == [name for name in order if name in shown]
    assert len(shown) > 1


def test_once_the_period_is_over_coverage_looks_at_the_next(overview: PipelineOverview) -> None:
    assert overview.coverage.period.label == "2026-Q4"
    company_row = overview.coverage.frame.iloc[0]
    assert company_row["scope"] == COMPANY
    assert company_row["booked"] == 0


def test_before_its_end_coverage_looks_at_the_period_itself(sample_snapshot: Snapshot) -> None:
    found = pipeline_overview(sample_snapshot.at("2026-08-15"), "2026-Q3")
    assert found.coverage.period.label == "2026-Q3"
    assert found.movement.span.end.isoformat() == "2026-08-15"


def test_deals_that_are_stalled_are_older_than_their_threshold(overview: PipelineOverview) -> None:
    stalled = overview.ageing.stalled
    assert (stalled["days_in_stage"] > stalled["threshold_days"]).all()
    assert stalled["amount"].is_monotonic_decreasing


def test_without_history_and_targets_each_part_says_what_is_missing() -> None:
    tables = company(7, 40)
    bare = make_snapshot({name: tables[name] for name in ("opportunities", "users", "exchange_rates")})
    found = pipeline_overview(bare, "2026-Q3")
    assert set(found.conversion.frame["reason"]) == {"the source has no opportunity_history table"}
    assert set(found.coverage.frame["reason"]) == {"no target: the source has no targets table"}
    assert found.ageing.stages["stalled_deals"].isna().all()
    assert found.movement.closing == compute_metric(bare, "open_pipeline").frame["value"][0]


def test_a_period_that_has_not_begun_is_refused(sample_snapshot: Snapshot) -> None:
    with pytest.raises(ConfigurationError, match="earlier day"):
        pipeline_overview(sample_snapshot, "2026-Q4")
