"""Steps of the funnel: every lead that had entered a stage, and what became of it from there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir

from revops_analysis.metrics.funnel.leads import STAGES, lead_table

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

STEPS: dict[str, tuple[str, str]] = {
    "lead to qualified": ("lead", "qualified"),
    "qualified to accepted": ("qualified", "accepted"),
    "accepted to deal": ("accepted", "deal"),
    "deal to won": ("deal", "won"),
    "qualified to deal": ("qualified", "deal"),
    "lead to won": ("lead", "won"),
}
"""Steps in order, by name: from which stage to which. The last two are the whole way of sales, and the whole way."""

OUTCOMES = ("advanced", "disqualified", "recycled", "ignored", "lost", "still open")
"""What can become of a lead in a step; exactly one of these."""


def step_table(snapshot: Snapshot) -> ir.Table:
    """One row per lead and step that it had entered by the as-of date; computed once.

    Columns: those of `lead_table`, and step, entered_on, advanced_on (null while it has not), result ('advanced',
    'disqualified', 'recycled', 'ignored', 'lost', or null while it is open), days (whole, from entering to that, or to
    the as-of date).

    A refusal before the stage was entered ends nothing: the lead came back. Once a lead has become a deal, only the
    deal's loss ends its way.
    """
    return snapshot.keep("steps of leads", lambda: ibis.union(*[_step(snapshot, name) for name in STEPS]))


def _step(snapshot: Snapshot, name: str) -> ir.Table:
    start, end = STEPS[name]
    leads = lead_table(snapshot)
    entered, advanced = leads[f"{start}_on"], leads[f"{end}_on"]
    sold = leads.deal_on.notnull() if STAGES.index(end) > STAGES.index("deal") else ibis.literal(False)
    refused = (leads.refused_on >= entered).fill_null(False) & ~sold
    # Silence is seen from the day a lead was passed; a lead that marketing never passed cannot be ignored by sales.
    ignored = (leads.ignored_on >= entered).fill_null(False) & ~sold
    lost = (leads.lost_on >= entered).fill_null(False) & sold
    result = ibis.cases(
        (advanced.notnull(), "advanced"),
        (lost, "lost"),
        (refused & leads.is_recycled, "recycled"),
        (refused, "disqualified"),
        (ignored, "ignored"),
        else_=ibis.null("string"),
    )
    today = ibis.literal(snapshot.as_of)
    ended = ibis.cases(
        (advanced.notnull(), advanced),
        (lost, leads.lost_on),
        (refused, leads.refused_on),
        (ignored, leads.ignored_on),
        else_=today,
    )
    days = ended.delta(entered, unit="day")
    rows = leads.mutate(
        step=ibis.literal(name),
        entered_on=entered,
        advanced_on=advanced,
        result=result,
        days=ibis.greatest(days, ibis.literal(0, "int64")),
    )
    return rows.filter(entered.notnull()).drop("attributes")
