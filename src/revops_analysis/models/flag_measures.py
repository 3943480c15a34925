"""What warning flags compare: measures of every open deal at the end of many past days, each as known then.

The state of deals comes from `deal_states`; here is added what only flags need, in one more query of the engine:
what a deal's changes say of its path, who takes part, when a deal of the same stage and segment counted as stalled,
and what became of the deal within the horizon.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from ibis import _

from revops_analysis.metrics.deals import missing
from revops_analysis.metrics.stages import stage_stays
from revops_analysis.metrics.stalled import MINIMUM_STAYS
from revops_analysis.models.cutoffs import Cutoff
from revops_analysis.models.deal_states import deal_states
from revops_analysis.models.deal_stays import deal_stays
from revops_analysis.periods import end_of_day_utc, period_containing
from revops_analysis.tables.days import business_day

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot


@dataclass(frozen=True)
class MeasureSource:
    """What a measure is, in words; the tables it needs; and the columns without history that it rests on."""

    words: str
    tables: tuple[str, ...] = ("opportunity_history",)
    current: tuple[str, ...] = ()


_HISTORY, _ACTIVITIES, _PEOPLE = ("opportunity_history",), ("activities",), ("opportunity_contacts",)

MEASURES: dict[str, MeasureSource] = {
    "age_days": MeasureSource("days since creation", ()),
    "days_in_stage": MeasureSource("days in its stage"),
    "days_beyond_stalled": MeasureSource("days in its stage beyond those of nearly all won deals"),
    "days_overdue": MeasureSource("days past its close date"),
    "days_to_close": MeasureSource("days to its close date"),
    "days_without_activity": MeasureSource("days without activity", _ACTIVITIES),
    "activities_14_days": MeasureSource("activities in 14 days", _ACTIVITIES),
    "contacts": MeasureSource("people on the deal", _PEOPLE),
    "decision_makers": MeasureSource("decision makers on the deal", _PEOPLE, ("opportunity_contacts.role",)),
    "pushes": MeasureSource("times its close date moved later"),
    "days_pushed": MeasureSource("days by which its close date moved later"),
    "close_date_changes": MeasureSource("changes of its close date"),
    "closes_at_month_end": MeasureSource("close date is the last day of a month (1 or 0)"),
    "amount": MeasureSource("amount, reporting currency"),
    "amount_change": MeasureSource("amount against the first, as a share of it"),
    "amount_missing": MeasureSource("has no amount (1 or 0)"),
    "stages_skipped": MeasureSource("stages never seen in"),
    "steps_back": MeasureSource("moves to an earlier stage"),
    "stages_passed": MeasureSource("open stages before its own"),
    "stages_left": MeasureSource("open stages after its own"),
    "reopenings": MeasureSource("times opened again"),
    "next_steps": MeasureSource("has a next step (1 or 0)", (), ("opportunities.next_step",)),
}
"""Every measure that a rule can name."""

_KEY = ["cutoff", "opportunity_id"]
_FAR = ibis.date(9999, 12, 31)


def flag_states(snapshot: Snapshot, days: Sequence[date], horizon_days: int) -> pd.DataFrame:
    """Return a row per day and headline deal open at its end, with every measure, in order of both.

    Columns: cutoff, opportunity_id, owner_id, type, segment, stage, category, close_date, every name of `MEASURES`
    (float64, null where not known) and `outcome`: 1 if won within `horizon_days` of the day, 0 if not, null where
    that lies beyond the as-of date or the deal was deleted before.

    Measures of columns without history are null unless the definitions allow these (`allowed_current_columns`).
    """
    calendar = snapshot.definitions.fiscal_calendar
    states = deal_states(snapshot, [Cutoff(day, period_containing(day, calendar)) for day in days])
    more = _more(snapshot, days, horizon_days)
    frame = states.merge(more, on=_KEY, how="left", validate="one_to_one")
    return _measured(snapshot, frame, _limits(snapshot, days))


AGEING = ("age_days", "days_beyond_stalled", "days_overdue")


def ageing_states(snapshot: Snapshot, days: Sequence[date], horizon_days: int) -> pd.DataFrame:
    """`flag_states` with the measures of age only (`AGEING`), which need no more than the stays of deals.

    Columns: cutoff, opportunity_id, type, segment, stage, those measures and outcome; the same values, in a tenth of
    the time.
    """
    stays, marks = deal_stays(snapshot), _days_table(snapshot, days, horizon_days)
    is_open = stays.filter(stays.status == "open")
    seen = is_open.inner_join(marks, [is_open.since <= marks.cutoff, is_open.until > marks.cutoff]).drop(
        "since", "until"
    )
    ends = _outcomes(snapshot, seen).rename({f"{name}_of": name for name in _KEY})
    whole = seen.left_join(ends, [seen[name] == ends[f"{name}_of"] for name in _KEY])
    numbers = {
        "age_days": whole.cutoff.delta(whole.created_on, unit="day"),
        "days_in_stage": whole.cutoff.delta(whole.entered_on, unit="day"),
        "days_overdue": whole.cutoff.delta(whole.close_date, unit="day"),
    }
    facts = whole.select(
        *_KEY,
        "type",
        "segment",
        "stage",
        "is_watched",
        "won_later",
        "gone_early",
        known=~missing(whole.pushes),
        **{name: value.cast("float64") for name, value in numbers.items()},
    )
    frame = facts.order_by(_KEY).to_pyarrow().to_pandas(date_as_object=False)
    limit = _limit_of(frame, _limits(snapshot, days))
    return frame.assign(
        days_beyond_stalled=frame["days_in_stage"] - limit,
        days_overdue=frame["days_overdue"].where(frame["known"]),
        outcome=_outcome(frame),
    )[[*_KEY, "type", "segment", "stage", *AGEING, "outcome"]]


def _outcome(frame: pd.DataFrame) -> pd.Series:
    """1 if won by the horizon, 0 if not, null where that is not known: not watched so far, or deleted before."""
    won, gone = frame["won_later"] > 0, frame["gone_early"] > 0
    return won.astype("float64").where(frame["is_watched"].astype(bool) & (won | ~gone))


def allowed(snapshot: Snapshot, measure: str) -> bool:
    """Whether the definitions let the measure's columns serve for past days."""
    return all(name in snapshot.definitions.allowed_current_columns for name in MEASURES[measure].current)


