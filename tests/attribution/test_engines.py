"""Journeys, credit and sourcing: DuckDB, a real PostgreSQL and Spark give the same rows, to the cent."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import ibis
import pandas as pd
import pytest

from attribution.random_companies import random_company
from attribution.touch_rows import ACCOUNT, all_rules, touch, words_with
from builders import make_snapshot, make_store, rows_table
from revops_analysis.attribution.credit import compare, shared_by_weights
from revops_analysis.attribution.journeys import JourneyOptions, journeys
from revops_analysis.attribution.sourcing import sourcing
from revops_analysis.tables.schema import TABLES
from revops_analysis.tables.snapshot import Snapshot
from revops_analysis.tables.store import Store
from revops_analysis.tables.warehouse import WarehouseInfo

WORDS = words_with(activity_channels={"call": "Outbound"})


def tables():
    """A random company, and every way to find a touch's account and channel."""
    made = random_company(3, deals=40)
    made["accounts"] = [ACCOUNT]
    made["contacts"] = [{"contact_id": "c1", "account_id": "a1", "created_at": "2026-01-01"}]
    made["campaigns"] = [{"campaign_id": "k1", "channel": " SEO ", "started_on": "2026-01-01"}]
    made["activities"] = [{"activity_id": "x1", "account_id": "a2", "kind": "call", "occurred_at": "2026-04-02"}]
    for number, row in enumerate(made["opportunities"]):
        row["source"] = ("Inbound", "Outbound", "Partner", None)[number % 4]
    made["leads"].append({"lead_id": "by deal", "created_at": "2026-03-01", "opportunity_id": "o5"})
    made["touchpoints"] += [
        touch("p", "2026-04-01", None, account_id=None, contact_id="c1", campaign_id="k1"),
        touch("q", "2026-04-01 12:10:00", None, account_id=None, contact_id="c1", campaign_id="k1"),
        touch("r", "2026-04-03", account_id=None, contact_id=None, lead_id="by deal"),
        touch("s", None, account_id="a3"),
        touch("t", "2026-04-03", account_id="a3", opportunity_id="o4"),
        touch("u", "2026-04-03", account_id="a6", responded_at=None, campaign_id="k1"),
    ]
    return made


def sorted_frame(table, keys):
    return table.to_pandas().sort_values(keys).reset_index(drop=True)


@pytest.mark.postgres
def test_postgres_agrees(postgres_url):
    con = ibis.connect(postgres_url)
    con.create_database("attribution")
    _agrees(make_store(tables(), con=con, database="attribution"))
    con.disconnect()


@pytest.fixture
def spark(tmp_path: Any) -> Iterator[Any]:
    """A Spark of this machine, with one task at a time for each core."""
    sql = pytest.importorskip("pyspark.sql", reason="Spark is not installed here (pip install pyspark, and Java)")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java, which is not on PATH")
    settings = {"spark.sql.session.timeZone": "UTC", "spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "2"}
    builder = sql.SparkSession.builder.master("local[2]").config("spark.sql.warehouse.dir", str(tmp_path))
    session = builder.config(map=settings).getOrCreate()
    yield ibis.pyspark.connect(session)
    session.stop()


@pytest.mark.spark
def test_spark_agrees(spark, tmp_path):
    rows = tables()
    for name in TABLES:
        file = tmp_path / f"{name}.parquet"
        rows_table(name, rows.get(name, [])).to_parquet(file)
        spark.read_parquet(file, table_name=name)
    info = WarehouseInfo("test", "0" * 16, make_snapshot({}).data_through, tuple(rows))
    _agrees(Store(spark, info))


def _agrees(store: Store) -> None:
    """Everything is as DuckDB has it."""
    theirs = Snapshot(store, WORDS, "2026-09-30")
    ours = make_snapshot(tables(), as_of="2026-09-30", definitions=WORDS)
    keys = ["opportunity_id", "touchpoint_id"]
    made = [journeys(snapshot, JourneyOptions(sourced_days=60, influence_days=90)) for snapshot in (ours, theirs)]
    touches = [sorted_frame(each.touches, keys) for each in made]
    assert len(touches[0]) > 60
    pd.testing.assert_frame_equal(*touches, check_dtype=False)
    pd.testing.assert_frame_equal(*[sorted_frame(e.deals, ["opportunity_id"]) for e in made], check_dtype=False)
    pd.testing.assert_frame_equal(*[each.exclusions for each in made])
    places = ["deal_number", "touchpoint_id"]
    pd.testing.assert_frame_equal(*[all_rules(each) for each in made], check_dtype=False)
    for by in (["channel"], ["team", "quarter"], []):
        pd.testing.assert_frame_equal(*[compare(each, by=by) for each in made])
    weighed = [shared_by_weights(e, e.touches.mutate(weight=1.0 / e.touches.touch_order.cast("float64"))) for e in made]
    pd.testing.assert_frame_equal(*[sorted_frame(each, places) for each in weighed], check_dtype=False)
    whose = [sourcing(each) for each in made]
    for part in ("deals", "official", "claims", "agreement", "disputed"):
        pd.testing.assert_frame_equal(*[getattr(each, part) for each in whose])
    pd.testing.assert_frame_equal(*[each.evidence() for each in whose])
