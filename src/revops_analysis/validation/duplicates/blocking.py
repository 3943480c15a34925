"""Which records are compared at all: those that share a key, unless too many do.

A key that thousands share (a placeholder, a switchboard) would mean millions of comparisons that say nothing. Such
keys are not used, and how many records that concerns is reported, so that nothing is left out in silence.
"""

from __future__ import annotations

import pandas as pd

from revops_analysis.validation.duplicates.model import Model
from revops_analysis.validation.duplicates.records import Records

LARGEST_BLOCK = 1_000
"""A key that more records share is not used: half a million comparisons for one value."""

BLOCKED = "blocked"
"""Name of the table with the records and their keys."""


def add_blocks(records: Records, model: Model) -> pd.DataFrame:
    """Make the table `blocked`: the records with a column a key, `block_1` and so on, null where too many share it.

    Returns a row a key: `key` (in words), `pairs` (comparisons it brings, other keys aside), `keys_left_out` and
    `records_left_out` (keys that too many records share, and how many they are).
    """
    con = records.con
    keys = {f"block_{place}": expression for place, (_, expression) in enumerate(model.blocks, 1)}
    con.execute(f"CREATE TABLE keyed AS SELECT *, {', '.join(f'{e} AS {k}' for k, e in keys.items())} FROM records")
    rows = []
    for (words, _), key in zip(model.blocks, keys, strict=True):
        con.execute(
            f"CREATE TABLE size_{key} AS SELECT {key}, count(*) AS n FROM keyed WHERE {key} <> '' GROUP BY {key}"
        )
        found = con.execute(
            f"SELECT coalesce(sum(n * (n - 1) / 2) FILTER (n <= {LARGEST_BLOCK}), 0)::BIGINT, "
            f"count(*) FILTER (n > {LARGEST_BLOCK}), coalesce(sum(n) FILTER (n > {LARGEST_BLOCK}), 0)::BIGINT "
            f"FROM size_{key}"
        ).fetchone()
        rows.append((words, *found))
    usable = ", ".join(f"{_is_usable(key)} AS use_{key}" for key in keys)
    named = ", ".join(f"CASE WHEN use_{k} THEN {k} END AS {k}" for k in keys)
    plain = f"* EXCLUDE ({', '.join([*keys, *(f'use_{k}' for k in keys)])})"
    con.execute(f"CREATE TABLE {BLOCKED} AS SELECT {plain}, {named} FROM (SELECT *, {usable} FROM keyed)")
    con.execute("DROP TABLE keyed;" + "".join(f"DROP TABLE size_{key};" for key in keys))
    return pd.DataFrame(rows, columns=["key", "pairs", "keys_left_out", "records_left_out"])


def _is_usable(key: str) -> str:
    return f"EXISTS (SELECT 1 FROM size_{key} s WHERE s.{key} = keyed.{key} AND s.n BETWEEN 2 AND {LARGEST_BLOCK})"