def _more(snapshot: Snapshot, days: Sequence[date], horizon_days: int) -> pd.DataFrame:
    """What `deal_states` does not hold, by key, and the outcome."""
    stays, marks = deal_stays(snapshot), _days_table(snapshot, days, horizon_days)
    is_open = stays.filter(stays.status == "open").select("opportunity_id", "since", "until")
    seen = is_open.inner_join(marks, [is_open.since <= marks.cutoff, is_open.until > marks.cutoff]).drop(
        "since", "until"
    )
    whole = seen
    for part in (_path(snapshot, marks), _deciders(snapshot, seen), _outcomes(snapshot, seen)):
        keyed = part.rename({f"{name}_of": name for name in _KEY})
        whole = whole.left_join(keyed, [whole[name] == keyed[f"{name}_of"] for name in _KEY])
        whole = whole.drop(*(f"{name}_of" for name in _KEY))
    whole = _next_steps(snapshot, whole)
    numbers = {
        name: whole[name].cast("float64")
        for name in (*_PATH, "decision_makers", "next_steps", "won_later", "gone_early")
    }
    frame = whole.select(*_KEY, "is_watched", **numbers).order_by(_KEY).to_pyarrow().to_pandas(date_as_object=False)
    return frame.drop(columns=["won_later", "gone_early", "is_watched"]).assign(outcome=_outcome(frame))


def _days_table(snapshot: Snapshot, days: Sequence[date], horizon_days: int) -> ir.Table:
    """cutoff, ends_at (UTC, exclusive), watched_to, is_watched (the horizon lies within what is known)."""
    zone = snapshot.definitions.business_time_zone
    until = [day + timedelta(days=horizon_days) for day in days]
    rows = {
        "cutoff": list(days),
        "ends_at": [end_of_day_utc(day, zone) for day in days],
        "watched_to": until,
        "is_watched": [day <= snapshot.as_of for day in until],
    }
    schema = {"cutoff": "date", "ends_at": "timestamp(6)", "watched_to": "date", "is_watched": "boolean"}
    return ibis.memtable(pd.DataFrame(rows), schema=ibis.schema(schema))


