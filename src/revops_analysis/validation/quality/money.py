"""The open pipeline that problems touch: each open deal once, however many of its rows fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from typing import TYPE_CHECKING, Any

import pandas as pd

from revops_analysis.validation.quality.rows import ACCOUNT, DEAL

if TYPE_CHECKING:
    import ibis

    from revops_analysis.tables.snapshot import Snapshot

BY_ACCOUNT = ("accounts",)
"""Tables whose problems touch every open deal of the account."""


@dataclass(frozen=True, eq=False)
class Touched:
    """Open deals, forecast category omitted left out, of which some row fails a rule.

    - `rules`: rule, deals, amount (null where none of its rows belongs to a deal), unpriced (deals without amount);
    - `owners`: owner_id (of the deal), deals, amount; each deal once;
    - deals, amount, unpriced: of all rules together, each deal once; open_deals, open_amount: of the whole pipeline.
    """

    rules: pd.DataFrame
    owners: pd.DataFrame
    deals: int
    amount: Decimal
    unpriced: int
    open_deals: int
    open_amount: Decimal

    @property
    def share(self) -> float | None:
        """Share of the open pipeline's amount that is touched; None without pipeline."""
        return float(self.amount / self.open_amount) if self.open_amount else None


def touched_deals(snapshot: Snapshot, failing: Sequence[ibis.Table]) -> Touched:
    """Add up the open deals behind failing rows (see `rows.failing_facts`), each once a rule, an owner and in all."""
    deals = snapshot.deals
    is_open = (deals.status == "open") & ~deals.is_omitted.fill_null(False) & deals.is_headline.fill_null(True)
    open_deals = deals.filter(is_open).select("opportunity_id", "account_id", "owner_id", "amount")
    whole = _sums(open_deals)
    if not failing:
        empty = pd.DataFrame(columns=["rule", "deals", "amount", "unpriced"])
        owners = pd.DataFrame(columns=["owner_id", "deals", "amount"])
        return Touched(empty, owners, 0, Decimal(0), 0, whole["deals"], whole["amount"])
    rows = snapshot.keep("rows that fail a rule", lambda: reduce(lambda one, other: one.union(other), failing))
    has_deal = rows[DEAL].notnull()  # noqa: PD004 - a column of the engine
    linked = rows.filter(has_deal | rows.table.isin(list(BY_ACCOUNT)))
    by_deal = linked.inner_join(open_deals, linked[DEAL] == open_deals.opportunity_id)
    others = linked.filter(linked.table.isin(list(BY_ACCOUNT)))
    by_account = others.inner_join(open_deals, others[ACCOUNT] == open_deals.account_id)
    columns = ["rule", "opportunity_id", "owner_id", "amount"]
    pairs = by_deal.select(*columns).union(by_account.select(*columns)).distinct()
    pairs = snapshot.keep("open deals that fail a rule", lambda: pairs)
    rules = pairs.group_by("rule").aggregate(**_totals(pairs)).to_pandas()
    each = pairs.select("opportunity_id", "owner_id", "amount").distinct()
    owners = each.group_by("owner_id").aggregate(**_totals(each)).to_pandas()
    tied = set(linked.select("rule").distinct().to_pandas()["rule"])
    found = _with_untouched(rules, tied)
    total = _sums(each)
    kept = owners[["owner_id", "deals", "amount"]]
    return Touched(found, kept, total["deals"], total["amount"], total["unpriced"], whole["deals"], whole["amount"])


def _totals(rows: ibis.Table) -> dict[str, Any]:
    amount = rows.amount
    unpriced = rows.count() - amount.count()
    return {"deals": rows.count(), "amount": amount.sum().cast("decimal(38, 2)"), "unpriced": unpriced}


def _sums(rows: ibis.Table) -> dict[str, Any]:
    found = rows.aggregate(**_totals(rows)).to_pyarrow().to_pylist()[0]
    return {name: value or 0 for name, value in found.items()} | {"amount": found["amount"] or Decimal(0)}


def _with_untouched(rules: pd.DataFrame, tied: set[str]) -> pd.DataFrame:
    """The rules whose rows belong to deals, none of them open, too: they touch 0, which is known."""
    absent = sorted(tied - set(rules["rule"]))
    none = pd.DataFrame({"rule": absent, "deals": 0, "amount": [Decimal(0)] * len(absent), "unpriced": 0})
    return pd.concat([rules, none], ignore_index=True) if absent else rules
