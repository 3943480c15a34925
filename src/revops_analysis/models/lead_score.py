"""The lead score: how likely a lead becomes a deal, from what was recorded of it, learned from leads that were worked.

Two models are tried, a logistic regression and gradient boosting, each in one pipeline; the better one on a later
window is calibrated on it, and all figures are of a still later one. Splits are by the day of passing, never random.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LeadScoreOptions:
    """How the score is learned.

    `train_share` of the leads, the oldest, teach; the next `calibration_share` choose and calibrate; the rest test.
    `minimum_leads` and `minimum_deals` with known outcome are needed, else there is no score.
    """

    train_share: float = 0.6
    calibration_share: float = 0.2
    minimum_leads: int = 300
    minimum_deals: int = 60
    trees: int = 80
    learning_rate: float = 0.06
    leaves: int = 8
    leaf_leads: int = 60
    l2: float = 10.0
    seed: int = 0


DEFAULTS = LeadScoreOptions()
"""How the score is learned unless something else is asked for."""


@dataclass(frozen=True, eq=False)
class Windows:
    """Leads with known outcome, split by the day of passing: train, calibration, test."""

    train: pd.DataFrame
    calibration: pd.DataFrame
    test: pd.DataFrame

    @property
    def before_test(self) -> pd.DataFrame:
        """Everything older than the test window."""
        return pd.concat([self.train, self.calibration])


def split_by_time(known: pd.DataFrame, options: LeadScoreOptions = DEFAULTS) -> Windows:
    """Split leads, ordered by `qualified_on`, at whole days: no day is in two windows."""
    days = known["qualified_on"].to_numpy()
    ends = []
    for share in (options.train_share, options.train_share + options.calibration_share):
        place = min(int(len(days) * share), len(days) - 1)
        ends.append(int(np.searchsorted(days, days[place], side="left")) if len(days) else 0)
    return Windows(known.iloc[: ends[0]], known.iloc[ends[0] : ends[1]], known.iloc[ends[1] :])


class LeadScore:
    """The probability that a passed and worked lead becomes a deal.

    `fit(windows, kinds)` learns from leads with an `outcome`; `predict_proba(leads)` answers for any. Learned: `kind_`
    (which model was better), `losses_` (log loss of each on the calibration window), `names_`.
    """

    def __init__(self, options: LeadScoreOptions = DEFAULTS) -> None:
        self.options = options

    def fit(self, windows: Windows, kinds: Mapping[str, str]) -> LeadScore:
        """Learn on the train window, choose and calibrate on the calibration window."""
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.frozen import FrozenEstimator
        from sklearn.metrics import log_loss
        from threadpoolctl import threadpool_limits

        self.names_, self.kinds_ = tuple(kinds), dict(kinds)
        train, later = windows.train, windows.calibration
        with threadpool_limits(limits=1):
            models = {name: model.fit(self._inputs(train), train["outcome"]) for name, model in self._models().items()}
            given = self._inputs(later)
            self.losses_ = {
                name: float(log_loss(later["outcome"], model.predict_proba(given)[:, 1], labels=[0.0, 1.0]))
                for name, model in models.items()
            }
            self.kind_ = min(self.losses_, key=lambda name: (self.losses_[name], name))
            frozen = FrozenEstimator(models[self.kind_])
            self._model = CalibratedClassifierCV(frozen, method="sigmoid").fit(given, later["outcome"])
        return self

    def predict_proba(self, leads: pd.DataFrame) -> Floats:
        """The probability of each lead, between 0 and 1; an empty frame gives an empty array."""
        if leads.empty:
            return np.zeros(0)
        return np.asarray(self._model.predict_proba(self._inputs(leads))[:, 1], dtype=np.float64)

    def _inputs(self, leads: pd.DataFrame) -> pd.DataFrame:
        """The columns that are read: text as text with `not given` for missing, numbers as float64."""
        columns: dict[str, Any] = {}
        for name in self.names_:
            is_text = self.kinds_[name] == "text"
            columns[name] = leads[name].fillna("not given").astype(str) if is_text else leads[name].astype("float64")
        return pd.DataFrame(columns, index=leads.index)

    def _models(self) -> dict[str, Any]:
        return {"logistic regression": self._logistic(), "gradient boosting": self._boosting()}

    def _of_kind(self, *kinds: str) -> list[str]:
        return [name for name in self.names_ if self.kinds_[name] in kinds]

    def _boosting(self) -> Any:
        from sklearn.compose import ColumnTransformer
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.model_selection import StratifiedKFold
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import TargetEncoder

        # Levels become their rate, learned crosswise within the train window: rare ones are not learned by heart.
        folds = StratifiedKFold(5, shuffle=True, random_state=self.options.seed)
        levels = TargetEncoder(target_type="binary", cv=folds)
        encode = ColumnTransformer([("text", levels, self._of_kind("text"))], remainder="passthrough")
        options = self.options
        model = HistGradientBoostingClassifier(
            max_iter=options.trees,
            learning_rate=options.learning_rate,
            max_leaf_nodes=options.leaves,
            min_samples_leaf=options.leaf_leads,
            l2_regularization=options.l2,
            random_state=options.seed,
        )
        return make_pipeline(encode, model)

    def _logistic(self) -> Any:
        from sklearn.compose import ColumnTransformer
        from sklearn.impute import SimpleImputer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import OneHotEncoder, QuantileTransformer

        # Ranks instead of sizes: a company of 50,000 must not decide the slope for those of 50.
        ranks = make_pipeline(
            SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
            QuantileTransformer(n_quantiles=100, subsample=None),
        )
        levels = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=20, sparse_output=False)
        encode = ColumnTransformer(
            [("text", levels, self._of_kind("text")), ("numbers", ranks, self._of_kind("number", "flag"))]
        )
        return make_pipeline(encode, LogisticRegression(max_iter=1_000))


def gains(outcome: npt.ArrayLike, probability: npt.ArrayLike, points: Sequence[float] = ()) -> pd.DataFrame:
    """What passing the leads of highest probability would bring: passed, recall, precision, a row a share passed.

    At equal probabilities a part of them is passed, with their own rate. By default at each twentieth. Source: the
    cumulative gains chart; precision at a recall is read from it by `precision_at`.
    """
    share = np.asarray(points or np.arange(1, 21) / 20, dtype=float)
    taken, good = _steps(outcome, probability)
    recall = np.interp(share * taken[-1], taken, good) / good[-1] if good[-1] > 0 else np.full(len(share), np.nan)
    return pd.DataFrame({"passed": share, "recall": recall, "precision": recall * good[-1] / (share * taken[-1])})


def precision_at(outcome: npt.ArrayLike, probability: npt.ArrayLike, recall: float) -> float:
    """The precision of the leads of highest probability that hold a `recall` of the good ones; null without any.

    >>> precision_at([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1], 1.0)
    0.6666666666666666
    """
    taken, good = _steps(outcome, probability)
    if good[-1] == 0 or recall <= 0:
        return float("nan")
    # Of the steps with as many good ones the first is meant: those after it only add others.
    first = np.concatenate([[True], np.diff(good) > 0])
    needed = float(np.interp(recall * good[-1], good[first], taken[first]))
    return recall * float(good[-1]) / needed


def _steps(outcome: npt.ArrayLike, probability: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Leads taken and good ones among them, from the highest probability down, equal ones at once; from 0."""
    frame = pd.DataFrame({"p": np.asarray(probability, dtype=float), "y": np.asarray(outcome, dtype=float)})
    levels = frame.groupby("p")["y"].agg(["size", "sum"]).sort_index(ascending=False)
    taken = np.concatenate([[0.0], levels["size"].cumsum().to_numpy(dtype=float)])
    return taken, np.concatenate([[0.0], levels["sum"].cumsum().to_numpy(dtype=float)])
