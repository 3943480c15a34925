"""Options that several commands share, and what they are read as."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer


class Format(StrEnum):
    """How a command prints its answer."""

    table = "table"
    json = "json"
    csv = "csv"


Source = Annotated[str, typer.Argument(help="Name of a profile in params/sources, or a path to one.")]
SourceOption = Annotated[str, typer.Option("--source", help="Name of a profile in params/sources, or a path to one.")]
AsOf = Annotated[str, typer.Option("--as-of", help="The day whose end is looked at, as 2026-09-30.")]
Period = Annotated[str, typer.Option("--period", help="A period, as 2026-Q3, FY2026-Q3, 2026-09 or 2026-W39.")]


def day(text: str) -> Any:
    """The day that a text names; ConfigurationError for anything else."""
    from revops_analysis.tables.snapshot import parse_day

    return parse_day(text)
