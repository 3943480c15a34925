"""How good stated probabilities were: Brier, log loss, AUC, average precision, calibration error and curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from revops_analysis.errors import ConfigurationError
from revops_analysis.statistics.intervals import wilson_interval

Floats = npt.NDArray[np.float64]

ONE_CLASS = "all outcomes are the same"
NO_CASES = "no cases"

_SMALLEST = 1e-15


@dataclass(frozen=True)
class CurveOptions:
    """Bins of the reliability curve and of the calibration error, and the confidence of its intervals."""

    bins: int = 10
    confidence: float = 0.95


def score_probabilities(
    outcome: npt.ArrayLike, probability: npt.ArrayLike, options: CurveOptions = CurveOptions()
) -> pd.DataFrame:
    """Every score of probabilities of an event, a row a score: [score, value, n, events, reason].

    `outcome` is 1 or 0, `probability` lies in 0..1; pairs with a missing member are left out. Scores:

    - brier: mean squared difference; 0 is perfect.
    - log_loss: mean of −log of the probability given to what happened, in nats; probabilities are kept 1e-15 from 0
      and 1, so that one certain error does not make it infinite.
    - roc_auc: chance that an event was given more than a non-event; a half for ties.
    - average_precision: Σ precision × gain in recall, from the highest probability down.
    - calibration_error: Σ share of cases × |mean probability − share of events| over the bins of `reliability_curve`.

    Without cases all are null; where all outcomes are the same there is nothing to tell apart, and all are null too.
    Raises ConfigurationError for outcomes other than 0 and 1 and for probabilities outside 0..1.

    Source: Brier (1950); scikit-learn's definitions of the other three; Naeini, Cooper & Hauskrecht (2015) with bins of
    equal counts.

    >>> score_probabilities([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]).set_index("score")["value"].round(4).to_dict()
    {'brier': 0.1581, 'log_loss': 0.4723, 'roc_auc': 0.75, 'average_precision': 0.8333, 'calibration_error': 0.3375}
    """
    y, p = _pairs(outcome, probability)
    reason = NO_CASES if len(y) == 0 else ONE_CLASS if y.min() == y.max() else None
    values = dict.fromkeys(_SCORES, np.nan) if reason else _scores(y, p, options)
    columns = {"score": list(values), "value": list(values.values()), "n": len(y), "events": int(y.sum())}
    return pd.DataFrame(columns).assign(reason=reason)


_SCORES = ("brier", "log_loss", "roc_auc", "average_precision", "calibration_error")


def _scores(y: Floats, p: Floats, options: CurveOptions) -> dict[str, float]:
    from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

    curve = reliability_curve(y, p, options)
    gaps = (curve["mean_probability"] - curve["share"]).abs() * curve["n"] / len(y)
    values = (
        brier_score_loss(y, p),
        log_loss(y, np.clip(p, _SMALLEST, 1 - _SMALLEST)),
        roc_auc_score(y, p),
        average_precision_score(y, p),
        gaps.sum(),
    )
    return dict(zip(_SCORES, (float(value) for value in values), strict=True))


def reliability_curve(
    outcome: npt.ArrayLike, probability: npt.ArrayLike, options: CurveOptions = CurveOptions()
) -> pd.DataFrame:
    """What became of cases with similar probabilities, lowest first: [bin, low, high, mean_probability, share, …].

    Bins hold equally many cases, as far as equal probabilities allow: those always share a bin, so there can be fewer
    bins than asked for. `low` and `high` are the smallest and largest probability of the bin; `share` is the share of
    events with its Wilson interval, `share_low` and `share_high`; then `n` and `events`. No rows without cases.

    >>> curve = reliability_curve([0, 0, 1, 1], [0.2, 0.2, 0.2, 0.9], CurveOptions(bins=2))
    >>> curve[["mean_probability", "share", "n"]].round(3).to_numpy().tolist()
    [[0.2, 0.333, 3.0], [0.9, 1.0, 1.0]]
    """
    y, p = _pairs(outcome, probability)
    cases = pd.DataFrame({"y": y, "p": p}).assign(bin=_bins(p, options.bins))
    grouped = cases.groupby("bin", sort=True)
    curve = grouped.agg(low=("p", "min"), high=("p", "max"), mean_probability=("p", "mean"), share=("y", "mean"))
    counts = grouped["y"].agg(n="size", events="sum").astype("int64")
    low, high = wilson_interval(counts["events"], counts["n"], options.confidence)
    curve = curve.assign(share_low=low, share_high=high, n=counts["n"], events=counts["events"]).reset_index(drop=True)
    curve.insert(0, "bin", np.arange(1, len(curve) + 1))
    return curve


def _bins(p: Floats, bins: int) -> npt.NDArray[np.int64]:
    """A number for each case: ranks cut into equal parts, where equal probabilities take the part of their middle."""
    if len(p) == 0:
        return np.array([], dtype=np.int64)
    middle = pd.Series(p).rank(method="average").to_numpy() - 0.5
    return np.minimum((middle / len(p) * bins).astype(np.int64), bins - 1)


def _pairs(outcome: npt.ArrayLike, probability: npt.ArrayLike) -> tuple[Floats, Floats]:
    y, p = np.asarray(outcome, dtype=float), np.asarray(probability, dtype=float)
    if y.shape != p.shape or y.ndim != 1:
        raise ConfigurationError(
            "Each outcome needs its probability.",
            expected="two columns of the same length",
            found=f"shapes {y.shape} and {p.shape}",
            fix="give one probability for each outcome",
        )
    known = ~(np.isnan(y) | np.isnan(p))
    y, p = y[known], p[known]
    wrong = ~np.isin(y, (0.0, 1.0)) | (p < 0) | (p > 1)
    if wrong.any():
        raise ConfigurationError(
            "Outcomes are 0 or 1, and probabilities lie between 0 and 1.",
            found=f"{int(wrong.sum())} other pairs, the first {y[wrong][0]:g} with probability {p[wrong][0]:g}",
            fix="divide percentages by 100, and leave out what is not decided",
        )
    return y, p
