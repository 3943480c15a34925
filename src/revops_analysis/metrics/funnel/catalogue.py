"""The funnel family in the registry of metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

import ibis.expr.types as ir
import pandas as pd

from revops_analysis.metrics.deals import grouped, missing, share, sums, within
from revops_analysis.metrics.funnel.leads import STAGES, lead_table
from revops_analysis.metrics.funnel.speed import NO_RESPONSES, judged, records_responses
from revops_analysis.metrics.funnel.steps import OUTCOMES
from revops_analysis.metrics.funnel.summary import entered
from revops_analysis.metrics.incidence import at_horizon, by_cut, durations
from revops_analysis.metrics.registry import Metric, MetricRequest, Unit, nothing, register

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

FAMILY = "Funnel and hand-off"
LEAD_DIMENSIONS = {
    name: name for name in ("source", "campaign_id", "campaign", "channel", "segment", "owner_id", "team")
}
"""What leads can be cut by. `segment` is what is recorded of the lead, or follows from its recorded employees;
`channel` is the campaign's; owner and team are those of today."""

_CURRENT = {
    "segment": "leads.attributes",
    "owner_id": "leads.owner_id",
    "team": "users.team",
    "campaign": "campaigns.name",
    "channel": "campaigns.channel",
}
PROBLEMS = ("no owner", "owner unknown", "owner has left", "wrong segment")
"""What can be wrong with the routing of a lead. A lead that was passed from owner to owner is none of them: the source
keeps no history of owners, so it cannot be told."""


def note_dimensions(snapshot: Snapshot, names: Iterable[str]) -> None:
    """Let the snapshot list the columns without history that a cut rests on."""
    snapshot.use_columns([_CURRENT[name] for name in names if name in _CURRENT])


_Compute = Callable[[MetricRequest], pd.DataFrame]


def _noted(compute: _Compute) -> _Compute:
    def ask(request: MetricRequest) -> pd.DataFrame:
        note_dimensions(request.snapshot, [*request.by, *request.where.columns])
        return compute(request)

    return ask


def _leads_on(request: MetricRequest, day: str) -> ir.Table:
    """Leads whose day of that name lies in the period, cut and filtered."""
    leads = lead_table(request.snapshot)
    return request.cut(leads.filter(within(leads[day], request.period)))


def _counted(table: ir.Table, request: MetricRequest) -> pd.DataFrame:
    frame = grouped(table, request.keys, n=table.count())
    return frame.assign(value=frame["n"])


def _events(day: str, request: MetricRequest) -> pd.DataFrame:
    return _counted(_leads_on(request, day), request)


def _won(request: MetricRequest) -> pd.DataFrame:
    leads = _leads_on(request, "won_on")
    return _counted(leads.filter(leads.is_first_of_deal), request)


def _won_amount(request: MetricRequest) -> pd.DataFrame:
    leads = _leads_on(request, "won_on")
    once = leads.filter(leads.is_first_of_deal)
    values = {"value": once.won_amount.sum(), "n": once.count(), "priced": once.won_amount.count()}
    return sums(grouped(once, request.keys, **values))


def _reached(request: MetricRequest) -> pd.DataFrame:
    leads = _leads_on(request, "lead_on")
    parts = [
        grouped(rows, request.by, n=rows.count()).assign(stage=stage)
        for stage in STAGES
        for rows in (leads.filter(~missing(leads[f"{stage}_on"])),)
    ]
    frame = pd.concat(parts, ignore_index=True)
    frame["stage"] = pd.Categorical(frame["stage"], STAGES, ordered=True)
    return frame.assign(value=frame["n"])


def _entries(request: MetricRequest) -> pd.DataFrame:
    steps = entered(request)
    named = steps.mutate(outcome=steps.result.fill_null("still open"))
    return _counted(named, request)


def _conversion(request: MetricRequest) -> pd.DataFrame:
    horizon, as_of = request.snapshot.definitions.conversion_horizon_days, request.snapshot.as_of
    counts = durations(entered(request), request.keys)
    return by_cut(counts, request.keys, lambda curve, _group: at_horizon(curve, "advanced", horizon, as_of, "lead"))


