"""Finding repairs in the tables of a load and in its quarantine."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from revops_analysis.tables.warehouse import CATALOG, WarehouseInfo, attach
from revops_analysis.validation.repairs.columns import FAMILIES, FAMILY_OF, PLACES, known_words
from revops_analysis.validation.repairs.suggest import MOST_WORDS, SuggestOptions, suggest

if TYPE_CHECKING:
    import ibis

    from revops_analysis.definitions import Definitions
    from revops_analysis.tables.snapshot import Snapshot

SUGGESTIONS = ("table", "column", "value", "replacement", "kind", "rows", "quarantined", "rows_of_replacement")
DOUBTS = ("family", "value", "rows", "candidates", "why")
_UNKNOWN = re.compile(r"^(\w+): unknown \((.*)\)$", re.DOTALL)


@dataclass(frozen=True, eq=False)
class Repairs:
    """Words that look mistyped, and what they should be; nothing is changed by looking.

    - `suggestions`, a row a column and word: table, column, value, replacement, kind (spelling: only case, blanks or
      punctuation differ; typing: a slip), rows (loaded with the word), quarantined (rows in quarantine for it),
      rows_of_replacement (over all columns of the same meaning);
    - `doubts`, a row a word that resembles another without being clearly it: family, value, rows, candidates, why;
    - `looked_at`, a row a column: table, column, words (different ones), rows, reason (why its words were not judged).
    """

    suggestions: pd.DataFrame
    doubts: pd.DataFrame
    looked_at: pd.DataFrame

    @property
    def by_column(self) -> dict[tuple[str, str], dict[str, str]]:
        """(table, column) → value → replacement."""
        found: dict[tuple[str, str], dict[str, str]] = {}
        for row in self.suggestions.to_dict("records"):
            found.setdefault((row["table"], row["column"]), {})[row["value"]] = row["replacement"]
        return found


def repairs_of_load(info: WarehouseInfo, definitions: Definitions, options: SuggestOptions | None = None) -> Repairs:
    """Suggest repairs for the words of a load and of its quarantine, as the load holds them."""
    con = attach(info)
    try:
        words = _counted(lambda name: con.table(name, database=(CATALOG, "main")), info.supplied_tables)
        return judge_words(pd.concat([words, quarantined_words(info.quarantine)]), definitions, options)
    finally:
        con.disconnect()


def find_repairs(snapshot: Snapshot, quarantine: Path | None = None, options: SuggestOptions | None = None) -> Repairs:
    """Suggest repairs for the words of the tables as of the snapshot's day; once for the same question.

    `quarantine` is the folder of a load's quarantined rows, whose words count where they were not known. It is looked
    at on the last day of the data only, since nobody knows since when a row has been there.
    """
    place = quarantine if snapshot.as_of == snapshot.data_through else None

    def find() -> Repairs:
        supplied = [name for name in {table for table, _ in PLACES} if snapshot.has(name)]
        words = pd.concat([_counted(snapshot.table, supplied), quarantined_words(place)])
        return judge_words(words, snapshot.definitions, options)

    return snapshot.once(("repairs", str(place), options), find)


def _counted(table: Callable[[str], ibis.Table], supplied: Collection[str]) -> pd.DataFrame:
    """Rows by table, column and word, in one query: columns table, column, value, rows, quarantined."""
    import ibis

    parts = []
    for name, column in PLACES:
        if name in supplied:
            rows = table(name)
            there = rows.select(value=column).drop_null("value").group_by("value")
            counted = there.aggregate(rows=lambda t: t.count())
            parts.append(
                counted.select(
                    table=ibis.literal(name), column=ibis.literal(column), value="value", rows=counted["rows"]
                )
            )
    if not parts:
        return pd.DataFrame(columns=["table", "column", "value", "rows", "quarantined"])
    frame = reduce(lambda one, other: one.union(other), parts).to_pandas()
    return frame.assign(quarantined=0)


def quarantined_words(folder: Path | None) -> pd.DataFrame:
    """Words that are the reason for which rows lie in quarantine: table, column, value, rows (0), quarantined."""
    columns = ["table", "column", "value", "rows", "quarantined"]
    files = sorted(folder.glob("*.parquet")) if folder is not None and folder.is_dir() else []
    found = [
        {"table": file.stem, "column": match[1], "value": match[2]}
        for file in files
        for match in _unknown_words(pd.read_parquet(file, columns=["reasons"])["reasons"])
    ]
    frame = pd.DataFrame(found, columns=columns[:3])
    is_word = pd.Series(list(zip(frame["table"], frame["column"], strict=True)), dtype=object).isin(list(FAMILY_OF))
    frame = frame[is_word.to_numpy(dtype=bool)]
    return frame.assign(rows=0, quarantined=1).groupby(columns[:3], as_index=False).sum()


def _unknown_words(reasons: pd.Series) -> Iterable[re.Match[str]]:
    texts = reasons.explode().dropna().astype(str)
    return (match for match in map(_UNKNOWN.match, texts) if match is not None)


def judge_words(words: pd.DataFrame, definitions: Definitions, options: SuggestOptions | None = None) -> Repairs:
    """Suggest repairs for counted words: table, column, value, rows, quarantined."""
    counted = words.groupby(["table", "column", "value"], as_index=False)[["rows", "quarantined"]].sum()
    pairs = zip(counted["table"], counted["column"], strict=True)
    counted["family"] = [FAMILY_OF[pair] for pair in pairs]
    suggestions, doubts = [], []
    for family in FAMILIES:
        own = counted[counted["family"] == family]
        totals = (own.groupby("value")["rows"].sum() + own.groupby("value")["quarantined"].sum()).to_dict()
        rows = {str(word): int(count) for word, count in totals.items()}
        found, unclear = suggest(rows, known_words(family, definitions), options)
        replaced = {each.value: each for each in found}
        mine = own[own["value"].isin(list(replaced))]
        for row in mine.to_dict("records"):
            each = replaced[row["value"]]
            row |= {"replacement": each.replacement, "kind": each.kind}
            suggestions.append(row | {"rows_of_replacement": rows.get(each.replacement, 0)})
        doubts += [
            {
                "family": family,
                "value": d.value,
                "rows": rows[d.value],
                "candidates": ", ".join(d.candidates),
                "why": d.why,
            }
            for d in unclear
        ]
    frame = pd.DataFrame(suggestions, columns=list(SUGGESTIONS)).sort_values(
        ["table", "column", "value"], kind="stable", ignore_index=True
    )
    return Repairs(frame, pd.DataFrame(doubts, columns=list(DOUBTS)), _looked_at(counted))


def _looked_at(counted: pd.DataFrame) -> pd.DataFrame:
    frame = counted.groupby(["table", "column", "family"], as_index=False).agg(
        words=("value", "nunique"), rows=("rows", "sum")
    )
    many = counted.groupby("family")["value"].nunique() > MOST_WORDS
    reason = f"More than {MOST_WORDS} different words: no short list."
    frame["reason"] = [reason if many[family] else None for family in frame["family"]]
    return frame.drop(columns="family")
