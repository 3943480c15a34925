"""Pairs of records with what every field says for and against their being one, and whether they may be linked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from revops_analysis.validation.duplicates.blocking import BLOCKED
from revops_analysis.validation.duplicates.model import Field, Model
from revops_analysis.validation.duplicates.records import Records
from revops_analysis.validation.duplicates.training import Weights, field_column, make_linker, quiet

if TYPE_CHECKING:
    from collections.abc import Sequence

REVIEWED_FROM = 0.5
"""Pairs that are at least as likely one as not are shown, though only those above the threshold are linked."""

FIXED = ("left", "right", "weight", "probability", "is_identified", "clash")


@dataclass(frozen=True)
class Scored:
    """Pairs from `REVIEWED_FROM` on: a row a pair, ordered by its two keys.

    Columns: left, right (keys; of leads and contacts, the lead stands left), weight (bits, the start included),
    probability, is_identified (something names the person or company), clash (what forbids a link, in words; null),
    and for each field `level_<field>` (place of the level, best 0; −1 where the field says nothing) and
    `weight_<field>` (bits). `compared` counts the pairs that were looked at.
    """

    frame: pd.DataFrame
    compared: int


def pair_columns(model: Model) -> list[str]:
    """Names of the columns of `Scored.frame`."""
    fields = [field_column(field) for field in model.fields]
    return [*FIXED, *(f"level_{name}" for name in fields), *(f"weight_{name}" for name in fields)]


def score(records: Records, model: Model, weights: Weights) -> Scored:
    """Compare the blocked records; see `Scored`."""
    if not records.has_pairs:
        return Scored(pd.DataFrame(columns=pair_columns(model)), 0)
    with quiet():
        linker = make_linker(records, model, weights)
        found = linker.inference.predict(threshold_match_probability=REVIEWED_FROM)
    frame = records.con.execute(_explained(records, model, found.physical_name)).df()
    (compared,) = records.con.execute(_compared(records, model)).fetchone()
    frame["clash"] = frame["clash"].astype(object).where(frame["clash"].notna(), None)
    return Scored(frame[pair_columns(model)], int(compared))


def paired(source: str, columns: Sequence[str], left: str = "left", right: str = "right") -> str:
    """A query that sets the records of each pair of `source` side by side, their columns ending in _l and _r."""
    sides = ", ".join(f"l.{name} AS {name}_l, r.{name} AS {name}_r" for name in columns)
    return (
        f'SELECT p.*, {sides} FROM {source} p JOIN {BLOCKED} l ON l.unique_id = p."{left}" '
        f'JOIN {BLOCKED} r ON r.unique_id = p."{right}"'
    )


def record_columns(records: Records) -> list[str]:
    """Names of the columns of the records themselves, without their keys of comparison."""
    described = records.con.execute(f"DESCRIBE {BLOCKED}").fetchall()
    return [name for name, *_ in described if not name.startswith("block_")]


def clash_words(model: Model) -> str:
    """The first thing that forbids a link, in words; null when nothing does. An expression over `_l` and `_r`."""
    cases = " ".join(f"WHEN {condition} THEN '{words}'" for words, condition in model.clashes)
    return f"CASE {cases} END"


def _explained(records: Records, model: Model, predicted: str) -> str:
    weights = ", ".join(f"{_weight(field)} AS weight_{field_column(field)}" for field in model.fields)
    levels = ", ".join(f"{_level(field)} AS level_{field_column(field)}" for field in model.fields)
    left, right = ("unique_id_r", "unique_id_l") if _is_turned(records) else ("unique_id_l", "unique_id_r")
    plain = (
        f'(SELECT {left} AS "left", {right} AS "right", match_weight AS weight, match_probability AS probability, '
        f"{weights} FROM {predicted})"
    )
    return (
        f"SELECT *, {model.identifies} AS is_identified, {clash_words(model)} AS clash, {levels} "
        f'FROM ({paired(plain, record_columns(records))}) ORDER BY "left", "right"'
    )


def _is_turned(records: Records) -> bool:
    """splink sets tables in alphabetical order; contacts come before leads."""
    return records.is_link and records.table.split("-") != sorted(records.table.split("-"))


def _weight(field: Field) -> str:
    name = field_column(field)
    adjusted = f" + mw_tf_adj_{name}" if any(level.common for level in field.levels) else ""
    return f"mw_{name}{adjusted}"


def _level(field: Field) -> str:
    cases = " ".join(f"WHEN {level.condition} THEN {place}" for place, level in enumerate(field.levels))
    return f"CASE WHEN {field.unknown} THEN -1 {cases} ELSE {len(field.levels)} END"


def _compared(records: Records, model: Model) -> str:
    """How many pairs share at least one key, each counted once."""
    keys = range(1, len(model.blocks) + 1)
    order: Any = "l.source_dataset < r.source_dataset" if records.is_link else "l.unique_id < r.unique_id"
    parts = [
        f"SELECT count(*) AS n FROM {BLOCKED} l JOIN {BLOCKED} r ON l.block_{key} = r.block_{key} AND {order}"
        + "".join(f" AND (l.block_{earlier} = r.block_{earlier}) IS NOT TRUE" for earlier in keys if earlier < key)
        for key in keys
    ]
    return f"SELECT sum(n) FROM ({' UNION ALL '.join(parts)})"
