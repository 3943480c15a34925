"""Lifetimes, renewals and net retention ahead: DuckDB and a real PostgreSQL give the same figures."""

from __future__ import annotations

import ibis
import pandas as pd
import pytest

from models.lifetime.subscribers import annual_terms, subscribers
from revops_analysis.models.lifetime.overview import lifetime_overview
from revops_analysis.models.lifetime.renewal_risk import renewal_risk

pytestmark = pytest.mark.postgres


def test_both_engines_agree(postgres_url: str) -> None:
    terms = annual_terms(120, 3)
    con = ibis.connect(postgres_url)
    con.create_database("lifetimes")
    both = (subscribers(terms), subscribers(terms, engine={"con": con, "database": "lifetimes"}))
    made = [lifetime_overview(snapshot) for snapshot in both]
    for name in ("frame", "backtest", "errors", "history"):
        pd.testing.assert_frame_equal(*[getattr(each.forecast, name) for each in made], check_dtype=False, obj=name)
    assert len(made[0].forecast.backtest)
    due = [renewal_risk(snapshot).within(180) for snapshot in both]
    pd.testing.assert_frame_equal(*due, check_dtype=False)
    assert len(due[0])
    con.disconnect()
