"""P(a lot is not renewed | what is known of it): logistic regression, calibrated on later decisions.

Lots with notice are apart: what became of others that had given notice says all, and in one regression with the rest
they would hide that near the end no notice is a good sign. Trained only on lots whose renewal was decided by the day.
With few decisions the rates of the segments serve instead, and the model says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from revops_analysis.models.calibration import calibration_line, expit
from revops_analysis.models.lifetime.renewal_features import Encoding, describe, renewal_matrix
from revops_analysis.statistics.shrinkage import shrink_beta_binomial

Floats = npt.NDArray[np.float64]

NOTICE = (9.0, 1.0)
"""Before any was seen, nine in ten of those that gave notice are taken to leave: a Beta prior of so many of each."""


@dataclass(frozen=True)
class RenewalOptions:
    """How the chance of losing a lot is learned.

    `minimum_lots` decided, of them `minimum_lost` lost, are needed for a model; with less, the rates of the segments
    serve. A model of the earlier decisions is calibrated on the latest, `calibration_share` of all; the correction is
    drawn towards none as if `calibration_weight` lots had shown none. `strength`: inverse of the penalty on
    coefficients of standardised columns.
    """

    minimum_lots: int = 150
    minimum_lost: int = 30
    calibration_share: float = 0.3
    calibration_weight: float = 100.0
    strength: float = 0.05


@contextmanager
def one_thread() -> Iterator[None]:
    """Small fits are slower on many threads than on one, and sums in a fixed order give the same digits everywhere."""
    import sklearn.linear_model  # noqa: F401  only what is loaded can be limited
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        yield


class RenewalModel:
    """The probability that a lot is lost: that its account books no renewal of it.

    `fit(rows)` learns from rows of `RenewalPanel.known_at`; `predict_proba(rows)` answers for rows of any cutoff.
    Learned: `basis_` ('model', 'segment rates' or 'nothing'), `note_` (why no model, and how much is needed; empty for
    a model), `lots_` and `lost_` (decided lots, and those that were lost).
    """

    def __init__(self, stages: int, options: RenewalOptions | None = None) -> None:
        self.stages = stages
        self.options = options or RenewalOptions()

    def fit(self, rows: pd.DataFrame) -> RenewalModel:
        """Learn from the rows whose outcome is decided; a lot that was seen on several cutoffs is one decision."""
        known = rows[rows["lost"].notna()]
        lots = known.drop_duplicates(["account_id", "ended_on"], keep="last")
        self.lots_, self.lost_ = len(lots), int(lots["lost"].sum())
        self.note_ = self._shortage(lots)
        self.rates_ = SegmentRates().fit(known) if self.note_ else None
        self.basis_ = "segment rates" if self.note_ and self.lots_ else "nothing" if self.note_ else "model"
        if self.basis_ == "model":
            self._fit_model(known, lots)
        return self

    def predict_proba(self, rows: pd.DataFrame) -> Floats:
        """The probability of each row, between 0 and 1; null where nothing was ever decided."""
        if rows.empty:
            return np.zeros(0)
        if self.rates_ is not None:
            return self.rates_.predict_proba(rows)
        silent = expit(self._line(renewal_matrix(rows, self.encoding_)))
        return np.where(rows["notice_on"].notna(), self.notice_, silent)

    def reasons(self, rows: pd.DataFrame, top: int = 2) -> pd.Series:
        """What moves each lot's probability most against a typical lot as near to its end, strongest first, in words.

        With segment rates, the notice and the segment, which is all they look at.
        """
        if rows.empty:
            return pd.Series(dtype=object)
        groups = ("notice", "segment") if self.basis_ != "model" else tuple(self.encoding_.groups)
        texts = np.array([describe(rows, group) for group in groups], dtype=object)
        if self.basis_ != "model":
            has_notice = rows["notice_on"].notna().to_numpy()
            return pd.Series(np.where(has_notice, texts[0], texts[1]), index=rows.index, dtype=object)
        effects = self._effects(rows)
        order = np.argsort(-np.abs(effects), axis=1, kind="stable")[:, :top]
        said = [
            "; ".join(f"{texts[g, i]} ({effects[i, g]:+.0%})" for g in row if abs(effects[i, g]) >= _SMALLEST)
            for i, row in enumerate(order)
        ]
        return pd.Series([text or "nothing unusual" for text in said], index=rows.index, dtype=object)

    def _shortage(self, lots: pd.DataFrame) -> str:
        options = self.options
        if self.lots_ == 0:
            return "No renewal was decided yet, so no probability can be given."
        if self.lots_ < options.minimum_lots or self.lost_ < options.minimum_lost:
            return (
                f"Rates by segment are used: a model needs {options.minimum_lots} decided renewals, "
                f"{options.minimum_lost} of them lost; the history has {self.lots_}, of them {self.lost_} lost."
            )
        earlier = lots[~self._is_later(lots, lots) & lots["notice_on"].isna()]
        if earlier["lost"].nunique() < 2:
            return (
                "Rates by segment are used: a model needs renewals both lost and kept before the latest "
                f"{options.calibration_share:.0%} of the decisions, and the history has only one of the two."
            )
        return ""

    def _is_later(self, rows: pd.DataFrame, lots: pd.DataFrame) -> npt.NDArray[np.bool_]:
        """Whether each row's lot ended among the latest, on which the model is calibrated."""
        ends = np.sort(lots["ended_on"].to_numpy())
        split = ends[int((1 - self.options.calibration_share) * (len(ends) - 1))]
        return np.asarray(rows["ended_on"].to_numpy() > split)

    def _fit_model(self, everything: pd.DataFrame, lots: pd.DataFrame) -> None:
        """Fit on all without notice; the correction comes from a model of the earlier ones, judged on the later ones.

        Rows of later cutoffs about lots that end late have no place among the earlier: the split is by decision.
        """
        self.notice_ = notice_rate(lots)
        known = everything[everything["notice_on"].isna()]
        self.encoding_ = Encoding.learn(known, self.stages)
        matrix, lost = renewal_matrix(known, self.encoding_), known["lost"].to_numpy()
        self.typical_ = matrix.groupby(self._lead_class(matrix)).median()
        later = self._is_later(known, lots)
        mean, spread = matrix.mean().to_numpy(), matrix.std(ddof=0).to_numpy()
        self.mean_, self.spread_ = mean, np.where(spread > 1e-9, spread, np.inf)
        scaled = (matrix.to_numpy() - self.mean_) / self.spread_
        self.intercept_, self.slope_ = 0.0, 1.0
        trial = self._logistic(scaled[~later], lost[~later])
        share = known.loc[later].drop_duplicates(["account_id", "ended_on"]).shape[0] / max(int(later.sum()), 1)
        scores = trial.decision_function(scaled[later]) if later.any() else np.zeros(0)
        self.intercept_, self.slope_ = calibration_line(scores, lost[later], share / self.options.calibration_weight)
        self.model_ = self._logistic(scaled, lost)

    def _logistic(self, scaled: Floats, lost: Floats) -> Any:
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(C=self.options.strength, solver="newton-cholesky").fit(scaled, lost)

    def _line(self, matrix: pd.DataFrame) -> Floats:
        scaled = (matrix.to_numpy() - self.mean_) / self.spread_
        return np.asarray(self.intercept_ + self.slope_ * self.model_.decision_function(scaled))

    @staticmethod
    def _lead_class(matrix: pd.DataFrame) -> pd.Series:
        return matrix[[name for name in matrix if str(name).startswith("within ")]].sum(axis=1).astype("int64")

    def _effects(self, rows: pd.DataFrame) -> Floats:
        """[lot × group]: probability as it is, less that with the group as it typically is at that distance."""
        matrix = renewal_matrix(rows, self.encoding_)
        typical = self.typical_.reindex(self._lead_class(matrix)).fillna(self.typical_.median()).set_axis(matrix.index)
        base, noticed = expit(self._line(matrix)), rows["notice_on"].notna()
        columns = []
        for group, names in self.encoding_.groups.items():
            if group == "notice":
                columns.append(np.where(noticed, self.notice_ - base, 0.0))
                continue
            other = matrix.assign(**{name: typical[name] for name in names})
            columns.append(np.where(noticed, 0.0, base - expit(self._line(other))))
        return np.column_stack(columns)


