"""What comes up for renewal, how likely each is lost, why, and what that is worth."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from revops_analysis.metrics.retention.ledger import month_number, recurring_revenue
from revops_analysis.models.lifetime.renewal_model import RenewalModel, RenewalOptions, one_thread
from revops_analysis.models.lifetime.terms import RenewalPanel, quarter_cutoffs, renewal_panel

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

WINDOWS = (90, 180)
"""Days ahead within which renewals are listed."""


@dataclass(frozen=True, eq=False)
class RenewalHistory:
    """The panel of a snapshot, and the model of each cutoff, fitted on what was decided by then."""

    panel: RenewalPanel
    models: Mapping[dt.date, RenewalModel]

    @property
    def now(self) -> RenewalModel:
        """The model of the as-of date."""
        return self.models[self.panel.as_of]


@dataclass(frozen=True, eq=False)
class RenewalRisk:
    """Renewals due as of a day.

    `accounts`, a row a lot (what an account has ending on one day), most expected loss first: account_id, account_name,
    segment, ends_on, days (to the end), mrr (at stake, a month), arr, probability (of being lost; null where nothing
    was decided yet), expected_loss (arr × probability, a year), notice_on, auto_renews, reasons. `summary`, a row a
    window: [days, renewals, accounts, arr, expected_loss, low, high (95% range that chance alone gives), with_notice,
    notice_arr, renewed_early, early_arr, reason]. `overdue`, as `accounts` without probability: ended, not renewed, and
    recently enough to be renewed late; their revenue already counts as gone. `basis`: 'model', 'segment rates' or
    'nothing'; `notes` say why, and what was left out. Amounts in `currency`.
    """

    accounts: pd.DataFrame
    summary: pd.DataFrame
    overdue: pd.DataFrame
    basis: str
    notes: tuple[str, ...]
    currency: str
    as_of: dt.date
    reason: str | None = None

    def within(self, days: int) -> pd.DataFrame:
        """The rows of `accounts` that end within so many days."""
        return self.accounts[self.accounts["days"] <= days].reset_index(drop=True)


def renewal_history(snapshot: Snapshot, options: RenewalOptions | None = None) -> RenewalHistory:
    """The panel at every third month's end and at the as-of date, with a model fitted on each. Once a snapshot."""
    asked = options or RenewalOptions()
    return snapshot.once(("renewal history", asked), lambda: _history(snapshot, asked))


def _history(snapshot: Snapshot, options: RenewalOptions) -> RenewalHistory:
    revenue = recurring_revenue(snapshot)
    first = revenue.first if revenue is not None else month_number(snapshot.as_of)
    cutoffs = quarter_cutoffs(first, snapshot.as_of)
    panel = renewal_panel(snapshot, cutoffs)
    stages = len(snapshot.definitions.open_stages)
    with one_thread():
        models = {day: RenewalModel(stages, options).fit(panel.known_at(day)) for day in cutoffs}
    return RenewalHistory(panel, models)


def renewal_risk(snapshot: Snapshot, windows: tuple[int, ...] = WINDOWS) -> RenewalRisk:
    """Renewals due within each of `windows` days, as of the snapshot's day.

    Terms due are those that run on the day, end within the window and have not been renewed. The probability comes from
    a model of renewals decided before the day, calibrated on the latest of them; with few decisions from the rates of
    the segments, and then `notes` says so. Without terms everything is empty, with the reason.
    """
    history = renewal_history(snapshot)
    panel, model = history.panel, history.now
    rows = panel.at(snapshot.as_of)
    due = rows[rows["lead_days"] <= max(windows)].reset_index(drop=True)
    described = due.assign(deal_stage_name=_stage_names(due, snapshot))
    probability = pd.Series(model.predict_proba(described), index=due.index, dtype="float64")
    accounts = _listed(described, snapshot).assign(
        probability=probability, reasons=model.reasons(described) if len(due) else pd.Series(dtype=object)
    )
    accounts["expected_loss"] = accounts["arr"] * accounts["probability"]
    ordered = accounts.sort_values(
        ["expected_loss", "arr", "account_id"], ascending=[False, False, True], kind="stable", ignore_index=True
    )[list(_COLUMNS)]
    reason = panel.reason or (None if len(rows) else "no paid term with an end is running")
    summary = pd.DataFrame([_window(ordered, panel, days, reason) for days in windows])
    overdue = _listed(panel.overdue(), snapshot)[["account_id", "account_name", "segment", "ends_on", "mrr", "arr"]]
    notes = tuple(note for note in (model.note_ if not panel.reason else "", *panel.left_out) if note)
    currency = snapshot.definitions.reporting_currency
    return RenewalRisk(ordered, summary, overdue, model.basis_, notes, currency, snapshot.as_of, reason)


