"""Measures of one table: its keys, its periods, its age, its missing values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from revops_analysis.periods import end_of_day_utc
from revops_analysis.tables.schema import TableSchema
from revops_analysis.validation.outcomes import NotChecked, Outcome, Reading, Violations

if TYPE_CHECKING:
    import ibis

    from revops_analysis.validation.evidence import Evidence

SHARE_TOLERANCE = 0.000_5  # shares come with up to six decimals; a third is .333333


def row_count(evidence: Evidence, schema: TableSchema) -> Outcome:
    """How many rows the table has; a table that was not supplied has none."""
    rows = evidence.rows.get(schema.name, 0)
    return Reading(float(rows), f"{rows:,} rows", checked=max(rows, 1), failed=0 if rows else 1)


def repeated_keys(evidence: Evidence, schema: TableSchema) -> Outcome:
    """Keys that stand in more than one row."""
    rows = evidence.raw(schema.name)
    keys = rows.group_by(list(schema.key)).aggregate(times=rows.count())
    return Violations(keys, keys.times > 1, schema.key, f"The table {schema.name} is empty.")


def points_to_itself(evidence: Evidence, schema: TableSchema, column: str) -> Outcome:
    """Rows whose reference `column` names the row itself."""
    rows = evidence.raw(schema.name)
    there = rows.filter(rows[column].notnull())
    return Violations(there, there[column] == there[schema.key[0]], schema.key, _none_has(schema, column))


def share_missing_after_first_stage(evidence: Evidence, schema: TableSchema, column: str) -> Outcome:
    """Share of open deals past the first stage that have no `column`; deleted deals apart."""
    rows = evidence.raw(schema.name)
    later = list(evidence.definitions.open_stages[1:])
    deals = rows.filter(rows.stage.isin(later), rows.deleted_at.isnull())
    return _share(deals, deals[column].isnull(), schema, "No deal is open past the first stage.")


def share_overdue(evidence: Evidence, schema: TableSchema) -> Outcome:
    """Share of open deals whose close date lies before the day of the check; deleted deals apart."""
    import ibis

    rows = evidence.raw(schema.name)
    deals = rows.filter(rows.stage.isin(list(evidence.definitions.open_stages)), rows.deleted_at.isnull())
    return _share(deals, deals.close_date < ibis.literal(evidence.day), schema, "No deal is open.")


def _share(rows: ibis.Table, condition: Any, schema: TableSchema, nothing: str) -> Outcome:
    sums = rows.aggregate(checked=rows.count(), failed=condition.fill_null(False).sum()).to_pyarrow().to_pylist()[0]
    if not sums["checked"]:
        return NotChecked(nothing)
    share = sums["failed"] / sums["checked"]
    of = Violations(rows, condition, schema.key, nothing)
    return Reading(share, f"{share:.1%}", sums["checked"], sums["failed"], of)


def days_since_last(evidence: Evidence, schema: TableSchema, columns: Sequence[str]) -> Outcome:
    """Whole days between the newest moment in `columns`, of those up to the day of the check, and that day's end."""
    import ibis

    end = end_of_day_utc(evidence.day, evidence.definitions.business_time_zone)
    rows = evidence.raw(schema.name)
    newest = rows.aggregate(**{name: rows[name].max(where=rows[name] < ibis.literal(end)) for name in columns})
    found = [value for value in newest.to_pyarrow().to_pylist()[0].values() if value is not None]
    if not found:
        return NotChecked(f"No row of {schema.name} has {' or '.join(columns)} on or before {evidence.day}.")
    days = (end - max(found)).days
    return Reading(float(days), f"{days} days before {evidence.day} (last on {max(found):%Y-%m-%d})")


def overlapping_periods(evidence: Evidence, schema: TableSchema, columns: Sequence[str]) -> Outcome:
    """Rows of one group (equal `columns`) whose period begins before an earlier one of the group has ended."""
    import ibis

    rows = evidence.raw(schema.name)
    before = ibis.window(
        group_by=list(columns), order_by=[rows.period_start, rows.period_end], preceding=(None, 1), following=None
    )
    marked = rows.mutate(latest_end=rows.period_end.max().over(before))
    return Violations(
        marked, marked.period_start <= marked.latest_end, schema.key, f"The table {schema.name} is empty."
    )


def currencies_with_old_rate(evidence: Evidence, schema: TableSchema, days: int) -> Outcome:
    """Currencies whose last rate is more than `days` days older than the day of the check."""
    import ibis

    rows = evidence.raw(schema.name)
    rows = rows.filter(rows.day <= ibis.literal(evidence.day))
    last = rows.group_by("currency").aggregate(day=rows.day.max())
    oldest = ibis.literal(evidence.day) - ibis.interval(days=days)
    return Violations(last, last.day < oldest, ("currency", "day"), f"No rate is dated on or before {evidence.day}.")


def uneven_shares(evidence: Evidence, schema: TableSchema, kind_of_split: str) -> Outcome:
    """Deals whose splits of one kind do not add up to 1."""
    rows = evidence.raw(schema.name)
    rows = rows.filter(rows.kind == kind_of_split)
    sums = rows.group_by("opportunity_id").aggregate(total=rows.share.cast("float64").sum())
    off = sums.total.isnull() | ((sums.total - 1).abs() > SHARE_TOLERANCE)
    return Violations(sums, off, ("opportunity_id",), f"No split is of the kind {kind_of_split}.")


def deals_with_two_primaries(evidence: Evidence, schema: TableSchema) -> Outcome:
    """Deals with more than one main contact."""
    rows = evidence.raw(schema.name)
    main = rows.filter(rows.is_primary)
    deals = main.group_by("opportunity_id").aggregate(times=main.count())
    return Violations(deals, deals.times > 1, ("opportunity_id",), "No deal has a main contact.")


def _none_has(schema: TableSchema, column: str) -> str:
    return f"No row of {schema.name} has a value of {column}."
