"""The rows behind the rules: which were judged, which failed, whose they are, of which week, and of which deal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import pandas as pd

from revops_analysis.tables.days import business_day
from revops_analysis.tables.schema import TABLES
from revops_analysis.tables.states import opportunity_states
from revops_analysis.validation.evidence import Evidence
from revops_analysis.validation.frames import prepared
from revops_analysis.validation.masks import EXPECTATIONS, judged_rows
from revops_analysis.validation.outcomes import Violations

if TYPE_CHECKING:
    import ibis

    from revops_analysis.tables.snapshot import Snapshot
    from revops_analysis.validation.suites import Rule

OWNER, WEEK, DEAL, ACCOUNT = "q_owner", "q_week", "q_deal", "q_account"
FACTS = (OWNER, WEEK, DEAL, ACCOUNT)

_OWN_OWNER = {
    "accounts": "owner_id",
    "leads": "owner_id",
    "opportunities": "owner_id",
    "opportunity_splits": "user_id",
    "activities": "user_id",
    "touchpoints": "user_id",
    "quotas": "user_id",
    "forecast_submissions": "user_id",
    "users": "manager_id",
}
_OWNER_OF_DEAL = ("opportunity_history", "opportunity_contacts")
_OWNER_OF_ACCOUNT = ("contacts", "subscriptions", "revenue_ledger")


@dataclass(frozen=True)
class SnapshotEvidence(Evidence):
    """Evidence for the gate's rules from a snapshot: as loaded on the last day of the data, else as of the day."""

    snapshot: Snapshot | None = None

    def raw(self, name: str) -> ibis.Table:
        """The canonical table as the rules see it."""
        assert self.snapshot is not None  # noqa: S101 - made by `evidence_of` only
        if name not in self._raw:
            at_end = self.snapshot.as_of == self.snapshot.data_through
            self._raw[name] = self.snapshot.loaded(name) if at_end else self.snapshot.table(name)
        return self._raw[name]

    def last_changes(self) -> ibis.Table:
        """The last change of each deal in the history as the rules see it."""
        states = opportunity_states(self.raw("opportunity_history"))
        return states.filter(states.valid_until.isnull())  # noqa: PD003 - a column of the engine


def with_facts(evidence: SnapshotEvidence, name: str) -> ibis.Table:
    """A table with whose each row is, its week (Monday, as text), its deal and its account; null where unknown."""
    import ibis

    rows, schema = evidence.raw(name), TABLES[name]
    nothing = ibis.null("string")
    facts: dict[str, Any] = {OWNER: rows[_OWN_OWNER[name]] if name in _OWN_OWNER else nothing}
    facts[WEEK] = _week(rows, name, evidence.definitions.business_time_zone)
    facts[DEAL] = rows.opportunity_id if "opportunity_id" in schema.names else nothing
    facts[ACCOUNT] = rows.account_id if "account_id" in schema.names else nothing
    marked = rows.mutate(**facts)
    if name in _OWNER_OF_DEAL and evidence.has("opportunities"):
        return _owned_by(marked, evidence.raw("opportunities"), "opportunity_id")
    if name in _OWNER_OF_ACCOUNT and evidence.has("accounts"):
        return _owned_by(marked, evidence.raw("accounts"), "account_id")
    return marked


def _owned_by(rows: ibis.Table, others: ibis.Table, key: str) -> ibis.Table:
    known = others.select(q_other=key, q_other_owner="owner_id").distinct(on="q_other")
    joined = rows.left_join(known, rows[key] == known.q_other)
    return joined.mutate(**{OWNER: joined.q_other_owner}).drop("q_other", "q_other_owner")


def _week(rows: ibis.Table, name: str, zone: str) -> Any:
    import ibis

    column = TABLES[name].visible_from
    if column is None:
        return ibis.null("string")
    dated = rows[column]
    day = business_day(dated, zone) if dated.type().is_timestamp() else dated
    return day.truncate("W").cast("string")  # a moment's text where the engine truncates to one: see _with_days


