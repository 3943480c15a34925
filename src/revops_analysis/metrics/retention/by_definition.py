"""Net retention under each of the definitions that companies really use, beside the one in force."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from revops_analysis.errors import DataRefusedError
from revops_analysis.metrics.retention.ledger import missing_reason, month_label, require_revenue, under
from revops_analysis.metrics.retention.rates import retention_rates
from revops_analysis.metrics.where import Where

if TYPE_CHECKING:
    from revops_analysis.definitions import Definitions
    from revops_analysis.tables.snapshot import Snapshot

_DAYS = 30
"""Grace that is shown where the definitions in force have none."""

MEANINGS: dict[tuple[str, Any], str] = {
    ("nrr_basis", "cohort"): "accounts of twelve months before: their revenue now ÷ then",
    ("nrr_basis", "movements"): "opening and all movements but new of twelve months, ÷ opening; new customers' too",
    ("nrr_counts_reactivated", True): "who left and came back within the twelve months counts",
    ("nrr_counts_reactivated", False): "who left within the twelve months stays lost",
    ("mrr_rates", "constant"): "all months at the exchange rates of the as-of date",
    ("mrr_rates", "monthly"): "each month at its own exchange rates",
    ("retention_account", "account"): "each account is a customer",
    ("retention_account", "parent"): "a parent and all it owns is one customer",
}


@dataclass(frozen=True, eq=False)
class RetentionByDefinition:
    """NRR and GRR of one month under other definitions.

    `frame`, the definition in force first, then one setting changed at a time: setting, value, meaning, nrr, nrr_low,
    nrr_high, grr, difference (NRR less that in force) and reason (where it could not be computed). `in_force`: setting,
    value, meaning of each, as printed on the page. `reason`: why there is nothing.
    """

    frame: pd.DataFrame
    in_force: pd.DataFrame
    month: str
    reason: str | None = None


def retention_by_definition(
    snapshot: Snapshot, month: int | None = None, where: str | Where | None = None
) -> RetentionByDefinition:
    """Measure NRR again with each setting changed that vendors define differently.

    Vendors differ in who comes back, in whether customers won within the window count, in exchange rates, in late
    renewals and in whether a group of companies is one customer. Each row changes one setting and keeps the others.
    """
    force = definitions_in_force(snapshot.definitions)
    missing = missing_reason(snapshot)
    columns = ["setting", "value", "meaning", "nrr", "nrr_low", "nrr_high", "grr", "difference", "reason"]
    if missing:
        return RetentionByDefinition(pd.DataFrame(columns=columns), force, "", missing)
    number = require_revenue(snapshot).last if month is None else month
    rows = [{"setting": "in force", "value": "", "meaning": "", **_measured(snapshot, number, where)}]
    for setting, value in _alternatives(snapshot.definitions):
        other = under(snapshot, snapshot.definitions.model_copy(update={setting: value}))
        names = {"setting": setting, "value": _shown(value), "meaning": meaning(setting, value)}
        rows.append({**names, **_measured(other, number, where)})
    frame = pd.DataFrame(rows).astype(dict.fromkeys(("nrr", "nrr_low", "nrr_high", "grr"), "float64"))
    frame["difference"] = frame["nrr"] - frame["nrr"].iloc[0]
    return RetentionByDefinition(frame[columns], force, month_label(number))


def meaning(setting: str, value: Any) -> str:
    """A setting's value in words.

    >>> meaning("late_renewal_grace_days", 30)
    'a renewal that begins up to 30 days late is no churn'
    """
    if setting == "late_renewal_grace_days":
        return f"a renewal that begins up to {value} days late is no churn" if value else "any gap is churn and return"
    return MEANINGS[setting, value]


def definitions_in_force(definitions: Definitions) -> pd.DataFrame:
    """The settings in force, as reports print them: setting, value, meaning."""
    settings = [*dict.fromkeys(setting for setting, _ in MEANINGS), "late_renewal_grace_days"]
    values = [getattr(definitions, setting) for setting in settings]
    meanings = [meaning(setting, value) for setting, value in zip(settings, values, strict=True)]
    return pd.DataFrame({"setting": settings, "value": [_shown(value) for value in values], "meaning": meanings})


def _alternatives(definitions: Definitions) -> Iterator[tuple[str, Any]]:
    """Each setting with each value that it does not have."""
    yield from ((setting, value) for setting, value in MEANINGS if getattr(definitions, setting) != value)
    yield "late_renewal_grace_days", 0 if definitions.late_renewal_grace_days else _DAYS


def _shown(value: Any) -> str:
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def _measured(snapshot: Snapshot, number: int, where: str | Where | None) -> dict[str, object]:
    try:
        frame = retention_rates(snapshot, [number], where=where).frame.set_index("measure")
    except DataRefusedError as refused:
        return {"nrr": None, "nrr_low": None, "nrr_high": None, "grr": None, "reason": refused.what}
    nrr = frame.loc["nrr"]
    values = {"nrr": nrr["value"], "nrr_low": nrr["low"], "nrr_high": nrr["high"], "grr": frame.loc["grr", "value"]}
    return {**values, "reason": nrr["reason"]}
