"""The win probability put to the test: trained on earlier periods, asked about the latest, beside three plain rules."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from revops_analysis.models.features import GROUPS, with_features
from revops_analysis.models.win_probability import StageRates, WinModelOptions, WinProbability

Floats = npt.NDArray[np.float64]

METHODS: dict[str, str] = {
    "model": "Our model",
    "stage_rate": "Win rate of the stage",
    "crm": "Probability in the CRM",
    "base_rate": "Win rate of all deals",
}
"""Who states a probability for each row of the test, and what readers see."""

GROUP_TITLES: dict[str, str] = {
    "stage": "Stage and CRM probability",
    "days_in_stage": "Days in the stage",
    "age": "Age and stage changes",
    "close_date": "Close date",
    "pushes": "Pushes of the close date",
    "activity": "Activity",
    "contacts": "Contacts engaged",
    "category": "Forecast category",
    "amount": "Amount and its changes",
    "customer": "Type, segment and product",
    "source": "Source",
    "owner": "Seller's record",
    "reopened": "Reopenings",
    "time": "Time left in the period",
    "process": "Stage, pace and time left together",
}
"""Feature groups as readers see them."""


@dataclass(frozen=True)
class TrialOptions:
    """How the test is made.

    `test_periods`: the latest that are over, as far as `win.minimum_periods` come before each; `repeats`: how often a
    group of features is shuffled, by `seed`; `win`: how the model learns.
    """

    test_periods: int = 4
    repeats: int = 3
    seed: int = 0
    win: WinModelOptions = field(default_factory=WinModelOptions)


@dataclass(frozen=True, eq=False)
class WinTrial:
    """What was asked, what was answered, and what became of it.

    rows        a row a test state: cutoff, period, opportunity_id, segment, stage, weeks_left, is_new (the deal is in
                no training row), won (1 or 0) and a probability by each of `METHODS`; `crm` is null where the CRM has
                none.
    splits      a row a test period: period, trained_on (periods), train_rows, train_deals, train_wins, test_rows,
                test_deals, test_wins (deals), basis (what answered: 'model' or 'stage rates').
    importance  a row a feature group, most important first: group, title, loss (rise of the Brier score when the group
                is shuffled among the test rows of a period; mean of the repeats), low, high (their smallest, largest).
    reason      why nothing could be tested, and how much is needed; empty otherwise.
    """

    rows: pd.DataFrame
    splits: pd.DataFrame
    importance: pd.DataFrame
    reason: str


def try_win_probability(states: pd.DataFrame, options: TrialOptions | None = None) -> WinTrial:
    """Refit for each of the latest periods on the periods before it, and ask about all of its states.

    `states` are rows of `Evidence.states`; those without an outcome are left out. Nothing that was known only after a
    test period began has a part in its answers. With too few periods the frames are empty and `reason` says so.
    """
    options = options or TrialOptions()
    known = states[states["won"].notna()].sort_values(["last_day", "cutoff", "opportunity_id"], kind="stable")
    periods = list(known["period"].unique())
    tested = periods[options.win.minimum_periods :][-options.test_periods :]
    if not tested:
        return _untested(len(periods), options)
    with _one_thread():
        parts = [_test(known, periods[: periods.index(period)], period, options) for period in tested]
    rows = pd.concat([part.rows for part in parts], ignore_index=True)
    losses = np.concatenate([part.losses for part in parts], axis=1) if _all_models(parts) else None
    return WinTrial(rows, pd.DataFrame([part.facts for part in parts]), _importance(losses, options), "")


@contextmanager
def _one_thread() -> Iterator[None]:
    """Small fits are slower on many threads than on one, and sums in a fixed order give the same digits everywhere."""
    import sklearn.ensemble  # noqa: F401  only what is loaded can be limited
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        yield


def _untested(found: int, options: TrialOptions) -> WinTrial:
    needed = options.win.minimum_periods + 1
    reason = (
        f"A test needs {needed} periods that are over, {options.win.minimum_periods} to learn from and one to be asked "
        f"about; the history has {found}."
    )
    rows = pd.DataFrame(columns=[*_SHOWN, "weeks_left", "is_new", "won", *METHODS])
    return WinTrial(rows, pd.DataFrame(columns=list(_FACTS)), _importance(None, options), reason)


_SHOWN = ("cutoff", "period", "opportunity_id", "segment", "stage")
_FACTS = (
    *("period", "trained_on", "train_rows", "train_deals", "train_wins"),
    *("test_rows", "test_deals", "test_wins", "basis"),
)


@dataclass(frozen=True, eq=False)
class _Part:
    """One test period: its rows, its line of `splits`, and [repeat × row × group] rise of the squared error."""

    rows: pd.DataFrame
    facts: dict[str, object]
    losses: Floats


def _test(known: pd.DataFrame, earlier: list[str], period: str, options: TrialOptions) -> _Part:
    train, test = known[known["period"].isin(earlier)], known[known["period"] == period].reset_index(drop=True)
    model = WinProbability(options.win).fit(train)
    rows = test[list(_SHOWN)].assign(
        weeks_left=(test["last_day"] - test["cutoff"]).dt.days // 7,
        is_new=~test["opportunity_id"].isin(train["opportunity_id"]),
        won=test["won"],
        model=model.predict_proba(test, known),
        stage_rate=StageRates().fit(train).predict_proba(test),
        crm=test["crm_probability"],
        base_rate=float(train["won"].mean()),
    )
    facts = {"period": period, "trained_on": len(earlier), **_counts("train", train), **_counts("test", test)}
    return _Part(rows, facts | {"basis": model.basis_}, _losses(model, test, known, options))


def _counts(name: str, rows: pd.DataFrame) -> dict[str, int]:
    deals = rows["opportunity_id"].nunique()
    wins = rows.loc[rows["won"] == 1, "opportunity_id"].nunique()
    return {f"{name}_rows": len(rows), f"{name}_deals": int(deals), f"{name}_wins": int(wins)}


def _losses(model: WinProbability, test: pd.DataFrame, known: pd.DataFrame, options: TrialOptions) -> Floats:
    """By how much the squared error of each row rises when a group's features come from another row."""
    if model.basis_ != "model":
        return np.zeros((options.repeats, 0, len(GROUPS)))
    rng = np.random.default_rng(options.seed)
    matrix, won = model.features(test, known), test["won"].to_numpy()
    before = (model.predict_features(matrix) - won) ** 2
    found = np.empty((options.repeats, len(test), len(GROUPS)))
    for repeat in range(options.repeats):
        other = matrix.iloc[rng.permutation(len(test))]
        for place, names in enumerate(GROUPS.values()):
            shuffled = with_features(matrix, other, names)
            found[repeat, :, place] = (model.predict_features(shuffled) - won) ** 2 - before
    return found


def _all_models(parts: list[_Part]) -> bool:
    return all(part.facts["basis"] == "model" for part in parts)


def _importance(losses: Floats | None, options: TrialOptions) -> pd.DataFrame:
    if losses is None:
        return pd.DataFrame(columns=["group", "title", "loss", "low", "high"])
    by_repeat = losses.mean(axis=1)
    frame = pd.DataFrame(
        {
            "group": list(GROUPS),
            "title": [GROUP_TITLES[name] for name in GROUPS],
            "loss": by_repeat.mean(axis=0),
            "low": by_repeat.min(axis=0),
            "high": by_repeat.max(axis=0),
        }
    )
    return frame.sort_values("loss", ascending=False, kind="stable", ignore_index=True)