def count_rows_of(evidence: SnapshotEvidence, name: str, rules: Sequence[Rule]) -> pd.DataFrame:
    """Rules over single rows of one table, counted in one query: rule, owner_id, week, checked, failed."""
    rows = prepared(with_facts(evidence, name), name, evidence.definitions)
    sums: dict[str, Any] = {}
    for place, rule in enumerate(rules):
        judged = judged_rows(rows, rule.type, rule.kwargs)
        failing = EXPECTATIONS[rule.type].failing(rows, rule.kwargs).fill_null(False)
        sums[f"checked_{place}"] = rows.count(where=judged)
        sums[f"failed_{place}"] = rows.count(where=judged & failing)
    wide = _with_days(rows.group_by([OWNER, WEEK]).aggregate(**sums).to_pandas())
    parts = [
        pd.DataFrame(
            {
                "rule": rule.id,
                "owner_id": wide[OWNER],
                "week": wide[WEEK],
                "checked": wide[f"checked_{place}"],
                "failed": wide[f"failed_{place}"],
            }
        )
        for place, rule in enumerate(rules)
    ]
    return pd.concat(parts, ignore_index=True)


def _with_days(counted: pd.DataFrame) -> pd.DataFrame:
    """Weeks as days; cutting the text in the engine would write the whole expression down several times."""
    return counted.assign(**{WEEK: counted[WEEK].astype("object").str[:10]}) if counted[WEEK].notna().any() else counted


def count_violations(evidence: SnapshotEvidence, name: str, found: dict[str, Violations]) -> pd.DataFrame:
    """Rules over several rows, counted in one query a table: rule, owner_id, week, checked, failed."""
    parts = [_violation_rows(evidence, name, rule, each) for rule, each in found.items()]
    together = reduce(lambda one, other: one.union(other), parts)
    sums = {"checked": together.count(), "failed": together.count(where=together.q_failing)}
    counted = _with_days(together.group_by(["rule", OWNER, WEEK]).aggregate(**sums).to_pandas())
    return counted.rename(columns={OWNER: "owner_id", WEEK: "week"})


def _violation_rows(evidence: SnapshotEvidence, name: str, rule: str, found: Violations) -> ibis.Table:
    import ibis

    keys = {f"k{place}": found.rows[part].cast("string") for place, part in enumerate(found.key)}
    # A join that has only been selected from would be lengthened by the next join; a view of it stands for itself.
    rows = found.rows.select(**keys, rule=ibis.literal(rule), q_failing=found.failing.fill_null(False)).view()
    home = _home(name, found.key)
    if home is None:
        return rows.mutate(**dict.fromkeys(FACTS, ibis.null("string"))).select("rule", "q_failing", *FACTS)
    parts = [f"k{place}" for place in range(len(found.key))]
    known = _known_facts(evidence, home, found.key)
    return rows.left_join(known, parts).select("rule", "q_failing", *FACTS)


def _known_facts(evidence: SnapshotEvidence, home: str, key: tuple[str, ...]) -> ibis.Table:
    """The facts of each key of a table, kept in the engine because several rules ask for them."""

    def make() -> ibis.Table:
        facts = with_facts(evidence, home)
        parts = {f"k{place}": facts[part].cast("string") for place, part in enumerate(key)}
        return facts.select(**parts, **{fact: facts[fact] for fact in FACTS}).distinct(on=list(parts))

    assert evidence.snapshot is not None  # noqa: S101 - made by `evidence_of` only
    return evidence.snapshot.keep(f"facts of {home}", make)


def _home(name: str, key: tuple[str, ...]) -> str | None:
    """The table whose rows a key names; None where it names no row."""
    if key == TABLES[name].key:
        return name
    return "opportunities" if key == ("opportunity_id",) else None


def failing_facts(evidence: SnapshotEvidence, rule: Rule, found: Violations | None) -> ibis.Table:
    """The rows that fail a rule: rule, its table, and the facts of each row."""
    import ibis

    if found is not None:
        rows = _violation_rows(evidence, rule.table, rule.id, found)
        rows = rows.filter(rows.q_failing)
    else:
        every = prepared(with_facts(evidence, rule.table), rule.table, evidence.definitions)
        failing = EXPECTATIONS[rule.type].failing(every, rule.kwargs)
        rows = every.filter(judged_rows(every, rule.type, rule.kwargs), failing)
    return rows.select(rule=ibis.literal(rule.id), table=ibis.literal(rule.table), **{f: rows[f] for f in FACTS})
