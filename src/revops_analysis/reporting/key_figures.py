"""The one writer of key figures: rows of published numbers, their JSON document, and their stable text.

The command line, the chapters and the run's merged file all go through here, so they cannot disagree. Money is
written as decimal strings with two decimals, rates with six, other fractions with four; missing is null with a reason.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from revops_analysis.errors import ConfigurationError
from revops_analysis.models.forecaster import QUANTILE_NAMES
from revops_analysis.reporting.exports import plain_number
from revops_analysis.reporting.formats import heading, is_missing, is_number, with_unit

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = "revops.key_figures/1"
_COLUMNS = ("metric", "value", "unit", "low", "high", "n", "reason", *QUANTILE_NAMES)
_MONEY = ("currency", "currency_per_day")
_DECIMALS = {"rate": 6, "count": 0}


@dataclass(frozen=True)
class KeyFigure:
    """One published number: `value` in `unit`, its interval where it has one, the `n` it rests on.

    `value` None means that it cannot be known, and `reason` says why; it is never a stand-in for zero. `title` is for
    pages only. A forecast has `quantiles` at `QUANTILE_NAMES`, null where none is stated, and its value is the mean.
    """

    metric: str
    dims: tuple[tuple[str, str | None], ...]
    value: Any
    unit: str
    low: Any = None
    high: Any = None
    n: int | None = None
    reason: str | None = None
    title: str = ""
    quantiles: tuple[Any, ...] = ()

    @property
    def shown_name(self) -> str:
        """What a reader sees: the metric's title, else its name as words."""
        return self.title or heading(self.metric)

    def as_json(self) -> dict[str, Any]:
        """The row as the JSON schema has it; forecasts have their mean and quantiles too."""
        return {
            "metric": self.metric,
            "dims": dict(self.dims),
            "value": publish(self.value, self.unit),
            "unit": self.unit,
            "low": publish(self.low, self.unit),
            "high": publish(self.high, self.unit),
            "n": self.n,
            "reason": self.reason,
            **self._distribution(),
        }

    def _distribution(self) -> dict[str, Any]:
        if not self.quantiles:
            return {}
        stated = dict(zip(QUANTILE_NAMES, self.quantiles, strict=True))
        return {name: publish(value, self.unit) for name, value in {"mean": self.value, **stated}.items()}

    def as_text(self, currency: str) -> str:
        """The row as one stable line, for the notebook's last cell and its comparison."""
        where = ", ".join(f"{name}={'–' if value is None else value}" for name, value in self.dims)
        parts = [f"{self.metric}{f' [{where}]' if where else ''}: {with_unit(self.value, self.unit, currency)}"]
        if not is_missing(self.low) and not is_missing(self.high):
            parts.append(f"({with_unit(self.low, self.unit, currency)} to {with_unit(self.high, self.unit, currency)})")
        parts += [f"n={self.n}"] if self.n is not None else []
        parts += [f"– {self.reason}"] if self.reason else []
        return " ".join(parts)


def publish(value: Any, unit: str) -> str | float | int | None:
    """A number at published precision: money as a decimal string, counts whole, missing and infinite as None.

    >>> publish(1234.5, "currency"), publish(0.63149999, "rate"), publish(12.0, "count"), publish(None, "rate")
    ('1234.50', 0.6315, 12, None)
    """
    if is_missing(value):
        return None
    if unit in _MONEY:
        return plain_number(value, 2)
    if float(value) in (float("inf"), float("-inf")):
        return None
    if unit == "count" and float(value).is_integer():
        return int(value)
    return round(float(value), _DECIMALS.get(unit, 4)) + 0.0


def figure_from_json(row: Mapping[str, Any]) -> KeyFigure:
    """A published row read back, with the title that pages give it: money is a decimal string there."""
    value, low, high = (
        Decimal(row[name]) if isinstance(row[name], str) else row[name] for name in ("value", "low", "high")
    )
    return KeyFigure(
        metric=row["metric"],
        dims=tuple(row["dims"].items()),
        value=value,
        unit=row["unit"],
        low=low,
        high=high,
        n=row["n"],
        reason=row["reason"],
        title=row["title"],
    )


@dataclass(frozen=True)
class Facts:
    """What every page and every document says about the numbers in it: where from, as of when, by which definitions."""

    source: str
    data_hash: str
    as_of: str
    period: str
    definitions_version: str
    definitions_hash: str
    currency: str
    seed: int = 0
    warnings: tuple[str, ...] = ()
    cut: str = ""


@dataclass(frozen=True)
class KeyFigures:
    """Published rows together with the facts they rest on."""

    facts: Facts
    rows: tuple[KeyFigure, ...] = field(default=())

    def as_json(self, command: str) -> dict[str, Any]:
        """The document of DESIGN.md; `command` says what produced it."""
        return document(self.facts, command, [row.as_json() for row in self.rows])

    def as_text(self) -> str:
        """All rows, a line each."""
        return "\n".join(row.as_text(self.facts.currency) for row in self.rows)


