"""Every rule of every suite is seen to pass on good data and to fail on one bad row, and no rule can be forgotten."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from revops_analysis.validation import Rule, load_suites
from revops_analysis.validation import gate as gate_module
from revops_analysis.validation.evidence import Evidence, LoadCount
from revops_analysis.validation.gate import check_rules
from validation.cases import CASES
from validation.conftest import MakeEvidence
from validation.good_company import DATA_THROUGH, good_company, on, together

SUITES = load_suites(Path(__file__).resolve().parents[2] / "expectations")
IDS = [rule.id for rule in SUITES]
READINGS = {
    "row_count",
    "quarantined_rows",
    "quarantined_amount",
    "volume_change",
    "days_since_last",
    "share_overdue",
    "share_missing_after_first_stage",
    "past_rows_change",
    "new_rows_change",
    "missing_share_change",
    "word_share_change",
    "amount_change",
}
"""Measures that judge a whole table: no single row has a key to report."""


AGAINST_THE_LAST_LOAD = {rule.id for rule in SUITES if rule.measure and rule.measure["kind"].endswith("_change")} - {
    rule.id for rule in SUITES if rule.measure and rule.measure["kind"] == "volume_change"
}
"""Rules that need more rows than this tiny company has: `drift/test_gate_drift.py` breaks each of them."""


def is_reading(rule: Rule) -> bool:
    return rule.measure is not None and rule.measure["kind"] in READINGS


@pytest.fixture(scope="module")
def good(make_evidence: MakeEvidence, rules: tuple[Rule, ...]) -> dict:
    return check_rules(make_evidence(good_company()), rules)


@pytest.fixture(scope="module")
def bad(make_evidence: MakeEvidence, rules: tuple[Rule, ...]) -> dict:
    """Findings on the good company with one bad row for each rule, all keys shown."""
    company = together(good_company(), *(case.rows for case in CASES.values()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gate_module, "KEYS_SHOWN", 1000)
        return check_rules(make_evidence(company), rules)


@pytest.mark.parametrize("rule", [name for name in IDS if name not in AGAINST_THE_LAST_LOAD])
def test_good_data_passes(good: dict, rule: str) -> None:
    assert good[rule].status == "passed", good[rule]
    assert good[rule].checked


def test_every_rule_has_a_bad_row() -> None:
    assert set(CASES) == {rule.id for rule in SUITES if not is_reading(rule)}


@pytest.mark.parametrize("rule", [rule.id for rule in SUITES if not is_reading(rule)])
def test_one_bad_row_fails_exactly_its_rule(bad: dict, rule: str) -> None:
    case = CASES[rule]
    assert bad[rule].status == "failed", bad[rule]
    assert case.key in bad[rule].first_keys
    if "–" not in case.key:  # keys with a missing part are shared by several cases
        reported = {name for name, finding in bad.items() if case.key in finding.first_keys}
        assert reported == {rule, *case.also}


IMPLIED = {
    "opportunity_history.ends_in_current_figures": {"bad past amount_not_negative", "bad past owner_known"},
    "opportunity_history.ends_in_current_stage": {"bad past stage_known"},
    "opportunity_history.not_in_future": {"bad created_not_in_future | 2026-10-05 12:00:00 | 1"},
    "opportunity_splits.shares_add_up": {"split share_is_share", "split share_present"},
}
"""What the bad rows break elsewhere under another key: a wrong past value is also one that differs from today's."""


def test_no_good_row_is_reported(bad: dict) -> None:
    ours = {case.key for case in CASES.values()}
    strangers = {name: set(finding.first_keys) - ours for name, finding in bad.items()}
    assert {name: keys for name, keys in strangers.items() if keys} == IMPLIED


def _failed(evidence: Evidence, rules: list[Rule]) -> set[str]:
    return {name for name, finding in check_rules(evidence, rules).items() if finding.status == "failed"}


def _of_kind(rules: tuple[Rule, ...], *kinds: str) -> list[Rule]:
    return [rule for rule in rules if rule.measure is not None and rule.measure["kind"] in kinds]


@pytest.fixture(scope="module")
def company(make_evidence: MakeEvidence) -> Evidence:
    return make_evidence(good_company())


def test_a_changed_volume_fails(company: Evidence, rules: tuple[Rule, ...]) -> None:
    volume = _of_kind(rules, "volume_change")
    before = replace(company, previous_rows={name: 3 * rows for name, rows in company.rows.items()})
    assert len(volume) > 10
    assert _failed(before, volume) == {rule.id for rule in volume}


def test_too_much_in_quarantine_fails(company: Evidence, rules: tuple[Rule, ...]) -> None:
    quarantine = _of_kind(rules, "quarantined_rows", "quarantined_amount")
    loads = {name: LoadCount(100, 98, 2, 98.0, 2.0) for name in company.rows}
    assert _failed(replace(company, loads=loads), quarantine) == {rule.id for rule in quarantine}
    assert {rule.table for rule in quarantine} == set(company.rows)


def test_a_few_rows_with_much_money_in_quarantine_fail_by_amount_alone(
    company: Evidence, rules: tuple[Rule, ...]
) -> None:
    loads = {name: LoadCount(1000, 999, 1, 90.0, 10.0) for name in company.rows}
    amounts = {rule.id for rule in _of_kind(rules, "quarantined_amount")}
    quarantine = _of_kind(rules, "quarantined_rows", "quarantined_amount")
    assert _failed(replace(company, loads=loads), quarantine) == amounts


def test_old_data_fail(company: Evidence, rules: tuple[Rule, ...]) -> None:
    fresh = _of_kind(rules, "days_since_last", "currencies_with_old_rate")
    assert _failed(replace(company, day=on(10, 30)), fresh) == {rule.id for rule in fresh}


def test_rows_after_the_as_of_date_do_not_make_data_fresh(make_evidence: MakeEvidence, rules: tuple[Rule, ...]) -> None:
    evidence = make_evidence(good_company(), day=on(6, 1))
    fresh = _of_kind(rules, "days_since_last")
    findings = check_rules(evidence, fresh)
    assert findings["opportunities.fresh"].status == "failed"  # created in February, closed in September
    assert findings["touchpoints.fresh"].status == "not checked"


def test_no_deals_is_critical(make_evidence: MakeEvidence, rules: tuple[Rule, ...]) -> None:
    evidence = make_evidence({**good_company(), "opportunities": []})
    own = [rule for rule in rules if rule.table == "opportunities"]
    findings = check_rules(evidence, own)
    assert findings["opportunities.not_empty"].status == "failed"
    assert {finding.status for name, finding in findings.items() if "quarantine" not in name} <= {
        "failed",
        "not checked",
    }


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("opportunities.open_has_amount", {"amount": None}),
        ("opportunities.not_overdue", {"close_date": on(9, 29)}),
    ],
)
def test_too_large_a_share_of_open_deals_fails(
    make_evidence: MakeEvidence, rules: tuple[Rule, ...], rule: str, change: dict
) -> None:
    company = good_company()
    company["opportunities"][-1].update(change)
    evidence = make_evidence({"opportunities": company["opportunities"]})
    assert _failed(evidence, [one for one in rules if one.id == rule]) == {rule}
    assert evidence.day == DATA_THROUGH
