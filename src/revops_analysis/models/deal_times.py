"""How long deals took and how they ended: one row a deal, open deals as not yet known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from revops_analysis.metrics.cohort_wins import created_deals
from revops_analysis.metrics.deals import DEAL_DIMENSIONS, headline, missing
from revops_analysis.metrics.registry import MetricRequest, get_metric
from revops_analysis.metrics.where import check_names, parse_where
from revops_analysis.periods import Period, parse_period

if TYPE_CHECKING:
    import datetime as dt

    from revops_analysis.tables.snapshot import Snapshot

ATTRIBUTES = ("type", "segment", "source", "product", "currency", "account_region", "industry", "country")
"""What a deal can be told apart by on the day it is created. Stage, owner, amount and the like change afterwards, and
today's value would tell how the deal ended."""

EVENTS = ("won", "lost", "open")


@dataclass(frozen=True, eq=False)
class DealTimes:
    """Deals created in a period, with how long each was watched and how it ended by the as-of date.

    `frame` has a row a deal, ordered by key: opportunity_id, the attributes (text, null where missing), created_on,
    days (whole: from creation to closing, or to the as-of date while open), event (won, lost, open) and is_mature
    (created at least `horizon_days` ago). `order` gives the levels of an attribute their order where the definitions
    know one. `notes`: sentences on deals that needed a decision.
    """

    frame: pd.DataFrame
    attributes: tuple[str, ...]
    period: Period
    as_of: dt.date
    horizon_days: int
    order: dict[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """Number of deals."""
        return len(self.frame)

    def levels(self, attribute: str) -> list[str | None]:
        """The levels that occur, in the order of the definitions, others by name, missing last."""
        check_names([attribute], self.attributes, "attribute", "the attributes that were asked for")
        found = self.frame[attribute].drop_duplicates()
        known = self.order.get(attribute, ())
        rank = {name: place for place, name in enumerate(known)}
        named = sorted(found.dropna(), key=lambda name: (rank.get(name, len(rank)), name))
        return [*named, None] if found.isna().any() else named


def deal_times(
    snapshot: Snapshot,
    period: str | Period,
    attributes: Sequence[str] = ("type", "segment", "source"),
    where: str | None = None,
) -> DealTimes:
    """Times and outcomes of the headline deals created in `period`, as known on the snapshot's day.

    `attributes` are among `ATTRIBUTES`; columns without history need the definitions' permission, as today's value
    could tell how the deal ended. `where` filters as a metric's does, on attributes only. A deal marked as closed on a
    day that has not come is open; one closed before it was created took 0 days, and `notes` says how many there are.

    Raises ConfigurationError for a period that cannot be read and for other, or refused, columns.
    """
    names = tuple(dict.fromkeys(attributes))
    condition = parse_where(where)
    check_names([*names, *condition.columns], ATTRIBUTES, "attribute known when a deal is created", "deal_times")
    used = {*names, *condition.columns}
    snapshot.require_dated([str(DEAL_DIMENSIONS[name]) for name in ATTRIBUTES if name in used], "a model's feature")
    span = parse_period(period, snapshot.definitions.fiscal_calendar) if isinstance(period, str) else period
    request = MetricRequest(get_metric("cohort_win_rate"), snapshot, span, names, condition)
    deals = created_deals(request)
    deals = deals.mutate(
        event=deals.result.fill_null("open"), is_backward=(deals.closed_on < deals.created_on).fill_null(False)
    )
    kept = ["opportunity_id", *names, "created_on", "days", "event", "is_mature", "is_backward"]
    frame = deals.select(kept).order_by("opportunity_id").to_pandas()
    text = {name: frame[name].astype(object).where(frame[name].notna(), None) for name in names}
    frame = frame.assign(**text, days=frame["days"].astype("int64"), is_mature=frame["is_mature"].astype(bool))
    return DealTimes(
        frame.drop(columns=["is_backward"]),
        names,
        span,
        snapshot.as_of,
        snapshot.definitions.conversion_horizon_days,
        {"segment": tuple(snapshot.definitions.segment_names), "type": tuple(snapshot.definitions.headline_types)},
        _notes(frame, snapshot),
    )


def _notes(frame: pd.DataFrame, snapshot: Snapshot) -> tuple[str, ...]:
    """What was decided on deals whose dates are odd: one closed too early, or never created."""
    backward = int(frame["is_backward"].sum())
    deals = headline(snapshot.deals)
    undated = int(deals.filter(missing(deals.created_on)).count().execute())
    said = (
        (backward, "closed before {it} {was} created and {counts} as closed on the day of creation."),
        (undated, "{has} no day of creation and {is} left out."),
    )
    return tuple(_counted(number, words) for number, words in said if number)


def _counted(number: int, words: str) -> str:
    one = {"it": "it", "was": "was", "counts": "counts", "has": "has", "is": "is"}
    many = {"it": "they", "was": "were", "counts": "count", "has": "have", "is": "are"}
    return f"{number:,} {'deal' if number == 1 else 'deals'} {words.format(**(one if number == 1 else many))}"
