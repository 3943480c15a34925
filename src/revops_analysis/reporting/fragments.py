"""Pieces of a page: table, figure, headline, findings, opening. Whatever comes from a CRM is data and is escaped."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

from revops_analysis.reporting.formats import (
    NUMERIC_UNITS,
    decimals_for,
    format_value,
    heading,
    is_missing,
    is_number,
    unit_label,
    with_unit,
)

if TYPE_CHECKING:
    import pandas as pd
    from jinja2 import Environment

    from revops_analysis.findings.finding import Detection, Finding
    from revops_analysis.reporting.key_figures import KeyFigure

TEMPLATES = Path(__file__).parent / "templates"
ROWS_SHOWN = 200
OPENING_FINDINGS = 3
"""How many findings a chapter opens with."""


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The template environment of all our pages: escapes everything, and fails on a field nobody filled."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    made.filters["value"] = format_value
    made.filters["with_unit"] = with_unit
    made.filters["anchor"] = finding_anchor
    made.filters["p_value"] = p_value
    return made


def render(template: str, **fields: Any) -> str:
    """Fill one of our templates."""
    return environment().get_template(template).render(**fields)


@dataclass(frozen=True)
class TableSpec:
    """How a table is shown: its caption, the unit of each column, where its CSV is, and how many rows a page shows.

    A column without a unit is text if it holds text, else a plain number. `value`, `low` and `high` without a unit
    take each row's own from a column `unit`.
    """

    title: str
    units: Mapping[str, str]
    currency: str
    csv_path: str = ""
    rows_shown: int = ROWS_SHOWN


@dataclass(frozen=True)
class Cell:
    """One cell: what is read, what is sorted by, and why it is empty where it is."""

    text: str
    order: str
    is_numeric: bool
    reason: str = ""


_PER_ROW = ("value", "low", "high")
_SILENT = ("reason", "unit")


def render_table(frame: pd.DataFrame, spec: TableSpec) -> str:
    """The frame as an HTML table: sortable where scripts run, numbers right-aligned, missing as – with its reason.

    A column `reason` is not shown as a column: it becomes a note at the missing values of its row.
    """
    per_row = "unit" in frame.columns
    shown = [name for name in frame.columns if name not in (_SILENT if per_row else ("reason",))]
    top = frame.head(spec.rows_shown)
    reasons = ["" if is_missing(why) else str(why) for why in top["reason"]] if "reason" in top else [""] * len(top)
    row_units = [str(unit) for unit in top["unit"]] if per_row else [""] * len(top)
    columns = []
    for name in shown:
        own = spec.units.get(str(name), "")
        units = row_units if per_row and name in _PER_ROW and not own else [own] * len(top)
        columns.append(_cells(list(top[name]), units, reasons))
    heads = [_head(str(name), spec, cells) for name, cells in zip(shown, columns, strict=True)]
    rows = list(zip(*columns, strict=True))
    why = list(dict.fromkeys(cell.reason for row in rows for cell in row if cell.reason))
    return render("table.html.j2", spec=spec, heads=heads, rows=rows, reasons=why, total=len(frame), shown=len(top))


def _cells(values: Sequence[Any], units: Sequence[str], reasons: Sequence[str]) -> list[Cell]:
    numeric = any(is_number(value) for value in values) or any(unit in NUMERIC_UNITS for unit in units)
    uniform = len(set(units)) == 1
    whole = all(isinstance(value, Integral) or is_missing(value) or not is_number(value) for value in values)
    decimals = (0 if units[0] == "" and whole else decimals_for(units[0], values)) if uniform and values else None
    cells = []
    for value, unit, why in zip(values, units, reasons, strict=True):
        if is_missing(value):
            cells.append(Cell(format_value(None), "", numeric, why))
        elif is_number(value):
            cells.append(Cell(_marked(format_value(value, unit, decimals), unit, uniform), repr(float(value)), True))
        else:
            text = format_value(value, unit)
            cells.append(Cell(text, text, False))
    return cells


def _marked(text: str, unit: str, uniform: bool) -> str:
    return f"{text} {unit}" if unit in ("days", "minutes") and not uniform else text


def _head(name: str, spec: TableSpec, cells: Sequence[Cell]) -> dict[str, Any]:
    return {
        "text": heading(name),
        "unit": unit_label(spec.units.get(name, ""), spec.currency),
        "is_numeric": any(cell.is_numeric for cell in cells) or spec.units.get(name, "") in NUMERIC_UNITS,
    }


@dataclass(frozen=True)
class FigureSpec:
    """What surrounds a picture: its caption, the sentence for whoever cannot see it, and where its files are."""

    title: str
    alt: str
    svg_path: str = ""
    png_path: str = ""


def render_figure(svg: str, spec: FigureSpec) -> str:
    """The picture with caption and alternative text, carried in the page itself."""
    data = base64.b64encode(svg.encode()).decode("ascii")
    return render("figure.html.j2", data=data, spec=spec)


def render_headline(rows: Sequence[KeyFigure], currency: str) -> str:
    """The headline figures as cards: name, value, interval, and the reason where there is no value."""
    return render("headline.html.j2", rows=rows, currency=currency)


def finding_anchor(finding: Finding) -> str:
    """The id of a finding's block on its chapter's page, made of its id.

    >>> from types import SimpleNamespace
    >>> finding_anchor(SimpleNamespace(id="win_rate_drop:segment=Mid-Market"))
    'finding-win-rate-drop-segment-mid-market-8655'
    """
    words = re.sub(r"[^a-z0-9]+", "-", finding.id.lower()).strip("-")
    # Other signs become one dash, so two ids could share a name; a few digits of the whole keep them apart.
    return f"finding-{words[:80]}-{hashlib.sha256(finding.id.encode()).hexdigest()[:4]}"


def p_value(value: float) -> str:
    """A p-value as it is read: three places, and a limit where it is smaller than they show.

    >>> p_value(0.0314), p_value(0.00001)
    ('0.031', '< 0.001')
    """
    return "< 0.001" if value < 0.0005 else f"{value:.3f}"


def render_short(findings: Sequence[Finding]) -> str:
    """The first findings, a line each with a link to the whole: what a chapter opens with. Empty without findings."""
    if not findings:
        return ""
    more = len(findings) - OPENING_FINDINGS
    return render("findings_short.html.j2", findings=findings[:OPENING_FINDINGS], more=max(more, 0))


def render_findings(findings: Sequence[Finding], *, linked: bool = False) -> str:
    """What is wrong, how sure, what it costs, who should do what: one block a finding, in the order given.

    `linked` adds to each a link to the page of its chapter.
    """
    return render("findings.html.j2", findings=findings, linked=linked)


def render_detection(detection: Detection) -> str:
    """Findings, and below them what was looked for without finding it and what could not be looked for, and why."""
    found = {finding.id.split(":")[0] for finding in detection.findings}
    return render(
        "detection.html.j2",
        findings=detection.findings,
        clear=[name.replace("_", " ") for name in detection.assessed if name not in found],
        not_assessed=detection.not_assessed.to_dict("records"),
    )