def document(facts: Facts, command: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Facts and rows, already in their JSON form, as one document."""
    return {
        "schema": SCHEMA,
        "command": command,
        "source": facts.source,
        **({"cut": facts.cut} if facts.cut else {}),
        "data_hash": facts.data_hash,
        "as_of": facts.as_of,
        "period": facts.period,
        "definitions": {"version": facts.definitions_version, "hash": facts.definitions_hash},
        "currency": facts.currency,
        "seed": facts.seed,
        "warnings": list(facts.warnings),
        "rows": list(rows),
    }


def dump_json(document: Mapping[str, Any]) -> str:
    """Any document of ours as JSON text: fixed order, readable, ending in a newline."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def collect_rows(figures: Any, period: str = "") -> tuple[KeyFigure, ...]:
    """Rows from what metrics return: a result with a `frame`, a tidy frame, a row, or a sequence of those.

    A tidy frame has the columns metric, value, unit and, where known, low, high, n, reason and a forecast's quantiles
    by name; every other column is a dimension. `period` is one too, unless it is the document's own. Rows keep the
    metrics' order of appearance and are ordered by their dimensions within a metric.

    Raises ConfigurationError when a frame lacks metric, value or unit, or a missing value comes without a reason.
    """
    rows = tuple(_rows(figures, period))
    order = {metric: index for index, metric in reversed(list(enumerate(row.metric for row in rows)))}
    return tuple(sorted(rows, key=lambda row: (order[row.metric], [(name, text or "") for name, text in row.dims])))


def rows_frame(rows: Sequence[KeyFigure]) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    """Rows as one frame, and the units of its number columns by row, as CSV takes them.

    Columns: metric, every dimension in order of appearance, value, unit, low, high, the quantiles if a row has any, n,
    reason.
    """
    import pandas as pd

    dims = list(dict.fromkeys(name for row in rows for name, _ in row.dims))
    names = list(QUANTILE_NAMES) if any(row.quantiles for row in rows) else []
    records = [
        {
            **dict(row.dims),
            **{name: getattr(row, name) for name in ("metric", "value", "unit", "low", "high", "n", "reason")},
            **dict(zip(names, row.quantiles, strict=False)),
        }
        for row in rows
    ]
    columns = ["metric", *dims, "value", "unit", "low", "high", *names, "n", "reason"]
    frame = pd.DataFrame(records, columns=columns, dtype=object)
    return frame, {name: [row.unit for row in rows] for name in ("value", "low", "high", *names)}


def _rows(figures: Any, period: str) -> Iterable[KeyFigure]:
    if isinstance(figures, KeyFigure):
        yield figures
    elif hasattr(figures, "frame"):
        title = str(getattr(getattr(figures, "metric", None), "title", ""))
        yield from (replace(row, title=title) for row in _frame_rows(figures.frame, period))
    elif hasattr(figures, "columns"):
        yield from _frame_rows(figures, period)
    elif isinstance(figures, Mapping):
        yield _row(dict(figures), [name for name in figures if name not in _COLUMNS], period)
    elif isinstance(figures, Sequence) and not isinstance(figures, str):
        for item in figures:
            yield from _rows(item, period)
    else:
        raise ConfigurationError(
            "Key figures of an unknown shape.",
            expected="metric results, tidy frames or rows",
            found=type(figures).__name__,
        )


def _frame_rows(frame: pd.DataFrame, period: str) -> Iterable[KeyFigure]:
    missing = [name for name in ("metric", "value", "unit") if name not in frame.columns]
    if missing:
        raise ConfigurationError(
            "A frame of key figures lacks columns.",
            expected="metric, value, unit (and low, high, n, reason)",
            found=f"no {', '.join(missing)} among {', '.join(map(str, frame.columns))}",
        )
    dims = [str(name) for name in frame.columns if name not in _COLUMNS]
    for record in frame.to_dict("records"):
        yield _row({str(name): value for name, value in record.items()}, dims, period)


def _row(record: dict[str, Any], dims: Sequence[str], period: str) -> KeyFigure:
    reason = None if is_missing(record.get("reason")) or not record.get("reason") else str(record["reason"])
    value = None if is_missing(record["value"]) else record["value"]
    if value is not None and not is_number(value):
        raise ConfigurationError("A key figure is not a number.", found=repr(value), where=str(record["metric"]))
    if value is None and reason is None:
        raise ConfigurationError(
            "A key figure is missing without a reason.",
            expected="a value, or null with a reason that a reader understands",
            where=f"{record['metric']} {[record[name] for name in dims]}",
        )
    return KeyFigure(
        metric=str(record["metric"]),
        dims=tuple((name, _text(record[name])) for name in dims if not (name == "period" and record[name] == period)),
        value=value,
        unit=str(record["unit"]),
        low=None if is_missing(record.get("low")) else record.get("low"),
        high=None if is_missing(record.get("high")) else record.get("high"),
        n=None if is_missing(record.get("n")) else int(record["n"]),
        reason=reason,
        quantiles=_quantiles(record),
    )


def _quantiles(record: Mapping[str, Any]) -> tuple[Any, ...]:
    """The quantiles of a forecast; none where the record is of something else."""
    if not any(name in record for name in QUANTILE_NAMES):
        return ()
    return tuple(None if is_missing(record.get(name)) else record[name] for name in QUANTILE_NAMES)


def _text(value: Any) -> str | None:
    if is_missing(value):
        return None
    return value.isoformat()[:10] if hasattr(value, "isoformat") else str(value)
