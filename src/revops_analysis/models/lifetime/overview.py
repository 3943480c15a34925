"""All that the chapter on retention shows of lifetimes, renewals and net retention ahead, computed once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from revops_analysis.models.forecaster import QUANTILE_NAMES
from revops_analysis.models.lifetime.acquisition import AcquisitionCost, acquisition_cost
from revops_analysis.models.lifetime.churn_regression import ChurnRegression, churn_regression
from revops_analysis.models.lifetime.curves import LifetimeCurves, lifetime_curves
from revops_analysis.models.lifetime.lifetimes import account_lifetimes
from revops_analysis.models.lifetime.nrr_forecast import METHODS as NRR_METHODS
from revops_analysis.models.lifetime.nrr_forecast import MODEL, NrrForecast, nrr_forecast
from revops_analysis.models.lifetime.renewal_model import one_thread
from revops_analysis.models.lifetime.renewal_risk import RenewalRisk, renewal_history, renewal_risk
from revops_analysis.models.lifetime.renewal_trial import METHODS, RenewalTrial, try_renewals
from revops_analysis.models.lifetime.value import LifetimeValue, lifetime_value
from revops_analysis.models.selection import CHOSEN

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

SHOWN_RENEWALS = 20
"""Renewals that a page lists by name; the rest are in its tables' files."""


@dataclass(frozen=True, eq=False)
class LifetimeOverview:
    """Lifetimes, value, cost of a new customer, renewals at risk, and net retention ahead."""

    curves: LifetimeCurves
    value: LifetimeValue
    acquisition: AcquisitionCost
    regression: ChurnRegression
    risk: RenewalRisk
    trial: RenewalTrial
    forecast: NrrForecast

    @property
    def figures(self) -> tuple[pd.DataFrame, ...]:
        """Key figures, one frame a metric."""
        regression = self.regression
        order = {"metric": "churn_order_concordance", "value": regression.concordance, "unit": "ratio"}
        concordance = pd.DataFrame([{**order, "n": regression.churned, "reason": regression.reason}])
        made = [
            _lifetimes(self.curves, self.value),
            _values(self.value),
            self.acquisition.frame.drop(columns=["title"]),
        ]
        made += [concordance, renewal_figures(self.risk), _trial(self.trial), *_outlook(self.forecast)]
        return tuple(frame for frame in made if len(frame))

    def renewals_table(self, days: int = 90, most: int = SHOWN_RENEWALS) -> pd.DataFrame:
        """Renewals due within `days` that put most at stake: [account (its name, or key), ends_on, arr, probability,
        expected_loss, reasons]."""
        rows = self.risk.within(days).head(most)
        named = rows.assign(account=rows["account_name"].where(rows["account_name"].notna(), rows["account_id"]))
        return named[["account", "ends_on", "arr", "probability", "expected_loss", "reasons"]]

    def windows_table(self) -> pd.DataFrame:
        """Renewals due by window: [days, renewals, arr, expected_loss, low, high, notice_arr, reason]."""
        return self.risk.summary[["days", "renewals", "arr", "expected_loss", "low", "high", "notice_arr", "reason"]]

    def lifetimes_table(self) -> pd.DataFrame:
        """Lifetimes by scope: [scope, n, churned, at_horizon, mean_months, mean_low, mean_high, staying, reason]."""
        names = ["scope", "n", "churned", "at_horizon", "mean_months", "mean_low", "mean_high", "staying", "reason"]
        return self.curves.summary[names]

    def parts_table(self) -> pd.DataFrame:
        """What leads from 100% to the forecast: [part, one column a month ahead]."""
        parts, frame = self.forecast.parts, self.forecast.frame
        if parts.empty:
            return pd.DataFrame(columns=["part"])
        months = parts["horizon"].map(frame.set_index("horizon")["month"])
        wide = parts.assign(month=months).pivot(index="title", columns="month", values="value")
        return wide.reindex(parts["title"].drop_duplicates()).rename_axis(columns=None).reset_index(names="part")

    def trial_table(self) -> pd.DataFrame:
        """Scores of the renewal model beside plain rates, a row a method: [method, n, lost, brier, roc_auc, …]."""
        wide = self.trial.scores.pivot(index="method", columns="score", values="value").reindex(list(METHODS))
        first = self.trial.scores.drop_duplicates("method").set_index("method").reindex(list(METHODS))
        names = ["brier", "log_loss", "roc_auc", "average_precision", "calibration_error"]
        made = wide.reindex(columns=names).astype("float64")
        made.insert(0, "lost", first["events"])
        made.insert(0, "n", first["n"])
        made.insert(0, "title", first["title"])
        return made.assign(reason=first["reason"]).reset_index(drop=True).rename(columns={"title": "method"})

    def outlook_table(self) -> pd.DataFrame:
        """Net retention ahead: [month, mean, p10, p90, p2_5, p97_5, accounts, past_periods, reason]."""
        names = ["month", "mean", "p10", "p90", "p2_5", "p97_5", "accounts", "past_periods", "reason"]
        frame = self.forecast.frame
        return frame[names] if len(frame) else pd.DataFrame(columns=names)

    def errors_table(self) -> pd.DataFrame:
        """Past errors by horizon and method, ranges where stated: [horizon, method, n, wape, bias, inside_80]."""
        errors = self.forecast.errors[self.forecast.errors["method"] != MODEL]
        coverage = self.forecast.coverage
        inside = coverage[coverage["interval"] == 80][["method", "horizon", "share"]].rename(
            columns={"share": "inside_80"}
        )
        made = errors.merge(inside, on=["method", "horizon"], how="left")
        order = {name: place for place, name in enumerate(NRR_METHODS)}
        made = made.assign(place=made["method"].map(order)).sort_values(["horizon", "place"], ignore_index=True)
        titled = made.assign(method=made["method"].map(NRR_METHODS))
        return titled[["horizon", "method", "n", "wape", "bias", "inside_80", "reason"]]

    def notes_table(self) -> pd.DataFrame:
        """What was decided or left out: [note]."""
        lifetimes = self.curves.lifetimes
        notes = (*lifetimes.notes, *self.regression.notes, *self.risk.notes, *self.forecast.notes)
        return pd.DataFrame({"note": list(dict.fromkeys(notes)) or ["Nothing was left out."]})


