"""A suite that says something the gate does not know is refused, with the place and what can be written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from revops_analysis.definitions import Definitions
from revops_analysis.errors import ConfigurationError
from revops_analysis.tables.schema import TABLES
from revops_analysis.validation import load_suites
from validation.good_company import DATA_THROUGH


@pytest.fixture
def suites(tmp_path: Path, project_root: Path) -> Path:
    shutil.copytree(project_root / "expectations", tmp_path / "expectations")
    return tmp_path / "expectations"


def edit(folder: Path, change: Callable[[dict[str, Any]], object], table: str = "users") -> None:
    """Change the first rule of a table that judges rows."""
    path = folder / f"{table}.json"
    suite = json.loads(path.read_text())
    change(next(rule for rule in suite["expectations"] if "measure" not in rule["meta"]))
    path.write_text(json.dumps(suite))


def test_every_table_has_its_suite(project_root: Path) -> None:
    rules = load_suites(project_root / "expectations")
    assert {rule.table for rule in rules} == set(TABLES)
    assert len({rule.id for rule in rules}) == len(rules)
    assert {rule.severity for rule in rules if rule.table == "opportunities"} == {"critical", "warning"}


def test_every_rule_is_explained_in_sentences(project_root: Path) -> None:
    for rule in load_suites(project_root / "expectations"):
        for sentence in (rule.why, rule.fix):
            assert sentence[0].isupper(), rule.id
            assert sentence.endswith("."), rule.id
        assert not any(word in rule.fix.lower() for word in ("raise the threshold", "loosen", "ignore the rule"))


def test_suites_are_suites_of_great_expectations(project_root: Path, definitions: Definitions) -> None:
    """With its references resolved, each file is a suite that Great Expectations reads whole."""
    import great_expectations as gx

    rules = [rule.resolved(definitions, DATA_THROUGH) for rule in load_suites(project_root / "expectations")]
    for table in TABLES:
        suite = json.loads((project_root / "expectations" / f"{table}.json").read_text())
        resolved = {rule.id: dict(rule.kwargs) for rule in rules if rule.table == table}
        for expectation in suite["expectations"]:
            expectation["kwargs"] = resolved[expectation["id"]]
        assert len(gx.ExpectationSuite(**suite).expectations) == len(resolved)


def test_references_become_the_words_of_the_definitions(project_root: Path, definitions: Definitions) -> None:
    rules = {rule.id: rule.resolved(definitions, DATA_THROUGH) for rule in load_suites(project_root / "expectations")}
    assert rules["opportunities.stage_known"].kwargs["value_set"] == list(definitions.stage_names)
    assert rules["opportunities.quarantined_rows"].kwargs["max_value"] == definitions.thresholds.quarantined_share
    rates = rules["exchange_rates.fresh"].measure
    assert rates is not None
    assert rates["days"] == definitions.thresholds.freshness_days


CHANGES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "unknown expectation": (lambda rule: rule.update(type="expect_column_to_exist"), "unknown expectation"),
    "unknown option": (lambda rule: rule["kwargs"].update(colour=1), "unknown option"),
    "missing option": (lambda rule: rule.update(type="expect_column_values_to_be_in_set"), "lacks an option"),
    "unknown column": (lambda rule: rule["kwargs"].update(column="shoe_size"), "unknown column"),
    "unknown word": (
        lambda rule: rule.update(
            type="expect_column_values_to_be_in_set",
            kwargs={"column": "role", "value_set": {"$definition": "stagez"}},
        ),
        "does not exist",
    ),
    "unknown date": (
        lambda rule: rule.update(
            type="expect_column_values_to_be_between",
            kwargs={"column": "hired_on", "max_value": {"$warehouse": "today"}},
        ),
        "does not exist",
    ),
    "class of characters": (
        lambda rule: rule.update(
            type="expect_column_values_to_match_regex", kwargs={"column": "email", "regex": r"^\s+$"}
        ),
        "means different things",
    ),
    "unknown condition": (lambda rule: rule["kwargs"].update(row_condition="x == 1"), "unknown row condition"),
    "unknown operator": (
        lambda rule: rule["kwargs"].update(
            row_condition={"type": "comparison", "column": {"name": "role"}, "operator": "~", "parameter": "AE"}
        ),
        "unknown operator",
    ),
    "condition on an unknown column": (
        lambda rule: rule["kwargs"].update(
            row_condition={"type": "nullity", "column": {"name": "hat"}, "is_null": True}
        ),
        "unknown column",
    ),
    "unknown severity": (lambda rule: rule.update(severity="info"), "cannot be read"),
    "no reason": (lambda rule: rule["meta"].pop("why"), "cannot be read"),
    "no owner": (lambda rule: rule["meta"].pop("owner"), "cannot be read"),
    "unknown key": (lambda rule: rule.update(colour="red"), "cannot be read"),
    "id of another table": (lambda rule: rule.update(id="accounts.key_here"), "must begin with its table"),
    "id that stands twice": (lambda rule: rule.update(id="users.name_present"), "stands twice"),
    "unknown measure": (lambda rule: rule["meta"].update(measure={"kind": "mood"}), "unknown measure"),
    "wrong option of a measure": (
        lambda rule: rule["meta"].update(measure={"kind": "row_count", "of": "x"}),
        "wrong options",
    ),
    "unknown column of a measure": (
        lambda rule: rule["meta"].update(measure={"kind": "orphans", "column": "hat"}),
        "unknown column",
    ),
    "column that refers to nothing": (
        lambda rule: rule["meta"].update(measure={"kind": "orphans", "column": "name"}),
        "refers to no table",
    ),
    "measure that judges another column": (
        lambda rule: rule["meta"].update(measure={"kind": "row_count"}),
        "its own figure",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_wrong_rule_is_refused(suites: Path, name: str) -> None:
    change, message = CHANGES[name]
    edit(suites, change)
    with pytest.raises(ConfigurationError, match=message) as refused:
        load_suites(suites)
    assert refused.value.fix


def test_a_file_that_is_no_json_names_its_line(suites: Path) -> None:
    (suites / "users.json").write_text("{\n  'name': 1}")
    with pytest.raises(ConfigurationError, match=r"users\.json line 2"):
        load_suites(suites)


def test_a_suite_of_no_table_is_refused(suites: Path) -> None:
    (suites / "users.json").rename(suites / "people.json")
    with pytest.raises(ConfigurationError, match="people"):
        load_suites(suites)


def test_without_the_suite_of_deals_nothing_runs(suites: Path) -> None:
    (suites / "opportunities.json").unlink()
    with pytest.raises(ConfigurationError, match="nothing would be checked"):
        load_suites(suites)
    with pytest.raises(ConfigurationError, match="missing"):
        load_suites(suites / "nowhere")