def _share(request: MetricRequest) -> pd.DataFrame:
    steps = entered(request)
    frame = grouped(steps, request.keys, advanced=(steps.result == "advanced").fill_null(False).sum(), n=steps.count())
    return share(frame.assign(entered=frame["n"]), "advanced", "entered")


def _days(request: MetricRequest) -> pd.DataFrame:
    keys = [key for key in request.keys if key != "quantile"]
    steps = entered(request)
    moved = steps.filter(steps.result == "advanced")
    days = moved.days.cast("float64")
    parts = [
        grouped(moved, keys, value=days.quantile(level), n=moved.count()).assign(quantile=f"{level:g}")
        for level in (0.5, 0.9)
    ]
    return pd.concat(parts, ignore_index=True)


def _minutes(request: MetricRequest) -> pd.DataFrame:
    if not records_responses(request.snapshot):
        return nothing(request, NO_RESPONSES)
    leads = _leads_on(request, "qualified_on")
    timed = leads.filter(~missing(leads.minutes))
    keys = list(request.by)
    parts = [
        grouped(timed, keys, value=timed.minutes.quantile(level), n=timed.count()).assign(quantile=f"{level:g}")
        for level in (0.5, 0.9)
    ]
    frame = pd.concat(parts, ignore_index=True)
    why = pd.Series(None, index=frame.index, dtype=object).mask(frame["n"] == 0, "no passed lead was answered")
    return frame.assign(reason=why)


def _in_time(request: MetricRequest) -> pd.DataFrame:
    if not records_responses(request.snapshot):
        return nothing(request, NO_RESPONSES)
    agreed = request.snapshot.definitions.speed_to_lead_minutes
    leads = judged(request.snapshot, _leads_on(request, "qualified_on"), agreed)
    frame = grouped(leads, request.keys, in_time=leads.in_time.sum(), judged=leads.count())
    frame = share(frame.assign(in_time=frame["in_time"].astype("float64").fillna(0.0)), "in_time", "judged")
    return frame.assign(reason=frame["reason"].mask(frame["n"] == 0, "no lead was passed in the period"))


def _unanswered(request: MetricRequest) -> pd.DataFrame:
    if not records_responses(request.snapshot):
        return nothing(request, NO_RESPONSES)
    leads = _leads_on(request, "qualified_on")
    return _counted(leads.filter(~leads.is_answered), request)


def _refused(request: MetricRequest) -> pd.DataFrame:
    leads = _leads_on(request, "refused_on")
    named = leads.mutate(reason_given=leads.disqualified_reason)
    return _counted(named, request)


def _misrouted(request: MetricRequest) -> pd.DataFrame:
    leads = _leads_on(request, "lead_on")
    conditions = (missing(leads.owner_id), leads.owner_unknown, leads.owner_gone, leads.wrong_segment)
    parts = [
        grouped(rows, request.by, n=rows.count()).assign(problem=name)
        for name, holds in zip(PROBLEMS, conditions, strict=True)
        for rows in (leads.filter(holds),)
    ]
    frame = pd.concat(parts, ignore_index=True)
    frame["problem"] = pd.Categorical(frame["problem"], PROBLEMS, ordered=True)
    return frame.assign(value=frame["n"])


lead_metric = partial(Metric, grain="lead", family=FAMILY, tables=("leads",), dimensions=dict(LEAD_DIMENSIONS))
"""A metric of this family: a row of its table is a lead."""


def _add(name: str, title: str, unit: Unit, compute: _Compute, **more: object) -> Metric:
    return register(lead_metric(name=name, title=title, unit=unit, compute=_noted(compute), **more))  # type: ignore[arg-type]


