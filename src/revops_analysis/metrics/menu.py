"""The metrics as a menu to browse: names complete on TAB, each with its words, its dimensions and a call.

ws.metrics                                    # all of them, by family
ws.metrics.win_rate                           # what it is, and what it can be cut by
ws.metrics.win_rate("2026-Q3", by="segment")  # the same as ws.metric_result("win_rate", …)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

from revops_analysis.errors import UnknownNameError
from revops_analysis.metrics.registry import Metric, MetricResult, compute_metric, describe_metrics, get_metric, metrics

if TYPE_CHECKING:
    import pandas as pd

    from revops_analysis.periods import Period
    from revops_analysis.tables.snapshot import Snapshot


@dataclass(frozen=True, eq=False, repr=False)
class MetricEntry:
    """One metric of a snapshot: read it, or call it with a period, a cut and a filter."""

    metric: Metric
    snapshot: Snapshot

    def __call__(
        self,
        period: str | Period | Sequence[Period] | None = None,
        by: str | Sequence[str] = (),
        where: str | None = None,
    ) -> MetricResult:
        """Compute the metric; `period` is by default the quarter that contains the as-of date."""
        return compute_metric(self.snapshot, self.metric.name, period, by, where)

    @property
    def dimensions(self) -> tuple[str, ...]:
        """What `by` and `where` may name."""
        return tuple(self.metric.dimensions)

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.dimensions)

    def __getitem__(self, dimension: str) -> MetricResult:
        """Compute the metric by one dimension, whose names complete on TAB; near names for one that is not known."""
        return self(by=dimension)

    def __repr__(self) -> str:
        return f"{self.metric.name}: {self.metric.title}. {self.metric.description} [{self.metric.unit}]"

    def _repr_html_(self) -> str:
        metric = self.metric
        facts = {
            "What": metric.description,
            "Formula": metric.formula,
            "Unit": metric.unit,
            "Grain": metric.grain,
            "Rests on": ", ".join(metric.tables),
            "Parts": ", ".join(metric.parts),
            "Cut by": ", ".join(self.dimensions),
        }
        rows = "".join(_row(f"<th {_LEFT}>{escape(name)}</th>", text) for name, text in facts.items() if text)
        call = f'ws.metrics.{metric.name}("2026-Q3"{_example_cut(self.dimensions)})'
        return f"<p><b>{escape(metric.title)}</b> <code>{metric.name}</code></p><table>{rows}</table><pre>{call}</pre>"


class MetricsMenu:
    """Every metric there is, by attribute or key; iterating gives names."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def __getattr__(self, name: str) -> MetricEntry:
        known = metrics() if not name.startswith("_") else {}
        if name in known:
            return MetricEntry(known[name], self._snapshot)
        near = get_close_matches(name, known, n=3, cutoff=0.5)
        advice = f"; did you mean {' or '.join(near)}?" if near else "; ws.metrics lists them all"
        raise UnknownNameError(f"There is no metric {name}{advice}")

    def __getitem__(self, name: str) -> MetricEntry:
        """The metric called `name`; ConfigurationError with the nearest names for one that is not known."""
        return MetricEntry(get_metric(name), self._snapshot)

    def __dir__(self) -> list[str]:
        return sorted([*metrics(), "to_frame"])

    def _ipython_key_completions_(self) -> list[str]:
        return list(metrics())

    def __iter__(self) -> Iterator[str]:
        return iter(metrics())

    def __len__(self) -> int:
        return len(metrics())

    def __contains__(self, name: object) -> bool:
        return name in metrics()

    def to_frame(self) -> pd.DataFrame:
        """A row a metric, as `describe_metrics` gives them."""
        return describe_metrics()

    def __repr__(self) -> str:
        return "\n".join(f"{name:28} {metric.title} [{metric.unit}]" for name, metric in metrics().items())

    def _repr_html_(self) -> str:
        in_families = sorted(metrics().values(), key=lambda metric: (metric.family, metric.name))
        rows = []
        for family, members in groupby(in_families, key=lambda metric: metric.family):
            rows.append(f'<tr><th colspan="4" {_LEFT}>{escape(family)}</th></tr>')
            rows += [_line(metric) for metric in members]
        heads = "".join(f"<th {_LEFT}>{name}</th>" for name in ("Metric", "Unit", "What", "Cut by"))
        return f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


_SHOWN_DIMENSIONS = 5
_LEFT = 'style="text-align:left;white-space:normal"'
"""JupyterLab sets tables to the right."""


def _line(metric: Metric) -> str:
    cuts = list(metric.dimensions)
    more = f" and {len(cuts) - _SHOWN_DIMENSIONS} more" if len(cuts) > _SHOWN_DIMENSIONS else ""
    texts = (metric.unit, f"{metric.title}. {metric.description}", ", ".join(cuts[:_SHOWN_DIMENSIONS]) + more)
    return _row(f"<td {_LEFT}><code>{metric.name}</code></td>", *texts)


def _row(first: str, *texts: str) -> str:
    cells = "".join(f"<td {_LEFT}>{escape(text)}</td>" for text in texts)
    return f"<tr>{first}{cells}</tr>"


def _example_cut(dimensions: Sequence[str]) -> str:
    return f', by="{"segment" if "segment" in dimensions else dimensions[0]}"' if dimensions else ""
