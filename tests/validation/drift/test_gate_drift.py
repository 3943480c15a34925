"""The gate's rules against the last load: one bad load fails each of them, and a good one passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from revops_analysis.definitions import Definitions
from revops_analysis.project import Project
from revops_analysis.reporting.gate_page import render_gate
from revops_analysis.tables.snapshot import Snapshot
from revops_analysis.tables.warehouse import WarehouseInfo
from revops_analysis.validation import Rule, load_suites, validate
from revops_analysis.validation.drift import Drift
from revops_analysis.validation.evidence import Evidence
from revops_analysis.validation.gate import check_rules
from validation.drift.loads import load_as_of, nth
from validation.good_company import good_company

KINDS = {
    "past_rows_change": "past rows",
    "new_rows_change": "new rows",
    "missing_share_change": "missing",
    "word_share_change": "words",
    "amount_change": "amounts",
}
SUITES = load_suites(Path(__file__).resolve().parents[3] / "expectations")
RULES = [rule for rule in SUITES if rule.measure is not None and rule.measure["kind"] in KINDS]


@pytest.fixture(scope="module")
def steady(against_august: Callable[..., Drift]) -> Drift:
    return against_august()


@pytest.fixture(scope="module")
def evidence(make_evidence: Callable[..., Evidence]) -> Evidence:
    return make_evidence(good_company())


def _own(rules: tuple[Rule, ...]) -> list[Rule]:
    return [rule for rule in rules if rule.measure is not None and rule.measure["kind"] in KINDS]


def test_a_good_load_passes_every_rule(evidence: Evidence, rules: tuple[Rule, ...], steady: Drift) -> None:
    findings = check_rules(replace(evidence, drift=steady), _own(rules))
    few = {"accounts.words_steady"}
    assert {name for name, found in findings.items() if found.status != "passed"} <= few
    assert all(found.observed for found in findings.values() if found.status == "passed")


def test_without_an_earlier_load_nothing_passes(evidence: Evidence, rules: tuple[Rule, ...]) -> None:
    findings = check_rules(replace(evidence, drift=None), _own(rules))
    assert {found.status for found in findings.values()} == {"not checked"}
    assert findings["leads.words_steady"].reason == "No earlier load of leads to compare with."


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_change_above_its_limit_fails_its_rule_alone(
    evidence: Evidence, rules: tuple[Rule, ...], steady: Drift, rule: Rule
) -> None:
    kind = KINDS[str(rule.measure and rule.measure["kind"])]
    changes = steady.changes.copy()
    place = changes.index[(changes["table"] == rule.table) & (changes["kind"] == kind)][0]
    worse = {"change": max(changes["limit"][place], changes["chance"][place]) * 1.01, "verdict": "drift"}
    changes.loc[place, list(worse)] = list(worse.values())
    findings = check_rules(replace(evidence, drift=replace(steady, changes=changes)), _own(rules))
    assert {name for name, found in findings.items() if found.status == "failed"} == {rule.id}
    assert findings[rule.id].observed == changes["what"][place]


def test_the_gate_warns_with_before_and_after(
    company: Snapshot, project: Project, august: WarehouseInfo, definitions: Definitions, expectations_folder: Path
) -> None:
    def emptied(table):
        import ibis

        return table.mutate(
            disqualified_reason=ibis.ifelse(nth(table, "lead_id", 4, 1), table.disqualified_reason, ibis.null("string"))
        )

    now = load_as_of(company, project, {"leads": emptied})
    result = validate(now, definitions, previous=august, expectations=expectations_folder)
    found = result.results.set_index("rule").loc["leads.missing_steady"]
    assert (found["status"], found["severity"]) == ("failed", "warning")
    assert found["observed"].startswith("disqualified_reason missing in ")
    assert found["observed"] in render_gate(result)
    first = validate(august, definitions, expectations=expectations_folder).results
    reasons = first[first["rule"].isin([rule.id for rule in RULES])]["reason"]
    assert set(reasons.str.startswith("No earlier load")) == {True}
    assert isinstance(result.warnings, pd.DataFrame)


@pytest.fixture
def expectations_folder(project_root: Path) -> Path:
    return project_root / "expectations"
