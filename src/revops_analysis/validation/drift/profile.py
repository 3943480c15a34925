"""A load in outline: how many rows, what is missing, which words, which amounts; counted in the engine.

Rows are counted twice: all of them, and the latest, dated within a stretch of days before the load's own last day.
The latest rows of two loads are of equal age, so young rows are never compared with old ones, and a feed that broke
last week is not hidden by four good years before it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import pandas as pd

from revops_analysis.tables.days import AsOf
from revops_analysis.tables.schema import TABLES, TableSchema
from revops_analysis.tables.warehouse import CATALOG
from revops_analysis.validation.repairs.columns import PLACES

if TYPE_CHECKING:
    import ibis

    from revops_analysis.tables.warehouse import WarehouseInfo

ALL, LATEST = "all rows", "latest rows"
PACE_DAYS = 91
"""Days before a load's last day over which its pace of new rows is measured: whole weeks, about a quarter."""
BINS_A_DECADE = 20
EVENTS = ("opportunity_history", "forecast_submissions")
"""Tables of what was done to deals, which follows the weeks of a quarter: their words and amounts are not compared,
those of the deals are."""


@dataclass(frozen=True)
class Stretch:
    """What two loads are compared over: the earlier one's last day, how many days count as the latest, which tables."""

    last_day_before: dt.date
    latest_days: int
    tables: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class LoadProfile:
    """One load in outline.

    - `volumes`, indexed by table: rows, past (dated up to the earlier load's last day), recent (dated within
      `PACE_DAYS` before this load's own last day); null for tables without dates;
    - `missing`: table, column, scope, rows, missing, and for amounts the median;
    - `words`: table, column, scope, word, rows; of amounts the word is the bin, a twentieth of a power of ten.
    """

    data_through: dt.date
    volumes: pd.DataFrame
    missing: pd.DataFrame
    words: pd.DataFrame


def profile_load(con: Any, info: WarehouseInfo, zone: str, stretch: Stretch) -> LoadProfile:
    """Outline a load that is attached to `con`: two queries a table."""
    volumes: dict[str, Mapping[str, Any]] = {}
    missing: list[dict[str, Any]] = []
    words: list[pd.DataFrame] = []
    for name in stretch.tables:
        schema = TABLES[name]
        rows = _marked(con.table(name, database=(CATALOG, "main")), schema, (info.data_through, zone), stretch)
        found = rows.aggregate(**_sums(rows, schema)).to_pyarrow().to_pylist()[0]
        volumes[name] = {key: found[key] for key in ("rows", "past", "recent")}
        missing += _missing(found, schema)
        counted = _words(rows, schema)
        if counted is not None:
            words.append(counted)
    columns = ["table", "column", "scope", "word", "rows"]
    return LoadProfile(
        info.data_through,
        pd.DataFrame.from_dict(volumes, orient="index", columns=["rows", "past", "recent"]).astype("Float64"),
        pd.DataFrame(missing, columns=["table", "column", "scope", "rows", "missing", "median"]),
        pd.concat(words, ignore_index=True) if words else pd.DataFrame(columns=columns),
    )


def _marked(rows: ibis.Table, schema: TableSchema, until: tuple[dt.date, str], stretch: Stretch) -> ibis.Table:
    """The rows with `is_past`, `is_recent` and `is_latest`, null where the table has no dates."""
    import ibis

    if schema.visible_from is None:
        return rows.mutate(**dict.fromkeys(("is_past", "is_recent", "is_latest"), ibis.null("boolean")))
    through, zone = until
    dated = rows[schema.visible_from]
    if schema.visible_else is not None:
        dated = ibis.coalesce(dated, rows[schema.visible_else].cast(dated.type()))

    def within(days: int) -> Any:
        earliest = AsOf.of(through - dt.timedelta(days=days), zone, through)
        return (AsOf.of(through, zone, through).reached(dated) & ~earliest.reached(dated)).fill_null(False)

    is_past = AsOf.of(stretch.last_day_before, zone, through).reached(dated).fill_null(False)
    return rows.mutate(is_past=is_past, is_recent=within(PACE_DAYS), is_latest=within(stretch.latest_days))


def _measured(schema: TableSchema) -> list[str]:
    """Columns whose values may be missing."""
    return [column.name for column in schema.columns if not column.required and column.name not in schema.key]


def _amounts(schema: TableSchema) -> list[str]:
    return [column.name for column in schema.columns if column.kind in ("money", "rate")]


def _sums(rows: ibis.Table, schema: TableSchema) -> dict[str, Any]:
    sums = {"rows": rows.count(), "latest": rows.is_latest.cast("int64").sum()}
    sums |= {name: rows[f"is_{name}"].cast("int64").sum() for name in ("past", "recent")}
    for name in _measured(schema):
        lacks = rows[name].isnull()  # noqa: PD003 - a column of the engine
        sums[f"{name}|{ALL}"] = lacks.cast("int64").sum()
        sums[f"{name}|{LATEST}"] = (lacks & rows.is_latest).cast("int64").sum()
    for name in _amounts(schema):
        value = rows[name].cast("float64")
        sums[f"median of {name}|{ALL}"] = value.median()
        sums[f"median of {name}|{LATEST}"] = value.median(where=rows.is_latest)
    return sums


def _missing(found: Mapping[str, Any], schema: TableSchema) -> list[dict[str, Any]]:
    scopes = {ALL: found["rows"], LATEST: found["latest"]}
    names = dict.fromkeys([*_measured(schema), *_amounts(schema)])
    return [
        {
            "table": schema.name,
            "column": name,
            "scope": scope,
            "rows": count,
            "missing": found.get(f"{name}|{scope}"),
            "median": found.get(f"median of {name}|{scope}"),
        }
        for name in names
        for scope, count in scopes.items()
        if count is not None
    ]


def _words(rows: ibis.Table, schema: TableSchema) -> pd.DataFrame | None:
    """Rows by word of each column of words, and by bin of each amount, in one query."""
    if schema.name in EVENTS:
        return None
    values = {column: rows[column] for table, column in PLACES if table == schema.name}
    values |= {name: _bin(rows[name]) for name in _amounts(schema)}
    parts = [_counted(rows, schema.name, name, value) for name, value in values.items()]
    if not parts:
        return None
    wide = reduce(lambda one, other: one.union(other), parts).to_pandas()
    kept = wide.rename(columns={"all_rows": ALL, "latest_rows": LATEST})
    long = kept.melt(["table", "column", "word"], [ALL, LATEST], "scope", "rows")
    return long[long["rows"] > 0].reset_index(drop=True)


def _counted(rows: ibis.Table, table: str, name: str, value: Any) -> ibis.Table:
    import ibis

    chosen = rows.select(word=value.cast("string"), is_latest=rows.is_latest.fill_null(False))
    counted = (
        chosen.drop_null("word")
        .group_by("word")
        .aggregate(all_rows=lambda t: t.count(), latest_rows=lambda t: t.is_latest.cast("int64").sum())
    )
    return counted.select(
        table=ibis.literal(table),
        column=ibis.literal(name),
        word="word",
        all_rows="all_rows",
        latest_rows="latest_rows",
    )


def _bin(amount: Any) -> Any:
    """A bin of an amount, as a whole number that rises with it: a twentieth of a power of ten on either side of 0."""
    import ibis

    value = amount.cast("float64")
    size = (value.abs().nullif(0.0).log10() * BINS_A_DECADE).floor() + 10 * BINS_A_DECADE
    return ibis.ifelse(value == 0, 0.0, value.sign() * size).cast("int64")