_PATH = ("stages_skipped", "steps_back", "close_date_changes")


def _path(snapshot: Snapshot, marks: ir.Table) -> ir.Table:
    """What the changes up to each day say of the way through the stages, by key; counts look backwards only."""
    history, zone = snapshot.history, snapshot.definitions.business_time_zone
    order = {"group_by": "opportunity_id", "order_by": "change_index"}
    so_far = ibis.window(**order, preceding=(None, 0), following=None)
    placed = history.mutate(
        place=ibis.ifelse(history.status == "open", history.stage_order, ibis.null("int64")),
        open_date=ibis.ifelse(history.status == "open", history.close_date, ibis.null("date")),
    )
    in_stage = ibis.window(group_by=["opportunity_id", "place"], order_by="change_index")
    in_order = ibis.window(**order)
    told = placed.mutate(
        is_new=ibis.ifelse(~missing(placed.place) & (ibis.row_number().over(in_stage) == 0), 1, 0),
        is_back=ibis.ifelse((placed.place < placed.place.lag().over(in_order)).fill_null(False), 1, 0),
        is_redated=ibis.ifelse((placed.open_date != placed.open_date.lag().over(in_order)).fill_null(False), 1, 0),
    )
    counted = told.mutate(
        stages_skipped=told.place.max().over(so_far)
        - told.place.min().over(so_far)
        + 1
        - told.is_new.sum().over(so_far),
        steps_back=told.is_back.sum().over(so_far),
        close_date_changes=told.is_redated.sum().over(so_far),
        until=ibis.coalesce(business_day(told.valid_until, zone), _FAR),
    )
    lasting = counted.filter((counted.status == "open") & (counted.changed_on < counted.until))
    return lasting.inner_join(marks, [lasting.changed_on <= marks.cutoff, lasting.until > marks.cutoff]).select(
        *_KEY, *_PATH
    )


def _deciders(snapshot: Snapshot, seen: ir.Table) -> ir.Table:
    """How many people who can decide are on each deal by each day, by key; no row is none."""
    if not snapshot.has("opportunity_contacts") or not allowed(snapshot, "decision_makers"):
        return seen.select(*_KEY, decision_makers=ibis.null("int64")).limit(0)
    snapshot.require_dated(MEASURES["decision_makers"].current, "an input of a warning flag")
    roles = [role.casefold() for role in snapshot.definitions.warnings.decision_maker_roles]
    people = snapshot.table("opportunity_contacts")
    able = people.filter(people.role.lower().isin(roles)).select(deal_id=_.opportunity_id, added_at=_.created_at)
    both = seen.inner_join(able, seen.opportunity_id == able.deal_id)
    known = both.filter((both.added_at < both.ends_at).fill_null(True))
    return known.group_by(_KEY).aggregate(decision_makers=known.count())


def _outcomes(snapshot: Snapshot, seen: ir.Table) -> ir.Table:
    """Whether each deal was won, and whether it was deleted, between the day and its horizon, by key."""
    stays, zone = deal_stays(snapshot), snapshot.definitions.business_time_zone
    wins = stays.filter(stays.status == "won").select(deal_id=_.opportunity_id, happened_on=_.since, is_win=1)
    deals = snapshot.table("opportunities")
    gone = deals.drop_null(["deleted_at"]).select(
        deal_id=_.opportunity_id, happened_on=business_day(_.deleted_at, zone), is_win=0
    )
    ends = ibis.union(wins, gone)
    after = seen.inner_join(
        ends,
        [
            seen.opportunity_id == ends.deal_id,
            seen.cutoff < ends.happened_on,
            seen.watched_to >= ends.happened_on,
        ],
    )
    return after.group_by(_KEY).aggregate(
        won_later=after.is_win.max(), gone_early=ibis.literal(1, "int8") - after.is_win.min()
    )


def _next_steps(snapshot: Snapshot, whole: ir.Table) -> ir.Table:
    """Add whether the latest record has a next step, where the definitions let it stand for past days."""
    if not allowed(snapshot, "next_steps"):
        return whole.mutate(next_steps=ibis.null("int64"))
    snapshot.require_dated(MEASURES["next_steps"].current, "an input of a warning flag")
    written = snapshot.table("opportunities").select(
        step_of="opportunity_id", next_steps=ibis.ifelse((_.next_step.strip() != "").fill_null(False), 1, 0)
    )
    return whole.left_join(written, whole.opportunity_id == written.step_of).drop("step_of")