_SMALLEST = 0.005
"""Effects on the probability below half a point are no reason."""


def notice_rate(lots: pd.DataFrame) -> float:
    """Share lost of the decided lots that had given notice, drawn towards what is believed before any was seen."""
    noticed = lots.loc[lots["notice_on"].notna(), "lost"]
    return (float(noticed.sum()) + NOTICE[0]) / (len(noticed) + sum(NOTICE))


class SegmentRates:
    """Shares of lots that were lost, by segment, drawn towards the common one; those with notice apart."""

    def fit(self, known: pd.DataFrame) -> SegmentRates:
        """Learn from rows with outcome, each decision once; none at all gives no rate."""
        lots = known.sort_values("cutoff").drop_duplicates(["account_id", "ended_on"], keep="last")
        self.notice_ = notice_rate(lots)
        # A lot that later gave notice had none when it was first looked at: all count for the rate of those without.
        first = known.sort_values("cutoff").drop_duplicates(["account_id", "ended_on"], keep="first")
        silent = first[first["notice_on"].isna()]
        grouped = silent.assign(segment=silent["segment"].fillna("")).groupby("segment")["lost"].agg(["sum", "count"])
        # Half a case of each kind keeps a rate off 0 and 1 (Jeffreys): few decisions make nothing certain.
        lost_of, all_of = grouped["sum"].to_numpy() + 0.5, grouped["count"].to_numpy() + 1.0
        shrunk = shrink_beta_binomial(lost_of, all_of).frame
        self.segments_ = pd.Series(shrunk["shrunk"].to_numpy(), index=grouped.index)
        self.base_ = float((silent["lost"].sum() + 0.5) / (len(silent) + 1)) if len(silent) else float("nan")
        return self

    def predict_proba(self, rows: pd.DataFrame) -> Floats:
        """The rate of each row's segment, of all lots where it was never seen; that of notice where it was given."""
        rate = rows["segment"].fillna("").map(self.segments_).fillna(self.base_).to_numpy(dtype="float64")
        return np.where(rows["notice_on"].notna(), self.notice_, rate)
