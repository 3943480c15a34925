"""`_opportunity_states`: the state of each deal between two changes, prepared once a load.

From `opportunity_history` one row a change becomes one row a state with the moment from which it held and the moment
at which the next change ended it. The state at any day is then a filter, and not a window over the whole history.
Everything else in a row looks backwards only, so nothing that happened later shows in a row that was true earlier.
"""

from __future__ import annotations

import ibis
from ibis import _

STATES = "_opportunity_states"
"""Name of the prepared table in a warehouse file."""

STATE_VALUES = ("stage", "amount", "currency", "close_date", "forecast_category", "probability", "owner_id")
"""The columns of a deal that its history knows."""


def opportunity_states(history: ibis.Table) -> ibis.Table:
    """Return one row a change of `opportunity_history`, with where it stands among the changes of its deal.

    Columns: those of the history, and
    - `valid_until` (timestamp, UTC): moment of the deal's next change; null for the last one. Changes within the same
      moment follow `change_number`; all but the last of them held for no time at all;
    - `change_index`: place among the changes of its deal, from 0;
    - `from_stage`: stage before the change, null for the first;
    - `stage_entered_at` (timestamp, UTC): moment at which the unbroken stay in `stage` began;
    - `first_amount`, `first_currency`, `first_priced_at`: the first amount that was known up to and including this
      change, its currency and its moment; null while the deal had no amount.
    """
    numbered = history.mutate(change_number=_.change_number.fill_null(1))
    in_order = ibis.window(group_by="opportunity_id", order_by=["changed_at", "change_number"])
    so_far = ibis.window(
        group_by="opportunity_id", order_by=["changed_at", "change_number"], preceding=(None, 0), following=None
    )
    first = _first_rows(numbered, in_order, so_far)
    return first.mutate(
        stage_entered_at=_.entered_here.max().over(so_far),
        first_amount=_.priced_amount.max().over(so_far),
        first_currency=_.priced_currency.max().over(so_far),
        first_priced_at=_.priced_at.max().over(so_far),
    ).drop("entered_here", "priced_amount", "priced_currency", "priced_at", "amounts_so_far")


def _first_rows(numbered: ibis.Table, in_order: object, so_far: object) -> ibis.Table:
    """Mark the row in which a stay in a stage begins and the one in which the deal was first priced."""
    looked = numbered.mutate(
        valid_until=_.changed_at.lead().over(in_order),
        from_stage=_.stage.lag().over(in_order),
        change_index=ibis.row_number().over(in_order),
        amounts_so_far=_.amount.count().over(so_far),
    )
    begins = (_.change_index == 0) | ~_.stage.identical_to(_.from_stage)
    priced = _.amount.notnull() & (_.amounts_so_far == 1)
    return looked.mutate(
        entered_here=ibis.ifelse(begins, _.changed_at, ibis.null("timestamp(6)")),
        priced_amount=ibis.ifelse(priced, _.amount, ibis.null("decimal(18, 2)")),
        priced_currency=ibis.ifelse(priced, _.currency, ibis.null("string")),
        priced_at=ibis.ifelse(priced, _.changed_at, ibis.null("timestamp(6)")),
    )
