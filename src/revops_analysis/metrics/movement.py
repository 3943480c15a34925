"""Pipeline movement: how the open pipeline of one day became that of a later one, deal by deal, to the cent.

Each deal yields ordered signed lines between its opening and its closing amount:

| line | sign | when |
|---|---|---|
| created, reopened, restored | + | on the first day it did not exist, was closed, was deleted |
| moved_in_pulled, moved_in_pushed | + | its close date lay after (before) the period and now lies in it |
| amount_up, amount_down | + − | its amount changed, at the rate of the first day |
| exchange_rate | ± | what the change of rates did to the amount that it then had |
| moved_out_pulled, moved_out_pushed | − | its close date now lies before (after) the period |
| omitted | ± | it left (entered) the omitted category |
| transferred | ± | under a cut or a filter: it went from one value to another |
| deleted, lost | − | at its opening amount; at its last open amount |
| won | − | at its final amount, so that these lines are the bookings of these deals |

Decided: a deal without close date counts as expected later than any period. A closed deal counts in the period in which
it was expected while it was last open; wins that were expected elsewhere stand in the reconciliation and not in the
lines. A deal that came and went without being closed leaves no line. A deal is created at its first amount. An amount
that is missing counts as nothing here, and as a change of amount when it is filled in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import pandas as pd

from revops_analysis.metrics.deals import DEAL_DIMENSIONS, deal_metric, grouped, missing, within
from revops_analysis.metrics.movement_deals import MONEY, MovementSpan, compared_deals, moved_deals
from revops_analysis.metrics.movement_detail import ENTRIES, EXITS, LINES, MovedDeals
from revops_analysis.metrics.movement_scope import narrowed
from revops_analysis.metrics.registry import MetricRequest, register
from revops_analysis.metrics.where import Where, check_names, parse_where
from revops_analysis.tables.snapshot import parse_day

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

_DATED = ("close_period", "is_overdue")


@dataclass(frozen=True, eq=False)
class PipelineMovement:
    """The movement of a pipeline; amounts in the reporting currency `currency`.

    - `lines`: [*by, line, value, n], lines in the order of `LINES`, n deals that have the line;
    - `reasons`: [reason, deals, change, gross, share], the primary reasons of deals that changed, largest `gross` (the
      sum of changes without their sign) first; `share` is of all gross change, null where nothing changed;
    - `reconciliation`: [line, value, n], from the won lines to the bookings of the period;
    - `moved`: the deals behind it, read from the engine when asked for.
    """

    span: MovementSpan
    currency: str
    by: tuple[str, ...]
    lines: pd.DataFrame
    reasons: pd.DataFrame
    reconciliation: pd.DataFrame
    moved: MovedDeals

    def value(self, line: str) -> float:
        """Σ of one line over the cut."""
        return float(self.lines.loc[self.lines["line"] == line, "value"].sum())

    @property
    def opening(self) -> float:
        """The pipeline at the end of the first day."""
        return self.value("opening")

    @property
    def closing(self) -> float:
        """The pipeline at the end of the last day."""
        return self.value("closing")

    @property
    def deals(self) -> pd.DataFrame:
        """A row a deal, as `MovedDeals.frame`."""
        return self.moved.frame


def movement_between(snapshot: Snapshot, start: str | date, end: str | date) -> PipelineMovement:
    """Account for the change of the whole open pipeline from the end of one day to the end of another.

    For what was expected in one period, a cut or a filter ask `pipeline_movement`. Raises ConfigurationError for texts
    that are no days, and unless start < end ≤ the as-of date.
    """
    return pipeline_movement(snapshot, MovementSpan(parse_day(start, "start"), parse_day(end, "end")))


def pipeline_movement(
    snapshot: Snapshot, span: MovementSpan, by: tuple[str, ...] = (), where: str | Where | None = None
) -> PipelineMovement:
    """Account for the change of the open pipeline between two days.

    Raises ConfigurationError when the span runs backwards or beyond the as-of date, and for unknown dimensions.
    """
    check_names(by, _DIMENSIONS, "dimension", "by of pipeline_movement")
    condition = parse_where(where)
    snapshot = narrowed(snapshot, span, condition)
    request = MetricRequest(_METRIC, snapshot, span.booking_period, tuple(by), condition)
    compared = compared_deals(request, span)
    moves = moved_deals(request, compared, span)
    lined, reasoned = _lined(request, moves), _with_reason(moves)
    if request.where:
        reasoned = reasoned.semi_join(lined, "opportunity_id")
    return PipelineMovement(
        span=span,
        currency=snapshot.definitions.reporting_currency,
        by=tuple(by),
        lines=_published(_lines(request, lined)),
        reasons=_reasons(reasoned),
        reconciliation=_reconciliation(compared, span),
        moved=MovedDeals(reasoned, lined, snapshot.at(span.end).deals, tuple(by)),
    )


def _compute(request: MetricRequest) -> pd.DataFrame:
    span = MovementSpan.of(request.period, request.snapshot.as_of)
    part = replace(request, snapshot=narrowed(request.snapshot, span, request.where))
    return _lines(part, _lined(part, moved_deals(part, compared_deals(part, span), span)))


_DIMENSIONS = {name: rule for name, rule in DEAL_DIMENSIONS.items() if name not in _DATED}
_METRIC = register(
    deal_metric(
        name="pipeline_movement",
        title="Pipeline movement",
        description="What turned the pipeline expected in P, as it stood before P, into what of it is open now.",
        formula="opening + created + reopened + restored + moved in ± amount ± rate + moved out ± omitted "
        "± transferred + deleted + lost + won = closing (signed lines)",
        unit="currency",
        compute=_compute,
        dimensions=_DIMENSIONS,
        additive=True,
        parts=("line",),
    )
)


def _line_values(moves: ir.Table) -> dict[str, ir.Value]:
    """Each line of each deal, null where the deal does not have it."""
    none = ibis.null(MONEY)
    entering, change = ~moves.in_0, moves.at_old_rate - moves.entered
    exchange = moves.ended - moves.at_old_rate
    values = {"opening": ibis.ifelse(moves.in_0, moves.entered, none)}
    values |= {line: ibis.ifelse(entering & (moves.entry == line), moves.entered, none) for line in ENTRIES}
    values |= {
        "amount_up": ibis.ifelse(change > 0, change, none),
        "amount_down": ibis.ifelse(change < 0, change, none),
        "exchange_rate": ibis.ifelse(exchange != 0, exchange, none),
    }
    values |= {line: ibis.ifelse(moves.leaving == line, -moves.ended, none) for line in EXITS}
    back = ibis.ifelse(entering & (moves.entry == "omitted"), moves.entered, none)
    values["omitted"] = ibis.coalesce(back, values["omitted"])
    values["closing"] = ibis.ifelse(moves.in_1, moves.ended, none)
    return {line: values[line].cast(MONEY) for line in LINES}


def _lined(request: MetricRequest, moves: ir.Table) -> ir.Table:
    """One row a deal and value of the cut under which it has lines: [opportunity_id, *by, *LINES].

    A deal that changes its value carries its lines to the old value up to the transfer, and to the new one from there.
    """
    none = ibis.null(MONEY)
    stay, arrive = {}, {}
    for line, value in _line_values(moves).items():
        unless = ibis.ifelse(moves.transfers, none, value)
        comes_after = line in ("deleted", "lost", "won", "closing")
        stay[line], arrive[line] = (unless, value) if comes_after else (value, unless)
    stay["transferred"] = ibis.ifelse(moves.transfers, -moves.ended, none)
    arrive["transferred"] = ibis.ifelse(moves.transfers, moves.ended, none)
    names = ("opportunity_id", *LINES)
    old = moves.mutate(**stay).filter(moves.in_0).select(*names, **_place(request, moves, 0))
    new = moves.mutate(**arrive).filter(~moves.in_0 | moves.transfers).select(*names, **_place(request, moves, 1))
    both = ibis.union(old, new)
    return both.filter(both.passes).drop("passes")


def _lines(request: MetricRequest, shown: ir.Table) -> pd.DataFrame:
    """Σ of every line for each value of the cut, summed in the engine: [*by, line, value, n]."""
    totals = {line: shown[line].sum() for line in LINES}
    counts = {f"n_{line}": shown[line].count() for line in LINES}
    return _long(grouped(shown, request.by, **totals, **counts), list(request.by))


def _place(request: MetricRequest, moves: ir.Table, side: int) -> dict[str, ir.Value]:
    """Where the cut and the filter put a deal on the first (0) or the last (1) day."""
    place = {name: moves[f"by_{name}_{side}"] for name in request.by}
    return {**place, "passes": moves[f"passes_{side}"].fill_null(False)}


def _long(wide: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """One row a line, in order; a line that no deal has is 0, as nothing happened."""
    parts = []
    for line in LINES:
        n = wide[f"n_{line}"]
        value = wide[line].astype(object).mask(n == 0, 0)
        parts.append(wide[keys].assign(line=line, value=value, n=n))
    long = pd.concat(parts, ignore_index=True)
    long["line"] = pd.Categorical(long["line"], LINES, ordered=True)
    return long.sort_values([*keys, "line"], kind="stable", ignore_index=True)


def _published(lines: pd.DataFrame) -> pd.DataFrame:
    return lines.assign(line=lines["line"].astype(str), value=lines["value"].astype("float64").round(2))


def _with_reason(moves: ir.Table) -> ir.Table:
    """A row a deal with its amounts and one primary reason: how it left, else how it came, else what changed most."""
    zero = ibis.literal(0).cast(MONEY)
    moved = moves.mutate(
        opening=ibis.ifelse(moves.in_0, moves.entered, zero),
        closing=ibis.ifelse(moves.in_1, moves.ended, zero),
        amount_change=moves.at_old_rate - moves.entered,
        exchange_rate=moves.ended - moves.at_old_rate,
    )
    by_rate = moved.exchange_rate.abs() > moved.amount_change.abs()
    changed = ibis.cases(
        (by_rate, "exchange_rate"), (moved.amount_change > 0, "amount_up"), (moved.amount_change < 0, "amount_down")
    )
    return moved.mutate(change=moved.closing - moved.opening, reason=ibis.coalesce(moved.leaving, moved.entry, changed))


def _reasons(reasoned: ir.Table) -> pd.DataFrame:
    """Primary reasons, the one that moved most first."""
    moved = reasoned.filter(~missing(reasoned.reason))
    sums = {"deals": moved.count(), "change": moved.change.sum(), "gross": moved.change.abs().sum()}
    frame = grouped(moved, ["reason"], **sums).astype({"change": "float64", "gross": "float64"})
    ranked = frame.sort_values(["gross", "reason"], ascending=[False, True], ignore_index=True)
    whole = ranked["gross"].sum()
    return ranked.assign(share=ranked["gross"] / (whole if whole > 0 else float("nan")))


def _reconciliation(moves: ir.Table, span: MovementSpan) -> pd.DataFrame:
    """From the deals won out of this pipeline to the bookings of the period: [line, value, n].

    The first two lines are all wins of the span; the next two carry them to the wins booked in the period.
    """
    booked_in = within(moves.booked_on_1, span.booking_period)
    is_won = (moves.status_1 == "won").fill_null(False)
    in_span = is_won & ((moves.status_0 != "won").fill_null(True) | moves.closes)
    parts = {
        "won_from_this_pipeline": (is_won & moves.closes, 1),
        "won_expected_elsewhere": (in_span & ~moves.closes, 1),
        "won_booked_in_another_period": (in_span & ~booked_in, -1),
        "won_before_and_booked_in_this_period": (is_won & ~in_span & booked_in, 1),
        "bookings": (is_won & booked_in, 1),
    }
    sums = {f"value_{line}": moves.amount_1.sum(where=flag) for line, (flag, _) in parts.items()}
    counts = {f"n_{line}": flag.sum() for line, (flag, _) in parts.items()}
    row = moves.filter(moves.passes_1).aggregate(**sums, **counts).to_pandas().astype("float64").fillna(0.0).loc[0]
    rows = [
        (line, sign * float(row[f"value_{line}"]) + 0.0, int(row[f"n_{line}"])) for line, (_, sign) in parts.items()
    ]
    return pd.DataFrame(rows, columns=["line", "value", "n"])
