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

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

MONEY = "decimal(18, 2)"
_COLUMNS = (
    "opportunity_id",
    "status",
    "is_omitted",
    "amount",
    "close_date",
    "created_on",
    "first_amount",
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
    return request.snapshot.keep(f"{question} valued", lambda: _valued(named))


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
    snapshot = request.snapshot
    first, last = snapshot.at(span.start), snapshot.at(span.end)
    opening = _side(request, first, span).rename("{name}_0")
    closing = _side(request, last, span).rename("{name}_1")
    joined = opening.outer_join(closing, opening.opportunity_id_0 == closing.opportunity_id_1)
    known = joined.mutate(opportunity_id=ibis.coalesce(joined.opportunity_id_0, joined.opportunity_id_1))
    # Neither depends on the period, the cut or the filter: computed once for all movements between the two days.
    states = snapshot.keep(f"last open at {span.end}", lambda: _last_open(last))
    rates = snapshot.keep(f"old rates {span.start} {span.end}", lambda: _at_old_rates(first, last, states))
    full = known.left_join(states, known.opportunity_id == states.last_id)
    return _flagged(full.left_join(rates, full.opportunity_id == rates.rated_id), request, span)


def _side(request: MetricRequest, snapshot: Snapshot, span: MovementSpan) -> ir.Table:
    """The deals of one day: their state, whether they are in the pipeline, and where the cut and filter put them."""
    deals = headline(snapshot.deals)
    conditions = request.conditions(deals)
    passes = ibis.and_(*conditions).fill_null(False) if conditions else ibis.literal(True)
    expected = within(deals.close_date, span.period) if span.period else ibis.literal(True)
    is_in = (deals.status == "open") & ~deals.is_omitted & expected
    groups = {f"by_{name}": value for name, value in request.named(deals).items()}
    return deals.select(*_COLUMNS, is_in=is_in, passes=passes, **groups)


def _last_open(snapshot: Snapshot) -> ir.Table:
    """The state in which each deal was last open, up to the snapshot's day; no rows without history."""
    history = snapshot.history
    still_open = history.filter(history.status == "open")
    latest = ibis.window(
        group_by="opportunity_id", order_by=[still_open.changed_at.desc(), still_open.change_number.desc()]
    )
    rows = still_open.mutate(place=ibis.row_number().over(latest))
    omitted = snapshot.definitions.omitted_categories
    is_omitted = rows.forecast_category.isin(omitted).fill_null(False) if omitted else ibis.literal(False)
    return rows.filter(rows.place == 0).select(
        last_id=rows.opportunity_id,
        last_at=rows.changed_at,
        last_close_date=rows.close_date,
        last_amount=rows.amount,
        last_original=rows.amount_original,
        last_currency=rows.currency,
        last_omitted=is_omitted,
    )


def _flagged(full: ir.Table, request: MetricRequest, span: MovementSpan) -> ir.Table:
    """Add what happened to a deal: in_0, in_1, is_created, closes (closed out of this pipeline), transfers."""
    opened_after = ibis.literal(
        end_of_day_utc(span.start, request.snapshot.definitions.business_time_zone), "timestamp(6)"
    )
    existed = ~missing(full.opportunity_id_0)
    is_created = ~existed & (full.created_on_1 > ibis.literal(span.start)).fill_null(False)
    was_open = (full.status_0 == "open").fill_null(False) | is_created | (full.last_at >= opened_after).fill_null(False)
    had_open_state = ~missing(full.last_id)
    close_date = ibis.ifelse(had_open_state, full.last_close_date, full.close_date_1)
    is_omitted = ibis.ifelse(had_open_state, full.last_omitted, full.is_omitted_1)
    expected = ~is_omitted.fill_null(False) & (within(close_date, span.period) if span.period else ibis.literal(True))
    flagged = full.mutate(
        in_0=full.is_in_0.fill_null(False),
        in_1=full.is_in_1.fill_null(False),
        existed=existed,
        is_created=is_created,
        closes=full.status_1.isin(["won", "lost"]).fill_null(False) & was_open & expected,
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


def _valued(moves: ir.Table) -> ir.Table:
    """Add the amounts of each deal: `entered`, `at_old_rate` (its last amount at the rate it entered at), `ended`."""
    zero = ibis.literal(0).cast(MONEY)
    closed_elsewhere = (moves.status_1 != "open") & ~moves.closes
    as_last_open = ((moves.leaving == "lost") | closed_elsewhere).fill_null(False) & ~missing(moves.last_id)
    is_deleted = (moves.leaving == "deleted").fill_null(False)
    last_amount = ibis.ifelse(as_last_open, moves.last_amount, moves.amount_1)
    ended = ibis.ifelse(is_deleted, moves.amount_0, last_amount).fill_null(zero)
    old = ibis.ifelse(as_last_open, moves.last_at_old_rate, moves.final_at_old_rate)
    entered = ibis.cases(
        (moves.is_created, moves.first_amount_1), (moves.entry == "restored", ended), else_=moves.amount_0
    )
    return moves.mutate(entered=entered.fill_null(zero).cast(MONEY), at_old_rate=ibis.coalesce(old, ended), ended=ended)


def _at_old_rates(first: Snapshot, last: Snapshot, states: ir.Table) -> ir.Table:
    """Each deal's final and last open amount at its old rate: of the first day, or of the day it was priced if created.

    Null where the currency changed or the deal was not there on the first day: all difference is then one of amount.
    """
    definitions = last.definitions
    now, then = last.deals, first.deals.select(then_id="opportunity_id", then_currency="currency")
    joined = now.left_join(then, now.opportunity_id == then.then_id)
    joined = joined.left_join(states, joined.opportunity_id == states.last_id)
    is_created = missing(joined.then_id) & (joined.created_on > ibis.literal(first.as_of)).fill_null(False)
    stayed = ~missing(joined.then_id) & joined.then_currency.identical_to(joined.currency)
    is_same = joined.last_currency.identical_to(joined.currency)
    priced_on = last.day_of(joined.first_priced_at)
    created_rate_day = priced_on if definitions.exchange_rate_day == "booking_day" else ibis.null("date")
    none, counts = ibis.null(MONEY), is_created | stayed
    asked = joined.select(
        "currency",
        rated_id=joined.opportunity_id,
        final_at_old_rate=ibis.ifelse(counts, joined.amount_original, none),
        last_at_old_rate=ibis.ifelse(counts & is_same, joined.last_original, none),
        old_rate_on=ibis.ifelse(is_created, created_rate_day, ibis.literal(first.as_of)),
    )
    return last.in_reporting_currency(asked, ["final_at_old_rate", "last_at_old_rate"], day="old_rate_on").drop(
        "currency", "old_rate_on"
    )
