"""A cut: the rows of one part of the company, as a load of its own, which holds nothing of the rest.

Whoever may see EMEA only gets reports made from a warehouse file with EMEA only. No chapter has to remember a filter,
and what is not in the file cannot reach a page, a table, a figure, an attachment or an error message.

A row is placed by the account it belongs to; the account's own columns (`CUT_COLUMNS`), as known today, say where that
is. What cannot be placed without guessing is left out as a whole table, with the reason (`Cut.withheld`): spend, which
is the company's; leads, while some of them have no account; quotas and forecasts of sellers who also sell elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, reduce
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import pandas as pd

from revops_analysis.errors import ConfigurationError
from revops_analysis.project import Project
from revops_analysis.tables.schema import TABLES
from revops_analysis.tables.warehouse import (
    CATALOG,
    COUNT_TYPES,
    LoadRecord,
    WarehouseInfo,
    WarehouseWriter,
)

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend as DuckDB

CUT_COLUMNS = ("region", "country", "segment", "industry")
"""Columns of accounts by which a company can be cut."""

_WHOLE = "whole"
_UNSAFE = re.compile(r"[^A-Za-z0-9]+")
_LARGEST_LIST = 20
_BY_ACCOUNT = ("contacts", "leads", "opportunities", "subscriptions", "revenue_ledger")
_BY_DEAL = ("opportunity_history", "opportunity_contacts", "opportunity_splits")
_PLANS = ("quotas", "forecast_submissions")
_BY_NEAREST = ("activities", "touchpoints")
_NEAREST = (("opportunity_id", "opportunities"), ("account_id", "accounts"), ("contact_id", "contacts"))


@dataclass(frozen=True)
class Cut:
    """Which part: (column of accounts, value) pairs that all hold, ordered by column.

    >>> Cut.of({"segment": "SMB", "region": "EMEA"}).label
    'region = EMEA and segment = SMB'

    Raises ConfigurationError for no column, or one that is none of `CUT_COLUMNS`.
    """

    parts: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        wrong = [name for name, _ in self.parts if name not in CUT_COLUMNS]
        if wrong or not self.parts:
            raise ConfigurationError(
                "A company cannot be cut so.",
                expected=f"one or more of {', '.join(CUT_COLUMNS)} (columns of accounts), each with a value",
                found=", ".join(wrong) or "nothing",
                fix="for example: region = EMEA",
            )

    @classmethod
    def of(cls, parts: Mapping[str, str]) -> Cut:
        """The cut of a mapping from column to value."""
        return cls(tuple(sorted(parts.items())))

    @property
    def label(self) -> str:
        """The cut as it is read and written."""
        return " and ".join(f"{name} = {value}" for name, value in self.parts)

    @property
    def slug(self) -> str:
        """The cut as part of a folder's name, which no other cut has."""
        plain = "_".join(f"{name}-{_UNSAFE.sub('-', value).strip('-')}" for name, value in self.parts)
        if all(value.isascii() and value.isalnum() for _, value in self.parts):
            return plain
        return f"{plain}-{hashlib.sha256(self.label.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class CutLoad:
    """A cut as a load, and, for whoever may see the whole, how many rows it has of each table.

    `counts`: table, kept, elsewhere (in the whole load, not in the cut), a row a table that the source supplies.
    """

    warehouse: WarehouseInfo
    counts: pd.DataFrame = field(compare=False)


def cut_warehouse(project: Project, info: WarehouseInfo, cut: Cut) -> CutLoad:
    """Write the rows of `cut` as a load beside the whole one; the latest load stays the whole one.

    Equal content gives the same data hash. Of `targets` those set for this part become the targets of all there is in
    the cut; those of the company and of other parts are left out. References to rows that are not in the cut are null.
    Sellers are there with name, team and region where a row of the cut names them.

    Raises ConfigurationError when no account is in the cut, and when there are no accounts to cut by.
    """
    if "accounts" not in info.supplied_tables or info.path is None:
        raise ConfigurationError(
            f"{info.source} cannot be cut: its accounts are not known.",
            expected="the table accounts, with the columns of the cut",
            where=f"load {info.content_hash}",
            fix="supply accounts, or choose recipients without a cut",
        )
    with WarehouseWriter(project, info.source) as writer:
        writer.con.attach(info.path, name=_WHOLE, read_only=True)
        part = _Part(writer.con, info, cut)
        part.require_accounts()
        kept = [name for name in TABLES if name in info.supplied_tables and name not in part.withheld]
        for name in kept:
            writer.insert(name, part.rows(name))
        counts = _counts(writer.con, info)
        record = LoadRecord(
            info.data_through,
            tuple(kept),
            info.profile_hash,
            info.definitions_file,
            _own_counts(counts, kept),
            extra=(*info.extra, ("cut", cut.label), ("withheld", json.dumps(part.withheld))),
            derived=True,
        )
        return CutLoad(writer.commit(record), counts)


