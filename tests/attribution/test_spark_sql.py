"""Every expression of journeys and credit can be written in Spark's SQL: an operation it lacks is seen here.

What is computed on Spark is compared with DuckDB by `python -m benchmarks.attribution_spark`, which needs pyspark.
"""

from __future__ import annotations

import ibis
import pytest

from attribution.touch_rows import deal, snapshot_of, touch
from revops_analysis.attribution.credit import WINDOWS, by_rules, credit, shared_by_weights
from revops_analysis.attribution.journeys import journeys
from revops_analysis.metrics.funnel.behaviour import behaviour


class SparkOptions(ibis.config.Config):
    """What the backend would register, had it a Spark to connect to."""

    treat_nan_as_null: bool = False


@pytest.fixture(autouse=True)
def _spark_options(monkeypatch):
    monkeypatch.setattr(ibis.options, "pyspark", SparkOptions())


@pytest.fixture(scope="module")
def snapshot():
    lead = {"lead_id": "l", "created_at": "2026-04-01", "account_id": "a1"}
    touches = [touch("t1", "2026-04-02", lead_id="l", kind="form"), touch("t2", "2026-04-09", "Event")]
    return snapshot_of([deal()], touches, leads=[lead])


def test_journeys_and_credit(snapshot):
    made = journeys(snapshot)
    weights = made.touches.mutate(weight=1.0 / made.touches.touch_order.cast("float64"))
    asked = {
        "base": made.base,
        "candidates": made.candidates,
        "ranked": made.ranked,
        "placed": made.placed,
        "touches": made.touches,
        "deals": made.deals,
        "table": credit(made, "w_shaped").table,
        "weights": shared_by_weights(made, weights),
        **{window: by_rules(made, window) for window in WINDOWS},
    }
    for name, expression in asked.items():
        assert "SELECT" in str(ibis.to_sql(expression, dialect="pyspark")), name


def test_what_is_kept_is_written_too(snapshot, monkeypatch):
    # What a store keeps is an expression only while it is made: so each is written down as it is.
    written = []
    keep = type(snapshot).keep

    def spy(self, question, make):
        expression = make()
        written.append(str(ibis.to_sql(expression, dialect="pyspark")))
        return keep(self, f"spark {question}", lambda: expression)

    monkeypatch.setattr(type(snapshot), "keep", spy)
    fresh = snapshot.at("2026-09-29")
    made = journeys(fresh)
    for part in (made.placed, made.counted, made.deals, behaviour(fresh)):
        assert part.count().execute() > 0
    assert len(written) >= 7
    assert all("SELECT" in text for text in written)
