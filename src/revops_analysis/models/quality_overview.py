"""Everything the data quality chapter shows, computed once: figures, tables, texts and findings are made from this."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd

from revops_analysis.models.dirt_effect import DirtEffect, dirt_effect
from revops_analysis.periods import Period, parse_period, period_containing
from revops_analysis.validation.drift import Drift, drift_since_last_load
from revops_analysis.validation.quality import Quality, data_quality
from revops_analysis.validation.repairs import Repairs, find_repairs, value_map_snippet

if TYPE_CHECKING:
    from revops_analysis.workspace import Workspace

TREND_WEEKS = 52
ROLLING_WEEKS = 4


@dataclass(frozen=True, eq=False)
class QualityOverview:
    """The quality of a source's data as of a day, what it touches and what repairing it would change.

    - `quality`: every check of the gate's rules; `repairs`: mistyped words; `effect`: figures as loaded and repaired;
    - `drift`: what changed since the load before; None for the first load;
    - `snippet`: the repairs as lines for the source's profile.
    """

    quality: Quality
    repairs: Repairs
    effect: DirtEffect
    drift: Drift | None
    snippet: str
    period: Period
    currency: str

    @property
    def headline(self) -> list[pd.DataFrame]:
        """The chapter's key figures as tidy frames: metric, period, value, unit, low, high, n, reason."""
        quality, touched = self.quality, self.quality.touched
        checks, problems = int(quality.checks["checked"].sum()), quality.problems
        amounts = quality.quarantined.set_index("table")["amount"]
        lost = amounts.get("opportunities")
        no_loads = None if lost is not None and pd.notna(lost) else "No deal lies in quarantine."
        judged = int(quality.checks["rule"].nunique())  # rules against the load before depend on what was loaded before
        words = self.repairs.suggestions
        rows = [
            ("data_quality_score", quality.score, "rate", checks, None if checks else "Nothing could be checked."),
            ("pipeline_touched", touched.amount, "currency", touched.deals, None),
            ("pipeline_touched_share", touched.share, "rate", touched.open_deals, _no_pipeline(touched.share)),
            ("quarantined_deal_amount", None if no_loads else Decimal(str(lost)).quantize(Decimal("0.01")), "currency",
             self._quarantined("opportunities"), no_loads),
            ("rules_with_problems", len(problems), "count", judged, None),
            ("mistyped_words", len(words), "count", int(words["rows"].sum() + words["quarantined"].sum()), None),
        ]  # fmt: skip
        return [self._row(*row) for row in rows]

    def _quarantined(self, table: str) -> int:
        own = self.quality.quarantined[self.quality.quarantined["table"] == table]
        return int(own["quarantined"].sum())

    def _row(self, metric: str, value: Any, unit: str, n: int, reason: str | None) -> pd.DataFrame:
        row = {"metric": metric, "period": self.period.label, "value": value, "unit": unit, "low": None, "high": None}
        return pd.DataFrame([row | {"n": n, "reason": reason}])

    @property
    def trend(self) -> pd.DataFrame:
        """Share of failed checks of deals by the week of their creation, and over four weeks: week, checked, failed,
        share, rolling."""
        weeks = self.quality.weeks("opportunities", TREND_WEEKS)
        sums = weeks[["checked", "failed"]].rolling(ROLLING_WEEKS).sum()
        share = weeks["failed"] / weeks["checked"]
        rolling = sums["failed"] / sums["checked"]
        return weeks.drop(columns="score").assign(share=share, rolling=rolling)

    @property
    def drift_table(self) -> pd.DataFrame:
        """What drifted since the load before, before and after; empty for the first load and where all is steady."""
        columns = ["table", "kind", "column", "scope", "change", "limit", "what"]
        return pd.DataFrame(columns=columns) if self.drift is None else self.drift.alarms[columns]

    @property
    def drift_note(self) -> str:
        """What was compared, in a sentence."""
        if self.drift is None:
            return "This is the first load of the source: there is nothing to compare with."
        counts = self.drift.changes["verdict"].value_counts()
        return (
            f"Compared with the load before it ({self.drift.before}, through {self.drift.last_day_before}): "
            f"{counts.get('drift', 0)} of {len(self.drift.changes)} comparisons drifted, {counts.get('steady', 0)} are "
            f"steady, {counts.get('not compared', 0)} have too few rows or days."
        )


def _no_pipeline(share: float | None) -> str | None:
    return None if share is not None else "No open deal has an amount."


def quality_overview(workspace: Workspace, period: str | Period | None = None) -> QualityOverview:
    """Compute the data quality chapter as of the workspace's day; the same one for the same period.

    `period` is by default the quarter that contains the as-of date; only the figures of bookings follow it.
    """
    calendar = workspace.definitions.fiscal_calendar
    if period is None:
        asked = period_containing(workspace.as_of, calendar)
    else:
        asked = parse_period(period, calendar) if isinstance(period, str) else period
    return workspace.once(("quality overview", asked), lambda: _overview(workspace, asked))


def _overview(workspace: Workspace, period: Period) -> QualityOverview:
    drift = drift_since_last_load(workspace.project, workspace.load, workspace.definitions)
    repairs = find_repairs(workspace, workspace.load.quarantine)
    profile = workspace.origin.profile
    return QualityOverview(
        quality=data_quality(workspace, workspace.project.expectations, drift),
        repairs=repairs,
        effect=dirt_effect(workspace, repairs.by_column, profile, period),
        drift=drift,
        snippet=value_map_snippet(repairs, profile),
        period=period,
        currency=workspace.definitions.reporting_currency,
    )
