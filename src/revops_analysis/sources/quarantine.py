"""Rows that could not be used, kept with their reasons, and the counts of a load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from revops_analysis.sources.mapping import Part
from revops_analysis.sources.rules import converted
from revops_analysis.sources.staging import Staging, literal, quoted
from revops_analysis.tables.schema import TABLES

_AMOUNTS = ("amount", "mrr", "quota", "target")
COUNTS = ("table", "read", "loaded", "collapsed", "quarantined", "filtered", "amount_loaded", "amount_quarantined")
REASONS = ("table", "reason", "rows", "first_rows", "amount")


@dataclass(frozen=True)
class Tally:
    """What became of the rows of one table.

    `counts` has the fields of `COUNTS`; `reasons` are rows of `REASONS`: how many rows have the reason, and for how
    many it is the first, so that `first_rows` add up to the quarantined rows.
    """

    counts: tuple[object, ...]
    reasons: tuple[tuple[object, ...], ...]


def counts_frame(tallies: Sequence[Tally]) -> pd.DataFrame:
    """A row a table: rows read = loaded + collapsed + quarantined + filtered; amounts in the reporting currency."""
    return pd.DataFrame([tally.counts for tally in tallies], columns=list(COUNTS))


def reasons_frame(tallies: Sequence[Tally]) -> pd.DataFrame:
    """A row a table and reason, the most frequent first within a table."""
    rows = [reason for tally in tallies for reason in tally.reasons]
    return pd.DataFrame(rows, columns=list(REASONS))


def list_unreadable(staging: Staging, name: str, files: range) -> None:
    """Enter the lines of a table's files that could not be split into columns."""
    staging.execute(
        f"INSERT INTO {staging.table('unusable_lines')} SELECT {literal(name)}, * FROM {staging.table('unreadable')} "
        f"WHERE file >= {files.start} AND file < {files.stop}"
    )


def create_line_ledger(staging: Staging) -> None:
    """Make the list of lines that belong to a table and could not be read."""
    columns = '"table" VARCHAR, file INTEGER, row BIGINT, line VARCHAR, reason VARCHAR'
    staging.execute(f"CREATE TABLE {staging.table('unusable_lines')} ({columns})")


def write_quarantine(staging: Staging, name: str, parts: Sequence[Part], folder: Path) -> None:
    """Write `<folder>/<name>.parquet` if rows of the table were unusable.

    Columns: source_file, row_number, reasons (a list of texts), row (the original row, as a JSON object).
    """
    table = literal(name)
    unusable = f'(SELECT * FROM {staging.table("unusable")} WHERE "table" = {table})'
    lines = f'(SELECT * FROM {staging.table("unusable_lines")} WHERE "table" = {table})'
    if not staging.value(f"SELECT (SELECT count(*) FROM {unusable}) + (SELECT count(*) FROM {lines})"):
        return
    folder.mkdir(parents=True, exist_ok=True)
    files = ", ".join(f"({number}, {literal(label)})" for number, label in enumerate(staging.files))
    text = "reason || CASE WHEN value IS NULL THEN '' ELSE ' (' || value || ')' END"
    found = [
        f"SELECT r.__file AS file, r.__row AS row_number, u.reasons, {_as_json(part)} AS row "
        f"FROM {part.relation.name} r JOIN u ON u.rid = r.__rid"
        for part in parts
    ]
    found.append(f"SELECT file, row, [reason], CAST(to_json({{'line': line}}) AS VARCHAR) FROM {lines}")
    staging.execute(
        f"COPY (WITH u AS (SELECT rid, list({text} ORDER BY place, reason) AS reasons FROM {unusable} GROUP BY rid) "
        f"SELECT f.label AS source_file, row_number, reasons, row FROM ({' UNION ALL '.join(found)}) q "
        f"JOIN (VALUES {files}) f(number, label) ON f.number = q.file ORDER BY ALL) "
        f"TO {literal(folder / f'{name}.parquet')} (FORMAT parquet)"
    )


def _as_json(part: Part) -> str:
    fields = ", ".join(f"{literal(column)}: r.{quoted(column)}" for column in part.relation.columns)
    return f"CAST(to_json({{{fields}}}) AS VARCHAR)"


def tally(staging: Staging, name: str, parts: Sequence[Part], rates: str) -> Tally:
    """Count what became of the rows of a table. `rates` is a relation (currency, rate) to the reporting currency."""
    table = literal(name)
    ledger = {
        "unusable": f'SELECT DISTINCT rid FROM {staging.table("unusable")} WHERE "table" = {table}',
        "collapsed": f'SELECT rid FROM {staging.table("collapsed")} WHERE "table" = {table}',
    }
    lines = staging.value(f'SELECT count(*) FROM {staging.table("unusable_lines")} WHERE "table" = {table}')
    rows, unusable, collapsed = (
        staging.value(f"SELECT count(*) FROM {source}")
        for source in (converted(name), f"({ledger['unusable']})", f"({ledger['collapsed']})")
    )
    amounts = _amounts(staging, name, ledger, rates)
    filtered = sum(part.rows_filtered for part in parts)
    read = sum(part.rows_read for part in parts) + lines
    counts = (name, read, rows - unusable - collapsed, collapsed, unusable + lines, filtered, *amounts)
    return Tally(counts, _reason_rows(staging, name, rates))


def _amount(name: str) -> str:
    """SQL of a row's amount in the reporting currency; null where the table has none. Missing rates count as 1 here."""
    names = TABLES[name].names
    column = next((column for column in _AMOUNTS if column in names), None)
    return "NULL::DECIMAL(38, 2)" if column is None else f"CAST(c.{column} * coalesce(x.rate, 1) AS DECIMAL(38, 2))"


def _with_rates(name: str, rates: str) -> str:
    has_currency = "currency" in TABLES[name].names
    join = f" LEFT JOIN {rates} x ON x.currency = c.currency" if has_currency else f" LEFT JOIN {rates} x ON false"
    return f"{converted(name)} c{join}"


def _amounts(staging: Staging, name: str, ledger: dict[str, str], rates: str) -> tuple[object, object]:
    amount, source = _amount(name), _with_rates(name, rates)
    unusable = f"c.__rid IN ({ledger['unusable']})"
    loaded = f"NOT ({unusable}) AND c.__rid NOT IN ({ledger['collapsed']})"
    found = staging.rows(f"SELECT sum({amount}) FILTER ({loaded}), sum({amount}) FILTER ({unusable}) FROM {source}")
    return found[0]


def _reason_rows(staging: Staging, name: str, rates: str) -> tuple[tuple[object, ...], ...]:
    table = literal(name)
    found = staging.rows(
        f"SELECT {table}, u.reason, count(DISTINCT rid), count(DISTINCT rid) FILTER (first), "
        f"sum({_amount(name)}) FROM (SELECT DISTINCT ON (rid, reason) rid, reason, "
        f"row_number() OVER (PARTITION BY rid ORDER BY place, reason) = 1 AS first "
        f'FROM {staging.table("unusable")} WHERE "table" = {table} ORDER BY rid, reason, place) u '
        f"JOIN {_with_rates(name, rates)} ON c.__rid = u.rid GROUP BY u.reason "
        f"UNION ALL SELECT {table}, reason, count(*), count(*), NULL FROM {staging.table('unusable_lines')} "
        f'WHERE "table" = {table} GROUP BY reason ORDER BY 3 DESC, 2'
    )
    return tuple(found)
