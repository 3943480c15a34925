"""`validate` on warehouse files: what passes, what refuses, what is not checked, and that no evidence is no pass."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from revops_analysis.definitions import Definitions
from revops_analysis.errors import ConfigurationError, DataRefusedError
from revops_analysis.project import Project
from revops_analysis.tables.schema import TABLES
from revops_analysis.tables.warehouse import LoadRecord, WarehouseInfo, WarehouseWriter
from revops_analysis.validation import GateResult, Rule, validate
from revops_analysis.validation import gate as gate_module
from revops_analysis.validation.evidence import Evidence
from revops_analysis.validation.expectations import Verdict
from revops_analysis.validation.gate import check_rules
from revops_analysis.validation.result import COLUMNS, from_json
from validation.conftest import MakeEvidence, fill
from validation.good_company import DATA_THROUGH, Rows, good_company, on


def load(folder: Path, tables: Rows) -> WarehouseInfo:
    counts = pd.DataFrame(
        [
            {"table": name, "read": len(rows), "loaded": len(rows), "collapsed": 0, "quarantined": 0}
            for name, rows in tables.items()
        ]
    )
    with WarehouseWriter(Project(folder), "tiny") as writer:
        fill(writer.con, tables, writer.insert)
        return writer.commit(LoadRecord(DATA_THROUGH, tuple(tables), counts=counts))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("project")


@pytest.fixture(scope="module")
def expectations(project_root: Path) -> Path:
    return project_root / "expectations"


@pytest.fixture(scope="module")
def deals_only(folder: Path, definitions: Definitions, expectations: Path) -> GateResult:
    """A load of deals alone, one of them in a stage that nobody defined."""
    deals = good_company()["opportunities"]
    deals[0]["stage"] = "Won!"
    return validate(load(folder, {"opportunities": deals}), definitions, expectations=expectations)


def row(result: GateResult, rule: str) -> pd.Series:
    return result.results.set_index("rule").loc[rule]


def test_a_critical_failure_refuses_and_says_what_to_do(deals_only: GateResult) -> None:
    assert not deals_only.passed
    assert list(deals_only.critical_failures["rule"]) == [
        "opportunities.stage_known",
        "opportunities.currency_has_rate",
    ]
    found = row(deals_only, "opportunities.stage_known")
    assert (found["checked"], found["failed"], list(found["first_keys"])) == (3, 1, ["d1"])
    assert found["share"] == pytest.approx(1 / 3)
    with pytest.raises(DataRefusedError, match="Map the stage") as refused:
        deals_only.require_passed()
    assert refused.value.exit_code == 3


def test_missing_tables_are_not_checked_and_say_why(deals_only: GateResult) -> None:
    own = deals_only.results[deals_only.results["table"] == "spend"]
    assert set(own["status"]) == {"not checked"}
    assert set(own["reason"]) == {"The source does not supply spend."}
    assert own["checked"].isna().all()
    assert row(deals_only, "opportunities.account_known")["reason"] == "The source does not supply accounts."
    assert row(deals_only, "opportunities.lost_has_reason")["status"] == "passed"


def test_every_rule_has_one_row_in_the_order_of_the_tables(deals_only: GateResult, rules: Sequence[Rule]) -> None:
    assert tuple(deals_only.results.columns) == COLUMNS
    assert list(deals_only.results["rule"]) == [rule.id for rule in rules]
    assert list(deals_only.results["table"].unique()) == list(TABLES)
    assert sum(deals_only.counts.values()) == 2 * len(rules)


def test_json_reads_back_and_is_the_same_text_for_the_same_data(deals_only: GateResult) -> None:
    text = deals_only.to_json()
    again = from_json(text)
    assert again.to_json() == text
    assert again.passed is deals_only.passed
    pd.testing.assert_frame_equal(again.results, deals_only.results, check_exact=False, atol=1e-6)
    assert json.loads(text)["passed"] is False
    assert json.loads(text)["counts"]["critical"] == 2
    with pytest.raises(ValueError, match="revops-gate/1"):
        from_json('{"schema": "other"}')


def test_two_runs_give_the_same_bytes(folder: Path, definitions: Definitions, expectations: Path) -> None:
    company = {name: good_company()[name] for name in ("opportunities", "users")}
    info = load(folder, company)
    first, second = (validate(info, definitions, expectations=expectations).to_json() for _ in range(2))
    assert first == second


def test_volume_is_compared_with_the_last_load(folder: Path, definitions: Definitions, expectations: Path) -> None:
    deals = good_company()["opportunities"]
    more = [dict(deals[0], opportunity_id=f"m{number}") for number in range(10)]
    before = load(folder, {"opportunities": [*deals, *more]})
    now = load(folder, {"opportunities": deals})
    result = validate(now, definitions, previous=before, expectations=expectations)
    found = row(result, "opportunities.volume_steady")
    assert (found["status"], found["observed"]) == ("failed", "3 rows, 13 at the last load")


def test_as_of_date_serves_freshness_only(folder: Path, definitions: Definitions, expectations: Path) -> None:
    info = load(folder, {"opportunities": good_company()["opportunities"]})
    today = validate(info, definitions, expectations=expectations)
    earlier = validate(info, definitions, as_of=on(9, 1), expectations=expectations)
    differ = today.results["status"] != earlier.results["status"]
    assert set(today.results["rule"][differ]) == {"opportunities.fresh"}
    assert earlier.as_of == on(9, 1)
    with pytest.raises(ConfigurationError, match="a day up to 2026-09-30"):
        validate(info, definitions, as_of=on(10, 1), expectations=expectations)


def test_no_deals_refuse(folder: Path, definitions: Definitions, expectations: Path) -> None:
    result = validate(load(folder, {"opportunities": []}), definitions, expectations=expectations)
    assert list(result.critical_failures["rule"]) == ["opportunities.not_empty"]
    assert row(result, "opportunities.stage_known")["reason"] == "The table opportunities is empty."


def test_deals_that_were_never_supplied_refuse(folder: Path, definitions: Definitions, expectations: Path) -> None:
    """No critical rule fails, but nothing of what a report needs was seen: that is no pass."""
    result = validate(load(folder, {"users": good_company()["users"]}), definitions, expectations=expectations)
    assert not result.passed
    assert list(result.critical_failures["rule"]) == ["opportunities.not_empty"]


def test_words_that_the_definitions_lack_are_not_checked(
    make_evidence: MakeEvidence, definitions: Definitions, rules: Sequence[Rule]
) -> None:
    wordless = [replace(rule, kwargs={"column": "segment", "value_set": []}) for rule in rules if "segment" in rule.id]
    findings = check_rules(make_evidence(good_company()), wordless)
    assert {finding.status for finding in findings.values()} == {"not checked"}


@pytest.fixture(scope="module")
def company(make_evidence: MakeEvidence) -> Evidence:
    return make_evidence(good_company())


def _some(rules: Sequence[Rule], *names: str) -> list[Rule]:
    return [rule for rule in rules if rule.id in names]


def test_a_rule_without_an_answer_is_an_error(
    company: Evidence, rules: Sequence[Rule], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Great Expectations drops rules that it cannot read; the gate must notice."""
    from revops_analysis.validation import expectations as wrapper

    chosen = _some(rules, "users.name_present", "users.role_present", "users.key_unique", "users.volume_steady")
    lost = {"users.name_present", "users.key_unique"}
    real = wrapper._judge_frame

    def forgetful(*given: object) -> dict[str, Verdict]:
        return {name: found for name, found in real(*given).items() if name not in lost}  # type: ignore[arg-type]

    monkeypatch.setattr(wrapper, "_judge_frame", forgetful)
    findings = check_rules(company, chosen)
    assert {name for name, finding in findings.items() if finding.status == "error"} == lost
    assert len(findings) == len(chosen)


