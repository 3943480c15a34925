"""Every number of the process, and the one number that each scenario changes.

Arrays are indexed [type][segment] (new, expansion, renewal × SMB, Mid-Market, Enterprise) unless a field says
otherwise. `parameters.json` beside the tables holds them as used.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace

from revops_analysis.simulation.options import MEANINGS, SimulationOptions


@dataclass(frozen=True)
class Parameters:
    """The process of the sample company. Rates are a week; amounts are US dollars of annual recurring revenue."""

    # Size
    size: float = 1.0
    """Share of the documented company in one block."""
    account_executives: int = 32
    sales_development: int = 18
    success_managers: int = 6
    first_year_seats: float = 0.55
    """Share of seats that existed when the process starts; the others open evenly until mid 2026."""

    # Sellers
    heterogeneity: float = 1.0
    """0 makes sellers, markets and prices alike (scenario `null`)."""
    skill_sd: float = 0.14
    """Spread of log skill, which multiplies how fast deals advance and divides how fast they die."""
    optimism_sd: float = 0.5
    tenure_years: float = 4.0
    """Mean years that a seller stays."""
    ramp_start: float = 0.55
    """Effectiveness on the first day; grows evenly to 1 over the ramp."""
    ramp_months: tuple[float, ...] = (3.0, 5.0, 8.0)
    log_loss_rate: float = 0.16
    """Chance a week that a seller closes a deal that is in truth dead."""
    told_share: float = 0.45
    """Share of deaths of which the seller hears at once."""
    forget_share: float = 0.18
    """Chance a week, at dirt 1, that a passed close date is left standing."""

    # Arrivals
    outbound_month: float = 51.0
    """New deals a month from outbound in the last year, in all segments."""
    partner_month: float = 22.0
    leads_month: float = 308.0
    """Leads a month, of which about 200 are passed to sales; constant over the years."""
    growth: float = 0.17
    """Growth of outbound and partner arrivals a year."""
    arrival_boost: float = 1.0
    slump: float = 0.0
    """Share of arrivals and pace lost in the last two quarters of history and after (scenario `slump`)."""
    season: tuple[float, ...] = (0.95, 1.02, 1.08, 1.02, 1.04, 1.02, 0.90, 0.82, 1.08, 1.10, 1.07, 0.86)
    """Arrivals by calendar month against the average."""
    segment_share: tuple[float, ...] = (0.47, 0.35, 0.18)
    enterprise_from: dt.date | None = None
    """Enterprise deals arrive only from this day on (scenario `new_segment`)."""
    expansions_year: tuple[float, ...] = (0.50, 0.75, 1.0)
    """Expansion deals a customer a year, by segment."""
    return_share: float = 0.22
    """Share of lost new deals that come back as another deal, 120 to 500 days later."""

    # The weekly process
    stage_weeks: tuple[tuple[float, ...], ...] = ((1.7, 2.7, 4.2), (1.3, 1.9, 2.7), (2.2, 2.6, 3.0))
    """Mean weeks in a stage of a living deal of fair quality."""
    stage_pass: tuple[tuple[tuple[float, ...], ...], ...] = (
        ((0.58, 0.70, 0.76, 0.83, 0.90), (0.56, 0.68, 0.74, 0.81, 0.89), (0.54, 0.66, 0.72, 0.79, 0.88)),
        ((0.76, 0.79, 0.82, 0.86, 0.91), (0.75, 0.78, 0.81, 0.86, 0.91), (0.74, 0.77, 0.81, 0.86, 0.91)),
        ((0.975, 0.97, 0.965, 0.96, 0.965), (0.985, 0.98, 0.98, 0.975, 0.975), (0.99, 0.985, 0.985, 0.985, 0.98)),
    )
    """[type][segment][stage]: chance that such a deal leaves the stage forward and not dead, at average pace."""
    quality_cuts: tuple[float, float] = (-0.45, 0.75)
    """Hidden quality below the first is weak, above the second strong, between them fair."""
    quality_advance: tuple[float, ...] = (0.75, 1.0, 1.35)
    quality_die: tuple[float, ...] = (1.6, 1.0, 0.55)
    skip_share: float = 0.06
    """Share of advances from the first three stages that skip the next one."""
    rush: float = 0.45
    """Extra pace of Proposal and Negotiation in the last three weeks of a quarter."""
    after_rush: float = 0.25
    """Lost pace of the same in the first three weeks."""
    market_sd: float = 0.05
    """Spread of the quarter's common log shock to pace, shared by all blocks; carried over by a half."""
    reopen_share: float = 0.02
    slow_stage: float = 1.0
    """Time in Proposal from October 2025 on, against before (scenario `slow_stage`)."""
    stalling_pace: float = 1.0
    """Pace of one Mid-Market seller's deals from October 2025 on (scenario `stalling_seller`)."""
    mid_market_death: float = 1.0
    """Deaths of Mid-Market deals from January 2026 on, against before (scenario `segment_win_rate_drop`)."""
    split_stage_from: dt.date | None = None
    """Before this day deals went from Solution straight to Negotiation (scenario `stage_split`)."""

    # Money
    deal_arr: tuple[float, ...] = (6_900.0, 21_500.0, 59_000.0)
    """Mean recurring revenue of a new deal by segment, in October 2022."""
    arr_sd: tuple[float, ...] = (0.42, 0.45, 0.45)
    """Spread of its logarithm."""
    expansion_ratio: tuple[float, ...] = (0.22, 0.24, 0.26)
    """Mean size of an expansion against what the customer pays."""
    price_drift: float = 0.04
    """Rise of prices a year."""
    price_rise: float = 0.0
    """Rise of prices on 1 January 2026, with half as much more deaths (scenario `price_rise`)."""
    renewal_uplift: float = 0.03
    contraction_share: float = 0.13
    """Share of renewals at a lower price, by 10 to 50%."""
    ending_arr: float = 40_000_000.0
    """What the opening base is sized for: its share is such that the company is on course for this."""
    euro_share: float = 0.85
    """Share of EMEA accounts that pay in euro."""
    euro_list_rate: float = 1.08
    """Dollars for a euro in the price list."""

    # Marketing
    touch_share: tuple[tuple[float, ...], ...] = (
        (0.09, 0.08, 0.14, 0.08, 0.08, 0.12, 0.95, 0.04, 0.00),
        (0.08, 0.07, 0.11, 0.08, 0.11, 0.12, 0.20, 0.96, 0.00),
        (0.05, 0.06, 0.10, 0.15, 0.12, 0.22, 0.12, 0.06, 0.80),
        (0.18, 0.12, 0.60, 0.25, 0.08, 0.35, 0.30, 0.03, 0.00),
        (0.10, 0.12, 0.15, 0.22, 0.92, 0.30, 0.35, 0.05, 0.00),
        (0.60, 0.45, 0.18, 0.14, 0.06, 0.28, 0.30, 0.03, 0.00),
    )
    """[true origin][channel]: share of deals that answered a touch of the channel within 90 days before creation."""
    channel_lift: tuple[float, ...] = (0.05, 0.00, 0.15, 0.30, 0.35, 0.05, 0.10, 0.30, 0.25)
    """What a touch of the channel adds to a deal's quality (standard deviations)."""
    backup_share: float = 0.30
    """Share of deals that come about even without the channel that brought them."""
    crm_source_noise: tuple[float, float] = (0.10, 0.30)
    """Share of marketing's deals recorded as outbound, and of outbound deals with an event or ad recorded as such."""

    # Contacts
    people_mean: float = 2.1
    """Mean people at an account, beyond which each has at least one."""
    duplicate_contacts: float = 0.30
    """Share of contact rows, at dirt 1, that repeat a person already there."""
    duplicate_accounts: float = 0.03
    duplicate_deals: float = 0.006
    """Deals entered twice and merged away some weeks later."""


