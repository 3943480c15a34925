"""The range of a simple forecast: how far the same rule was off at the same time of past periods."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from revops_analysis.models.forecaster import QUANTILES

FEWEST = 4
"""Past errors below which no range is stated."""

WIDEST = 50.0
"""A rule whose past outcomes were between 1 and this many times its forecast has no range worth stating."""

_TOO_WIDE = "No range: its past errors at this time are too wide to say anything."

MODEL_BASED_UNTIL = {50: 3, 80: 9, 95: 39}
"""Past errors from which an interval can be read off them: the smallest n with (n + 1) × its lower level ≥ 1."""

_MIDDLE = QUANTILES.index(0.5)


def range_from_past(
    forecast: float, ratios: npt.NDArray[np.float64], booked: float = 0.0
) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """The forecast times the quantiles of past outcome ÷ forecast, at `QUANTILES`, and sentences on what they rest on.

    A level is read off the sorted ratios at place (n + 1) × level, which covers a new outcome as often as it says if
    the errors are exchangeable (the finite-sample correction of conformal prediction). Levels that lie beyond the
    smallest and largest ratio come from Student's t prediction limits of log ratios (of the ratios themselves where one
    is 0). No quantile lies below what is booked. Fewer than 4 ratios, or a forecast of 0: null. A rule that always says
    too little (or too much) may lie outside its own errors: the 95% range then reaches to what it says, and a sentence
    says so.

    Source: Vovk, Gammerman & Shafer, Algorithmic Learning in a Random World (2005); Hahn & Meeker (1991), ch. 4.

    >>> quantiles, notes = range_from_past(100.0, np.array([0.8, 0.9, 1.0, 1.1, 1.2]))
    >>> round(quantiles[3], 6), [round(value, 1) for value in quantiles[2:5]]
    (100.0, [85.0, 100.0, 115.0])
    >>> notes[0]
    'The range comes from its errors at the same time of 5 past periods.'
    """
    n = len(ratios)
    if n < FEWEST or not forecast > 0:
        return (math.nan,) * len(QUANTILES), (_no_range(n, forecast),)
    if float(ratios.max()) > WIDEST * float(ratios.min()) > 0:
        return (math.nan,) * len(QUANTILES), (_TOO_WIDE,)
    levels = np.array(QUANTILES)
    read_off = np.quantile(ratios, levels, method="weibull")
    inside = (n + 1) * np.minimum(levels, 1 - levels) >= 1 - 1e-9
    chosen = np.where(inside, read_off, _student(ratios, levels))
    chosen[_MIDDLE:] = np.maximum.accumulate(chosen[_MIDDLE:])
    chosen[: _MIDDLE + 1] = np.minimum.accumulate(chosen[_MIDDLE::-1])[::-1]
    low, high = chosen[0], chosen[-1]
    chosen[0], chosen[-1] = min(low, 1.0), max(high, 1.0)
    notes = (*_notes(n), *_one_sided(low, high))
    return tuple(float(value) for value in np.maximum(forecast * chosen, booked)), notes


def _one_sided(low: float, high: float) -> tuple[str, ...]:
    """A sentence where what the rule says is no outcome to be expected, by its own past."""
    if low <= 1.0 <= high:
        return ()
    return (f"It has said too {'little' if low > 1.0 else 'much'} so far: its 95% range is extended to what it says.",)


def _student(ratios: npt.NDArray[np.float64], levels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Prediction limits for one more ratio."""
    from scipy.special import stdtrit

    n, is_positive = len(ratios), bool((ratios > 0).all())
    values = np.log(ratios) if is_positive else ratios
    limits = values.mean() + stdtrit(n - 1, levels) * values.std(ddof=1) * math.sqrt(1 + 1 / n)
    return np.exp(limits) if is_positive else np.maximum(limits, 0.0)


def _no_range(n: int, forecast: float) -> str:
    if n < FEWEST:
        return f"No range: it needs the errors of {FEWEST} past periods at the same time, there are {n}."
    return "No range: past errors are shares of the forecast, which is not above 0."


def _notes(n: int) -> tuple[str, ...]:
    first = f"The range comes from its errors at the same time of {n} past periods."
    modelled = [f"{level}% range (until {least})" for level, least in MODEL_BASED_UNTIL.items() if n < least]
    if not modelled:
        return (first,)
    return (first, f"Model-based until there are enough past periods: the {' and the '.join(modelled)}.")
