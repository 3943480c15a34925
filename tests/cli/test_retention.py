"""`revops retention` on a small simulated company, as its users run it."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path

from end_to_end.commands import revops

ASKED = ("--source", "sample", "--as-of", "2026-09-30", "--period", "2026-Q3")


def test_json_has_rates_with_intervals_movements_and_the_definitions_in_force(home: Path) -> None:
    answer = revops(home, "retention", *ASKED, "--by", "segment", "--format", "json")
    assert answer.code == 0, answer.stderr
    document = json.loads(answer.stdout)
    assert [document[name] for name in ("command", "source", "as_of", "period")] == [
        "retention",
        "sample",
        "2026-09-30",
        "2026-Q3",
    ]
    assert any("nrr_basis cohort" in note for note in document["warnings"])
    rows = document["rows"]
    assert {row["metric"] for row in rows} == {"nrr", "grr", "logo_retention", "mrr_movement"}
    for row in rows:
        assert "segment" in row["dims"]
        assert (row["value"] is None) == (row["reason"] is not None)
    nrr = {row["dims"]["segment"]: row for row in rows if row["metric"] == "nrr"}
    assert all(row["low"] <= row["value"] <= row["high"] for row in nrr.values() if row["n"] > 1)
    for segment in nrr:
        lines = {row["dims"]["line"]: Decimal(row["value"]) for row in rows if _is(row, segment)}
        closing = lines.pop("closing")
        assert sum(lines.values()) == closing


def _is(row: dict, segment: str) -> bool:
    return row["metric"] == "mrr_movement" and row["dims"]["segment"] == segment


def test_table_and_csv_show_the_same_and_a_filter_narrows_them(home: Path) -> None:
    table = revops(home, "retention", *ASKED)
    assert table.code == 0, table.stderr
    assert all(word in table.stdout for word in ("nrr", "Movements of monthly recurring revenue", "opening", "Notes"))
    read = csv.DictReader(
        io.StringIO(revops(home, "retention", *ASKED, "--where", "segment = SMB", "--format", "csv").stdout)
    )
    rows = list(read)
    assert {row["metric"] for row in rows} == {"nrr", "grr", "logo_retention", "mrr_movement"}
    assert Decimal(next(row["value"] for row in rows if row["line"] == "closing")) > 0


def test_an_unknown_dimension_and_a_period_to_come_are_said(home: Path) -> None:
    wrong = revops(home, "retention", *ASKED, "--by", "segmnt")
    assert wrong.code == 2
    assert "segment" in wrong.stderr
    ahead = revops(home, "retention", *ASKED[:4], "--period", "2027-Q1", "--format", "json")
    assert ahead.code == 0, ahead.stderr
    assert all("begins after the as-of date" in row["reason"] for row in json.loads(ahead.stdout)["rows"])
