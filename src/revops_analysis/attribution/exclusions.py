"""What is in no journey, and why: every touch and every deal is counted once, with the money that hangs on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.types as ir
import pandas as pd
from ibis import _

from revops_analysis.attribution.placing import in_window, paired
from revops_analysis.attribution.touches import NO_TIME, NOT_ANSWERED
from revops_analysis.metrics.deals import missing

if TYPE_CHECKING:
    from revops_analysis.attribution.journeys import Journeys

USED = "in a journey"
NO_DEAL = "account without a deal"
BEFORE = "before the lookback"
AFTER = "after closing"
REPEATED = "repeated"
BETWEEN = "before one deal's lookback and after another's closing"
NO_CREATION = "deal without creation day"

ATTRIBUTED = "attributed"
OTHER_TYPE = "not of a headline type"
NO_TOUCH = "no touch of the account or the deal"
DEAL_WITHOUT_ACCOUNT = "deal without account"
ONLY_BEFORE = "touched only before the lookback"
ONLY_AFTER = "touched only after closing"
ONLY_OUTSIDE = "touched only before the lookback and after closing"
ONLY_SILENT = "touched, but never answered"
ONLY_TIMELESS = "touched at unknown times only"
SINCE_CREATION = "touched only after creation"
TOO_EARLY = "touched only before the sourced lookback"

_INTERNAL = ("influence_from", "sourced_from", "until", "until_at", "cents")

COLUMNS = ("grain", "reason", "touches", "deals", "amount")


def with_reasons(journeys: Journeys) -> ir.Table:
    """Return all deals with how many touches they have, and why they have none."""
    counted = journeys.counted
    lacking = _lacking(journeys.candidates, counted.filter(counted.touches == 0).select(journeys.base.columns))
    full = counted.left_join(lacking, counted.opportunity_id == lacking.lacking_id)
    reason = ibis.ifelse(full.touches > 0, ibis.null("string"), _reason(full))
    unsourced = ibis.cases(
        (full.sourced_touches > 0, ibis.null("string")),
        (full.touches == 0, reason),
        (full.by_deal > 0, TOO_EARLY),
        else_=SINCE_CREATION,
    )
    return full.mutate(unattributed=reason, unsourced=unsourced).select(
        *[name for name in journeys.base.columns if name not in _INTERNAL],
        "touches",
        "sourced_touches",
        "unattributed",
        "unsourced",
    )


def _lacking(candidates: ir.Table, deals: ir.Table) -> ir.Table:
    """What the deals without a journey have instead: a row a deal that any touch could belong to."""
    pairs = paired(candidates, deals)
    usable = missing(pairs.unusable) & ~missing(pairs.deal_created_at)
    return pairs.group_by(lacking_id=pairs.deal_opportunity_id).aggregate(
        seen_early=(usable & (pairs.occurred_at < pairs.deal_influence_from)).sum(),
        seen_late=(usable & (pairs.occurred_at >= pairs.deal_until_at)).sum(),
        seen_silent=(pairs.unusable == NOT_ANSWERED).sum(),
        seen_timeless=(pairs.unusable == NO_TIME).sum(),
    )


def _reason(deal: ir.Table) -> ir.Value:
    return ibis.cases(
        (missing(deal.created_at), NO_CREATION),
        ((deal.seen_early > 0) & (deal.seen_late > 0), ONLY_OUTSIDE),
        (deal.seen_early > 0, ONLY_BEFORE),
        (deal.seen_late > 0, ONLY_AFTER),
        (deal.seen_silent > 0, ONLY_SILENT),
        (deal.seen_timeless > 0, ONLY_TIMELESS),
        (missing(deal.account_id), DEAL_WITHOUT_ACCOUNT),
        else_=NO_TOUCH,
    )


def exclusions(journeys: Journeys) -> pd.DataFrame:
    """Return every reason for which touches and deals are left out, and what the ones that are used lack.

    Columns: grain, reason, touches (Int64), deals (Int64), amount (Decimal, reporting currency). What does not apply
    is missing. Four grains:

    - 'touch': each touch known by the as-of date once, 'in a journey' or the reason it is in none;
    - 'deal': each deal once, 'attributed' or the reason it has no touch, with its amount;
    - 'sourced': each deal of the journeys once, as the sourced models see it, and the touches (in journeys) that they
      leave out because they came after the deal's creation or before the sourced lookback;
    - 'gap': touches and deals that are used although something is not known of them; amount is what those deals are
      worth. A deal without amount has a share of credit and no money.

    Touches entered twice under one key are collapsed by the load and counted there.
    """
    rows = [*_touch_rows(journeys), *_deal_rows(journeys), *_sourced_rows(journeys), *_gap_rows(journeys)]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.astype({"touches": "Int64", "deals": "Int64"})


def _line(grain: str, reason: str, touches: Any = None, deals: Any = None, amount: Any = None) -> dict[str, Any]:
    values = {"touches": touches, "deals": deals}
    counts = {name: pd.NA if value is None or pd.isna(value) else int(value) for name, value in values.items()}
    return {"grain": grain, "reason": reason, **counts, "amount": amount}


def _rows(grain: str, table: ir.Table) -> list[dict[str, Any]]:
    """Lines of a small table with the columns reason and any of touches, deals, amount, the largest first."""
    found = table.to_pyarrow().to_pylist()
    size = "touches" if grain == "touch" else "deals"
    return [_line(grain, **row) for row in sorted(found, key=lambda row: (-int(row[size]), row["reason"]))]


def _touch_rows(journeys: Journeys) -> list[dict[str, Any]]:
    candidates = journeys.candidates
    used = journeys.ranked.select("touchpoint_id").distinct()
    idle = candidates.filter(missing(candidates.unusable)).anti_join(used, "touchpoint_id")
    pairs = paired(idle, journeys.base)
    seen = pairs.group_by(paired_id=pairs.touchpoint_id).aggregate(
        early=(pairs.occurred_at < pairs.deal_influence_from).sum().fill_null(0),
        late=(pairs.occurred_at >= pairs.deal_until_at).sum().fill_null(0),
        inside=in_window(pairs).sum().fill_null(0),
    )
    known = idle.left_join(seen, idle.touchpoint_id == seen.paired_id)
    reason = ibis.cases(
        (missing(known.paired_id), NO_DEAL),
        (known.inside > 0, REPEATED),
        ((known.early > 0) & (known.late > 0), BETWEEN),
        (known.early > 0, BEFORE),
        (known.late > 0, AFTER),
        else_=NO_CREATION,
    )
    outside = known.select(reason=reason)
    refused = candidates.filter(~missing(candidates.unusable)).select(reason=_.unusable)
    left_out = outside.union(refused).group_by("reason").aggregate(touches=_.count())
    return [_line("touch", USED, used.count().to_pyarrow().as_py()), *_rows("touch", left_out)]


def _deal_rows(journeys: Journeys) -> list[dict[str, Any]]:
    deals = journeys.deals
    mine = deals.group_by(reason=deals.unattributed.fill_null(ATTRIBUTED)).aggregate(
        deals=_.count(), amount=_.amount.sum()
    )
    rows = _rows("deal", mine)
    if journeys.options.types == "headline":
        others = journeys.snapshot.deals.filter(~_.is_headline)
        rows += _rows(
            "deal", others.group_by(reason=ibis.literal(OTHER_TYPE)).aggregate(deals=_.count(), amount=_.amount.sum())
        )
    return rows


def _sourced_rows(journeys: Journeys) -> list[dict[str, Any]]:
    deals = journeys.deals
    found = deals.group_by(reason=deals.unsourced.fill_null(ATTRIBUTED)).aggregate(
        deals=_.count(), amount=_.amount.sum()
    )
    outside = journeys.touches.filter(missing(journeys.touches.sourced_order))
    late = (outside.touch_order > outside.deal_creation_order.fill_null(0)).fill_null(True)
    counts = outside.group_by(reason=ibis.ifelse(late, "after creation", "before the sourced lookback")).aggregate(
        touches=_.count(), deals=_.opportunity_id.nunique()
    )
    return [*_rows("sourced", found), *_rows("sourced", counts)]


def _gap_rows(journeys: Journeys) -> list[dict[str, Any]]:
    touches, deals = journeys.touches, journeys.deals
    gaps = {
        "touch without channel": missing(touches.channel),
        "touch whose channel is its campaign's": touches.took_channel,
        "touch of a channel that no team runs": ~missing(touches.channel) & missing(touches.team),
        "touch of an account whose person is not known": missing(touches.contact_id),
    }
    rows = []
    for reason, lacks in gaps.items():
        found = touches.filter(lacks)
        theirs = deals.semi_join(found, "opportunity_id").aggregate(deals=_.count(), amount=_.amount.sum())
        counted = found.aggregate(touches=_.touchpoint_id.nunique()).cross_join(theirs).to_pyarrow().to_pylist()[0]
        rows.append(_line("gap", reason, **counted))
    unpriced = deals.filter(missing(deals.amount) & (deals.touches > 0)).count().to_pyarrow().as_py()
    rows.append(_line("gap", "deal without amount", None, unpriced))
    return [row for row in rows if row["deals"]]
