"""Every additive metric over deals adds up to the cent, over every dimension that it offers."""

from __future__ import annotations

import pytest

from metrics.adding_up import drawn, parts_that_do_not_add_up, singles
from revops_analysis.metrics.registry import metrics
from revops_analysis.tables.snapshot import Snapshot

ADDITIVE = [name for name, metric in metrics().items() if metric.additive and "opportunities" in metric.tables]
YEAR, RESTATED = "2026", "2026-Q2"
"""The year contains the as-of date: levels are those of the day. Only a quarter that is over can be restated."""
ON_THE_SAMPLE = ("stalled_deals", "stalled_pipeline", "ramped_sellers")
"""Few deals give no threshold, and sellers of the generated company have no role."""


def filter_for(name: str) -> str:
    """A filter by sellers, and by the deals' source where the metric knows it."""
    return " and ".join(["source != Inbound"] * ("source" in metrics()[name].dimensions) + ["owner_id != u3"])


def snapshot_for(name: str, request: pytest.FixtureRequest) -> Snapshot:
    """The generated company, or the sample company where that has nothing to add up."""
    return request.getfixturevalue("sample_snapshot" if name in ON_THE_SAMPLE else "generated_snapshot")


def period_for(name: str) -> str:
    """A period in which there is something to add up."""
    return RESTATED if name == "restatements" else YEAR


@pytest.mark.parametrize("name", ADDITIVE)
def test_every_dimension_adds_up(name: str, request: pytest.FixtureRequest) -> None:
    metric, snapshot = metrics()[name], snapshot_for(name, request)
    wrong, whole = parts_that_do_not_add_up(snapshot, metric, period_for(name), singles(metric))
    assert wrong == {}, whole
    assert whole, "nothing was there to add up"


@pytest.mark.parametrize("name", ADDITIVE)
def test_sets_of_dimensions_add_up_under_a_filter(name: str, request: pytest.FixtureRequest) -> None:
    metric, snapshot = metrics()[name], snapshot_for(name, request)
    wrong, whole = parts_that_do_not_add_up(snapshot, metric, period_for(name), drawn(metric, 6), filter_for(name))
    assert wrong == {}, whole


@pytest.mark.parametrize("name", ["all_bookings", "open_pipeline", "pipeline_movement"])
def test_all_dimensions_at_once_add_up(name: str, sample_snapshot: Snapshot) -> None:
    metric = metrics()[name]
    wrong, whole = parts_that_do_not_add_up(sample_snapshot, metric, "2026-Q3", [tuple(metric.dimensions)])
    assert wrong == {}, whole
    assert whole
