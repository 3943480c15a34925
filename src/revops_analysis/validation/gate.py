"""Running the gate: every rule of the suites on one load, and a result for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from revops_analysis.errors import ConfigurationError, DataRefusedError
from revops_analysis.project import find_project
from revops_analysis.tables.schema import TABLES
from revops_analysis.tables.warehouse import WarehouseInfo, attach
from revops_analysis.validation.drift import drift_between
from revops_analysis.validation.evidence import Evidence, count, count_rows, load_counts
from revops_analysis.validation.expectations import Verdict, judge, warm_up
from revops_analysis.validation.frames import batches, key_column
from revops_analysis.validation.masks import columns_of, compared_columns, failing_rows
from revops_analysis.validation.measures import measure
from revops_analysis.validation.outcomes import NotChecked, Outcome, Reading
from revops_analysis.validation.result import GateResult, frame_of
from revops_analysis.validation.suites import Rule, load_suites

if TYPE_CHECKING:
    import ibis
    import pandas as pd

    from revops_analysis.definitions import Definitions

KEYS_SHOWN = 10
"""How many failing keys a result names."""


@dataclass(frozen=True)
class _Finding:
    """What became of one rule, before it is a row of the result."""

    status: str
    checked: int | None = None
    failed: int | None = None
    observed: str = ""
    first_keys: tuple[str, ...] = ()
    reason: str = ""


def validate(
    warehouse: WarehouseInfo,
    definitions: Definitions,
    as_of: date | None = None,
    previous: WarehouseInfo | None = None,
    expectations: Path | None = None,
) -> GateResult:
    """Check a load against every rule of the suites, and say whether it may be used.

    `as_of` serves the rules about freshness only (without it they measure against the day the source declares its data
    to reach). `previous` is the load that this one is compared with: volume, missing values, words
    and amounts. `expectations` is the folder of the suites, by
    default that of the project.

    Every rule has a row in the result. A rule over a table that was not supplied, or with nothing to look at, is `not
    checked` with its reason; one that raised, got no answer, or on which Great Expectations and the engine disagree is
    an `error`, and refuses the data.

    Raises ConfigurationError for suites that cannot be read and for an as-of date later than the data reach.
    """
    if as_of is not None and as_of > warehouse.data_through:
        raise ConfigurationError(
            "The as-of date lies after what the data cover.",
            expected=f"a day up to {warehouse.data_through}",
            found=str(as_of),
            fix="give an earlier day, or load newer data",
        )
    suites = load_suites(find_project().expectations if expectations is None else expectations)
    rules = [rule.resolved(definitions, warehouse.data_through) for rule in suites]
    Thread(target=warm_up, daemon=True).start()  # Great Expectations takes seconds to import: let the engine count
    con = attach(warehouse)
    try:
        evidence = Evidence(
            con=con,
            definitions=definitions,
            day=as_of or warehouse.data_through,
            rows=count_rows(con, warehouse),
            loads=load_counts(con),
            previous_rows=_rows_before(previous),
            drift=None if previous is None else drift_between(previous, warehouse, definitions, con),
        )
        findings = check_rules(evidence, rules)
    finally:
        con.disconnect()
    return GateResult(
        results=frame_of([_row(rule, findings[rule.id]) for rule in rules]),
        source=warehouse.source,
        data_hash=warehouse.content_hash,
        data_through=warehouse.data_through,
        definitions_version=definitions.version,
        definitions_hash=definitions.hash,
        as_of=as_of,
    )


def check_rules(evidence: Evidence, rules: Sequence[Rule]) -> dict[str, _Finding]:
    """Check every rule: rule id → finding, exactly one a rule.

    Raises DataRefusedError should a rule have no finding.
    """
    reasons = {rule.id: nothing_to_check(rule, evidence.absence(rule.table)) for rule in rules}
    findings = {name: _Finding("not checked", reason=reason) for name, reason in reasons.items() if reason}
    left = [rule for rule in rules if rule.id not in findings]
    measured = [rule for rule in left if rule.measure is not None]
    figures = {rule.id: _figure(measure(evidence, rule.table, rule.measure or {})) for rule in measured}
    findings |= _check_figures(measured, figures)
    for table in TABLES:
        by_row = [rule for rule in left if rule.table == table and rule.measure is None]
        findings |= _check_rows(evidence, table, by_row)
    if len(findings) != len(rules) or set(findings) != {rule.id for rule in rules}:
        raise DataRefusedError(
            "The gate lost a rule, so its answer is worth nothing.",
            expected=f"a result for each of {len(rules)} rules",
            found=f"{len(findings)} results",
            fix="report this as a bug, with the versions of the libraries",
        )
    return findings


def nothing_to_check(rule: Rule, absence: str | None) -> str | None:
    """Why the rule cannot look at anything; a rule that judges just that, the absence of rows, always can."""
    if rule.empty_domain:
        return "The definitions name no words for it."
    kind = rule.measure["kind"] if rule.measure is not None else ""
    judges_absence = kind == "row_count" or (kind == "quarantined_rows" and absence and "is empty" in absence)
    return None if judges_absence else absence


def _check_rows(evidence: Evidence, table: str, rules: Sequence[Rule]) -> dict[str, _Finding]:
    """Rules over single rows: Great Expectations judges frames, the engine finds the keys of what failed."""
    if not rules:
        return {}
    rows = evidence.prepared(table)
    values = dict.fromkeys(name for rule in rules for name in compared_columns(rule.type, rule.kwargs))
    presence = dict.fromkeys(name for rule in rules for name in columns_of(rule.kwargs) if name not in values)
    verdicts = judge(rules, batches(rows, list(values), list(presence)))
    return {rule.id: _row_finding(rule, verdicts[rule.id], rows) for rule in rules}


def _row_finding(rule: Rule, verdict: Verdict, rows: ibis.Table) -> _Finding:
    if verdict.error is not None:
        return _Finding("error", reason=verdict.error)
    if not verdict.checked:
        return _Finding("not checked", reason=f"No row has a value of {rule.column} to judge.")
    keys: tuple[str, ...] = ()
    if verdict.failed:
        failing = failing_rows(rows, rule.type, rule.kwargs)
        found = count(failing)
        if found != verdict.failed:
            both = f"Great Expectations counts {verdict.failed:,} failing rows, the engine {found:,}."
            return _Finding("error", verdict.checked, verdict.failed, reason=both)
        keys = _first_keys(failing.select(*(key_column(part) for part in TABLES[rule.table].key)))
    return _Finding(_status(verdict), verdict.checked, verdict.failed, first_keys=keys)


def _status(verdict: Verdict) -> str:
    return "passed" if verdict.passed else "failed"


@dataclass(frozen=True)
class _Figure:
    """One figure for Great Expectations to judge, with what a reader needs to know about it."""

    value: float
    checked: int
    failed: int | None
    text: str = ""
    failing: ibis.Table | None = None


def _check_figures(rules: Sequence[Rule], figures: Mapping[str, _Figure | NotChecked]) -> dict[str, _Finding]:
    """Rules over a figure that the engine computed: Great Expectations judges all of them in one frame."""
    judged = [rule for rule in rules if isinstance(figures[rule.id], _Figure)]
    verdicts = judge(judged, [_one_row(figures)]) if judged else {}
    return {rule.id: _measured_finding(figures[rule.id], verdicts.get(rule.id)) for rule in rules}


def _figure(outcome: Outcome) -> _Figure | NotChecked:
    if isinstance(outcome, NotChecked):
        return outcome
    if isinstance(outcome, Reading):
        return _Figure(outcome.value, outcome.checked, outcome.failed, outcome.text)
    rows = outcome.rows
    counts = rows.aggregate(checked=rows.count(), failed=outcome.failing.fill_null(False).sum())
    found = counts.to_pyarrow().to_pylist()[0]
    if not found["checked"]:
        return NotChecked(outcome.nothing)
    failing = rows.filter(outcome.failing).select(*outcome.key)
    return _Figure(float(found["failed"]), found["checked"], found["failed"], failing=failing)


def _one_row(figures: Mapping[str, _Figure | NotChecked]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({name: [found.value] for name, found in figures.items() if isinstance(found, _Figure)})


def _measured_finding(figure: _Figure | NotChecked, verdict: Verdict | None) -> _Finding:
    if isinstance(figure, NotChecked):
        return _Finding("not checked", reason=figure.reason)
    if verdict is None or verdict.error is not None or verdict.checked != 1:
        return _Finding("error", reason=(verdict and verdict.error) or "The figure could not be judged.")
    failed = verdict.failed if figure.failed is None else figure.failed
    keys = _first_keys(figure.failing) if failed and figure.failing is not None else ()
    return _Finding(_status(verdict), figure.checked, failed, figure.text, keys)


def _first_keys(failing: ibis.Table) -> tuple[str, ...]:
    """The first keys in order, the parts of each joined; a part that is missing reads `–`."""
    import ibis

    parts = [failing[name].cast("string").fill_null("–") for name in failing.columns]
    key = ibis.literal(" | ").join(parts) if len(parts) > 1 else parts[0]
    keys = failing.select(key=key).order_by("key").limit(KEYS_SHOWN)
    return tuple(keys.to_pyarrow()["key"].to_pylist())


def _rows_before(previous: WarehouseInfo | None) -> dict[str, int] | None:
    if previous is None:
        return None
    con = attach(previous)
    try:
        return count_rows(con, previous)
    finally:
        con.disconnect()


def _row(rule: Rule, finding: _Finding) -> dict[str, Any]:
    share = finding.failed / finding.checked if finding.failed is not None and finding.checked else None
    return {
        "table": rule.table,
        "rule": rule.id,
        "severity": rule.severity,
        "status": finding.status,
        "column": rule.column,
        "checked": finding.checked,
        "failed": finding.failed,
        "share": share,
        "observed": finding.observed,
        "first_keys": list(finding.first_keys),
        "why": rule.why,
        "repair": rule.fix,
        "owner": rule.owner,
        "reason": finding.reason,
    }