_EVENTS = (
    ("leads_created", "Leads created", "lead_on", "Leads created in the period."),
    ("leads_qualified", "Leads passed", "qualified_on", "Leads that marketing passed to sales (qualified, MQL)."),
    ("leads_accepted", "Leads accepted", "accepted_on", "Leads that sales accepted (SAL)."),
    ("leads_converted", "Leads turned into deals", "deal_on", "Leads that became a deal (SQL)."),
)
for _name, _title, _day, _text in _EVENTS:
    _add(
        _name,
        _title,
        "count",
        partial(_events, _day),
        description=f"{_text} A later stage implies the earlier ones.",
        formula="count of leads that had first reached the stage, or a later one, on a day in P",
        additive=True,
    )
_add(
    "leads_won",
    "Deals won from leads",
    "count",
    _won,
    description="Deals from leads that were booked in the period; of several leads of one deal the earliest counts.",
    formula="count of distinct deals of leads, won at D, with booking day in P",
    additive=True,
)
_add(
    "lead_won_amount",
    "Bookings from leads",
    "currency",
    _won_amount,
    description="Amount of the deals from leads that were booked in the period, each deal once.",
    formula="Σ amount of distinct deals of leads, won at D, with booking day in P",
    additive=True,
)
_add(
    "funnel_reached",
    "Leads by stage reached",
    "count",
    _reached,
    description="Of the leads created in the period, how many had reached each stage by the as-of date.",
    formula="count of leads created in P that had reached the stage at D",
    parts=("stage",),
    additive=True,
)
_add(
    "funnel_entries",
    "Leads that entered a step",
    "count",
    _entries,
    description=f"Leads that entered a step in the period, by what became of them: {', '.join(OUTCOMES)}.",
    formula="count of leads that entered the step in P, by outcome at D",
    parts=("step", "outcome"),
    additive=True,
)
CONVERSION = _add(
    "funnel_conversion",
    "Conversion of a step",
    "rate",
    _conversion,
    description="Share of the leads that entered a step in the period that advance within the horizon. Refused, sent "
    "back, ignored and lost compete; open leads count for as long as they were watched, not as lost.",
    formula="cumulative incidence of advancing at H among leads that entered the step in P (Aalen–Johansen)",
    parts=("step",),
)
_add(
    "funnel_share",
    "Share advanced so far",
    "rate",
    _share,
    description="Share of the leads that entered a step in the period that had advanced by the as-of date; a floor "
    "while leads are open. Wilson's 95% interval.",
    formula="advanced at D ÷ entered in P",
    parts=("step",),
)
_add(
    "funnel_days",
    "Days to advance",
    "days",
    _days,
    description="Median and 90% point of the days that leads took to advance, of those that advanced so far.",
    formula="quantiles of day advanced − day entered over leads that entered the step in P and advanced by D",
    parts=("step", "quantile"),
)
_add(
    "response_minutes",
    "Speed to lead",
    "minutes",
    _minutes,
    description="Median and 90% point of the minutes from passing to the first response; leads without one have no "
    "minutes and are counted by leads_unanswered.",
    formula="quantiles of first response − passing (creation, where it was answered before) over leads passed in P",
    parts=("quantile",),
)
_add(
    "response_within_target",
    "Answered within the agreed time",
    "rate",
    _in_time,
    description="Share of the leads passed in the period that were answered within speed_to_lead_minutes; one that "
    "nobody answered is late once that time is over. Wilson's 95% interval.",
    formula="answered in time ÷ passed in P and judged",
)
_add(
    "leads_unanswered",
    "Passed leads not answered",
    "count",
    _unanswered,
    description="Leads passed in the period that have no first response by the as-of date.",
    formula="count of leads passed in P without first response at D",
    additive=True,
)
_add(
    "leads_refused",
    "Leads refused",
    "count",
    _refused,
    description="Leads refused in the period, by who refused them and the reason given; what became a deal afterwards "
    "was not refused.",
    formula="count of leads disqualified in P, by side and reason",
    parts=("side", "reason_given"),
    additive=True,
)
_add(
    "leads_misrouted",
    "Routing problems",
    "count",
    _misrouted,
    description=f"Leads created in the period with a routing problem: {', '.join(PROBLEMS)}. A lead can have several.",
    formula="count of leads created in P with the problem at D",
    parts=("problem",),
    additive=True,
)
