"""The registry of named metrics: one definition a number, the same call for all of them.

A family (a module of this package) writes a function that takes a `MetricRequest` and returns a frame or an Ibis table
with the columns `[*by, *parts, value]` and, where it has them, `low`, `high`, `n`, `reason`; and registers it:

    register(Metric(name="bookings", title="Bookings", …, unit="currency", compute=_bookings))

`compute_metric` checks the question, asks for each period, and returns one tidy frame:

| metric | period | …dimensions | value | unit | low | high | n | reason |

`value`, `low`, `high` are float64 (money rounded to cents after a DECIMAL sum in the engine), `n` counts what the value
rests on, and `reason` is a sentence exactly where `value` is null. Rows are ordered by period and dimensions. A
dimension that is missing on a deal stays null: the word for it is chosen where it is shown.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import ibis.expr.types as ir
import pandas as pd

from revops_analysis.errors import ConfigurationError
from revops_analysis.metrics.where import Where, check_names, parse_where
from revops_analysis.periods import Period, parse_series, period_containing

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

Unit = Literal["currency", "rate", "count", "days", "minutes", "ratio", "currency_per_day"]
Span = Literal["flow", "level", "outlook"]
DimensionRule = str | Callable[["Snapshot", ir.Table], ir.Value]
"""A column of the metric's table, or a function that makes one from it."""

_ESTIMATES = ("value", "low", "high")
_MONEY_UNITS = ("currency", "currency_per_day")


@dataclass(frozen=True, eq=False)
class MetricRequest:
    """One question to one metric: the tables as of a date, a period, the cut and the filter.

    `day` is the last day that the answer may know: the end of the period, or the as-of date if that comes first.
    """

    metric: Metric
    snapshot: Snapshot
    period: Period
    by: tuple[str, ...] = ()
    where: Where = field(default_factory=Where)

    @property
    def keys(self) -> list[str]:
        """Dimension columns of the answer: the cut and the metric's own parts."""
        return [*self.by, *self.metric.parts]

    def cut(self, table: ir.Table) -> ir.Table:
        """Filter `table` and give it one column for each dimension of the cut.

        A dimension's column carries the dimension's public name, so that `table.group_by(request.keys)` works.
        Raises ConfigurationError for a filter on a column that neither the dimensions nor the table have.
        """
        cut = table.filter(self.conditions(table)) if self.where else table
        named = self.named(cut)
        return cut.mutate(**named) if named else cut

    def conditions(self, table: ir.Table) -> list[ir.BooleanValue]:
        """The conditions of the filter as expressions on `table`."""
        known = {*self.metric.dimensions, *table.columns}
        check_names(self.where.columns, known, "column in a filter", f"filter on metric {self.metric.name}")
        return [item.predicate(self._column(table, item.column)) for item in self.where.conditions]

    def named(self, table: ir.Table) -> dict[str, ir.Value]:
        """The dimensions of the cut as expressions on `table`, by public name."""
        return {name: self._column(table, name) for name in self.by}

    def _column(self, table: ir.Table, name: str) -> ir.Value:
        rule = self.metric.dimensions.get(name, name)
        return table[rule] if isinstance(rule, str) else rule(self.snapshot, table)


@dataclass(frozen=True, eq=False)
class Metric:
    """What a metric is, in words a reader can check, and how it is computed.

    `span`: a `flow` happens within a period (bookings); a `level` is the state at the end of a period, or at the as-of
    date where that comes first (open pipeline); an `outlook` looks from the as-of date at a period that may lie ahead
    (coverage). `additive`: the values of every cut add up to the whole. `tables`: what
    it needs beyond nothing; without one of them its value is null, with the reason. `parts`: dimensions that every
    answer has, such as the lines of a movement. `dimensions`: what `by` and `where` may name.
    """

    name: str
    title: str
    description: str
    formula: str
    unit: Unit
    grain: str
    family: str
    compute: Callable[[MetricRequest], pd.DataFrame | ir.Table]
    dimensions: Mapping[str, DimensionRule] = field(default_factory=dict)
    additive: bool = False
    span: Span = "flow"
    tables: tuple[str, ...] = ("opportunities",)
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class MetricResult:
    """The answer: the metric, and a tidy frame as this module describes it."""

    metric: Metric
    frame: pd.DataFrame
    dimensions: tuple[str, ...]

    def rows(self) -> list[dict[str, Any]]:
        """The answer in the shape of key figures: `{metric, period, dims, value, unit, low, high, n, reason}`.

        Money is a decimal string with two places; other values are floats; missing is None.
        """
        plain = self.frame.astype(object).where(self.frame.notna(), None).to_dict("records")
        return [self._row(record) for record in plain]

    def _row(self, record: Mapping[Any, Any]) -> dict[str, Any]:
        shown = {name: self._published(record[name]) for name in _ESTIMATES}
        dims = {name: record[name] for name in self.dimensions}
        count = None if record["n"] is None else int(record["n"])
        return {
            "metric": record["metric"],
            "period": record["period"],
            "dims": dims,
            **shown,
            "unit": record["unit"],
            "n": count,
            "reason": record["reason"],
        }

    def _published(self, value: float | None) -> str | float | None:
        if value is None:
            return None
        return f"{value:.2f}" if self.metric.unit in _MONEY_UNITS else float(value)


