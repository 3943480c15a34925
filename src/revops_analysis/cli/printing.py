"""Answers on stdout: tables for people, JSON and CSV for programs; progress on stderr."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from revops_analysis.cli.options import Format

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from revops_analysis.sources.load import LoadResult


def print_figures(frame: pd.DataFrame, currency: str) -> None:
    """A tidy frame of figures as a table, each value with its unit."""
    from revops_analysis.reporting.formats import with_unit

    shown = frame.copy()
    for column in ("value", "low", "high"):
        shown[column] = [with_unit(v, u, currency) for v, u in zip(frame[column], frame["unit"], strict=True)]
    print_frame(shown.drop(columns=["unit"]).dropna(axis="columns", how="all"), "")


def print_data(frame: pd.DataFrame, output: Format, units: Mapping[str, str | Sequence[str]] | None = None) -> None:
    """A frame as JSON rows or as CSV."""
    from revops_analysis.reporting.exports import to_csv
    from revops_analysis.reporting.key_figures import dump_json

    if output is Format.json:
        rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
        print(dump_json({"rows": rows}), end="")
    else:
        print(to_csv(frame, units), end="")


def print_frame(frame: pd.DataFrame, title: str) -> None:
    """A frame as a table on stdout; what comes from data is text, never mark-up."""
    from rich.table import Table
    from rich.text import Text

    from revops_analysis.reporting.formats import format_value, is_number

    table = Table(title=Text(title) if title else None, title_justify="left")
    for name in frame.columns:
        numeric = any(is_number(value) for value in frame[name]) or frame[name].dtype.kind in "iuf"
        table.add_column(Text(str(name).replace("_", " ")), justify="right" if numeric else "left")
    columns = [[Text(format_value(value)) for value in frame[name]] for name in frame.columns]
    for cells in zip(*columns, strict=True):
        table.add_row(*cells)
    print_table(table)


def print_table(table: Table) -> None:
    """A table on stdout; wide enough for all columns where no terminal sets the width."""
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 200).print(table)


def print_load(result: LoadResult) -> None:
    """What became of the rows of a load."""
    print_frame(result.counts, "Rows by table: read = loaded + collapsed + quarantined + filtered")
    if len(result.reasons):
        print_frame(result.reasons, "Quarantined rows by reason: `first rows` add up, `rows` may have several reasons")
    for note in result.notes:
        print(note)
    info = result.warehouse
    print(f"Loaded {info.source}, data hash {info.content_hash}, data through {info.data_through.isoformat()}.")


def shown(path: Path) -> str:
    """A path as short as it goes: relative to the working directory where it lies below it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def progress() -> Any:
    """Progress on stderr, which prints what a load did on its way."""
    from revops_analysis.reporting.progress import Progress

    return Progress(print_load)
