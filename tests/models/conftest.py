"""The small company whose forecast several tests look at, made once a session."""

from __future__ import annotations

import pytest

from models.forecast_cases import OPTIONS, PERIOD, last_week, past_deals, tables_of, workspace_of
from revops_analysis.models.forecast import BookingsForecast
from revops_analysis.models.forecast_overview import ForecastOverview, forecast_overview
from revops_analysis.workspace import Workspace


@pytest.fixture(scope="session")
def small_company() -> Workspace:
    """A company in the middle of a quarter in which a deal did everything a deal can do in the last week."""
    return workspace_of(tables_of(past_deals() + last_week()))


@pytest.fixture(scope="session")
def small_overview(small_company: Workspace) -> ForecastOverview:
    """What its forecast chapter shows."""
    return forecast_overview(small_company, PERIOD, options=OPTIONS)


@pytest.fixture(scope="session")
def small_forecast(small_overview: ForecastOverview) -> BookingsForecast:
    """Its forecast."""
    return small_overview.forecast
