"""Correcting stated probabilities by what became of later cases: a line in log odds, drawn towards no correction."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def calibration_line(scores: Floats, outcome: Floats, weight: float) -> tuple[float, float]:
    """Intercept and slope of log odds, penalised towards (0, 1) with unit weight: Platt's method with a prior.

    `scores` are log odds, `outcome` 1 or 0; each case counts with `weight` against the prior. Without cases: (0, 1).

    >>> calibration_line(np.array([]), np.array([]), 1.0)
    (0.0, 1.0)

    Source: Platt, Advances in Large Margin Classifiers (1999) 61–74.
    """
    from scipy.optimize import minimize

    if not len(scores):
        return 0.0, 1.0

    def loss(point: Floats) -> float:
        line = point[0] + point[1] * scores
        fit = float(np.logaddexp(0.0, line).sum() - (outcome * line).sum())
        return weight * fit + float(0.5 * (point[0] ** 2 + (point[1] - 1) ** 2))

    found = minimize(loss, np.array([0.0, 1.0]), method="BFGS").x
    return float(found[0]), float(found[1])


def expit(values: Floats) -> Floats:
    """Probability of log odds."""
    return np.asarray(1.0 / (1.0 + np.exp(-values)))


def log_odds(probability: Floats) -> Floats:
    """Log odds of a probability, kept a millionth away from 0 and 1."""
    inside = np.clip(probability, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(inside / (1 - inside)))
