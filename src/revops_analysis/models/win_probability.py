"""P(won by the end of the period | state at the cutoff): gradient boosting, calibrated on a later window.

Trained only on cutoffs whose period was over. Rows are weekly states of the same deals, so leaves must hold many of
them, and every split into windows is by time: a deal's later states never help to predict its earlier ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from revops_analysis.models.calibration import calibration_line, expit
from revops_analysis.models.features import GROUPS, Encoding, describe, feature_matrix, with_features
from revops_analysis.models.silent_deals import SilentDeals, SilentOptions

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class WinModelOptions:
    """How the win probability is learned.

    `minimum_periods` that are over and `minimum_wins` different deals won are needed for a model; with less, the stage
    rates serve. On the latest periods, `calibration_share` of all, a model of the earlier ones is calibrated; the
    correction is drawn towards none as if `calibration_weight` deals had shown none. `amount_power`: rows weigh as this
    power of their amount, because a forecast adds up amounts and not deals. `silent`: the process of silent deals.
    """

    trees: int = 80
    learning_rate: float = 0.05
    leaves: int = 8
    bins: int = 48
    leaf_share: float = 0.008
    l2: float = 10.0
    amount_power: float = 0.25
    minimum_periods: int = 4
    minimum_wins: int = 100
    calibration_share: float = 0.4
    calibration_weight: float = 1_000.0
    seed: int = 0
    silent: SilentOptions = field(default_factory=SilentOptions)


class WinProbability:
    """The probability that an open deal is won and booked by the end of its period.

    `fit(states)` learns from rows of `Evidence.states` whose outcome is known; `predict_proba(states)` answers for any
    rows. Learned: `basis_` ('model' or 'stage rates'), `note_` (why not a model, and how much is needed; empty for a
    model), `n_` (rows), `deals_`, `wins_` (deals won), `periods_`; after `fit` also `fitted_`, the probability of each
    row it learned from, as `predict_proba` would answer.
    """

    def __init__(self, options: WinModelOptions | None = None) -> None:
        self.options = options or WinModelOptions()

    def fit(self, states: pd.DataFrame) -> WinProbability:
        """Learn from the rows whose period is over; rows without outcome are left out."""
        known = states[states["won"].notna()]
        self.n_ = len(known)
        self.deals_ = int(known["opportunity_id"].nunique())
        self.wins_ = int(known.loc[known["won"] == 1, "opportunity_id"].nunique())
        self.periods_ = tuple(known.sort_values("last_day", kind="stable")["period"].unique())
        self.rates_ = StageRates().fit(known)
        self.note_ = self._shortage(known)
        self.basis_ = "stage rates" if self.note_ else "model"
        if self.basis_ == "model":
            self.fitted_ = self._fit_model(known)
        else:
            self.fitted_ = self.rates_.predict_proba(known)
        return self

    def predict_proba(self, states: pd.DataFrame, earlier: pd.DataFrame | None = None) -> Floats:
        """The probability of each row, between 0 and 1; an empty frame gives an empty array.

        `earlier`: weekly states of the same deals before, by which silence is told from life.
        """
        if self.basis_ != "model" or states.empty:
            return self.rates_.predict_proba(states)
        return self.predict_features(self.features(states, earlier))

    def predict_features(self, matrix: pd.DataFrame) -> Floats:
        """The probability of each row of `features`; of a fitted model only: stage rates read no features."""
        return expit(self._log_odds(matrix))

    def features(self, states: pd.DataFrame, earlier: pd.DataFrame | None = None) -> pd.DataFrame:
        """The numbers that the fitted model reads of each row; `earlier` as for `predict_proba`."""
        return feature_matrix(states, self.encoding_, self._life(states, earlier))

    def alive(self, states: pd.DataFrame, earlier: pd.DataFrame | None = None) -> Floats:
        """The probability that each open deal is still alive, and not dead without anybody having said so.

        Null without a model of silent deals.
        """
        if self.basis_ != "model" or states.empty:
            return np.full(len(states), np.nan)
        return self._life(states, earlier)["alive"].to_numpy(dtype="float64")

    def reasons(self, states: pd.DataFrame, top: int = 3, earlier: pd.DataFrame | None = None) -> pd.DataFrame:
        """What moves each deal's probability most, against a typical open deal of the same stage.

        Returns a row per deal and reason, strongest first: opportunity_id, rank, group, effect (difference in
        probability, signed), text. Without a model there are none.
        """
        columns = ["opportunity_id", "rank", "group", "effect", "text"]
        if self.basis_ != "model" or states.empty:
            return pd.DataFrame(columns=columns)
        states = states.reset_index(drop=True)
        effects = self._effects(states, earlier)
        order = np.argsort(-np.abs(effects), axis=1, kind="stable")[:, :top]
        names = [group for group in GROUPS if group not in _NOT_REASONS]
        told = states.assign(alive=self.alive(states, earlier))
        texts = np.array([describe(told, group) for group in names], dtype=object)
        rows = np.repeat(np.arange(len(states)), order.shape[1])
        chosen = order.ravel()
        return pd.DataFrame(
            {
                "opportunity_id": states["opportunity_id"].to_numpy()[rows],
                "rank": np.tile(np.arange(1, order.shape[1] + 1), len(states)),
                "group": np.array(names, dtype=object)[chosen],
                "effect": effects[rows, chosen],
                "text": texts[chosen, rows],
            }
        )

    def _shortage(self, known: pd.DataFrame) -> str:
        options, found = self.options, len(self.periods_)
        if found < options.minimum_periods:
            return (
                f"Win rates by stage are used: a model needs {options.minimum_periods} periods that are over, "
                f"and the history has {found}."
            )
        if self.wins_ < options.minimum_wins:
            return (
                f"Win rates by stage are used: a model needs {options.minimum_wins} deals won, "
                f"and the history has {self.wins_}."
            )
        if known.loc[~self._is_later(known), "won"].nunique() < 2:
            return (
                "Win rates by stage are used: a model needs deals won and deals not won before the latest "
                f"{options.calibration_share:.0%} of the periods, and the history has only one of the two."
            )
        return ""

    def _is_later(self, known: pd.DataFrame) -> npt.NDArray[np.bool_]:
        """Whether each row belongs to the periods on which the model is calibrated."""
        latest = max(1, round(self.options.calibration_share * len(self.periods_)))
        return known["period"].isin(self.periods_[-latest:]).to_numpy()

    def _fit_model(self, known: pd.DataFrame) -> Floats:
        """Fit on everything; the correction comes from a model of the earlier periods, judged on the later ones.

        Returns what the model makes of the rows it learned from.
        """
        self.encoding_ = Encoding.learn(known)
        self.silent_ = SilentDeals(self.options.silent).fit(known)
        matrix, won = self.features(known, None), known["won"].to_numpy()
        later, weights = self._is_later(known), self._weights(known)
        trial = self._boosted(matrix[~later], won[~later], weights[~later])
        self.intercept_, self.slope_ = calibration_line(
            trial.decision_function(matrix[later].to_numpy()), won[later], self._share_of_deals(known[later])
        )
        self.model_ = self._boosted(matrix, won, weights)
        return self.predict_features(matrix)

    def _life(self, states: pd.DataFrame, earlier: pd.DataFrame | None) -> pd.DataFrame:
        """What the process of silent deals says of the rows; nulls where there is none."""
        if self.silent_ is None:
            return pd.DataFrame(np.nan, index=states.index, columns=["alive", "win", "win_if_alive"])
        rows = states.reset_index(drop=True)
        if earlier is not None:
            mine = earlier[earlier["opportunity_id"].isin(rows["opportunity_id"])]
            before = mine[mine["cutoff"] < rows["cutoff"].min()]
            rows = pd.concat([rows, before], ignore_index=True)
        return self.silent_.estimate(rows).iloc[: len(states)].set_axis(states.index)

    def _share_of_deals(self, later: pd.DataFrame) -> float:
        """Weight of one row so that each deal counts once, against the weight of no correction."""
        return later["opportunity_id"].nunique() / max(len(later), 1) / self.options.calibration_weight

    def _weights(self, known: pd.DataFrame) -> Floats:
        amount = known["amount"].where(known["pushes"].notna())  # without recorded changes it may be today's
        typical = amount.median() if amount.notna().any() else 0.0
        relative = (amount / typical if typical > 0 else amount * np.nan).fillna(1.0)
        weights = relative.clip(lower=0.01).to_numpy() ** self.options.amount_power
        return weights / weights.mean()

    def _boosted(self, matrix: pd.DataFrame, won: Floats, weights: Floats) -> Any:
        from sklearn.ensemble import HistGradientBoostingClassifier

        options = self.options
        model = HistGradientBoostingClassifier(
            learning_rate=options.learning_rate,
            max_iter=options.trees,
            max_bins=options.bins,
            max_leaf_nodes=options.leaves,
            min_samples_leaf=max(20, int(options.leaf_share * len(matrix))),
            l2_regularization=options.l2,
            early_stopping=False,
            random_state=options.seed,
        )
        # A feature without any value cannot be binned; as a constant it is never split on.
        nothing = {name: 0.0 for name in matrix.columns if matrix[name].isna().all()}
        return model.fit(matrix.fillna(nothing).to_numpy(), won, sample_weight=weights)

    def _log_odds(self, matrix: pd.DataFrame) -> Floats:
        return self.intercept_ + self.slope_ * self.model_.decision_function(matrix.to_numpy())

    def _effects(self, states: pd.DataFrame, earlier: pd.DataFrame | None) -> Floats:
        """[deal × group]: probability as it is, less that with the group at what is typical of the stage."""
        matrix = self.features(states, earlier)
        typical = matrix.groupby(states["stage"].fillna(""), sort=True).transform("median")
        base = expit(self._log_odds(matrix))
        columns = []
        for group, names in GROUPS.items():
            if group not in _NOT_REASONS:
                other = with_features(matrix, typical, names)
                columns.append(base - expit(self._log_odds(other)))
        return np.column_stack(columns)


_NOT_REASONS = ("time", "stage", "process")
"""The same for all deals of a stage: true, and no reason why this deal is better than its neighbour."""


class StageRates:
    """Win rates by stage and part of the period left: what serves until there is enough history for a model.

    Cells are drawn towards their stage, and stages towards the whole, as if each had `weight` deals at that rate.
    """

    def __init__(self, weight: float = 20.0) -> None:
        self.weight = weight

    def fit(self, known: pd.DataFrame) -> StageRates:
        """Learn from rows with outcome; none at all gives no rate, and predictions are null."""
        cells = known.assign(part=_part_left(known), stage=known["stage"].fillna(""))
        self.base_ = float(known["won"].mean()) if len(known) else float("nan")
        by_stage = cells.groupby("stage")["won"].agg(["sum", "count"])
        self.stages_ = (by_stage["sum"] + self.weight * self.base_) / (by_stage["count"] + self.weight)
        by_cell = cells.groupby(["stage", "part"])["won"].agg(["sum", "count"])
        prior = self.stages_.reindex(by_cell.index.get_level_values("stage")).to_numpy()
        self.cells_ = (by_cell["sum"] + self.weight * prior) / (by_cell["count"] + self.weight)
        return self

    def predict_proba(self, states: pd.DataFrame) -> Floats:
        """The rate of each row's cell, of its stage where the cell was never seen, of all deals otherwise."""
        stage = states["stage"].fillna("")
        cells = pd.MultiIndex.from_arrays([stage, _part_left(states)], names=["stage", "part"])
        rate = pd.Series(self.cells_.reindex(cells).to_numpy(), index=states.index)
        return rate.fillna(stage.map(self.stages_)).fillna(self.base_).to_numpy(dtype="float64")


def _part_left(states: pd.DataFrame) -> pd.Series:
    """Which sixth of its period is left, from 0; 6 before the period begins."""
    left = (states["last_day"] - states["cutoff"]).dt.days
    length = (states["last_day"] - states["first_day"]).dt.days + 1
    return (6 * left // length).clip(upper=6)
