"""A merge plan: what would change, value by value; carried out on frames and taken back, which says what steps mean."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from revops_analysis.errors import ConfigurationError
from revops_analysis.tables.schema import TABLES

PLAN_COLUMNS = ("action", "cluster", "table", "record", "field", "before", "after", "taken_from", "why")

KEEP, FILL, LINK, MOVE, DROP, RETIRE = "keep", "fill", "link", "move", "drop", "retire"
ACTIONS = (KEEP, FILL, LINK, MOVE, DROP, RETIRE)
"""In the order in which they are carried out; undoing goes backwards."""

_CHANGES, _REMOVALS = (FILL, LINK, MOVE), (DROP, RETIRE)

Tables = Mapping[str, pd.DataFrame]


@dataclass(frozen=True, eq=False)
class MergePlan:
    """The steps of a merge of one table's clusters: a row a value, texts as the engine writes them.

    Columns: action; cluster (the survivor's key); table, record (the row's key before the merge; of several columns a
    JSON list) and field: the value concerned; before, after (null: none); taken_from (the record that the value comes
    from); why. Actions:
    - keep: the survivor's value stands; fill: a missing one is taken from another record;
    - link: a lead gets the contact that it is (leads against contacts only);
    - move: a row of another table points to the survivor from now on;
    - drop: a link of a merged person that the survivor has too; a row a value, so that it can be made again;
    - retire: the merged record goes; a row a value, so that it can be made again.
    """

    table: str
    frame: pd.DataFrame

    @property
    def summary(self) -> pd.DataFrame:
        """How much would change: a row an action and table, with the number of `records` and of `values`."""
        groups = self.frame.groupby(["action", "table"])
        counted = groups.agg(records=("record", "nunique"), values=("field", "size")).reset_index()
        order = counted["action"].map(ACTIONS.index)
        return counted.assign(order=order).sort_values(["order", "table"]).drop(columns="order").reset_index(drop=True)

    def apply(self, tables: Tables) -> dict[str, pd.DataFrame]:
        """The tables after the merge, rows in the order of their keys; `tables` as `plan_tables` gives them.

        Raises ConfigurationError when another value stands there than the plan says.
        """
        done = {name: frame.set_axis(row_keys(name, frame)) for name, frame in tables.items()}
        for name, field, rows in self._by_field(_CHANGES):
            done[name] = _replaced(done[name], name, field, rows[["record", "before", "after"]])
        for table, removed in self._rows(_REMOVALS).groupby("table"):
            done[str(table)] = done[str(table)].drop(index=list(removed["record"].unique()))
        return {name: in_order(name, frame) for name, frame in done.items()}

    def undo(self, tables: Tables) -> dict[str, pd.DataFrame]:
        """The tables as they were before `apply`, value for value, rows in the order of their keys."""
        done = {name: frame.set_axis(self._keys_before(name, frame)) for name, frame in tables.items()}
        for table, removed in self._rows(_REMOVALS).groupby("table"):
            frame = done[str(table)]
            made = removed.pivot(index="record", columns="field", values="before").reindex(columns=frame.columns)
            done[str(table)] = pd.concat([frame.astype(object), made.astype(object)])
        for name, field, rows in self._by_field(_CHANGES[::-1]):
            turned = rows.rename(columns={"before": "after", "after": "before"})
            done[name] = _replaced(done[name], name, field, turned)
        return {name: in_order(name, frame) for name, frame in done.items()}

    def _rows(self, actions: tuple[str, ...]) -> pd.DataFrame:
        return self.frame[self.frame["action"].isin(actions)]

    def _by_field(self, actions: tuple[str, ...]) -> Iterator[tuple[str, str, pd.DataFrame]]:
        for action in actions:
            for (name, field), rows in self._rows((action,)).groupby(["table", "field"]):
                yield str(name), str(field), rows

    def _keys_before(self, name: str, frame: pd.DataFrame) -> list[str]:
        """The keys that the rows of a merged table had before: a move may have changed a part of them.

        Where rows with amounts came to have one key, they stand in the order of their keys before (see `apply`).
        """
        key = TABLES[name].key
        moved = self._rows((MOVE,))
        rows = moved[(moved["table"] == name) & moved["field"].isin(key)]
        now = row_keys(name, frame)
        if rows.empty:
            return now
        arrived: dict[str, list[str]] = {}
        for record, field, after in zip(rows["record"], rows["field"], rows["after"], strict=True):
            arrived.setdefault(_with(record, key.index(field), after), []).append(record)
        present = Counter(now)
        there = {one: sorted([*records, *[one] * (present[one] - len(records))]) for one, records in arrived.items()}
        waiting = {one: iter(records) for one, records in there.items()}
        return [next(waiting[one]) if one in waiting else one for one in now]

    def csv_frame(self) -> pd.DataFrame:
        """The plan for a CSV file that neutralises formulas by an apostrophe.

        An apostrophe at the beginning of a value is doubled, so that `read_merge_plan` can tell the two apart.
        """
        return self.frame.map(lambda value: f"'{value}" if isinstance(value, str) and value.startswith("'") else value)


def read_merge_plan(path: Path, table: str) -> MergePlan:
    """Read a plan that `revops duplicates --out` wrote.

    Raises ConfigurationError when the columns of the file are not those of a plan.
    """
    head = next(csv.reader(path.open(encoding="utf-8", newline="")), [])
    if tuple(head) != PLAN_COLUMNS:
        raise ConfigurationError(
            "Not a merge plan.",
            expected=", ".join(PLAN_COLUMNS),
            found=", ".join(head) or "an empty file",
            where=str(path),
            fix="give the file that `revops duplicates --out` wrote",
        )
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    plain = frame.map(lambda value: value.removeprefix("'")).astype(object)
    return MergePlan(table, plain.where(plain != "", None))


def row_keys(name: str, frame: pd.DataFrame) -> list[str]:
    """The key of each row of a table as text; several columns as a JSON list."""
    columns = [frame[column] for column in TABLES[name].key]
    if len(columns) == 1:
        return [str(value) for value in columns[0]]
    return [json.dumps(list(parts), ensure_ascii=False) for parts in zip(*columns, strict=True)]


def in_order(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The rows in the order of their keys, numbered anew, nulls as None."""
    plain = frame.astype(object).where(frame.notna(), None)
    return plain.set_axis(row_keys(name, plain)).sort_index(kind="stable").reset_index(drop=True)


def _with(record: str, place: int, value: str) -> str:
    """A row's key with one of its parts replaced.

    >>> _with('["o1", "c2"]', 1, "c1")
    '["o1", "c1"]'
    """
    parts = json.loads(record)
    return json.dumps([*parts[:place], value, *parts[place + 1 :]], ensure_ascii=False)


def _replaced(frame: pd.DataFrame, name: str, field: str, rows: pd.DataFrame) -> pd.DataFrame:
    """The frame, indexed by its keys, with the field's values replaced; refused where another value stands there."""
    column = frame[field].astype(object)
    there, expected = column.loc[list(rows["record"])], rows["before"].astype(object)
    differing = int((there.fillna("").to_numpy() != expected.fillna("").to_numpy()).sum())
    if differing:
        raise ConfigurationError(
            "The plan does not fit the data.",
            expected="the values that the plan was made from",
            found=f"{differing} other values in {name}.{field}",
            fix="make the plan again from the data as they are now",
        )
    column.loc[list(rows["record"])] = rows["after"].to_numpy(dtype=object)
    return frame.assign(**{field: column})
