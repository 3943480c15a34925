"""Recurring revenue that no figure can be made of: refused, with what to repair."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis.expr.types as ir
import pandas as pd

from revops_analysis.errors import DataRefusedError

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot


def refuse_what_cannot_be_counted(snapshot: Snapshot, rows: ir.Table, last: int) -> tuple[bool, list[str | None]]:
    """Refuse a ledger with a month without any row between others.

    `rows` as `revenue_rows` returns them, `last` the last complete month. Returns whether any amount is in another
    currency than the reporting one, and the products in order, one not given last. Raises DataRefusedError.
    """
    where = f"source {snapshot.source}, as of {snapshot.as_of.isoformat()}"
    seen = rows.group_by(["currency", "product", "first_month"]).aggregate(n=rows.count()).to_pandas()
    if not snapshot.has("subscriptions"):
        _refuse_hole(seen.loc[seen["first_month"] <= last, "first_month"], where)
    is_foreign = bool((seen["currency"].notna() & (seen["currency"] != snapshot.definitions.reporting_currency)).any())
    named = sorted(seen["product"].dropna().unique())
    return is_foreign, [*named, *([None] if seen["product"].isna().any() else [])]


def _refuse_hole(found: pd.Series, where: str) -> None:
    """A month without any row would read as if every customer had left and come back."""
    months = {int(number) for number in found.dropna()}
    absent = sorted(set(range(min(months), max(months) + 1)) - months) if months else []
    if absent:
        year, month = divmod(absent[0], 12)
        raise DataRefusedError(
            "The revenue ledger has no row in a month between others.",
            expected="rows in every month from the first to the last",
            found=f"{len(absent)} months without any, the first {year:04d}-{month + 1:02d}",
            where=where,
            fix="export the month, or, if nothing was billed in it, give each customer a row of 0",
        )
