"""What merging the clusters would change: the survivor field by field, what points to the others, and what goes.

Nothing is changed anywhere. The plan is a list of steps for whoever merges (see `plan_steps`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from revops_analysis.tables.resolved import LINKS
from revops_analysis.tables.schema import TABLES
from revops_analysis.validation.duplicates.plan_steps import (
    ACTIONS,
    DROP,
    FILL,
    KEEP,
    LINK,
    MOVE,
    PLAN_COLUMNS,
    RETIRE,
    MergePlan,
    in_order,
    row_keys,
)

if TYPE_CHECKING:
    import ibis

    from revops_analysis.tables.snapshot import Snapshot
    from revops_analysis.validation.duplicates.find import Found

_WHY = {
    KEEP: "the survivor's own value",
    FILL: "missing on the survivor; the newest value of the others",
    LINK: "the lead is this contact",
    MOVE: "belonged to a record that is merged",
    DROP: "the survivor has this link too",
    RETIRE: "merged into the survivor",
}


def merge_plan(snapshot: Snapshot, found: Found) -> MergePlan:
    """The plan by which the clusters of `found` would be merged, or its leads linked to their contacts."""
    parts = _link(snapshot, found) if found.table == "leads-contacts" else _merge(snapshot, found)
    filled = [part[list(PLAN_COLUMNS[:-1])] for part in parts if len(part)]
    frame = pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=list(PLAN_COLUMNS[:-1]))
    frame = frame.assign(why=frame["action"].map(_WHY), place=frame["action"].map(ACTIONS.index))
    frame = frame.sort_values(["cluster", "place", "table", "record", "field"], kind="stable", na_position="first")
    frame = frame[list(PLAN_COLUMNS)].reset_index(drop=True).astype(object)
    return MergePlan(found.table, frame.where(frame.notna(), None))


def plan_tables(snapshot: Snapshot, table: str) -> dict[str, pd.DataFrame]:
    """The table and those that point to it, as texts in the order of their keys: what a plan is applied to."""
    names = dict.fromkeys([table, *(name for name, _ in referring(table))])
    return {name: in_order(name, _texts(snapshot.table(name))) for name in names}


def referring(table: str) -> list[tuple[str, str]]:
    """Tables and columns that point to a table.

    >>> referring("leads")
    [('touchpoints', 'lead_id')]
    """
    return [
        (schema.name, column.name)
        for schema in TABLES.values()
        for column in schema.columns
        if column.references == table
    ]


def _merge(snapshot: Snapshot, found: Found) -> list[pd.DataFrame]:
    cluster = dict(zip(found.clusters["record"], found.clusters["cluster"], strict=True))
    if not cluster:
        return []
    retired = {record: survivor for record, survivor in cluster.items() if record != survivor}
    values = _values(snapshot, found.table, cluster)
    is_survivor = values["record"] == values["cluster"]
    gone = values[~is_survivor & values["before"].notna()]
    parts = [_survivors(found.table, values, retired), gone.assign(action=RETIRE, after=None, taken_from=None)]
    for name, column in referring(found.table):
        parts += _references(snapshot, (name, column), retired)
    return parts


def _link(snapshot: Snapshot, found: Found) -> list[pd.DataFrame]:
    """Leads that have no contact yet get the one that they are."""
    leads = snapshot.table("leads")
    is_unlinked = leads.contact_id.isnull()  # noqa: PD003 - a column of the engine
    without = leads.filter(is_unlinked).select("lead_id").to_pandas()["lead_id"]
    mine = found.linked[found.linked["left"].isin(without)]
    contact = mine["right"]
    rows = pd.DataFrame({"record": mine["left"], "cluster": contact, "after": contact, "taken_from": contact})
    return [rows.assign(action=LINK, table="leads", field="contact_id", before=None)]


def _values(snapshot: Snapshot, table: str, cluster: Mapping[str, str]) -> pd.DataFrame:
    """Every value of the clustered records: cluster, table, record, field, before, and `created` of the record."""
    key = TABLES[table].key[0]
    rows = _texts(_only(snapshot.table(table), key, list(cluster)))
    named = rows.assign(record=rows[key], cluster=rows[key].map(cluster), created=rows["created_at"].fillna(""))
    fields = list(TABLES[table].names)
    return named.melt(["cluster", "record", "created"], fields, "field", "before").assign(table=table)


def _survivors(table: str, values: pd.DataFrame, retired: Mapping[str, str]) -> pd.DataFrame:
    """For each field of each survivor the value that stands in the end, and from which record."""
    is_own = values["record"] == values["cluster"]
    others = values[~is_own & values["before"].notna()]
    newest = others.sort_values(["created", "record"], ascending=[False, True], kind="stable")
    offered = newest.drop_duplicates(["cluster", "field"])[["cluster", "field", "record", "before"]]
    both = values[is_own].merge(
        offered.rename(columns={"record": "other", "before": "offer"}), on=["cluster", "field"], how="left"
    )
    # What points to a merged record of the same table is to point to its survivor; and nothing points to itself.
    pointing = both["field"].isin([column for name, column in referring(table) if name == table])
    offer = both["offer"].where(~pointing, both["offer"].map(retired).fillna(both["offer"]))
    offer = offer.where(~pointing | (offer != both["record"]), None)
    is_filled = both["before"].isna() & offer.notna() & (both["field"] != "created_at")
    steps = both.assign(
        action=is_filled.map({True: FILL, False: KEEP}),
        after=both["before"].where(~is_filled, offer),
        taken_from=both["record"].where(~is_filled, both["other"]),
    )
    return steps[is_filled | both["before"].notna()]


def _references(snapshot: Snapshot, place: tuple[str, str], retired: Mapping[str, str]) -> list[pd.DataFrame]:
    """Rows that point to merged records: moved to the survivor, or dropped where they would say the same twice."""
    name, column = place
    rows = _texts(_only(snapshot.table(name), column, list(retired)))
    if len(TABLES[name].key) == 1:
        rows = rows[~rows[TABLES[name].key[0]].isin(retired)]  # accounts that point to accounts, and go themselves
    if rows.empty:
        return []
    steps = pd.DataFrame({"record": row_keys(name, rows), "before": rows[column].to_numpy()})
    steps = steps.assign(table=name, field=column, after=steps["before"].map(retired))
    steps = steps.assign(cluster=steps["after"], taken_from=None)
    if name not in LINKS:
        return [steps.assign(action=MOVE)]
    doubled = _doubled(snapshot, place, rows.assign(**{column: steps["after"].to_numpy()}))
    dropped = rows.assign(record=steps["record"].to_numpy(), cluster=steps["cluster"].to_numpy())[doubled]
    fields = list(TABLES[name].names)
    values = dropped.melt(["record", "cluster"], fields, "field", "before").dropna(subset="before")
    values = values.assign(table=name, action=DROP, after=None, taken_from=None)
    return [steps[~doubled].assign(action=MOVE), values]


def _doubled(snapshot: Snapshot, place: tuple[str, str], moved: pd.DataFrame) -> np.ndarray:
    """Which of the moved links would stand there twice: the survivor has it, or another merged record brings it."""
    name, column = place
    own = _texts(_only(snapshot.table(name), column, list(moved[column].unique())))
    there = set(row_keys(name, own))
    keys = pd.Series(row_keys(name, moved))
    return np.asarray(keys.isin(there) | keys.duplicated())


def _only(table: ibis.Table, column: str, keys: Sequence[str]) -> ibis.Table:
    import ibis

    wanted = ibis.memtable({column: list(keys)}, schema={column: "string"})
    return table.semi_join(wanted, column)


def _texts(table: ibis.Table) -> pd.DataFrame:
    """The rows as texts, in the order of their keys."""
    texts = table.select(**{name: table[name].cast("string") for name in table.columns})
    return texts.order_by(list(texts.columns)).to_pandas().astype(object)