def _limits(snapshot: Snapshot, days: Sequence[date]) -> pd.DataFrame:
    """After how many days in a stage a deal counted as stalled on each day: cutoff, stage, segment, limit.

    As `metrics.stalled` has it as of each day: the quantile over stays of deals won by then, of the segment where it
    has enough stays and otherwise of the stage (a null segment).
    """
    stays, marks = deal_stays(snapshot), _days_table(snapshot, days, 0)
    won = stays.filter(stays.status == "won").select("opportunity_id", "segment", "since", "until")
    ended = stage_stays(snapshot, won).inner_join(won, "opportunity_id")
    ended = ended.filter(ended.stage.isin(snapshot.definitions.open_stages))
    first = ibis.greatest(ended.since, ended.left_on)
    shown = ended.inner_join(marks, [first <= marks.cutoff, ended.until > marks.cutoff])
    share = snapshot.definitions.stalled_quantile
    sums = {"limit": _.days.cast("float64").quantile(share), "stays": _.count()}
    whole = shown.group_by(["cutoff", "stage"]).aggregate(**sums)
    cut = shown.drop_null(["segment"]).group_by(["cutoff", "stage", "segment"]).aggregate(**sums)
    both = ibis.union(cut, whole.mutate(segment=ibis.null("string")).select(*cut.columns))
    frame = both.filter(both.stays >= MINIMUM_STAYS).to_pyarrow().to_pandas(date_as_object=False)
    return frame.astype({"limit": "float64"})[["cutoff", "stage", "segment", "limit"]]


def _measured(snapshot: Snapshot, frame: pd.DataFrame, limits: pd.DataFrame) -> pd.DataFrame:
    """The columns of `flag_states` from those of the queries."""
    known = frame["pushes"].notna()  # of deals without recorded changes some columns hold today's values
    amount, first = frame["amount"].where(known), frame["first_amount"].where(known)
    close = frame["close_date"].where(known)
    overdue = (frame["cutoff"] - close).dt.days.astype("float64")
    quiet = frame["days_since_activity"]
    has_people = snapshot.has("opportunity_contacts")
    measures = {
        **{name: frame[name] for name in ("age_days", "days_in_stage", "pushes", "days_pushed", "reopenings")},
        **{name: frame[name] for name in (*_PATH, "next_steps")},
        "days_beyond_stalled": frame["days_in_stage"] - _limit_of(frame, limits),
        "days_overdue": overdue,
        "days_to_close": -overdue,
        "days_without_activity": quiet.where(quiet.notna() | frame["activities_14d"].isna(), frame["age_days"]),
        "activities_14_days": frame["activities_14d"],
        "contacts": frame["contacts"],
        "decision_makers": frame["decision_makers"].fillna(0.0)
        if has_people and allowed(snapshot, "decision_makers")
        else frame["decision_makers"],
        "closes_at_month_end": close.dt.is_month_end.astype("float64").where(close.notna()),
        "amount": amount,
        "amount_change": amount / first.where(first > 0) - 1,
        "amount_missing": amount.isna().astype("float64").where(known),
        "stages_passed": frame["stage_order"] - 1,
        "stages_left": len(snapshot.definitions.open_stages) - frame["stage_order"],
    }
    facts = frame[[*_KEY, "owner_id", "type", "segment", "stage", "category", "close_date", "outcome"]]
    return facts.assign(**{name: measures[name].astype("float64") for name in MEASURES})


def _limit_of(frame: pd.DataFrame, limits: pd.DataFrame) -> np.ndarray:
    """The limit of each row: that of its stage and segment, else that of its stage."""
    own = frame.merge(limits[limits["segment"].notna()], on=["cutoff", "stage", "segment"], how="left")["limit"]
    stage = limits[limits["segment"].isna()].drop(columns="segment")
    general = frame.merge(stage, on=["cutoff", "stage"], how="left")["limit"]
    return own.fillna(general).to_numpy(dtype=float)
