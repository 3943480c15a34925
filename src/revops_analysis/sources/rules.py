"""The rules of loading, for one canonical table at a time: which rows are usable, which are not, and why.

- Exact duplicates of a key collapse to one row; they are counted.
- Rows with one key that differ are all unusable: nobody knows which one is right.
- A required reference must lead to a row that was loaded; a row whose parent was quarantined goes with it. Other
  references are left as they are, and the gate reports those that lead nowhere. A reference into a table that the
  source does not supply cannot be checked.
- History without numbered changes: rows of one deal and moment are several changes, in the order of the source. Exact
  duplicates collapse into the last of them, so that the state after the moment is the right one.
"""

from __future__ import annotations

from collections.abc import Iterable

from revops_analysis.sources.staging import CATALOG, Staging, literal, quoted
from revops_analysis.sources.values import ENGINE_TYPES
from revops_analysis.tables.schema import TABLES, TableSchema

WAREHOUSE = "warehouse.main"


def create_ledgers(staging: Staging) -> None:
    """Make the two lists that rules write to: rows not to be used, and rows that another one stands for."""
    columns = '"table" VARCHAR, rid BIGINT, place INTEGER, reason VARCHAR, value VARCHAR'
    staging.execute(f"CREATE TABLE {staging.table('unusable')} ({columns})")
    staging.execute(f'CREATE TABLE {staging.table("collapsed")} ("table" VARCHAR, rid BIGINT)')


def create_converted(staging: Staging, name: str) -> str:
    """Make the table that holds the converted rows of a canonical table, and return its SQL name."""
    table = converted(name)
    columns = ", ".join(f"{quoted(c.name)} {ENGINE_TYPES[c.kind]}" for c in TABLES[name].columns)
    own = "__rid BIGINT, __file INTEGER, __row BIGINT, __tie BIGINT, __reasons STRUCT(reason VARCHAR, value VARCHAR)[]"
    staging.execute(f"CREATE TABLE {table} ({own}, {columns})")
    return table


def converted(name: str) -> str:
    """SQL name of the converted rows of a canonical table."""
    return f"{CATALOG}.main.{quoted('rows_' + name)}"


def apply_rules(staging: Staging, name: str, supplied: Iterable[str], *, numbered: bool) -> str:
    """Judge the converted rows of a table; return the SQL name of a view of those to load.

    `supplied` are the tables that the source supplies; their parents are loaded already. `numbered` says whether the
    source numbers the changes of its history itself.
    """
    schema = TABLES[name]
    _list_faults(staging, name)
    for column in schema.columns:
        if column.required and column.references in set(supplied):
            _list_orphans(staging, name, column.name, str(column.references))
    _list_duplicates(staging, schema, numbered=numbered)
    return _usable(staging, schema, numbered=numbered)


def _list_faults(staging: Staging, name: str) -> None:
    staging.execute(
        f"INSERT INTO {staging.table('unusable')} SELECT {literal(name)}, __rid, place, fault.reason, fault.value FROM "
        f"(SELECT __rid, unnest(__reasons) AS fault, generate_subscripts(__reasons, 1) AS place "
        f"FROM {converted(name)} WHERE __reasons IS NOT NULL)"
    )


def _list_orphans(staging: Staging, name: str, column: str, parent: str) -> None:
    key = quoted(TABLES[parent].key[0])
    reference = f"c.{quoted(column)}"
    staging.execute(
        f"INSERT INTO {staging.table('unusable')} "
        f"SELECT {literal(name)}, c.__rid, 100, CASE WHEN q.key IS NULL THEN {literal(f'{column}: not in {parent}')} "
        f"ELSE {literal(f'{column}: quarantined in {parent}')} END, {reference} "
        f"FROM {converted(name)} c ANTI JOIN {WAREHOUSE}.{quoted(parent)} p ON {reference} = p.{key} "
        f"LEFT JOIN (SELECT DISTINCT {key} AS key FROM {converted(parent)}) q ON q.key = {reference} "
        f"WHERE {reference} IS NOT NULL"
    )


def _list_duplicates(staging: Staging, schema: TableSchema, *, numbered: bool) -> None:
    """Enter rows that share a key: as collapsed when all of them say the same, else as unusable."""
    table, unusable = converted(schema.name), staging.table("unusable")
    has_number = schema.name != "opportunity_history" or numbered
    key = [quoted(column) for column in schema.key if has_number or column != "change_number"]
    required = [quoted(column) for column in schema.required if quoted(column) in key]
    given = " AND ".join(f"{column} IS NOT NULL" for column in required) or "true"
    keys = ", ".join(key)
    shared = staging.new_table("shared")
    same = " AND ".join(f"c.{column} IS NOT DISTINCT FROM k.{column}" for column in key)
    everything = ", ".join([*(quoted(column) for column in schema.names), "__reasons"])
    staging.execute(
        f"CREATE TABLE {shared} AS SELECT *, min(alike) OVER same_key <> max(alike) OVER same_key AS differs FROM "
        f"(SELECT c.*, min(__rid) OVER (PARTITION BY {everything}) AS alike FROM {table} c SEMI JOIN "
        f"(SELECT {keys} FROM {table} WHERE {given} GROUP BY {keys} HAVING count(*) > 1) k ON {same}) "
        f"WINDOW same_key AS (PARTITION BY {keys})"
    )
    if has_number:
        shown = " || ' | ' || ".join(f"coalesce(CAST({column} AS VARCHAR), '')" for column in key)
        staging.execute(
            f"INSERT INTO {unusable} SELECT {literal(schema.name)}, __rid, 200, "
            f"{literal(', '.join(schema.key) + ': conflicting rows')}, {shown} FROM {shared} WHERE differs"
        )
    stays = "__tie = max(__tie) OVER (PARTITION BY alike)" if not has_number else "__rid = alike"
    sound = f'__rid NOT IN (SELECT rid FROM {unusable} WHERE "table" = {literal(schema.name)})'
    staging.execute(
        f"INSERT INTO {staging.table('collapsed')} SELECT {literal(schema.name)}, __rid FROM "
        f"(SELECT __rid, {stays} AS stays FROM {shared} WHERE {sound}) WHERE NOT stays"
    )
    staging.execute(f"DROP TABLE {shared}")


def _usable(staging: Staging, schema: TableSchema, *, numbered: bool) -> str:
    name = literal(schema.name)
    out = " UNION ALL ".join(
        f'SELECT rid FROM {staging.table(ledger)} WHERE "table" = {name}' for ledger in ("unusable", "collapsed")
    )
    columns = {column: quoted(column) for column in schema.names}
    if schema.name == "opportunity_history" and not numbered:
        order = "PARTITION BY opportunity_id, changed_at ORDER BY __tie"
        columns["change_number"] = f"row_number() OVER ({order})"
    picked = ", ".join(f"{expression} AS {quoted(column)}" for column, expression in columns.items())
    view = f"usable_{schema.name}"
    staging.execute(
        f"CREATE VIEW {staging.table(view)} AS SELECT {picked} FROM {converted(schema.name)} c "
        f"ANTI JOIN ({out}) o ON c.__rid = o.rid"
    )
    return view
