"""The score of the data: of all checks that the gate's rules make, the share that passed, by table, rule, owner, week.

A check is one row judged by one rule. Score = (Σ checked − Σ failed) ÷ Σ checked, over the rules and rows of the cut,
so that the parts of every cut add up to the whole. A value that is missing is judged by the rules of completeness and
by no other: what is null is not scored as passed. A rule with nothing to look at adds nothing to either sum, stands in
the list as not checked with its reason, and is no pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from revops_analysis.project import find_project
from revops_analysis.tables.schema import TABLES
from revops_analysis.validation.evidence import count, counts_by_table
from revops_analysis.validation.measures import measure
from revops_analysis.validation.outcomes import NotChecked, Outcome, Reading, Violations
from revops_analysis.validation.quality.dimensions import DIMENSIONS, WHOLE_LOAD, dimension_of
from revops_analysis.validation.quality.money import Touched, touched_deals
from revops_analysis.validation.quality.rows import SnapshotEvidence, count_rows_of, count_violations, failing_facts
from revops_analysis.validation.suites import Rule, load_suites

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot
    from revops_analysis.validation.drift import Drift

CHECKS = ("table", "rule", "dimension", "owner_id", "week", "checked", "failed")
NO_OWNER = "no owner"


@dataclass(frozen=True, eq=False)
class Quality:
    """How good the data is as of a day; amounts in the reporting currency.

    - `checks`: table, rule, dimension, owner_id, week (the Monday of the row's day; null where the table has no dates),
      checked, failed: what every score is added up from;
    - `rules`, a row a rule: table, rule, dimension, severity, status (passed, failed, not checked), checked, failed,
      share, observed, deals (open deals that a failing row belongs to), amount (of their open pipeline; null where no
      row of the rule belongs to a deal), unpriced (of them without amount), owner and repair (who and how), reason;
    - `touched`: the open deals touched by any problem of theirs; see `Touched`;
    - `quarantined`, a row a table with rows in quarantine: table, read, quarantined, share, amount;
    - `names`: owner_id → name and team, of the source's users;
    - `sees`: what the rules looked at, in a sentence.
    """

    checks: pd.DataFrame
    rules: pd.DataFrame
    touched: Touched
    quarantined: pd.DataFrame
    names: pd.DataFrame
    currency: str
    sees: str

    def by(self, *columns: str) -> pd.DataFrame:
        """The score by columns of `checks`: the columns, rules, checked, failed, score; missing values too.

        Sums of checked and failed over the rows of any cut are those of the whole.
        """
        grouped = self.checks.groupby(list(columns), dropna=False, sort=True)
        frame = grouped.agg(rules=("rule", "nunique"), checked=("checked", "sum"), failed=("failed", "sum"))
        frame = frame[frame["checked"] > 0].reset_index()
        return frame.assign(score=1 - frame["failed"] / frame["checked"])

    @property
    def score(self) -> float | None:
        """The score of everything; None where nothing could be checked."""
        checked = int(self.checks["checked"].sum())
        return None if not checked else 1 - int(self.checks["failed"].sum()) / checked

    @property
    def tables(self) -> pd.DataFrame:
        """A row a table: table, the score of each dimension (null where no rule could be checked), score, checked,
        failed."""
        wide = self.by("table", "dimension").pivot(index="table", columns="dimension", values="score")
        whole = self.by("table").set_index("table")[["score", "checked", "failed"]]
        order = [name for name in TABLES if name in whole.index]
        return wide.reindex(columns=list(DIMENSIONS)).join(whole).loc[order].reset_index()

    @property
    def owners(self) -> pd.DataFrame:
        """A row an owner, most failed checks first: owner, team, checked, failed, score, deals, amount (touched)."""
        frame = self.by("owner_id").merge(self.names, on="owner_id", how="left")
        frame = frame.merge(self.touched.owners, on="owner_id", how="left")
        frame["owner"] = frame["owner"].fillna(frame["owner_id"]).fillna(NO_OWNER)
        frame["deals"] = frame["deals"].fillna(0).astype(int)
        order = ["failed", "checked", "owner"]
        frame = frame.sort_values(order, ascending=[False, True, True], kind="stable", ignore_index=True)
        return frame[["owner", "team", "checked", "failed", "score", "deals", "amount"]]

    @property
    def offenders(self) -> pd.DataFrame:
        """Who, where and what fails most: owner, table, rule, checked, failed, share; most failed checks first."""
        frame = self.by("owner_id", "table", "rule").merge(self.names, on="owner_id", how="left")
        frame["owner"] = frame["owner"].fillna(frame["owner_id"]).fillna(NO_OWNER)
        frame = frame[frame["failed"] > 0].assign(share=lambda t: t["failed"] / t["checked"])
        order = ["failed", "share", "table", "rule", "owner"]
        frame = frame.sort_values(order, ascending=[False, False, True, True, True], kind="stable", ignore_index=True)
        return frame[["owner", "table", "rule", "checked", "failed", "share"]]

    def weeks(self, table: str | None = None, last: int = 52) -> pd.DataFrame:
        """The last weeks in which rows were made: week, checked, failed, score; of one table, or of all."""
        chosen = self.checks if table is None else self.checks[self.checks["table"] == table]
        frame = chosen.dropna(subset=["week"]).groupby("week", as_index=False)[["checked", "failed"]].sum()
        frame = frame[frame["checked"] > 0].assign(score=lambda t: 1 - t["failed"] / t["checked"])
        return frame.tail(last).reset_index(drop=True)

    @property
    def problems(self) -> pd.DataFrame:
        """The rules that some row fails, by the money they touch, then by rows; columns of `rules`."""
        found = self.rules[(self.rules["failed"].fillna(0) > 0) & (self.rules["dimension"] != WHOLE_LOAD)]
        order = found.assign(money=found["amount"].astype("Float64").fillna(-1.0))
        order = order.sort_values(["money", "failed", "rule"], ascending=[False, False, True], kind="stable")
        return order.drop(columns="money").reset_index(drop=True)

    @property
    def not_checked(self) -> pd.DataFrame:
        """The rules with nothing to look at: table, rule, reason. They are no passes."""
        found = self.rules[self.rules["status"] == "not checked"]
        return found[["table", "rule", "reason"]].reset_index(drop=True)


def data_quality(snapshot: Snapshot, expectations: Path | None = None, drift: Drift | None = None) -> Quality:
    """Count every rule of the gate by table, owner and week, and the open pipeline that problems touch.

    On the last day of the data the rules see the load as the gate does. On an earlier day they see the tables as of
    that day, in which rows and events of later days do not exist. `expectations` is the folder of the suites, by
    default that of the project; `drift` is what changed since the load before, where there is one.

    Computed once for the same question. Raises ConfigurationError for suites that cannot be read.
    """
    folder = find_project().expectations if expectations is None else expectations
    return snapshot.once(("data quality", str(folder), drift), lambda: _quality(snapshot, folder, drift))


def _quality(snapshot: Snapshot, folder: Path, drift: Drift | None) -> Quality:
    evidence = evidence_of(snapshot, drift)
    rules = [rule.resolved(snapshot.definitions, snapshot.as_of) for rule in load_suites(folder)]
    outcomes = {rule.id: _outcome(evidence, rule) for rule in rules}
    checks = _checks(evidence, rules, outcomes)
    sums = checks.groupby("rule")[["checked", "failed"]].sum()
    summed = {
        str(rule): (int(n), int(k)) for rule, n, k in zip(sums.index, sums["checked"], sums["failed"], strict=True)
    }
    failing = [
        failing_facts(evidence, rule, _violations(outcomes[rule.id]))
        for rule in rules
        if summed.get(rule.id, (0, 0))[1] > 0 and _has_rows(outcomes[rule.id])
    ]
    touched = touched_deals(snapshot, failing)
    return Quality(
        checks=checks,
        rules=_rules(rules, outcomes, summed, touched),
        touched=touched,
        quarantined=_quarantined(evidence),
        names=_names(evidence),
        currency=snapshot.definitions.reporting_currency,
        sees=_sees(snapshot),
    )


def evidence_of(snapshot: Snapshot, drift: Drift | None = None) -> SnapshotEvidence:
    """What the gate's rules look at, from a snapshot."""
    loads = counts_by_table(snapshot.load_counts)
    made = SnapshotEvidence(snapshot.con, snapshot.definitions, snapshot.as_of, {}, loads, None, drift, snapshot)
    rows = {name: count(made.raw(name)) for name in TABLES if snapshot.has(name)}
    before = None if drift is None else drift.rows_before
    return SnapshotEvidence(snapshot.con, snapshot.definitions, snapshot.as_of, rows, loads, before, drift, snapshot)


def _outcome(evidence: SnapshotEvidence, rule: Rule) -> Outcome | None:
    """What a measured rule found, why a rule has nothing to look at, or None for a rule over single rows."""
    from revops_analysis.validation.gate import nothing_to_check

    reason = nothing_to_check(rule, evidence.absence(rule.table))
    if reason:
        return NotChecked(reason)
    return None if rule.measure is None else measure(evidence, rule.table, rule.measure)


def _violations(outcome: Outcome | None) -> Violations | None:
    if isinstance(outcome, Reading):
        return outcome.of
    return outcome if isinstance(outcome, Violations) else None


def _has_rows(outcome: Outcome | None) -> bool:
    return outcome is None or _violations(outcome) is not None


def _checks(evidence: SnapshotEvidence, rules: Sequence[Rule], outcomes: Mapping[str, Outcome | None]) -> pd.DataFrame:
    parts = [pd.DataFrame(columns=["rule", "owner_id", "week", "checked", "failed"])]
    for name in TABLES:
        own = [rule for rule in rules if rule.table == name and dimension_of(rule) != WHOLE_LOAD]
        by_row = [rule for rule in own if outcomes[rule.id] is None]
        found = {rule.id: each for rule in own if (each := _violations(outcomes[rule.id])) is not None}
        if by_row:
            parts.append(count_rows_of(evidence, name, by_row))
        if found:
            parts.append(count_violations(evidence, name, found))
        parts += [_whole(rule, outcomes[rule.id]) for rule in own if rule.id not in found]
    frame = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    tables = {rule.id: (rule.table, dimension_of(rule)) for rule in rules}
    frame["table"] = frame["rule"].map(lambda rule: tables[rule][0])
    frame["dimension"] = frame["rule"].map(lambda rule: tables[rule][1])
    return frame[frame["checked"] > 0].astype({"checked": "int64", "failed": "int64"})[list(CHECKS)]


def _whole(rule: Rule, outcome: Outcome | None) -> pd.DataFrame:
    """The counts of a reading whose rows are not in the tables: those that loading left out."""
    if not isinstance(outcome, Reading) or outcome.failed is None:
        return pd.DataFrame()
    counts = {"rule": rule.id, "owner_id": None, "week": None, "checked": outcome.checked, "failed": outcome.failed}
    return pd.DataFrame([counts])


def _rules(
    rules: Sequence[Rule],
    outcomes: Mapping[str, Outcome | None],
    summed: Mapping[str, tuple[int, int]],
    touched: Touched,
) -> pd.DataFrame:
    rows = [_rule_row(rule, outcomes[rule.id], summed) for rule in rules]
    frame = pd.DataFrame(rows).merge(touched.rules, on="rule", how="left")
    frame["share"] = frame["failed"] / frame["checked"]
    frame = frame.astype({"checked": "Int64", "failed": "Int64", "deals": "Int64", "unpriced": "Int64"})
    columns = ["table", "rule", "dimension", "severity", "status", "checked", "failed", "share", "observed"]
    return frame[[*columns, "deals", "amount", "unpriced", "owner", "repair", "reason"]]


def _rule_row(rule: Rule, outcome: Outcome | None, summed: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "table": rule.table,
        "rule": rule.id,
        "dimension": dimension_of(rule),
        "severity": rule.severity,
    }
    row |= {"owner": rule.owner, "repair": rule.fix, "reason": None, "observed": ""}
    if isinstance(outcome, NotChecked):
        return row | {"status": "not checked", "checked": None, "failed": None, "reason": outcome.reason}
    if isinstance(outcome, Reading):
        is_outside = not _within(rule, outcome.value)
        counts = {"checked": outcome.checked, "failed": int(is_outside) if outcome.failed is None else outcome.failed}
        return row | counts | {"status": "failed" if is_outside else "passed", "observed": outcome.text}
    if rule.id not in summed:
        nothing = (
            outcome.nothing if isinstance(outcome, Violations) else f"No row has a value of {rule.column} to judge."
        )
        return row | {"status": "not checked", "checked": None, "failed": None, "reason": nothing}
    checked, failed = summed[rule.id]
    mostly = rule.kwargs.get("mostly", 1.0) if rule.measure is None else 1.0
    return row | {
        "status": "passed" if 1 - failed / checked >= mostly else "failed",
        "checked": checked,
        "failed": failed,
    }


def _within(rule: Rule, value: float) -> bool:
    low, high = rule.kwargs.get("min_value"), rule.kwargs.get("max_value")
    above = low is None or (value > low if rule.kwargs.get("strict_min") else value >= low)
    return above and (high is None or (value < high if rule.kwargs.get("strict_max") else value <= high))


def _quarantined(evidence: SnapshotEvidence) -> pd.DataFrame:
    rows = [
        {
            "table": name,
            "read": load.read,
            "quarantined": load.quarantined,
            "share": load.quarantined / load.read,
            "amount": load.amount_quarantined,
        }
        for name, load in evidence.loads.items()
        if load.quarantined and load.read
    ]
    frame = pd.DataFrame(rows, columns=["table", "read", "quarantined", "share", "amount"])
    return frame.sort_values("quarantined", ascending=False, kind="stable", ignore_index=True)


def _names(evidence: SnapshotEvidence) -> pd.DataFrame:
    if not evidence.has("users"):
        return pd.DataFrame(columns=["owner_id", "owner", "team"])
    users = evidence.raw("users")
    found = users.select(owner_id="user_id", owner="name", team="team").to_pandas()
    return found.dropna(subset=["owner_id"]).drop_duplicates("owner_id")


def _sees(snapshot: Snapshot) -> str:
    if snapshot.as_of == snapshot.data_through:
        return "The rules see the load as it is, as the gate does."
    return f"The rules see the tables as of {snapshot.as_of.isoformat()}: nothing of later days."
