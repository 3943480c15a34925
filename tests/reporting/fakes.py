"""A workspace that needs no warehouse: just what a chapter reads from the real one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from revops_analysis.validation.result import COLUMNS, GateResult, frame_of


@dataclass(frozen=True)
class FakeDefinitions:
    version: str = "1"
    hash: str = "d" * 64
    reporting_currency: str = "USD"


@dataclass(frozen=True)
class FakeWorkspace:
    source: str = "sample"
    data_hash: str = "a" * 64
    as_of: date = date(2026, 9, 30)
    definitions: FakeDefinitions = field(default_factory=FakeDefinitions)
    notes: tuple[str, ...] = ()
    used_current_columns: tuple[str, ...] = ()


def gate_with(failing: str = "") -> GateResult:
    """A gate's answer with one passed rule and, if asked for, a failing one of the given severity."""
    plain = {**dict.fromkeys(COLUMNS, ""), "table": "opportunities", "checked": 2, "failed": 0, "share": 0.0}
    plain |= {"first_keys": [], "severity": "critical"}
    rules = [{**plain, "rule": "keys are unique", "status": "passed"}]
    if failing:
        bad = {"rule": "stages are known", "status": "failed", "severity": failing, "failed": 1, "share": 0.5}
        rules.append({**plain, **bad, "repair": "Map the stage."})
    day = date(2026, 9, 30)
    return GateResult(frame_of(rules), "tiny", "a" * 16, day, "1", "d" * 64, day)


def passed_gate() -> GateResult:
    """A gate's answer that lets the data through."""
    return gate_with()
