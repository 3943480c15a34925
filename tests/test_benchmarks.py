"""The table of measurements: growth is the exponent of time in size, and what failed is no time."""

from __future__ import annotations

import json

from benchmarks.measure import Measurement
from benchmarks.steps import REPORT, SOURCE, make_project
from benchmarks.tables import as_markdown, write

from revops_analysis.project import Project
from revops_analysis.reporting.spec import load_report
from revops_analysis.sources.profile import load_profile


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


def test_the_report_that_is_measured_has_always_the_same_chapters(tmp_path):
    make_project(tmp_path, 0.5)
    spec = load_report(REPORT, Project(tmp_path))
    assert [chapter.notebook for chapter in spec.notebooks] == ["pipeline_health", "cohort_nrr"]
    assert load_profile(SOURCE, Project(tmp_path)).scale == 0.5
