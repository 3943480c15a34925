"""What Great Expectations gets to see: a table's columns as pandas frames, a stretch of rows at a time.

Some rules speak of what a column means and not of the column itself: whether a deal is closed, on which day it was
booked. Those columns are derived here, in the engine, from the definitions.

Great Expectations copies the whole frame for every rule and compares moments one by one in Python, so a frame holds
only what its rules need, in the form that is fastest to compare: moments as numbers, a few different words as
categories, and of a column of which only its presence matters, just that. On a million deals that is the difference
between half a minute and seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from revops_analysis.tables.schema import TABLES

if TYPE_CHECKING:
    import ibis
    import pandas as pd
    import pyarrow as pa

    from revops_analysis.definitions import Definitions

ROWS_AT_A_TIME = 500_000
_FEW_WORDS = 0.1  # of the rows: above this a category saves nothing
_ORIGIN = datetime(1970, 1, 1)  # noqa: DTZ001 - moments are naive UTC

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
        booked = table[definitions.booking_day]
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


def key_column(name: str) -> str:
    """Name under which a prepared table keeps a part of the key as it was loaded.

    >>> key_column("opportunity_id")
    'key:opportunity_id'
    """
    return f"key:{name}"


def moment_as_number(moment: datetime) -> float:
    """Microseconds since 1970, exact in a float for the next two centuries.

    >>> moment_as_number(datetime(1970, 1, 2))
    86400000000.0
    """
    since = moment - _ORIGIN
    return float((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)


def prepared(rows: ibis.Table, name: str, definitions: Definitions) -> ibis.Table:
    """A canonical table as rules see it: derived columns added, days and moments as numbers, money as float.

    Money is compared with bounds and never summed, so a float is exact enough. Days and moments become microseconds
    since 1970 (`moment_as_number`), whatever the year. The parts of the key are kept beside as they were loaded.
    """
    import ibis

    keys = {key_column(part): rows[part] for part in TABLES[name].key}
    table = derived_columns(rows, name, definitions).mutate(**keys)
    forms = {}
    for column, kind in table.schema().items():
        if column in keys:
            continue
        if kind.is_date() or kind.is_timestamp():
            since = table[column].cast("timestamp(6)").delta(ibis.literal(_ORIGIN), unit="microsecond")
            forms[column] = since.cast("float64")
        elif kind.is_decimal():
            forms[column] = table[column].cast("float64")
    return table.mutate(**forms)


def batches(
    table: ibis.Table, columns: Sequence[str], presence: Sequence[str] = (), rows: int = ROWS_AT_A_TIME
) -> Iterator[pd.DataFrame]:
    """The named columns as pandas frames of at most about `rows` rows; of those in `presence` only whether they are.

    Text is a category where words repeat, else an Arrow string; a column in `presence` is 1.0 or missing. Memory is
    bounded by `rows`, whatever the length of the table. An empty table gives no frame.
    """
    import ibis

    chosen = {name: table[name] for name in columns}
    there = {name: table[name].notnull() for name in presence}  # noqa: PD004 - a column of the engine
    chosen |= {name: ibis.ifelse(is_there, 1.0, ibis.null("float64")) for name, is_there in there.items()}
    waiting: list[pa.RecordBatch] = []
    held = 0
    for batch in table.select(**chosen).to_pyarrow_batches(chunk_size=rows):
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

    table = pa.Table.from_batches(parts).combine_chunks()
    for place, field in enumerate(table.schema):
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            words = table.column(place).combine_chunks().dictionary_encode()
            if len(words.dictionary) <= len(words) * _FEW_WORDS:
                table = table.set_column(place, field.name, words)
    arrow_text = {pa.string(): pd.StringDtype("pyarrow"), pa.large_string(): pd.StringDtype("pyarrow")}
    return table.to_pandas(types_mapper=arrow_text.get)
