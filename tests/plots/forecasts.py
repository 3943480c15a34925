"""A forecast made by hand, for figures and findings."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from models.evidence_cases import make_evidence, quarters
from revops_analysis.models.backtest import Backtest
from revops_analysis.models.bookings_model import COMPONENTS
from revops_analysis.models.cutoffs import Cutoff
from revops_analysis.models.forecast import BookingsForecast
from revops_analysis.models.forecast_groups import NOT_CREATED
from revops_analysis.models.forecaster import QUANTILE_NAMES
from revops_analysis.models.selection import Choice
from revops_analysis.periods import Period

QUARTER = Period("2026-Q4", dt.date(2026, 10, 1), dt.date(2026, 12, 31))
QUANTILES = dict(zip(QUANTILE_NAMES, (800.0, 880.0, 940.0, 1000.0, 1060.0, 1120.0, 1200.0), strict=True))
SHARES = dict(zip(QUANTILE_NAMES, (0.6, 0.75, 0.9, 1.0, 1.1, 1.25, 1.4), strict=True))


def make_forecast(**changes: Any) -> BookingsForecast:
    """1,000 are expected: 300 booked, 500 from open deals, 200 from later ones; the target is 1,100."""
    made = BookingsForecast(
        cutoff=Cutoff(dt.date(2026, 10, 31), QUARTER),
        currency="USD",
        summary=pd.DataFrame([{"method": "chosen", "title": "Forecast", "mean": 1000.0, **QUANTILES}]),
        components=_components(),
        groups=_groups(),
        deals=_deals(),
        draws=np.random.default_rng(0).normal(1000, 94, 4000),
        target=1100.0,
        choice=Choice("deal_model", None, 1.0, 1.0, 8, "a test"),
        backtest=Backtest(pd.DataFrame(), pd.DataFrame()),
        evidence=make_evidence([], quarters(1), dt.date(2026, 10, 31)),
        fitted=SimpleNamespace(win=SimpleNamespace(basis_="model")),  # type: ignore[arg-type]
        notes=(),
    )
    return replace(made, **changes)


def _components() -> pd.DataFrame:
    means = {
        "booked": 300.0,
        "signed": 0.0,
        "likely": 350.0,
        "upside": 150.0,
        "unpriced": 0.0,
        "later": 200.0,
        "other": 0.0,
    }
    frame = pd.DataFrame({"component": list(means), "title": [COMPONENTS[name] for name in means]})
    return frame.assign(mean=list(means.values()), p10=np.nan, p90=np.nan)


def _groups() -> pd.DataFrame:
    rows = [
        ("segment", "SMB", 200.0, 30, 600.0),
        ("segment", "Enterprise", 100.0, 4, 400.0),
        ("team", "Northern and Baltic countries", 300.0, 34, 800.0),
        ("team", NOT_CREATED, 0.0, 0, 200.0),
    ]
    frame = pd.DataFrame(rows, columns=["cut", "group", "booked", "open_deals", "mean"])
    wide = np.where(frame["group"] == "Enterprise", 2.0, 1.0)
    return frame.assign(**{name: frame["mean"] * (1 + (share - 1) * wide) for name, share in SHARES.items()})


def _deals() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "opportunity_id": ["a", "b", "c"],
            "close_date": pd.to_datetime(["2026-12-01", "2026-10-15", "2027-02-01"]),
            "crm_probability": [0.9, 0.5, 0.9],
            "probability": [0.4, 0.4, 0.1],
            "value": [600.0, 400.0, 1000.0],
            "expected": [240.0, 160.0, 100.0],
            "is_priced": True,
        }
    )
