"""The table of measurements: growth is the exponent of time in size, and what failed is no time."""

from __future__ import annotations

import json

from benchmarks.measure import Measurement
from benchmarks.tables import as_markdown, write


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
