"""What a source lacks, what that costs, and how to supply it: the plain sentences that every report repeats."""

from __future__ import annotations

from collections.abc import Mapping

from revops_analysis.tables.schema import TABLES

WITHOUT: dict[str, tuple[str, str]] = {
    "accounts": (
        "deals and revenue cannot be cut by industry, region or country of the customer",
        "export the company list (Account in Salesforce, Companies in HubSpot)",
    ),
    "contacts": (
        "who takes part in a purchase, and which people marketing reached, cannot be told",
        "export the people (Contact, Contacts)",
    ),
    "users": (
        "figures cannot be cut by team or by region of the seller, and owners appear by their key",
        "export the sellers with team and manager (User, Owners)",
    ),
    "leads": (
        "the funnel before the deal and the speed of the first answer are left out",
        "export the leads (Lead; in HubSpot, contacts with their lifecycle dates)",
    ),
    "opportunity_history": (
        "deals are rebuilt from their created and close dates: past stages, amounts, pushed close dates and movements "
        "are not known, and stage conversion and ageing are left out",
        "export the changes of deals (OpportunityHistory, deal property history)",
    ),
    "opportunity_contacts": (
        "contacts engaged in each deal are not counted",
        "export the roles of people in deals (OpportunityContactRole, deal associations)",
    ),
    "opportunity_splits": (
        "each deal is credited to its owner alone",
        "export the splits (OpportunitySplit), if deals are shared",
    ),
    "activities": (
        "days since the last activity rest on the CRM's own field, where it has one",
        "export tasks and events, or engagements",
    ),
    "touchpoints": (
        "pipeline and bookings cannot be attributed to channels",
        "export campaign responses and marketing touches (CampaignMember, form submissions)",
    ),
    "campaigns": ("credit cannot be shown by campaign", "export the campaigns (Campaign)"),
    "spend": (
        "cost and return of channels and customers are left out",
        "supply spend by month, function and channel from finance",
    ),
    "subscriptions": (
        "recurring revenue, its movements and retention are left out unless a revenue ledger is supplied",
        "export subscription terms from billing",
    ),
    "revenue_ledger": (
        "recurring revenue is taken from subscriptions alone",
        "supply monthly recurring revenue by account from billing, if there are no subscription terms",
    ),
    "targets": (
        "coverage and attainment of the company's plan cannot be computed",
        "supply the plan by period: measure, scope, first and last day, target",
    ),
    "quotas": ("attainment of sellers cannot be computed", "supply quotas by seller and period"),
    "forecast_submissions": (
        "sellers' own forecasts are missing from the comparison of forecasts",
        "export forecast submissions (ForecastingItem, or the weekly sheet)",
    ),
    "exchange_rates": (
        "amounts must all be in the reporting currency: any other is refused",
        "supply rates by currency and day, if deals are in several currencies",
    ),
}
"""Table → what is missing from a report without it, and where to get it."""


def missing_table_notes(supplied: tuple[str, ...]) -> tuple[str, ...]:
    """Return a sentence for each table that the source does not supply.

    Subscriptions and the revenue ledger stand in for each other: with one of them, the other is not missed.

    >>> missing_table_notes(tuple(name for name in TABLES if name != "quotas"))
    ('No quotas: attainment of sellers cannot be computed. To change that, supply quotas by seller and period.',)
    """
    stand_ins = {"subscriptions": "revenue_ledger", "revenue_ledger": "subscriptions"}
    missed = [name for name in TABLES if name not in supplied and stand_ins.get(name) not in supplied]
    if "subscriptions" in missed:
        missed.remove("revenue_ledger")
    return tuple(
        f"No {name}: {WITHOUT[name][0]}. To change that, {WITHOUT[name][1]}." for name in missed if name in WITHOUT
    )


def cut_notes(cut: str, withheld: Mapping[str, str], supplied: tuple[str, ...]) -> tuple[str, ...]:
    """Return what is to be known of figures of a part of the company; nothing where `cut` is empty.

    `withheld` are tables that the source has and the cut leaves out, with the reason.

    >>> cut_notes("region = EMEA", {"spend": "it is the company's"}, ("targets",))[1]
    'Targets are those set for region = EMEA alone, never those of the company.'
    """
    if not cut:
        return ()
    notes = [f"These figures are of {cut} alone; accounts are placed by what is known of them today."]
    if "targets" in supplied:
        notes.append(f"Targets are those set for {cut} alone, never those of the company.")
    notes += [
        f"No {name.replace('_', ' ')} for {cut}: {reason}; {WITHOUT[name][0]}." for name, reason in withheld.items()
    ]
    return tuple(notes)


def counted(count: int, one: str, many: str) -> str:
    """Return a count with the words that agree with it.

    >>> counted(1, "deal has", "deals have"), counted(2000, "deal has", "deals have")
    ('1 deal has', '2,000 deals have')
    """
    return f"{count:,} {one if count == 1 else many}"
