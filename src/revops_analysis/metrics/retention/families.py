"""Accounts and the accounts that own them: retention of groups of companies."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot


def topmost(accounts: pd.DataFrame) -> pd.DataFrame:
    """Follow parents upwards: account_id and root_id, a row an account that has another account above it.

    `accounts` has account_id and parent_account_id. A parent that is no account of the table ends the way: the account
    below it is the topmost. Accounts that own each other in a circle have no topmost one; the first of the circle in
    the order of keys stands for all of it.

    >>> frame = pd.DataFrame({"account_id": ["a", "b", "c"], "parent_account_id": [None, "a", "b"]})
    >>> topmost(frame).to_numpy().tolist()
    [['b', 'a'], ['c', 'a']]
    """
    names = pd.Index(accounts["account_id"].sort_values().unique())
    parent = accounts.drop_duplicates("account_id").set_index("account_id")["parent_account_id"].reindex(names)
    above = names.get_indexer(pd.Index(parent.to_numpy(dtype=object)))
    own = np.arange(len(names))
    root = np.where(above >= 0, above, own)
    least = own.copy()
    for _ in range(int(np.ceil(np.log2(max(len(names), 2)))) + 1):  # the way doubles with each look
        least = np.minimum(least, least[root])
        root = root[root]
    at_end = np.where(above >= 0, above, own)[root] == root
    root = np.where(at_end, root, least[root])
    moved = root != own
    return pd.DataFrame({"account_id": names[moved], "root_id": names[root[moved]]})


def at_parent(snapshot: Snapshot, table: ir.Table) -> ir.Table:
    """Replace account_id by the topmost parent's; parents as known today, which reports list."""
    return _at_root(table, _roots(snapshot), ())


def at_parent_on(snapshot: Snapshot, table: ir.Table, days: Sequence[dt.date]) -> ir.Table:
    """The same of a table of several days, whose column known_on says from which day a row is looked at."""
    roots = [_roots(snapshot.at(day)).assign(known_on=day) for day in days]
    return _at_root(table, pd.concat(roots, ignore_index=True), ("known_on",))


def _at_root(table: ir.Table, roots: pd.DataFrame, per: Sequence[str]) -> ir.Table:
    if roots.empty:
        return table
    types = {"account_id": "string", "root_id": "string", **dict.fromkeys(per, "date")}
    known = ibis.memtable(roots[list(types)], schema=ibis.schema(types))
    known = known.rename(owned_id="account_id", **{f"owned_{name}": name for name in per})
    same = [table.account_id == known.owned_id, *(table[name] == known[f"owned_{name}"] for name in per)]
    joined = table.left_join(known, same)
    return joined.mutate(account_id=ibis.coalesce(joined.root_id, joined.account_id)).select(*table.columns)


def _roots(snapshot: Snapshot) -> pd.DataFrame:
    """`topmost` of the accounts of a snapshot; found once."""
    snapshot.use_columns(["accounts.parent_account_id"])
    wanted = ("account_id", "parent_account_id")
    return snapshot.once("topmost parents", lambda: topmost(snapshot.table("accounts").select(*wanted).to_pandas()))
