"""The open deals that a reader of the forecast should look at, and why the model prices them as it does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from revops_analysis.models.forecast import BookingsForecast

SHOWN = ("opportunity_id", "name", "account_name", "owner", "stage", "close_date")
RISKS = (*SHOWN, "amount", "value", "probability", "expected", "swing")
DISAGREEMENTS = (*SHOWN, "amount", "value", "crm_probability", "probability", "difference", "effect")
REASONS = ("opportunity_id", "rank", "group", "effect", "text")


def risky_deals(forecast: BookingsForecast, top: int = 10) -> pd.DataFrame:
    """The open deals that move the number most, columns `RISKS`.

    `swing` = value × √(p (1 − p)): the spread that the deal alone brings. `value` is what it is worth if it is won,
    `expected` its part of the published forecast. Without the deal model there are none.
    """
    if forecast.fitted is None or forecast.deals.empty:
        return pd.DataFrame(columns=list(RISKS))
    deals = forecast.deals
    told = deals.assign(swing=deals["value"] * np.sqrt(deals["probability"] * (1 - deals["probability"])))
    return _largest(told, told["swing"], top)[list(RISKS)]


def disagreements(forecast: BookingsForecast, top: int = 10) -> pd.DataFrame:
    """The open deals on which the CRM and the model differ most, columns `DISAGREEMENTS`.

    The CRM's probability is of winning at all and ours of winning in the period, so only deals whose close date lies
    in it (or has passed) are compared. `difference` = ours − CRM's; `effect` = difference × value, by whose size they
    are ordered. Deals without a CRM probability are left out.
    """
    if forecast.fitted is None or forecast.deals.empty:
        return pd.DataFrame(columns=list(DISAGREEMENTS))
    deals = forecast.deals
    compared = deals[deals["crm_probability"].notna() & (deals["close_date"] <= deals["last_day"])]
    gap = compared["probability"] - compared["crm_probability"]
    told = compared.assign(difference=gap, effect=gap * compared["value"])
    return _largest(told, told["effect"].abs(), top)[list(DISAGREEMENTS)]


def deal_reasons(forecast: BookingsForecast, listed: Iterable[str], top: int = 3) -> pd.DataFrame:
    """What moves the probability of the listed deals most: opportunity_id, rank, group, effect, text.

    `effect` is the difference in probability against a typical open deal of the same stage; what makes none is no
    reason. There are none where win rates by stage serve instead of a model.
    """
    if forecast.fitted is None:
        return pd.DataFrame(columns=list(REASONS))
    # All open deals are passed on, because they make up what is typical.
    found = forecast.fitted.win.reasons(forecast.evidence.at(forecast.cutoff)[0], top, forecast.evidence.states)
    return found[found["opportunity_id"].isin(list(listed)) & (found["effect"] != 0)].reset_index(drop=True)


def _largest(deals: pd.DataFrame, size: pd.Series, top: int) -> pd.DataFrame:
    ordered = deals.assign(size=-size).sort_values(["size", "opportunity_id"], kind="stable")
    return ordered[ordered["size"] < 0].head(top).reset_index(drop=True)
