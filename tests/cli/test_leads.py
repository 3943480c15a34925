"""`revops leads` on a small simulated company, as its users run it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from end_to_end.commands import company_of, revops

AS_OF = ("--source", "sample", "--as-of", "2026-08-20")
RULE = "employees >= 80 and (visited_pricing_page = true or demo_requested = true)"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a sample company a tenth of the usual size."""
    return company_of(tmp_path_factory.mktemp("project"), 0.1)


def test_a_replay_in_every_format_says_the_same(home: Path) -> None:
    table = revops(home, "leads", "replay", "--rule", RULE, *AS_OF)
    assert table.code == 0, table.stderr
    assert f"new rule:     {RULE}" in table.stdout
    assert "never worked" in table.stdout
    document = json.loads(revops(home, "leads", "replay", "--rule", RULE, *AS_OF, "--format", "json").stdout)
    assert document["command"] == "leads replay"
    assert any("never worked" in warning for warning in document["warnings"])
    passed = {row["dims"]["rule"]: row["value"] for row in document["rows"] if row["metric"] == "lead_rule_passed"}
    assert 0 < passed["new rule"] < passed["current rule"]


def test_a_rule_from_a_file_against_another_in_a_period(home: Path) -> None:
    path = home / "joint.yml"
    path.write_text('lead_rule: {attribute: employees, op: ">=", value: 80}\n')
    asked = ("--rule", str(path), "--against", "score >= 50", "--period", "2026-Q1")
    answer = revops(home, "leads", "replay", *asked, *AS_OF, "--format", "csv")
    assert answer.code == 0, answer.stderr
    rows = list(csv.DictReader(io.StringIO(answer.stdout)))
    passed = {row["rule"]: int(row["value"]) for row in rows if row["metric"] == "lead_rule_passed"}
    assert 0 < passed["new rule"] < passed["all leads"]
    assert passed["current rule"] > passed["passed in fact"], "a score of 50 passes more than one of 60"


def test_a_proposal_says_what_it_refused_and_can_be_pasted(home: Path) -> None:
    proposed = revops(home, "leads", "propose", *AS_OF)
    assert proposed.code == 0, proposed.stderr
    assert "filled in after a lead was accepted" in proposed.stdout
    assert "lead_rule:\n" in proposed.stdout


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("employes >= 80", "did you mean employees"),
        ("none.yml", "Cannot read none.yml"),
    ],
)
def test_a_rule_that_cannot_be_used_is_an_error_with_its_repair(home: Path, rule: str, says: str) -> None:
    answer = revops(home, "leads", "replay", "--rule", rule, *AS_OF)
    assert answer.code == 2
    assert says in answer.stderr
    assert "Traceback" not in answer.stderr