_REGISTRY: dict[str, Metric] = {}


_ELSEWHERE: list[str] = []


def also_load(module: str) -> None:
    """Name a module outside this package that registers metrics; it is imported when metrics are first asked for.

    Packages above this one may have metrics of their own, of which this one must know nothing.
    """
    if module not in _ELSEWHERE:
        _ELSEWHERE.append(module)


def register(metric: Metric) -> Metric:
    """Add a metric to the registry and return it; a name can be taken only once."""
    if metric.name in _REGISTRY and _REGISTRY[metric.name].compute is not metric.compute:
        raise ConfigurationError(
            "A metric's name is taken.", found=metric.name, where=metric.compute.__module__, fix="choose another name"
        )
    _REGISTRY[metric.name] = metric
    return metric


def metrics() -> dict[str, Metric]:
    """All metrics by name, in alphabetical order, with every family of this package, and those named, loaded."""
    import revops_analysis.metrics as package

    here = [f"{package.__name__}.{module.name}" for module in pkgutil.iter_modules(package.__path__)]
    for module_name in (*here, *_ELSEWHERE):
        importlib.import_module(module_name)
    return dict(sorted(_REGISTRY.items()))


def get_metric(name: str) -> Metric:
    """The metric called `name`; ConfigurationError with the nearest names when there is none."""
    known = metrics()
    check_names([name], known, "metric", "the registry of metrics (`revops metric --list`)")
    return known[name]


def describe_metrics() -> pd.DataFrame:
    """What `revops metric --list` shows, a row a metric.

    Columns: name, title, description, formula, unit, grain, family, span, additive, dimensions, parts, tables (the last
    three as text joined by commas).
    """
    columns = ("name", "title", "description", "formula", "unit", "grain", "family", "span", "additive")
    rows = []
    for metric in metrics().values():
        row: dict[str, Any] = {column: getattr(metric, column) for column in columns}
        row["dimensions"] = ", ".join(metric.dimensions)
        row["parts"] = ", ".join(metric.parts)
        row["tables"] = ", ".join(metric.tables)
        rows.append(row)
    return pd.DataFrame(rows)


def compute_metric(
    snapshot: Snapshot,
    name: str,
    period: str | Period | Sequence[Period] | None = None,
    by: str | Sequence[str] = (),
    where: str | Where | None = None,
) -> MetricResult:
    """Compute one metric over a snapshot.

    `period` is a period, a series (`2025-Q1...2026-Q3`, one row a period and cut), or None: the quarter that contains
    the as-of date. `by` names dimensions of the metric, `where` filters as `revops_analysis.metrics.where` describes.

    A value that cannot be computed is null, with a reason; a period that begins after the as-of date, too.
    Raises ConfigurationError for an unknown metric, dimension, column or period.
    """
    metric = get_metric(name)
    cut = (by,) if isinstance(by, str) else tuple(by)
    check_names(cut, {*metric.dimensions, *metric.parts}, "dimension", f"by of metric {name}")
    cut = tuple(dimension for dimension in dict.fromkeys(cut) if dimension not in metric.parts)
    condition = parse_where(where)
    _note_columns(snapshot, metric, {*cut, *condition.columns})
    frames = []
    for span in _periods(snapshot, period):
        request = MetricRequest(metric, snapshot, span, cut, condition)
        frames.append(snapshot.once((metric, span, cut, condition), partial(_answer, request)))
    filled = [frame for frame in frames if len(frame)]
    frame = pd.concat(filled or frames[:1], ignore_index=True)
    return MetricResult(metric, frame, (*cut, *metric.parts))


