"""Measures of one table against another: references, currencies, history, terms, and what the load counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from revops_analysis.tables.schema import TABLES, TableSchema
from revops_analysis.validation.outcomes import NotChecked, Outcome, Reading, Violations

if TYPE_CHECKING:
    from revops_analysis.validation.evidence import Evidence


def orphans(evidence: Evidence, schema: TableSchema, column: str) -> Outcome:
    """Rows whose reference `column` names a row that is not there."""
    target = TABLES[str(schema.column(column).references)]
    if target.name not in evidence.rows:
        return NotChecked(f"The source does not supply {target.name}.")
    rows = evidence.raw(schema.name)
    there = rows.filter(rows[column].notnull()).select(*dict.fromkeys((*schema.key, column)))
    others = evidence.raw(target.name).select(found=target.key[0]).distinct()
    both = there.left_join(others, there[column] == others.found)
    return Violations(both, both.found.isnull(), schema.key, f"No row of {schema.name} has a value of {column}.")


def without_rate(evidence: Evidence, schema: TableSchema, column: str = "currency") -> Outcome:
    """Rows in a foreign currency for which `exchange_rates` has no rate at all."""
    rows = evidence.raw(schema.name)
    home = evidence.definitions.reporting_currency
    foreign = rows.filter(rows[column].notnull(), rows[column] != home).select(*dict.fromkeys((*schema.key, column)))
    rates = evidence.raw("exchange_rates").select(found="currency").distinct()
    both = foreign.left_join(rates, foreign[column] == rates.found)
    return Violations(both, both.found.isnull(), schema.key, f"All rows of {schema.name} are in {home}.")


def history_differs(evidence: Evidence, schema: TableSchema, columns: Sequence[str]) -> Outcome:
    """Deals whose last change leaves another value in one of `columns` than the deal has now.

    Deleted deals are left out, and so are values that only one of the two sides knows.
    """
    import ibis

    changes, deals = evidence.last_changes(), evidence.raw("opportunities")
    last = changes.select("opportunity_id", **{f"last_{name}": changes[name] for name in columns})
    both = last.inner_join(deals.filter(deals.deleted_at.isnull()), "opportunity_id")
    differs = [(both[name] != both[f"last_{name}"]).fill_null(False) for name in columns]
    return Violations(both, ibis.or_(*differs), ("opportunity_id",), "No deal that still exists has a history.")


def history_before_creation(evidence: Evidence, schema: TableSchema) -> Outcome:
    """Deals with a change dated before the deal was created."""
    history, deals = evidence.raw(schema.name), evidence.raw("opportunities")
    first = history.group_by("opportunity_id").aggregate(first=history.changed_at.min())
    created = deals.filter(deals.created_at.notnull()).select("opportunity_id", "created_at")
    both = created.inner_join(first, "opportunity_id")
    return Violations(
        both, both["first"] < both.created_at, ("opportunity_id",), "No deal with a history says when it was created."
    )


def without_history(evidence: Evidence, schema: TableSchema) -> Outcome:
    """Deals of which the history knows nothing."""
    absence = evidence.absence("opportunity_history")
    if absence:
        return NotChecked(absence)
    known = evidence.raw("opportunity_history").select(found="opportunity_id").distinct()
    deals = evidence.raw(schema.name).select(*schema.key)
    both = deals.left_join(known, deals.opportunity_id == known.found)
    return Violations(both, both.found.isnull(), schema.key, f"The table {schema.name} is empty.")


def renewals_that_overlap(evidence: Evidence, schema: TableSchema) -> Outcome:
    """Terms that begin before the term they renew has ended, so that its revenue counts twice for a while."""
    terms = evidence.raw(schema.name)
    former = terms.select(renewed="subscription_id", renewed_end="ended_on")
    both = terms.inner_join(former, terms.renews_subscription_id == former.renewed)
    still_runs = both.renewed_end.isnull() | (both.started_on <= both.renewed_end)
    return Violations(both, still_runs, schema.key, "No term renews another.")


def quarantined_rows(evidence: Evidence, schema: TableSchema) -> Outcome:
    """Share of the rows read that went to quarantine."""
    load = evidence.loads.get(schema.name)
    if load is None or not load.read:
        return NotChecked(f"The load counted no rows of {schema.name}.")
    share = load.quarantined / load.read
    return Reading(share, f"{share:.2%} of the rows read", load.read, load.quarantined)


def quarantined_amount(evidence: Evidence, schema: TableSchema) -> Outcome:
    """Share of the amount read that went to quarantine, whatever its currency; no row in quarantine is no amount."""
    load = evidence.loads.get(schema.name)
    if load is None or load.amount_loaded is None:
        return NotChecked(f"The load counted no amount of {schema.name}.")
    lost = load.amount_quarantined if load.quarantined else 0.0
    if lost is None:
        return NotChecked(f"The rows of {schema.name} in quarantine carry no amount that can be read.")
    total = abs(load.amount_loaded) + abs(lost)
    if not total:
        return NotChecked(f"The rows of {schema.name} carry no amount.")
    share = abs(lost) / total
    return Reading(share, f"{share:.2%} of the amount read", load.read, load.quarantined)


def volume_change(evidence: Evidence, schema: TableSchema) -> Outcome:
    """Change of the number of rows since the last load, as a share of what its pace lets expect by now."""
    before = (evidence.previous_rows or {}).get(schema.name)
    if not before:
        return NotChecked(f"No earlier load of {schema.name} to compare with.")
    now = evidence.rows[schema.name]
    found = None if evidence.drift is None else evidence.drift.of(schema.name, "rows")
    if found is not None and len(found):
        return Reading(float(found["change"].iloc[0]), str(found["what"].iloc[0]))
    return Reading(abs(now / before - 1), f"{now:,} rows, {before:,} at the last load")
