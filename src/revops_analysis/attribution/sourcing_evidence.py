"""What each side of a dispute cites: the touches behind a claim, or the CRM's field and touches of whom it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from revops_analysis.metrics.deals import missing

if TYPE_CHECKING:
    from revops_analysis.attribution.journeys import Journeys
    from revops_analysis.definitions.words import SourcingClaim

COLUMNS = ("opportunity_id", "by", "says", "cites", "touchpoint_id", "day", "channel", "campaign_id", "team", "source")


def evidence_of(journeys: Journeys, deals: pd.DataFrame) -> pd.DataFrame:
    """Return what each claim cites for each of `deals` (rows of `Sourcing.deals`), in the order of time.

    Columns: opportunity_id, by (who claims), says (whether the team sourced the deal), cites ('touch', 'CRM field',
    'nothing'), touchpoint_id, day, channel, campaign_id, team, source (the CRM's word). A claim by touches cites those
    that decide it; one by the CRM's field cites the field, and the touches before creation of the team that it names. A
    side that has nothing to cite has a row that says so.
    """
    claims = journeys.snapshot.definitions.sourcing_claims
    keys = pa.array(deals["opportunity_id"].tolist(), pa.string())
    wanted = ibis.memtable(pa.table({"opportunity_id": keys}))
    touches = journeys.touches
    base = journeys.base.select(of_deal="opportunity_id", made_at="created_at")
    rows = touches.inner_join(base, touches.opportunity_id == base.of_deal)
    rows = rows.semi_join(wanted, "opportunity_id")
    parts = [_cited(journeys, rows, deals, place, claim) for place, claim in enumerate(claims)]
    frame = pd.concat([part for part in parts if len(part)] or [pd.DataFrame(columns=list(COLUMNS))], ignore_index=True)
    rank = {key: place for place, key in enumerate(deals["opportunity_id"])}
    order = frame.assign(
        rank=frame["opportunity_id"].map(rank), claim=frame["by"].map({c.by: n for n, c in enumerate(claims)})
    )
    order = order.sort_values(["rank", "claim", "cites", "day", "touchpoint_id"], kind="stable", na_position="first")
    return order[list(COLUMNS)].reset_index(drop=True)


def _cited(journeys: Journeys, rows: ir.Table, deals: pd.DataFrame, place: int, claim: SourcingClaim) -> pd.DataFrame:
    known = deals[["opportunity_id", "source", "source_team", f"claim_{place}"]].rename(
        columns={f"claim_{place}": "says"}
    )
    cited = rows.filter(_decides(journeys, rows, claim)).select(
        "opportunity_id", "touchpoint_id", "day", "channel", "campaign_id", "team"
    )
    touches = cited.to_pandas().merge(known, on="opportunity_id").assign(cites="touch", by=claim.by)
    if claim.rule == "crm_field":
        own = touches[touches["team"].notna() & (touches["team"] == touches["source_team"])]
        field = known.assign(cites="CRM field", by=claim.by)
        return pd.concat([field, own], ignore_index=True).reindex(columns=list(COLUMNS))
    silent = known[~known["opportunity_id"].isin(touches["opportunity_id"])].assign(cites="nothing", by=claim.by)
    return pd.concat([touches, silent], ignore_index=True).reindex(columns=list(COLUMNS))


def _decides(journeys: Journeys, rows: ir.Table, claim: SourcingClaim) -> ir.BooleanValue:
    """Whether a touch is one that the claim rests on."""
    days = claim.days or journeys.options.sourced_days
    inside = (rows.occurred_at <= rows.made_at) & (rows.occurred_at >= rows.made_at - ibis.interval(days=days))
    is_sourcing = ~missing(rows.sourced_order)
    rules = {
        "any_touch": inside & (rows.team == claim.of).fill_null(False),
        "crm_field": is_sourcing,
        "first_touch": (rows.sourced_order == 1).fill_null(False),
        "lead_creation": is_sourcing & (rows.is_lead_creation | (rows.sourced_order == rows.sourced_touches)),
    }
    return rules[claim.rule]
