"""`revops findings` on a small simulated company, as its users run it."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path

from end_to_end.commands import revops

ASKED = ("findings", "--source", "sample", "--as-of", "2026-09-30", "--chapter", "pipeline_health")


def test_findings_of_a_chapter_as_json_csv_and_table(home: Path) -> None:
    answer = revops(home, *ASKED, "--format", "json")
    assert answer.code == 0, answer.stderr
    document = json.loads(answer.stdout)
    assert (document["command"], document["period"], document["currency"]) == ("findings", "2026-Q3", "USD")
    assert document["comparisons"] > 40
    rows = document["rows"]
    assert rows
    for row in rows:
        assert {"metric", "dims", "value", "unit", "low", "high", "n", "reason"} <= set(row)
        assert row["id"].startswith(row["metric"])
        assert row["chapter"] == "pipeline_health"
        assert row["owner"]
        assert row["proposed_fix"]
        assert row["severity"] in ("critical", "warning", "info", "watch")
    proven = [row for row in rows if row["severity"] != "watch"]
    assert rows[: len(proven)] == proven
    expected = [Decimal(row["money"]) * Decimal(str(row["confidence"])) for row in proven if row["money"]]
    assert expected == sorted(expected, reverse=True)
    silent = {row["detector"] for row in document["not_assessed"]}
    assert silent.isdisjoint({row["metric"] for row in rows})
    table = revops(home, *ASKED)
    assert table.code == 0
    assert "comparisons were made" in table.stdout
    listed = list(csv.DictReader(io.StringIO(revops(home, *ASKED, "--format", "csv").stdout)))
    assert [row["id"] for row in listed] == [row["id"] for row in rows]


def test_less_severe_findings_can_be_left_out(home: Path) -> None:
    rows = json.loads(revops(home, *ASKED, "--format", "json").stdout)["rows"]
    worse = json.loads(revops(home, *ASKED, "--min-severity", "critical", "--format", "json").stdout)["rows"]
    assert worse == [row for row in rows if row["severity"] == "critical"]


def test_wrong_use_is_refused(home: Path) -> None:
    unknown = revops(home, *ASKED[:-1], "weather")
    assert unknown.code == 2
    assert "pipeline_health" in unknown.stderr
    ahead = revops(home, *ASKED, "--period", "2027-Q3")
    assert ahead.code == 2
    assert "2027-Q3" in ahead.stderr
