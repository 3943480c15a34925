"""A sheet of an Excel file as text: days and moments in ISO form, whole numbers without a decimal point."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pandas as pd

from revops_analysis.errors import ConfigurationError
from revops_analysis.sources.near import near
from revops_analysis.sources.profile import Format
from revops_analysis.sources.text_files import distinct_names


def read_sheet(path: Path, settings: Format) -> pd.DataFrame:
    """Read one sheet: its columns as text, None where a cell is empty. Rows that are wholly empty are left in place.

    Raises ConfigurationError for a file that is no Excel file, for a sheet that does not exist, and where there are
    several sheets and none is named.
    """
    try:
        book = pd.ExcelFile(path, engine="openpyxl")
    except Exception as error:  # openpyxl raises whatever the broken archive makes it stumble over
        raise ConfigurationError("The file cannot be read as Excel.", found=str(error), where=str(path)) from error
    with book:
        sheet = _sheet(path, [str(name) for name in book.sheet_names], settings)
        cells = book.parse(sheet, header=None, dtype=object, keep_default_na=False, na_values=[""])
    if len(cells) < settings.header_row:
        raise ConfigurationError("The sheet is empty.", where=f"{path.name}, sheet {sheet}")
    header = [_text(value) or "" for value in cells.iloc[settings.header_row - 1]]
    body = cells.iloc[settings.header_row :].reset_index(drop=True)
    names = distinct_names(header)
    return pd.DataFrame({name: body[place].map(_text) for place, name in enumerate(names)}, dtype=object)


def _sheet(path: Path, names: list[str], settings: Format) -> str:
    if settings.sheet is None and len(names) > 1:
        raise ConfigurationError(
            "The Excel file has several sheets.",
            found=", ".join(names),
            where=str(path),
            fix=f"name the one to read: `format: {{sheet: {names[0]!r}}}`",
        )
    if settings.sheet is not None and settings.sheet not in names:
        raise ConfigurationError(f"There is no sheet {settings.sheet}{near(settings.sheet, names)}.", where=str(path))
    return settings.sheet or names[0]


def _text(value: Any) -> str | None:
    """A cell as text. Excel stores whole numbers as floats and days as midnight."""
    if pd.isna(value):
        return None
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(sep=" ")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