def _note_columns(snapshot: Snapshot, metric: Metric, names: Iterable[str]) -> None:
    """Let the snapshot list which columns without history the answer rests on."""
    if "opportunities" not in metric.tables:
        return  # other families note what they use themselves
    rules = [metric.dimensions.get(name, name) for name in sorted(names)]
    snapshot.use_columns([rule for rule in rules if isinstance(rule, str)])


def _periods(snapshot: Snapshot, period: str | Period | Sequence[Period] | None) -> tuple[Period, ...]:
    calendar = snapshot.definitions.fiscal_calendar
    if period is None:
        return (period_containing(snapshot.as_of, calendar),)
    if isinstance(period, str):
        return tuple(parse_series(period, calendar))
    return (period,) if isinstance(period, Period) else tuple(period)


def _answer(request: MetricRequest) -> pd.DataFrame:
    reason = _refusal(request)
    if reason:
        answer = nothing(request, reason)
    else:
        computed = request.metric.compute(request)
        answer = computed.to_pandas() if isinstance(computed, ir.Table) else computed
    return _tidy(request, answer)


def _refusal(request: MetricRequest) -> str | None:
    snapshot = request.snapshot
    if request.period.start > snapshot.as_of and request.metric.span != "outlook":
        return f"{request.period.label} begins after the as-of date {snapshot.as_of.isoformat()}"
    missing = [table for table in request.metric.tables if not snapshot.has(table)]
    return f"the source has no {' and no '.join(missing)} table" if missing else None


def nothing(request: MetricRequest, reason: str, n: int = 0) -> pd.DataFrame:
    """One row without a value, for a question that cannot be answered."""
    return pd.DataFrame({**{key: [None] for key in request.keys}, "value": [None], "n": [n], "reason": [reason]})


def _tidy(request: MetricRequest, answer: pd.DataFrame) -> pd.DataFrame:
    """Give an answer the columns, types, rounding and order that every answer has."""
    metric, keys = request.metric, request.keys
    answer = answer.reset_index(drop=True)
    frame = answer[keys].copy()
    for key in keys:
        frame[key] = frame[key].astype(object).where(frame[key].notna(), None)
    frame.insert(0, "period", request.period.label)
    frame.insert(0, "metric", metric.name)
    places = 2 if metric.unit in _MONEY_UNITS else None
    for name in _ESTIMATES:
        frame[name] = _floats(answer[name], places) if name in answer else float("nan")
    frame["n"] = answer["n"].astype("Int64") if "n" in answer else pd.array([pd.NA] * len(answer), dtype="Int64")
    reason = answer["reason"] if "reason" in answer else pd.Series(None, index=answer.index, dtype=object)
    frame["reason"] = _reasons(frame["value"], reason)
    frame["unit"] = metric.unit
    ordered = frame[["metric", "period", *keys, "value", "unit", "low", "high", "n", "reason"]]
    if not keys:
        return ordered.reset_index(drop=True)
    order = answer[keys].sort_values(keys, kind="stable").index  # a categorical part keeps its own order
    return ordered.loc[order].reset_index(drop=True)


def _floats(values: pd.Series, places: int | None) -> pd.Series:
    """Engine values as float64; Decimals are rounded half up to cents before they become floats."""
    cent = Decimal(1).scaleb(-(places or 0))
    exact = [
        float(value.quantize(cent)) if isinstance(value, Decimal) and places is not None else value for value in values
    ]
    numbers = pd.to_numeric(pd.Series(exact, index=values.index, dtype=object), errors="raise").astype("float64")
    return numbers.round(places) if places is not None else numbers


def _reasons(values: pd.Series, reasons: pd.Series) -> pd.Series:
    """A reason exactly where there is no value."""
    given = reasons.astype(object).where(reasons.notna(), None)
    return given.where(values.isna(), None).where(values.notna() | given.notna(), "nothing to compute it from")


def only(names: Iterable[str], dimensions: Mapping[str, DimensionRule]) -> dict[str, DimensionRule]:
    """The named dimensions out of a family's dimensions, in the given order."""
    return {name: dimensions[name] for name in names}