def lifetime_overview(snapshot: Snapshot, by: str = "segment") -> LifetimeOverview:
    """Compute it all as of the snapshot's day, lifetimes and value by an attribute at entry. Once a snapshot."""
    return snapshot.once(("lifetime overview", by), lambda: _overview(snapshot, by))


def _overview(snapshot: Snapshot, by: str) -> LifetimeOverview:
    lifetimes = account_lifetimes(snapshot)
    curves = lifetime_curves(lifetimes, by)
    value = lifetime_value(snapshot, curves)
    risk = renewal_risk(snapshot)
    history = renewal_history(snapshot)
    with one_thread():
        regression = churn_regression(lifetimes)
        trial = try_renewals(history.panel, history.models)
    forecast = nrr_forecast(snapshot)
    return LifetimeOverview(curves, value, acquisition_cost(snapshot, value), regression, risk, trial, forecast)


def _lifetimes(curves: LifetimeCurves, value: LifetimeValue) -> pd.DataFrame:
    horizon = f"{curves.horizon_months} months"
    rows: list[dict[str, Any]] = []
    for row in curves.summary.to_dict("records"):
        read = {"value": row["mean_months"], "low": row["mean_low"], "high": row["mean_high"], "reason": row["reason"]}
        rows.append({"metric": "mean_lifetime_months", "scope": row["scope"], "horizon": horizon} | read)
        rows[-1] |= {"unit": "ratio", "n": row["n"]}
    for row in value.churn.to_dict("records"):
        read = {name: row[name] for name in ("low", "high", "reason")}
        rows.append({"metric": "monthly_logo_churn", "scope": row["scope"], "horizon": None, "value": row["rate"]})
        rows[-1] |= {**read, "unit": "rate", "n": row["account_months"]}
    return pd.DataFrame(rows)


def _values(value: LifetimeValue) -> pd.DataFrame:
    frame = value.frame.drop(columns=["title"]).assign(metric="lifetime_value", unit="currency")
    unexplained = frame["value"].isna() & frame["reason"].isna()
    return frame.assign(reason=frame["reason"].where(~unexplained, "nothing to compute it from"))


def renewal_figures(risk: RenewalRisk) -> pd.DataFrame:
    """Key figures of renewals: revenue due, expected loss and notice given, in currency a year, by window."""
    rows = []
    for row in risk.summary.to_dict("records"):
        window = {"within": f"{row['days']} days"}
        n = {"n": row["renewals"], "reason": risk.reason}
        stake = None if risk.reason else row["arr"]
        rows.append({"metric": "renewals_due_arr", **window, "value": stake, "unit": "currency", **n})
        read = {"value": row["expected_loss"], "low": row["low"], "high": row["high"], "reason": row["reason"]}
        rows.append({"metric": "renewals_expected_loss", **window, "unit": "currency", **n} | read)
        noticed = {"value": None if risk.reason else row["notice_arr"], "unit": "currency", "n": row["with_notice"]}
        rows.append({"metric": "renewals_with_notice_arr", **window, **noticed, "reason": risk.reason})
    return pd.DataFrame(rows)


def _trial(trial: RenewalTrial) -> pd.DataFrame:
    kept = trial.scores[trial.scores["score"].isin(["brier", "roc_auc"])]
    return pd.DataFrame(
        {
            "metric": "renewal_" + kept["score"],
            "method": kept["method"],
            "value": kept["value"],
            "unit": "ratio",
            "n": kept["n"],
            "reason": kept["reason"].where(kept["value"].isna(), None),
        }
    )


def _outlook(forecast: NrrForecast) -> list[pd.DataFrame]:
    if forecast.frame.empty:
        nothing = {"metric": "nrr_forecast", "value": None, "unit": "rate", "n": 0, "reason": forecast.reason}
        return [pd.DataFrame([nothing])]
    ahead = forecast.frame[["month", "mean", *QUANTILE_NAMES, "accounts", "reason"]]
    figures = ahead.rename(columns={"mean": "value", "accounts": "n"}).assign(metric="nrr_forecast", unit="rate")
    errors = forecast.errors[forecast.errors["method"] == CHOSEN]
    missed = pd.DataFrame(
        {
            "metric": "nrr_forecast_wape",
            "horizon": [f"{horizon} months" for horizon in errors["horizon"]],
            "value": errors["wape"],
            "unit": "rate",
            "n": errors["n"],
            "reason": errors["reason"],
        }
    )
    return [figures, missed]