_COLUMNS = (
    *("account_id", "account_name", "segment", "ends_on", "days", "mrr", "arr", "probability", "expected_loss"),
    *("notice_on", "auto_renews", "reasons"),
)


def _listed(rows: pd.DataFrame, snapshot: Snapshot) -> pd.DataFrame:
    """The rows with the account's name and yearly amounts."""
    known = snapshot.table("accounts").select("account_id", "name").to_pandas().set_index("account_id")["name"]
    names = rows["account_id"].map(known).astype(object)
    named = rows.assign(account_name=names.where(names.notna(), None), arr=12 * rows["mrr"])
    return named.rename(columns={"ended_on": "ends_on", "lead_days": "days"})


def _stage_names(rows: pd.DataFrame, snapshot: Snapshot) -> pd.Series:
    names = dict(enumerate(snapshot.definitions.stage_names, start=1))
    return rows["deal_stage"].map(names).astype(object)


def _window(accounts: pd.DataFrame, panel: RenewalPanel, days: int, reason: str | None) -> dict[str, object]:
    rows = accounts[accounts["days"] <= days]
    now = pd.Timestamp(panel.as_of)
    last_day = now + pd.Timedelta(days=days)
    early = panel.early[(panel.early["cutoff"] == now) & (panel.early["ended_on"] <= last_day)]
    noticed = rows[rows["notice_on"].notna()]
    p, arr = rows["probability"].to_numpy(dtype=float), rows["arr"].to_numpy(dtype=float)
    known = not reason and not np.isnan(p).any()
    expected = float((p * arr).sum()) if known else float("nan")
    low, high = loss_range(p, arr) if known else (float("nan"), float("nan"))
    why = reason or (None if known else "no renewal was decided yet")
    return {
        "days": days,
        "renewals": len(rows),
        "accounts": int(rows["account_id"].nunique()),
        "arr": float(arr.sum()),
        "expected_loss": expected,
        "low": low,
        "high": high,
        "with_notice": len(noticed),
        "notice_arr": float(noticed["arr"].sum()),
        "renewed_early": len(early),
        "early_arr": float(12 * early["mrr"].sum()),
        "reason": why,
    }


def loss_range(
    probability: np.ndarray, amount: np.ndarray, *, draws: int = 4_000, seed: int = 0
) -> tuple[float, float]:
    """95% range of Σ amount of what is lost, each independently with its probability; (0, 0) for nothing.

    Beyond 2,000 renewals the sum is as good as normal, and the range is computed instead of drawn.

    >>> loss_range(np.array([1.0, 0.0]), np.array([10.0, 99.0]))
    (10.0, 10.0)
    """
    if not len(amount):
        return 0.0, 0.0
    if len(amount) > 2_000:
        mean = float((probability * amount).sum())
        half = 1.959964 * float(np.sqrt((probability * (1 - probability) * amount**2).sum()))
        return max(mean - half, 0.0), min(mean + half, float(amount.sum()))
    rng = np.random.default_rng(seed)
    lost = (rng.random((draws, len(amount)), dtype=np.float32) < probability).astype(float) @ amount
    low, high = np.quantile(lost, [0.025, 0.975])
    return float(low), float(high)
