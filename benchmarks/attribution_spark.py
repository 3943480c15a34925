"""Attribution on Spark: the journeys and the credit of a small random company, the same as on DuckDB or not.

`python -m benchmarks.attribution_spark` in an environment that has pyspark and Java beside the project's own libraries;
neither is a dependency of the project. It prints how long each part took and stops at the first difference.

Ibis has no temporary tables on Spark, so what a store keeps is a cached view there.
"""

from __future__ import annotations

import datetime as dt
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ibis
import pandas as pd

from revops_analysis.tables.days import AsOf
from revops_analysis.tables.store import Store

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))


class SparkStore(Store):
    """A store that keeps results as cached views."""

    def keep(self, name: str, expression: ibis.Table | Callable[[], ibis.Table]) -> ibis.Table:
        """Compute an expression once."""
        if name not in self._kept:
            made = expression if isinstance(expression, ibis.Table) else expression()
            place = self._prefix + re.sub(r"\W+", "_", name)
            self.con._run_pre_execute_hooks(made)
            self.con._session.sql(self.con.compile(made)).cache().createOrReplaceTempView(place)
            self._kept[name] = self.con.table(place)
        return self._kept[name]

    def keep_as_of(self, name: str, at: AsOf, build: Callable[[AsOf], ibis.Table]) -> ibis.Table:
        """Compute an expression of a day once."""
        return self.keep(f"{name}_{at.day:%Y%m%d}", lambda: build(at))


def main() -> int:
    """Compare both engines."""
    from attribution.test_engines import WORDS, tables
    from attribution.touch_rows import all_rules
    from builders import make_snapshot
    from revops_analysis.attribution.credit import compare
    from revops_analysis.attribution.journeys import JourneyOptions, journeys
    from revops_analysis.tables.snapshot import Snapshot

    rows = tables()
    ours = make_snapshot(rows, as_of="2026-09-30", definitions=WORDS)
    theirs = Snapshot(_spark_store(rows), WORDS, "2026-09-30")
    options = JourneyOptions(sourced_days=60, influence_days=90)
    both = [journeys(each, options) for each in (ours, theirs)]
    checks: dict[str, Callable[[Any], pd.DataFrame]] = {
        "credit of all rules, by channel": lambda made: compare(made, by=["channel"]),
        "credit of all rules, by team and segment": lambda made: compare(made, by=["team", "segment"]),
        "every touch under all rules": all_rules,
        "touches": lambda made: _ordered(made.touches, ["opportunity_id", "touchpoint_id"]),
        "deals": lambda made: _ordered(made.deals, ["opportunity_id"]),
    }
    for name, find in checks.items():
        begun = time.perf_counter()
        found = [find(made) for made in both]
        pd.testing.assert_frame_equal(*found, check_dtype=False)
        print(f"{name}: {len(found[0])} rows, the same ({time.perf_counter() - begun:.1f} s)", flush=True)
    return 0


def _ordered(table: Any, keys: list[str]) -> pd.DataFrame:
    frame = table.to_pandas().sort_values(keys).reset_index(drop=True)
    # Nothing at all is written in as many ways as there are engines.
    return frame.astype(object).where(frame.notna(), None)


def _spark_store(rows: dict[str, list[dict[str, Any]]]) -> SparkStore:
    import pyarrow.parquet as pq
    from pyspark.sql import SparkSession

    from builders import _arrow
    from revops_analysis.tables.schema import TABLES
    from revops_analysis.tables.warehouse import WarehouseInfo

    settings = {"sql.session.timeZone": "UTC", "ui.enabled": "false", "sql.shuffle.partitions": "2"}
    builder = SparkSession.builder.master("local[2]")
    for key, value in settings.items():
        builder = builder.config(f"spark.{key}", value)
    session = builder.getOrCreate()
    folder = Path(tempfile.mkdtemp(prefix="revops-spark-"))
    for name in TABLES:
        pq.write_table(_arrow(name, rows.get(name, [])), folder / f"{name}.parquet")
        session.read.parquet(str(folder / f"{name}.parquet")).createOrReplaceTempView(name)
    info = WarehouseInfo("test", "0" * 16, dt.date(2026, 12, 31), tuple(rows))
    print(f"Spark {session.version}")
    return SparkStore(ibis.pyspark.connect(session), info)


if __name__ == "__main__":
    sys.exit(main())
