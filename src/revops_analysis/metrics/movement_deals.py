"""The deals behind a pipeline movement: their state on two days, what became of them, and at which amounts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir

from revops_analysis.errors import ConfigurationError
from revops_analysis.metrics.deals import before, headline, missing, within
from revops_analysis.metrics.registry import MetricRequest
from revops_analysis.periods import Period, end_of_day_utc
from revops_analysis.tables.days import business_day

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

MONEY = "decimal(18, 2)"
_COLUMNS = (
    "opportunity_id",
    "status",
    "is_omitted",
    "amount",
    "amount_original",
    "currency",
    "close_date",
    "created_on",
    "first_amount",
    "first_priced_at",
    "booked_on",
)


@dataclass(frozen=True)
class MovementSpan:
    """From the end of day `start` to the end of day `end`, over the pipeline expected in `period` (None: all of it)."""

    start: date
    end: date
    period: Period | None = None

    @classmethod
    def of(cls, period: Period, as_of: date, *, whole_pipeline: bool = False) -> MovementSpan:
        """From the evening before a period to its end, or to the as-of date where that comes first."""
        end = min(period.end, as_of)
        return cls(period.start - timedelta(days=1), end, None if whole_pipeline else period)

    @property
    def booking_period(self) -> Period:
        """The period whose bookings the wins are reconciled with."""
        first = self.start + timedelta(days=1)
        return self.period or Period(f"{first.isoformat()}..{self.end.isoformat()}", first, self.end)


def moved_deals(request: MetricRequest, flagged: ir.Table, span: MovementSpan) -> ir.Table:
    """One row a deal that was in the pipeline on either day, or was closed out of it in between, with its amounts."""
    touched = flagged.filter(flagged.in_0 | flagged.in_1 | flagged.closes)
    question = _question(request, span)
    named = request.snapshot.keep(f"{question} named", lambda: _named(touched, span))
    return request.snapshot.keep(f"{question} valued", lambda: _valued(named, request.snapshot.at(span.end), span))


def _question(request: MetricRequest, span: MovementSpan) -> str:
    return f"movement {span} {request.by} {request.where}"


def compared_deals(request: MetricRequest, span: MovementSpan) -> ir.Table:
    """One row a deal of headline type: its state on both days, its last open one, and what became of it."""
    if not span.start < span.end <= request.snapshot.as_of:
        raise ConfigurationError(
            "A movement runs from an earlier day to a later one that is not after the as-of date.",
            expected=f"start < end ≤ {request.snapshot.as_of.isoformat()}",
            found=f"{span.start.isoformat()} to {span.end.isoformat()}",
        )
    return request.snapshot.keep(f"{_question(request, span)} compared", lambda: _compared(request, span))


def _compared(request: MetricRequest, span: MovementSpan) -> ir.Table:
    first, last = request.snapshot.at(span.start), request.snapshot.at(span.end)
    opening = _side(request, first, span).rename("{name}_0")
    closing = _side(request, last, span).rename("{name}_1")
    joined = opening.outer_join(closing, opening.opportunity_id_0 == closing.opportunity_id_1)
    known = joined.mutate(opportunity_id=ibis.coalesce(joined.opportunity_id_0, joined.opportunity_id_1))
    states = _last_open(last, span)
    full = known.left_join(states, known.opportunity_id == states.last_id)
    return _flagged(full, request, span)


def _side(request: MetricRequest, snapshot: Snapshot, span: MovementSpan) -> ir.Table:
    """The deals of one day: their state, whether they are in the pipeline, and where the cut and filter put them."""
    deals = headline(snapshot.deals)
    conditions = request.conditions(deals)
    passes = ibis.and_(*conditions).fill_null(False) if conditions else ibis.literal(True)
    expected = within(deals.close_date, span.period) if span.period else ibis.literal(True)
    is_in = (deals.status == "open") & ~deals.is_omitted & expected
    groups = {f"by_{name}": value for name, value in request.named(deals).items()}
    return deals.select(*_COLUMNS, is_in=is_in, passes=passes, **groups)


def _last_open(snapshot: Snapshot, span: MovementSpan) -> ir.Table:
    """The state in which each deal was last open, up to the end of the span; no rows without history."""
    history = snapshot.history
    still_open = history.filter(history.status == "open")
    latest = ibis.window(
        group_by="opportunity_id", order_by=[still_open.changed_at.desc(), still_open.change_number.desc()]
    )
    rows = still_open.mutate(place=ibis.row_number().over(latest))
    omitted = snapshot.definitions.omitted_categories
    is_omitted = rows.forecast_category.isin(omitted).fill_null(False) if omitted else ibis.literal(False)
    expected = within(rows.close_date, span.period) if span.period else ibis.literal(True)
    return rows.filter(rows.place == 0).select(
        last_id=rows.opportunity_id,
        last_at=rows.changed_at,
        last_close_date=rows.close_date,
        last_amount=rows.amount,
        last_original=rows.amount_original,
        last_currency=rows.currency,
        last_omitted=is_omitted,
        last_expected=expected & ~is_omitted,
    )


def _flagged(full: ir.Table, request: MetricRequest, span: MovementSpan) -> ir.Table:
    """Add what happened to a deal: in_0, in_1, is_created, closes (closed out of this pipeline), transfers."""
    opened_after = ibis.literal(
        end_of_day_utc(span.start, request.snapshot.definitions.business_time_zone), "timestamp(6)"
    )
    existed = ~missing(full.opportunity_id_0)
    is_created = ~existed & (full.created_on_1 > ibis.literal(span.start)).fill_null(False)
    was_open = (full.status_0 == "open").fill_null(False) | is_created | (full.last_at >= opened_after).fill_null(False)
    final = within(full.close_date_1, span.period) if span.period else ibis.literal(True)
    expected = ibis.coalesce(full.last_expected, final & ~full.is_omitted_1.fill_null(False))
    flagged = full.mutate(
        in_0=full.is_in_0.fill_null(False),
        in_1=full.is_in_1.fill_null(False),
        existed=existed,
        is_created=is_created,
        closes=full.status_1.isin(["won", "lost"]).fill_null(False) & was_open & expected.fill_null(False),
    )
    same = [flagged[f"by_{name}_0"].identical_to(flagged[f"by_{name}_1"]) for name in request.by]
    differs = ~ibis.and_(*same, flagged.passes_0.identical_to(flagged.passes_1))
    return flagged.mutate(transfers=flagged.in_0 & (flagged.in_1 | flagged.closes) & differs)


def _named(moves: ir.Table, span: MovementSpan) -> ir.Table:
    """Name the line by which each deal entered (null: it was there) and left (null: it is there)."""
    first = span.period.start if span.period else date.min
    entry = ibis.cases(
        (moves.in_0, ibis.null("string")),
        (moves.is_created, "created"),
        (~moves.existed, "restored"),
        (moves.status_0 != "open", "reopened"),
        (moves.is_omitted_0.fill_null(False), "omitted"),
        (before(moves.close_date_0, first), "moved_in_pushed"),
        else_="moved_in_pulled",
    )
    was_omitted = ibis.coalesce(
        ibis.ifelse(moves.status_1 == "open", moves.is_omitted_1, moves.last_omitted), moves.is_omitted_1
    )
    gone_to = ibis.ifelse(
        moves.status_1 == "open", moves.close_date_1, ibis.coalesce(moves.last_close_date, moves.close_date_1)
    )
    leaving = ibis.cases(
        (moves.in_1, ibis.null("string")),
        (missing(moves.opportunity_id_1), "deleted"),
        (moves.closes, moves.status_1),
        (was_omitted.fill_null(False), "omitted"),
        (before(gone_to, first), "moved_out_pulled"),
        else_="moved_out_pushed",
    )
    return moves.mutate(entry=entry, leaving=leaving)


def _valued(moves: ir.Table, snapshot: Snapshot, span: MovementSpan) -> ir.Table:
    """Add the amounts of each deal: `entered`, `at_old_rate` (its last amount at the rate it entered at), `ended`."""
    zero = ibis.literal(0).cast(MONEY)
    closed_elsewhere = (moves.status_1 != "open") & ~moves.closes
    as_last_open = ((moves.leaving == "lost") | closed_elsewhere).fill_null(False) & ~missing(moves.last_id)
    ended = ibis.ifelse(as_last_open, moves.last_amount, moves.amount_1)
    is_deleted = (moves.leaving == "deleted").fill_null(False)
    known = moves.mutate(
        ended=ibis.ifelse(is_deleted, moves.amount_0, ended).fill_null(zero),
        ended_original=ibis.ifelse(as_last_open, moves.last_original, moves.amount_original_1),
        ended_currency=ibis.ifelse(as_last_open, moves.last_currency, moves.currency_1),
    )
    rated = _at_old_rate(known, snapshot, span)
    entered = ibis.cases(
        (rated.is_created, rated.first_amount_1), (rated.entry == "restored", rated.ended), else_=rated.amount_0
    )
    return rated.mutate(
        entered=entered.fill_null(zero).cast(MONEY),
        at_old_rate=ibis.coalesce(rated.at_old_rate, rated.ended),
    )


def _at_old_rate(known: ir.Table, snapshot: Snapshot, span: MovementSpan) -> ir.Table:
    """Convert each deal's last amount at the rate of its first: of the first day, or of the day it was priced.

    Null where the currency changed or the deal came back: the whole difference is then one of amount.
    """
    dated = snapshot.definitions.exchange_rate_day == "booking_day"
    priced_on = business_day(known.first_priced_at_1, snapshot.definitions.business_time_zone)
    stayed = (
        known.existed & known.currency_0.identical_to(known.ended_currency) & (known.leaving.fill_null("") != "deleted")
    )
    asked = known.mutate(
        at_old_rate=ibis.ifelse(known.is_created | stayed, known.ended_original, ibis.null(MONEY)),
        rate_day=ibis.ifelse(known.is_created, priced_on if dated else ibis.null("date"), ibis.literal(span.start)),
    )
    return snapshot.in_reporting_currency(asked, ["at_old_rate"], currency="ended_currency", day="rate_day")
