"""Accounts and the accounts that own them: retention of groups of companies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa

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
    snapshot.use_columns(["accounts.parent_account_id"])
    roots = snapshot.once("topmost parents", lambda: _roots(snapshot))
    if roots.empty:
        return table
    columns = {name: pa.array(roots[name], pa.string()) for name in roots.columns}
    known = ibis.memtable(pa.table(columns)).rename(owned_id="account_id")
    joined = table.left_join(known, table.account_id == known.owned_id)
    return joined.mutate(account_id=ibis.coalesce(joined.root_id, joined.account_id)).select(*table.columns)


def _roots(snapshot: Snapshot) -> pd.DataFrame:
    accounts = snapshot.table("accounts").select("account_id", "parent_account_id")
    return topmost(accounts.to_pandas())