def test_a_rule_that_raises_is_an_error(company: Evidence, rules: Sequence[Rule]) -> None:
    sick = replace(rules[0], id="users.sick", table="users", type="expect_column_values_to_be_between")
    sick = replace(sick, kwargs={"column": "name", "min_value": 1, "max_value": 2})
    findings = check_rules(company, [sick, *_some(rules, "users.role_present")])
    assert findings["users.sick"].status == "error"
    assert "Great Expectations" in findings["users.sick"].reason
    assert findings["users.role_present"].status == "passed"


def test_an_error_refuses_even_as_a_warning(deals_only: GateResult) -> None:
    results = deals_only.results.copy()
    results["status"] = results["status"].replace("failed", "passed")
    assert replace(deals_only, results=results).passed
    results.loc[results["rule"] == "opportunities.source_present", "status"] = "error"
    assert not replace(deals_only, results=results).passed


def test_nothing_checked_is_no_pass(deals_only: GateResult) -> None:
    results = deals_only.results.assign(status="not checked")
    assert not replace(deals_only, results=results).passed


def test_a_disagreement_between_the_two_counts_is_an_error(
    make_evidence: MakeEvidence, rules: Sequence[Rule], monkeypatch: pytest.MonkeyPatch
) -> None:
    company = good_company()
    company["users"][0]["name"] = None
    real = gate_module.judge

    def miscounted(*given: object) -> dict[str, Verdict]:
        verdicts = real(*given)  # type: ignore[arg-type]
        return {name: replace(found, failed=found.failed + 1) for name, found in verdicts.items()}

    monkeypatch.setattr(gate_module, "judge", miscounted)
    findings = check_rules(make_evidence(company), _some(rules, "users.name_present"))
    assert findings["users.name_present"].status == "error"
    assert "counts 2 failing rows, the engine 1" in findings["users.name_present"].reason


def test_a_vanished_rule_stops_the_gate(
    company: Evidence, rules: Sequence[Rule], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate_module, "_check_rows", lambda *_: {})
    with pytest.raises(DataRefusedError, match="lost a rule"):
        check_rules(company, _some(rules, "users.name_present", "users.key_unique"))


def test_only_the_first_keys_are_named(make_evidence: MakeEvidence, rules: Sequence[Rule]) -> None:
    people = [{"user_id": f"u{number:03}"} for number in range(200)]
    findings = check_rules(make_evidence({"users": people}), _some(rules, "users.name_present"))
    found = findings["users.name_present"]
    assert found.failed == 200
    assert found.first_keys == tuple(f"u{number:03}" for number in range(gate_module.KEYS_SHOWN))


def test_great_expectations_phones_nobody() -> None:
    import os

    from revops_analysis.validation.expectations import warm_up

    warm_up()
    assert os.environ["GX_ANALYTICS_ENABLED"] == "false"
