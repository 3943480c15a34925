"""The forecast of a period, made once for everything that looks at it: the chapter, its findings, a command."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from revops_analysis.models.forecast import BookingsForecast, Progress, forecast_bookings, forecast_period

if TYPE_CHECKING:
    from revops_analysis.periods import Period
    from revops_analysis.workspace import Workspace

_KNOWN: WeakKeyDictionary[Workspace, dict[str, BookingsForecast]] = WeakKeyDictionary()


def known_forecast(
    workspace: Workspace, period: str | Period | None = None, progress: Progress | None = None
) -> BookingsForecast:
    """`forecast_bookings` with its default options, computed once a workspace and period; errors are not kept.

    In a notebook: `known_forecast(ws, "2026-Q4") is known_forecast(ws, "2026-Q4")`
    True
    """
    asked = forecast_period(workspace, period)
    known = _KNOWN.setdefault(workspace, {})
    key = f"{asked.label} {asked.start.isoformat()} {asked.end.isoformat()}"
    if key not in known:
        known[key] = forecast_bookings(workspace, asked, progress=progress)
    return known[key]
