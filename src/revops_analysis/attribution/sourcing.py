"""Who sourced the pipeline: the official figure, what each team says by its own definition, and where they differ.

- sourced: one team a deal, by `sourced_rule` of the definitions; teams and the unattributed add up to all deals;
- influenced: deals with at least one eligible touch of a team; one deal counts for several teams: this does not add up;
- claims: what each side says (`sourcing_claims`), computed from the same touches and the same field.

None of this is causal lift: it says whose touches came before a deal, not what would have happened without them.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, get_args

import ibis
import ibis.expr.types as ir
import pandas as pd

from revops_analysis.attribution.sourcing_evidence import evidence_of
from revops_analysis.definitions.words import Team
from revops_analysis.errors import ConfigurationError
from revops_analysis.metrics.deals import missing, share, within

if TYPE_CHECKING:
    from revops_analysis.attribution.journeys import Journeys
    from revops_analysis.definitions import Definitions
    from revops_analysis.definitions.words import SourcingClaim
    from revops_analysis.periods import Period

TEAMS: tuple[str, ...] = get_args(Team)


@dataclass(frozen=True, eq=False)
class Sourcing:
    """Who sourced the deals created in a period. Made by `sourcing`. Amounts are Decimal, in the reporting currency.

    - deals, a row a deal: opportunity_id, name, account_name, created_on, status, amount, segment, source, owner_team;
      team (official, null: unattributed), basis (what decided: 'CRM field', 'first touch', 'lead creation', 'deal
      creation', or why nothing did), source_team; and `claim_0`, `claim_1` …: what each claim says, true or false;
    - official: team, deals, deals_share with low and high (Wilson, 95%), n, amount, amount_share; a row a team and one
      for the unattributed (team null); shares add up to 1;
    - basis: basis, deals, amount: what the official figure rests on;
    - influenced: the same columns as official; not additive;
    - claims: by, of, rule, meaning, and the same columns;
    - overlap: by, of, other (who makes the other claim about the same team), deals and amount that both claim;
    - agreement: a row a combination of what the claims about one team say: of, `<team>` columns (true, false), deals,
      amount, amount_share;
    - disputed, a row a deal on which claims about one team differ, largest first: as deals; deals without amount last.
    """

    journeys: Journeys
    deals: pd.DataFrame
    official: pd.DataFrame
    basis: pd.DataFrame
    influenced: pd.DataFrame
    claims: pd.DataFrame
    overlap: pd.DataFrame
    agreement: pd.DataFrame
    disputed: pd.DataFrame

    def evidence(self, opportunity_ids: Sequence[str] | None = None) -> pd.DataFrame:
        """Return what each side cites for disputed deals (all of them, or those named); see `evidence_of`."""
        chosen = self.disputed["opportunity_id"]
        if opportunity_ids is not None:
            chosen = chosen[chosen.isin(list(opportunity_ids))]
        return evidence_of(self.journeys, self.disputed[self.disputed["opportunity_id"].isin(chosen)])


def sourcing(journeys: Journeys, period: Period | None = None) -> Sourcing:
    """Return who sourced the deals created in `period` (None: all deals), officially and as each team says.

    Shares of no deals, or of no money, are missing. Raises ConfigurationError when a claim looks back further than the
    journeys do, or when the official rule is `crm_field` and no source has a team.
    """
    definitions = journeys.snapshot.definitions
    check_claims(journeys, definitions)
    journeys.snapshot.use_columns(["source"])
    deals = _deals(journeys, period)
    claims = definitions.sourcing_claims
    return Sourcing(
        journeys=journeys,
        deals=deals.drop(columns=[*touched_columns(), "cents"]),
        official=_by_team(deals, {team: deals["team"] == team for team in TEAMS}, deals["team"].isna()),
        basis=_basis(deals),
        influenced=_by_team(deals, {team: deals[f"touched_{team}"] for team in TEAMS}),
        claims=_claims(deals, claims),
        overlap=_overlap(deals, claims),
        agreement=_agreement(deals, claims),
        disputed=_disputed(deals, claims),
    )


def check_claims(journeys: Journeys, definitions: Definitions) -> None:
    """Raise ConfigurationError as `sourcing` does."""
    reach = int(journeys.options.influence_days or 0)
    for claim in definitions.sourcing_claims:
        if (claim.days or 0) > reach:
            raise ConfigurationError(
                f"The claim of {claim.by} looks back further than journeys do.",
                expected=f"at most {reach} days (lookback.influence_days)",
                found=f"days: {claim.days}",
                where="sourcing_claims of the definitions",
                fix=f"write {reach} or less, or make influence_days longer",
            )
    if definitions.attribution.sourced_rule == "crm_field" and not definitions.source_teams:
        raise ConfigurationError(
            "Who sourced a deal is read from the CRM's field, but no word of it has a team.",
            where="source_teams of the definitions",
            fix="add source_teams, or choose sourced_rule first_touch or lead_creation",
        )


_SHOWN = (
    "opportunity_id",
    "name",
    "account_name",
    "created_on",
    "status",
    "amount",
    "segment",
    "source",
    "owner_team",
    "cents",
)


def _deals(journeys: Journeys, period: Period | None) -> pd.DataFrame:
    """One row a deal with every team that touched it, the official team, and what each claim says."""
    return sourced_deals(journeys, period).drop(*_KEPT_FOR_CUTS).order_by("opportunity_id").to_pandas()


_KEPT_FOR_CUTS = ("type", "product", "owner_id", "account_id")


def sourced_deals(journeys: Journeys, period: Period | None) -> ir.Table:
    """The deals created in a period as a table of the engine, a row a deal.

    Columns: as `Sourcing.deals`, and type, product, owner_id, account_id, cents (the amount; null where there is none)
    and `touched_<team>` (whether an eligible touch of the team lies in the deal's journey).
    """
    definitions = journeys.snapshot.definitions
    base = journeys.base
    chosen = base.filter(within(base.created_on, period)) if period else base
    facts = _touch_facts(journeys, definitions.sourcing_claims)
    joined = chosen.left_join(facts, chosen.opportunity_id == facts.touched_deal)
    words = definitions.source_teams
    team_of_source = ibis.cases(*[(joined.source == word, team) for word, team in words.items()]) if words else None
    source_team = ibis.null("string") if team_of_source is None else team_of_source
    full = joined.mutate(source_team=source_team)
    team, basis = _official(full, definitions.attribution.sourced_rule)
    says = {f"claim_{place}": _says(full, claim, place) for place, claim in enumerate(definitions.sourcing_claims)}
    touched = {name: full[name].fill_null(False) for name in touched_columns()}
    return full.select(*_SHOWN, *_KEPT_FOR_CUTS, "source_team", team=team, basis=basis, **touched, **says)


def touched_columns() -> list[str]:
    """The column of `sourced_deals` for each of `TEAMS`."""
    return [f"touched_{team}" for team in TEAMS]


def _touch_facts(journeys: Journeys, claims: Sequence[SourcingClaim]) -> ir.Table:
    """Per deal: the team of its first, lead-creation and deal-creation touch, and which teams touched it."""
    rows = journeys.touches
    created = journeys.base.select(of_deal="opportunity_id", made_at="created_at")
    rows = rows.inner_join(created, rows.opportunity_id == created.of_deal)
    is_sourcing = ~missing(rows.sourced_order)
    by_lead = rows.is_lead_creation & is_sourcing
    reach = {}
    for place, claim in enumerate(claims):
        days = claim.days or journeys.options.sourced_days
        inside = (rows.occurred_at <= rows.made_at) & (rows.occurred_at >= rows.made_at - ibis.interval(days=days))
        reach[f"any_{place}"] = ((rows.team == claim.of) & inside).fill_null(False).any()
    return rows.group_by(touched_deal=rows.opportunity_id).aggregate(
        first_team=rows.team.max(where=rows.sourced_order == 1),
        lead_team=rows.team.max(where=by_lead),
        has_lead=by_lead.any(),
        deal_team=rows.team.max(where=rows.sourced_order == rows.sourced_touches),
        has_sourcing=is_sourcing.any(),
        **{f"touched_{team}": (rows.team == team).fill_null(False).any() for team in TEAMS},
        **reach,
    )


def _official(deal: ir.Table, rule: str) -> tuple[ir.Value, ir.Value]:
    """The team that sourced a deal by the official rule, and what decided."""
    if rule == "crm_field":
        why = ibis.cases(
            (missing(deal.source), "CRM field is empty"),
            (missing(deal.source_team), "CRM field names no team"),
            else_="CRM field",
        )
        return deal.source_team, why
    has_lead = deal.has_lead.fill_null(False) if rule == "lead_creation" else ibis.literal(False)
    otherwise = deal.deal_team if rule == "lead_creation" else deal.first_team
    team = ibis.ifelse(has_lead, deal.lead_team, otherwise)
    named = ibis.ifelse(has_lead, "lead creation", "deal creation" if rule == "lead_creation" else "first touch")
    why = ibis.cases(
        (~deal.has_sourcing.fill_null(False), "no touch before creation"),
        (missing(team), "touch of a channel without team"),
        else_=named,
    )
    return team, why


def _says(deal: ir.Table, claim: SourcingClaim, place: int) -> ir.Value:
    lead_or_deal = ibis.ifelse(deal.has_lead.fill_null(False), deal.lead_team, deal.deal_team)
    answers = {
        "any_touch": deal[f"any_{place}"],
        "crm_field": deal.source_team == claim.of,
        "first_touch": deal.first_team == claim.of,
        "lead_creation": lead_or_deal == claim.of,
    }
    return answers[claim.rule].fill_null(False)


def _sized(deals: pd.DataFrame, chosen: pd.Series) -> dict[str, object]:
    """How many deals, and how much money, of all deals."""
    counted = share(pd.DataFrame({"won": [int(chosen.sum())], "n": [len(deals)]}), "won", "n").iloc[0]
    cents, whole = _cents(deals[chosen]), _cents(deals)
    return {
        "deals": int(chosen.sum()),
        "deals_share": counted["value"],
        "low": counted["low"],
        "high": counted["high"],
        "n": len(deals),
        "amount": Decimal(cents).scaleb(-2),
        "amount_share": cents / whole if whole else float("nan"),
    }


def _cents(deals: pd.DataFrame) -> int:
    return int(deals["cents"].dropna().astype("int64").sum())


def _by_team(deals: pd.DataFrame, chosen: dict[str, pd.Series], rest: pd.Series | None = None) -> pd.DataFrame:
    rows = [{"team": team, **_sized(deals, mask)} for team, mask in chosen.items() if mask.any()]
    if rest is not None:
        rows.append({"team": None, **_sized(deals, rest)})
    return pd.DataFrame(rows, columns=["team", *_SIZES])


_SIZES = ("deals", "deals_share", "low", "high", "n", "amount", "amount_share")


def _basis(deals: pd.DataFrame) -> pd.DataFrame:
    rows = [{"basis": name, **_sized(deals, deals["basis"] == name)} for name in sorted(deals["basis"].unique())]
    frame = pd.DataFrame(rows, columns=["basis", "deals", "amount"])
    return frame.sort_values("deals", ascending=False, kind="stable", ignore_index=True)


def _claims(deals: pd.DataFrame, claims: Sequence[SourcingClaim]) -> pd.DataFrame:
    rows = [
        {"by": c.by, "of": c.of, "rule": c.rule, "meaning": c.meaning, **_sized(deals, deals[f"claim_{place}"])}
        for place, c in enumerate(claims)
    ]
    return pd.DataFrame(rows, columns=["by", "of", "rule", "meaning", *_SIZES])


def _overlap(deals: pd.DataFrame, claims: Sequence[SourcingClaim]) -> pd.DataFrame:
    rows = [
        {"by": one.by, "of": one.of, "other": two.by, **_sized(deals, deals[f"claim_{i}"] & deals[f"claim_{j}"])}
        for i, one in enumerate(claims)
        for j, two in enumerate(claims)
        if one.of == two.of
    ]
    return pd.DataFrame(rows, columns=["by", "of", "other", "deals", "amount"])


def _agreement(deals: pd.DataFrame, claims: Sequence[SourcingClaim]) -> pd.DataFrame:
    rows: list[dict[str, object]] = []
    for team in dict.fromkeys(claim.of for claim in claims):
        makers = [claim.by for claim in claims if claim.of == team]
        columns = [f"claim_{place}" for place, claim in enumerate(claims) if claim.of == team]
        for said in itertools.product((False, True), repeat=len(columns)):
            chosen = (deals[columns] == list(said)).all(axis=1)
            if chosen.any():
                rows.append({"of": team, **dict(zip(makers, said, strict=True)), **_sized(deals, chosen)})
    names = list(dict.fromkeys(claim.by for claim in claims))
    return pd.DataFrame(rows, columns=["of", *names, "deals", "amount", "amount_share"])


def _disputed(deals: pd.DataFrame, claims: Sequence[SourcingClaim]) -> pd.DataFrame:
    differ = pd.Series(False, index=deals.index)
    for team in {claim.of for claim in claims}:
        said = deals[[f"claim_{place}" for place, claim in enumerate(claims) if claim.of == team]]
        differ |= said.any(axis=1) & ~said.all(axis=1)
    chosen = deals[differ].sort_values(["cents", "opportunity_id"], ascending=[False, True], na_position="last")
    return chosen.drop(columns=[*touched_columns(), "cents"]).reset_index(drop=True)
