"""How results show themselves in a notebook: a table with units, a small line over periods, findings as blocks.

Computation knows nothing of this: the formatters are given to IPython here, when a workspace is first opened in a
notebook.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from revops_analysis.reporting import fragments
from revops_analysis.reporting.completion import add_completions
from revops_analysis.reporting.formats import is_missing, with_unit

if TYPE_CHECKING:
    from revops_analysis.findings.finding import Detection
    from revops_analysis.metrics.registry import MetricResult

_WIDTH, _HEIGHT, _MARGIN = 240, 48, 4
_STYLE = (
    "<style>.rv-shown td,.rv-shown th{text-align:left!important;padding:.2em .8em}"
    ".rv-shown .rv-number{text-align:right!important}"
    ".rv-shown .rv-finding{border-left:4px solid #8a8a8a;padding:.1em 1em;margin:.8em 0}"
    ".rv-shown .rv-critical{border-color:#b3261e}.rv-shown .rv-warning{border-color:#b26a00}"
    ".rv-shown .rv-watch{border-left-style:dotted}"
    ".rv-shown dl{display:flex;flex-wrap:wrap;gap:.2em 2em;margin:.2em 0}"
    # JupyterLab floats names to the left of their values, each in a fifth of the width: they would overlap.
    ".rv-shown dl dt,.rv-shown dl dd{display:block;float:none!important;width:auto!important;margin:0;padding:0}"
    ".rv-shown dd{font-weight:600}"
    ".rv-shown dt,.rv-shown .rv-reason,.rv-shown .rv-unit,.rv-shown .rv-footnotes{font-size:.9em;opacity:.75}"
    "</style>"
)


def activate() -> None:
    """Give IPython the formatters and the completion of names; without IPython there is nothing to do.

    Calling it again changes nothing.
    """
    from IPython import get_ipython

    shell = get_ipython()
    if shell is None:
        return
    formatter = shell.display_formatter.formatters["text/html"]
    formatter.for_type_by_name("revops_analysis.metrics.registry", "MetricResult", metric_html)
    formatter.for_type_by_name("revops_analysis.findings.finding", "Detection", detection_html)
    add_completions(shell)


def metric_html(result: MetricResult, currency: str = "") -> str:
    """A metric's answer: its words, its rows with units, and a line where there are several periods and no cut."""
    metric, frame = result.metric, result.frame
    shown = frame.drop(columns="metric").dropna(axis="columns", how="all")
    shown["unit"] = frame["unit"]
    spec = fragments.TableSpec(metric.description, {}, currency)
    table = fragments.render_table(shown, spec)
    is_series = len(frame) > 1 and not result.dimensions
    line = sparkline(list(frame["value"]), list(frame["period"]), metric.unit) if is_series else ""
    unit = {"currency": "reporting currency", "currency_per_day": "reporting currency a day"}.get(
        metric.unit, metric.unit
    )
    head = f"<p><b>{escape(metric.title)}</b> <code>{escape(metric.name)}</code> · {escape(unit)}</p>"
    return f'<div class="rv-shown">{_STYLE}{head}{line}{table}</div>'


def detection_html(detection: Detection) -> str:
    """Findings as a report shows them."""
    return f'<div class="rv-shown">{_STYLE}{fragments.render_detection(detection)}</div>'


def sparkline(values: Sequence[Any], periods: Sequence[str], unit: str) -> str:
    """A small line over periods, broken where a value is missing; the words beside it say what it shows.

    Nothing where fewer than two periods have a value.
    """
    known = [float(value) for value in values if not is_missing(value)]
    if len(known) < 2:
        return ""
    low, high = min(known), max(known)
    across = (_WIDTH - 2 * _MARGIN) / (len(values) - 1)
    points: list[list[str]] = [[]]
    for place, value in enumerate(values):
        if is_missing(value):
            points.append([])
            continue
        rise = 0.5 if high == low else (float(value) - low) / (high - low)
        y = _HEIGHT - _MARGIN - rise * (_HEIGHT - 2 * _MARGIN)
        points[-1].append(f"{_MARGIN + place * across:.1f},{y:.1f}")
    first, last = (next(iter(row)) for row in (_ends(values, periods), reversed(_ends(values, periods))))
    words = f"{first[0]}: {with_unit(first[1], unit, '')} → {last[0]}: {with_unit(last[1], unit, '')}".replace(
        "  ", " "
    )
    lines = "".join(
        f'<polyline points="{" ".join(part)}" fill="none" stroke="#0072b2" stroke-width="2"/>'
        if len(part) > 1
        else f'<circle cx="{part[0].split(",")[0]}" cy="{part[0].split(",")[1]}" r="2" fill="#0072b2"/>'
        for part in points
        if part
    )
    return (
        f'<p><svg role="img" aria-label="{escape(words)}" width="{_WIDTH}" height="{_HEIGHT}">{lines}</svg> '
        f"{escape(words)}</p>"
    )


def _ends(values: Sequence[Any], periods: Sequence[str]) -> list[tuple[str, Any]]:
    return [(period, value) for period, value in zip(periods, values, strict=True) if not is_missing(value)]
