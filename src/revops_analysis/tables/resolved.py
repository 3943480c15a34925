"""A store in which records of one person or company are one: whatever points to a duplicate points to its survivor.

The load itself stays as it is. Of the records of a cluster the survivor remains, with what it lacks filled from the
others, newest first; every column that refers to a resolved table names survivors only. No amount is added, dropped or
changed: terms, touches, deals and ledger rows are the same, under the survivor. Only rows that merely link two things
(a deal and a person) are kept once.
"""

from __future__ import annotations

from collections.abc import Mapping

import ibis
import ibis.expr.types as ir
from ibis import _

from revops_analysis.tables.schema import TABLES
from revops_analysis.tables.store import Store

Survivors = Mapping[str, Mapping[str, str]]
"""Table → key of a duplicate → key of its survivor."""

LINKS = ("opportunity_contacts",)
"""Tables whose rows only link two things: a second link of the same two says nothing more."""


class ResolvedStore(Store):
    """The tables of a store with duplicates under their survivors; see the module's text.

    `survivors` names the duplicates by table; survivors themselves are not in it.
    """

    def __init__(self, loaded: Store, survivors: Survivors) -> None:
        super().__init__(loaded.con, loaded.info, loaded.database)
        self._loaded = loaded
        self.variant = "resolved_" + "".join(f"{name}_" for name in sorted(survivors))
        counted = " and ".join(f"{len(found):,} {name}" for name, found in sorted(survivors.items()))
        self.notes = (f"Duplicates are resolved: {counted} count under the record that they repeat.",)
        # All at once and before anything else: expressions over these tables are translated once for many stores.
        self._identities = {name: self._identity(name, found) for name, found in sorted(survivors.items())}
        self._merged = {name: self.keep(f"merged_{name}", self._merge(name)) for name in self._identities}

    @property
    def as_loaded(self) -> Store:
        """The store that reads every row as it was loaded."""
        return self._loaded

    def table(self, name: str) -> ibis.Table:
        """Return a canonical table with duplicates under their survivors, everything after the as-of date included."""
        merged = getattr(self, "_merged", {})
        return merged[name] if name in merged else self._pointing(name)

    def _identity(self, name: str, found: Mapping[str, str]) -> ibis.Table:
        rows = ibis.memtable(
            {"duplicate": list(found), "survivor": list(found.values())},
            schema={"duplicate": "string", "survivor": "string"},
        )
        return self.keep(f"identity_{name}", rows)

    def _pointing(self, name: str) -> ibis.Table:
        """The table with every reference to a duplicate turned to its survivor."""
        table = super().table(name)
        if name not in TABLES:
            return table
        schema = TABLES[name]
        for column in schema.columns:
            if column.references in self._identities:
                table = self._turned(table, column.name, str(column.references))
        return _once(table, schema.key) if name in LINKS else table

    def _turned(self, table: ibis.Table, column: str, kind: str) -> ibis.Table:
        identity = self._identities[kind]
        joined = table.left_join(identity, table[column] == identity.duplicate)
        return joined.mutate(**{column: ibis.coalesce(_.survivor, _[column])}).select(*table.columns)

    def _merge(self, name: str) -> ibis.Table:
        """The resolved table itself: survivors with their gaps filled, and everybody who was never a duplicate."""
        schema, identity = TABLES[name], self._identities[name]
        key = schema.key[0]
        rows = self._pointing(name)
        joined = rows.left_join(identity, rows[key] == identity.duplicate)
        named = joined.mutate(owner=ibis.coalesce(_.survivor, _[key]), is_copy=_.survivor.notnull())
        crowded = named.semi_join(identity.select(owner="survivor"), "owner")
        # The survivor's own value, or else the newest of the others.
        order = [_.is_copy.asc(), _.created_at.desc(nulls_first=False), _[key].asc()]
        own = {column: _first(column, order) for column in schema.names if column not in (key, "created_at")}
        created = _.created_at.max(where=~_.is_copy)  # of the survivor alone
        merged = crowded.group_by("owner").aggregate(**own, created_at=created).rename({key: "owner"})
        alone = named.filter(~_.is_copy).anti_join(identity.select(owner="survivor"), "owner")
        plain = alone.select(*schema.names)
        whole = plain.union(merged.select(*schema.names).cast(plain.schema()))
        itself = [column.name for column in schema.columns if column.references == name]
        return whole.mutate(**{column: whole[column].nullif(whole[key]) for column in itself})


def _first(column: str, order: list[ir.Deferred]) -> ir.Deferred:
    """The first value in this order that is not missing; PostgreSQL has no aggregate FIRST."""
    return _[column].collect(order_by=order, include_null=False)[0]


def _once(table: ibis.Table, key: tuple[str, ...]) -> ibis.Table:
    """Links of the same two as one: a primary link if any is, since the first of them, with the first role named."""
    order = [_.created_at.asc(nulls_first=False), _.role.asc(nulls_first=False)]
    return (
        table.group_by(list(key))
        .aggregate(role=_first("role", order), is_primary=_.is_primary.any(), created_at=_.created_at.min())
        .select(*table.columns)
    )