class _Part:
    """The rows of a cut, table by table, as expressions on the whole load."""

    def __init__(self, con: DuckDB, info: WarehouseInfo, cut: Cut) -> None:
        self.con, self.info, self.cut = con, info, cut

    def whole(self, name: str) -> ibis.Table:
        return self.con.table(name, database=(_WHOLE, "main"))

    def rows(self, name: str) -> ibis.Table:
        """The table's rows in the cut; references to what is left out are null, or drop the row that needs them."""
        table = self._placed(name)
        for column in TABLES[name].columns:
            if column.references is None or column.references not in _FILTERED:
                continue
            inside = table[column.name].isin(self._keys(column.references))
            if column.required:
                table = table.filter(inside)
            else:
                table = table.mutate(**{column.name: inside.ifelse(table[column.name], ibis.null("string"))})
        return table

    def require_accounts(self) -> None:
        """Refuse a cut without accounts, naming the values that there are."""
        if self._placed("accounts").count().execute():
            return
        accounts = self.whole("accounts")
        known = []
        for name, _ in self.cut.parts:
            values = accounts[name].topk(_LARGEST_LIST).to_pyarrow()[name].drop_null().to_pylist()
            known.append(f"{name}: {', '.join(values) or 'none'}")
        raise ConfigurationError(
            "There is no account in the cut.",
            expected="values that accounts have; " + "; ".join(known),
            found=self.cut.label,
            where=f"accounts of {self.info.source}",
            fix="correct the cut: capital letters count",
        )

    @cached_property
    def withheld(self) -> dict[str, str]:
        """Tables that cannot be cut without guessing, each with the reason."""
        supplied = set(self.info.supplied_tables)
        reasons = {"spend": "it is the company's and has no account"}
        if "leads" in supplied and self.whole("leads").account_id.isnull().any().execute():  # noqa: PD003
            reasons["leads"] = "not every lead has an account, so rates over those that have would be wrong"
        if self._sellers_elsewhere:
            for name in _PLANS:
                reasons[name] = "they are set for sellers who also sell elsewhere"
        return {name: reason for name, reason in reasons.items() if name in supplied}

    @cached_property
    def _sellers_elsewhere(self) -> bool:
        """Whether a seller of the cut's deals also has deals outside of it."""
        deals = self.whole("opportunities")
        inside = self._in_accounts(deals.account_id)
        owned = deals.filter(deals.owner_id.notnull()).group_by("owner_id")  # noqa: PD004
        sides = owned.aggregate(here=inside.sum(), there=(~inside).sum())
        return bool(sides.filter((sides.here > 0) & (sides.there > 0)).count().execute())

    def _in_accounts(self, column: ir.Value) -> ir.BooleanValue:
        return column.isin(self._placed("accounts").account_id).fill_null(False)

    def _placed(self, name: str) -> ibis.Table:
        """Rows that belong to the cut."""
        table = self.whole(name)
        if name == "targets":
            return self._own_targets(table)
        if name in _PLANS:
            table = table.filter(table.scope == "own") if "scope" in table.columns else table  # a team's may hold more
        belongs = self._belongs(name, table)
        return table if belongs is None else table.filter(belongs)

    def _belongs(self, name: str, table: ibis.Table) -> ir.BooleanValue | None:
        """Whether a row belongs to the cut; None for a table that is nobody's."""
        if name == "accounts":
            return ibis.and_(*[(table[column] == value).fill_null(False) for column, value in self.cut.parts])
        if name in _BY_ACCOUNT:
            return self._in_accounts(table.account_id)
        if name in _BY_DEAL:
            return table.opportunity_id.isin(self._keys("opportunities"))
        if name in _BY_NEAREST:
            return self._nearest(table)
        if name in _PLANS:  # kept only where the owners of the cut's deals sell nowhere else
            return table.user_id.isin(self._placed("opportunities").owner_id)
        return table[TABLES[name].key[0]].isin(self._named(name)) if name in _NAMED else None

    def _nearest(self, table: ibis.Table) -> ir.BooleanValue:
        """A touch or activity belongs where its deal does; without one, its account; without that, its person."""
        cases = [(table[name].notnull(), table[name].isin(self._keys(of))) for name, of in _NEAREST]  # noqa: PD004
        return ibis.cases(*cases, else_=False)

    def _own_targets(self, table: ibis.Table) -> ibis.Table:
        """Targets of exactly this part, as those of all there is in the cut."""
        if len(self.cut.parts) != 1:
            return table.limit(0)
        kind, value = self.cut.parts[0]
        own = table.filter((table.scope_kind == kind) & (table.scope == value))
        return own.mutate(scope_kind=ibis.literal("company"), scope=ibis.null("string"))

    def _keys(self, name: str) -> ir.Column:
        """Keys of the rows of a table that are in the cut."""
        if name in _NAMED:
            return self._named(name)
        key = TABLES[name].key[0]
        return self.whole(name).limit(0)[key] if name in self.withheld else self._placed(name)[key]

    def _named(self, name: str) -> ir.Column:
        """Keys of users, or campaigns, that a row of the cut names."""
        found = [
            self._placed(schema.name)[column.name]
            for schema in TABLES.values()
            if schema.name not in (*_NAMED, *self.withheld) and schema.name in self.info.supplied_tables
            for column in schema.columns
            if column.references == name
        ]
        keys = [column.name("key").as_table() for column in found]
        return reduce(lambda one, other: one.union(other, distinct=True), keys).key


_NAMED = ("users", "campaigns")
_FILTERED = ("accounts", "contacts", "opportunities", "leads", "subscriptions", *_NAMED)


def _counts(con: DuckDB, info: WarehouseInfo) -> pd.DataFrame:
    """Rows kept and left out by table."""
    rows = []
    for name in TABLES:
        if name in info.supplied_tables:
            kept, whole = (
                con.table(name, database=(catalog, "main")).count().execute() for catalog in (CATALOG, _WHOLE)
            )
            rows.append({"table": name, "kept": int(kept), "elsewhere": int(whole - kept)})
    return pd.DataFrame(rows, columns=["table", "kept", "elsewhere"])


def _own_counts(counts: pd.DataFrame, kept: list[str]) -> pd.DataFrame:
    """What the cut says about its own rows: nothing of what was left out, not even how much."""
    own = counts[counts["table"].isin(kept)].rename(columns={"kept": "loaded"}).drop(columns="elsewhere")
    zero = {"collapsed": 0, "quarantined": 0, "filtered": 0}
    return own.assign(read=own["loaded"], **zero).reindex(columns=list(COUNT_TYPES))
