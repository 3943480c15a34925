"""Frames as CSV files: in a fixed order, safe to open in a spreadsheet, without personal data."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from revops_analysis.reporting.formats import is_missing, is_number
from revops_analysis.tables.schema import TABLES

if TYPE_CHECKING:
    import pandas as pd

MASK = "•••"
PERSONAL_DATA = "REVOPS_PERSONAL_DATA"
"""Set to `shown` in the environment of the chapters of a report that asks for personal data."""

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_ALWAYS_PERSONAL = frozenset({"email", "phone"})
_EXPORT_DECIMALS = {"currency": 2, "currency_per_day": 2}


@lru_cache(maxsize=1)
def personal_names() -> frozenset[str]:
    """Column names that hold personal data, from the schema: `contact_email`, `contact_name`, `lead_email`, `email` …

    A bare `name` is not among them: accounts, deals and sellers have names too, and those a report may show. A frame
    that shows a contact's name calls the column `contact_name`.

    >>> sorted(personal_names())[:3]
    ['contact_email', 'contact_name', 'contact_phone']
    """
    prefixed = {f"{schema.name.rstrip('s')}_{column}" for schema in TABLES.values() for column in schema.personal}
    return frozenset(prefixed | _ALWAYS_PERSONAL)


def mask_personal(frame: pd.DataFrame, personal: Sequence[str] = ()) -> pd.DataFrame:
    """The frame with personal columns masked; missing values stay missing. `personal` names further columns."""
    columns = [name for name in frame.columns if str(name).lower() in personal_names() or name in personal]
    if not columns:
        return frame
    masked = frame.copy()
    for name in columns:
        masked[name] = masked[name].astype(object).mask(masked[name].notna(), MASK)
    return masked


def masks_people(environment: Mapping[str, str]) -> bool:
    """Whether personal data are to be masked: always, but for the chapters of a report that asks for them."""
    return environment.get(PERSONAL_DATA) != "shown"


def order_by_key(frame: pd.DataFrame, key: Sequence[str] = ()) -> pd.DataFrame:
    """The frame in one fixed order: by `key` (default: every text and date column, left to right), then the rest.

    Nulls come last. The sort is stable and compares texts by code point, so it does not depend on the machine.
    """
    first = list(key) or [name for name in frame.columns if not _is_numeric(frame[name])]
    keys = first + [name for name in frame.columns if name not in first]
    if frame.empty or not keys:
        return frame
    sortable = frame[keys].apply(lambda column: column if _is_numeric(column) else _as_text(column))
    order = sortable.reset_index(drop=True).sort_values(keys, kind="stable", na_position="last").index
    return frame.iloc[order]


def _is_numeric(column: pd.Series) -> bool:
    return column.dtype.kind in "iufb"


def _as_text(column: pd.Series) -> pd.Series:
    return column.astype("string").astype(object)


def neutralise(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet would run as a formula.

    >>> neutralise("=HYPERLINK(1)"), neutralise("-cmd"), neutralise("Acme"), neutralise("<b>")
    ("'=HYPERLINK(1)", "'-cmd", 'Acme', '<b>')
    """
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def to_csv(frame: pd.DataFrame, units: Mapping[str, str | Sequence[str]] | None = None) -> str:
    """The frame as CSV text: numbers stay numbers, texts cannot become formulas, missing is an empty field.

    `units` says the unit of a column, or those of its rows. Money has two decimals, other fractions at most six.
    Order and columns are the frame's own: see `order_by_key`.
    """
    units = units or {}
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")  # RFC 4180; with both, both are quoted inside a text
    writer.writerow([neutralise(str(name)) for name in frame.columns])
    columns = [_fields(frame[name], units.get(str(name), "")) for name in frame.columns]
    writer.writerows(zip(*columns, strict=True))
    return buffer.getvalue()


def _fields(column: pd.Series, unit: str | Sequence[str]) -> list[str]:
    by_row = [unit] * len(column) if isinstance(unit, str) else unit
    return [_field(value, row_unit) for value, row_unit in zip(column, by_row, strict=True)]


def _field(value: Any, unit: str) -> str:
    if is_missing(value):
        return ""
    if not is_number(value):
        return neutralise(str(value))
    if unit in _EXPORT_DECIMALS:
        return plain_number(value, _EXPORT_DECIMALS[unit])
    if isinstance(value, float) or hasattr(value, "as_tuple"):
        text = plain_number(value, 6)
        return text.rstrip("0").rstrip(".") if "." in text else text
    return str(value)


def plain_number(value: Any, decimals: int) -> str:
    """A number with fixed decimals and no thousands separators; what rounds to zero has no sign.

    >>> plain_number(-0.001, 2), plain_number(-12.345678, 2)
    ('0.00', '-12.35')
    """
    text = f"{value:.{decimals}f}"
    return text.lstrip("-") if not text.strip("-0.") else text
