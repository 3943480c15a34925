"""What Great Expectations gets to see: a table's columns as pandas frames, a stretch of rows at a time.

Some rules speak of what a column means and not of the column itself: whether a deal is closed, on which day it was
booked. Those columns are derived here, in the engine, from the definitions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from revops_analysis.tables.schema import TABLES

if TYPE_CHECKING:
    import ibis
    import pandas as pd
    import pyarrow as pa

    from revops_analysis.definitions import Definitions

ROWS_AT_A_TIME = 500_000

DERIVED: dict[str, tuple[str, ...]] = {
    "opportunities": ("status", "booking_day", "created_day"),
    "touchpoints": ("touched",),
    "activities": ("logged_on",),
    "spend": ("day_of_month",),
    "revenue_ledger": ("day_of_month",),
}
"""Columns that rules may use beside a table's own; `derived_columns` says what each means."""


def derived_columns(table: ibis.Table, name: str, definitions: Definitions) -> ibis.Table:
    """Add the derived columns of a canonical table.

    `status`: open, won or lost by the definitions' stages, null for an unknown stage. `booking_day`: the date the
    definitions book by, of closed deals. `created_day`: the day of creation in the business time zone's calendar, a
    day early at most, so that a difference of zones never counts as a wrong order. `touched` and `logged_on`: the
    first key among the records that a touch or an activity hangs on. `day_of_month`: 1 where a month is well formed.
    """
    import ibis

    if name == "opportunities":
        words = {"won": definitions.won_stages, "lost": definitions.lost_stages, "open": definitions.open_stages}
        cases = [(table.stage.isin(list(stages)), status) for status, stages in words.items() if stages]
        status = ibis.cases(*cases, else_=ibis.null("string"))
        booked = table[definitions.booking_day].cast("timestamp(6)")
        created = (table.created_at - ibis.interval(days=1)).truncate("D")
        return table.mutate(status=status, booking_day=booked, created_day=created)
    if name == "touchpoints":
        return table.mutate(
            touched=ibis.coalesce(table.contact_id, table.lead_id, table.account_id, table.opportunity_id)
        )
    if name == "activities":
        return table.mutate(logged_on=ibis.coalesce(table.opportunity_id, table.account_id, table.contact_id))
    if name in ("spend", "revenue_ledger"):
        return table.mutate(day_of_month=table.month.day())
    return table


def prepared(rows: ibis.Table, name: str, definitions: Definitions) -> ibis.Table:
    """A canonical table as rules see it: derived columns added, days as moments at midnight, money as float.

    Money is compared with bounds and never summed, so a float is exact enough; a day as a moment stays out of Python
    objects.
    """
    table = derived_columns(rows, name, definitions)
    kinds = {column.name: column.kind for column in TABLES[name].columns}
    casts = {"date": "timestamp(6)", "money": "float64", "rate": "float64"}
    return table.mutate(**{column: table[column].cast(casts[kind]) for column, kind in kinds.items() if kind in casts})


def batches(table: ibis.Table, columns: Sequence[str], rows: int = ROWS_AT_A_TIME) -> Iterator[pd.DataFrame]:
    """The named columns as pandas frames of at most `rows` rows: text as Arrow strings, days as datetime64.

    Memory is bounded by `rows`, whatever the length of the table. An empty table gives no frame.
    """

    waiting: list[pa.RecordBatch] = []
    held = 0
    for batch in table.select(*columns).to_pyarrow_batches(chunk_size=rows):
        waiting.append(batch)
        held += batch.num_rows
        if held >= rows:
            yield _frame(waiting)
            waiting, held = [], 0
    if held:
        yield _frame(waiting)


def _frame(parts: list[pa.RecordBatch]) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa

    arrow_text = {pa.string(): pd.StringDtype("pyarrow"), pa.large_string(): pd.StringDtype("pyarrow")}
    return pa.Table.from_batches(parts).to_pandas(types_mapper=arrow_text.get)
