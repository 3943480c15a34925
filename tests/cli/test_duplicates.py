"""`revops duplicates` on a small simulated company, as its users run it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from end_to_end.commands import revops
from revops_analysis.validation.duplicates import read_merge_plan

ASKED = ("--source", "sample", "--as-of", "2026-09-30")


def test_json_and_csv_list_the_same_clusters_and_the_plan_retires_all_but_the_survivors(home: Path) -> None:
    path = home / "plans" / "plan.csv"
    answer = revops(home, "duplicates", *ASKED, "--format", "json", "--out", str(path))
    assert answer.code == 0, answer.stderr
    document = json.loads(answer.stdout)
    figures = {row["metric"]: row for row in document["rows"]}
    copies = int(figures["duplicate_copies"]["value"])
    clusters = document["clusters"]
    assert sum(len(cluster["records"]) - 1 for cluster in clusters) == copies > 0
    plan = read_merge_plan(path, "contacts").frame
    retired = set(plan.loc[plan["action"] == "retire", "record"])
    assert retired == {r for c in clusters for r in c["records"] if r != c["survivor"]}
    written = revops(home, "duplicates", *ASKED, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(written.stdout)))
    assert {row["cluster"] for row in rows} == {cluster["survivor"] for cluster in clusters}
    assert "@" not in answer.stdout, "nobody's address is shown"


def test_the_table_says_what_was_found_and_why(home: Path) -> None:
    answer = revops(home, "duplicates", *ASKED, "--table", "leads-contacts")
    assert answer.code == 0, answer.stderr
    assert "of the leads are contacts already" in answer.stdout.splitlines()[0]
    assert "same company" in answer.stdout
    assert "Comparing records" in answer.stderr


def test_what_cannot_be_asked_is_refused(home: Path) -> None:
    for wrong in (("--table", "deals"), ("--threshold", "0.1"), ("--out", "/dev/null/plan.csv")):
        answer = revops(home, "duplicates", *ASKED, *wrong)
        assert answer.code == 2, answer.stderr
        assert answer.stdout == ""