_Change = tuple[str, object]

SCENARIOS: Mapping[str, _Change | None] = {
    "default": None,
    "null": ("heterogeneity", 0.0),
    "stalling_seller": ("stalling_pace", 0.35),
    "segment_win_rate_drop": ("mid_market_death", 1.45),
    "slow_stage": ("slow_stage", 2.0),
    "price_rise": ("price_rise", 0.25),
    "slump": ("slump", 0.35),
    "pull_forward": ("rush", 1.6),
    "stage_split": ("split_stage_from", dt.date(2024, 10, 1)),
    "new_segment": ("enterprise_from", dt.date(2025, 1, 1)),
    "reopened_deals": ("reopen_share", 0.15),
    "small_company": ("size", 0.034),
}
"""Each scenario's one parameter and its value; the meanings are in `options.MEANINGS`."""

assert set(SCENARIOS) == set(MEANINGS)  # noqa: S101 - two lists of the same names must not drift apart


def parameters_for(options: SimulationOptions) -> Parameters:
    """The parameters of one block under the scenario of `options`.

    `null` also stills what follows from its one parameter: no leavers, no market shocks, no drift of prices.
    """
    base = Parameters(size=options.block_size)
    change = SCENARIOS[options.scenario]
    if change is None:
        return base
    name, value = change
    if name == "size":
        return replace(base, size=base.size * float(value))  # type: ignore[arg-type]
    if name == "heterogeneity":
        return replace(
            base, heterogeneity=0.0, skill_sd=0.0, optimism_sd=0.0, market_sd=0.0, price_drift=0.0, tenure_years=1e6
        )
    return replace(base, **{name: value})  # type: ignore[arg-type]
