"""Retention: recurring revenue by month, how it moved, and how much of it stays."""

from revops_analysis.metrics.retention import catalogue
from revops_analysis.metrics.retention.by_definition import RetentionByDefinition, retention_by_definition
from revops_analysis.metrics.retention.cohorts import CohortTriangle, cohort_triangle
from revops_analysis.metrics.retention.curves import RetentionCurves, retention_curves
from revops_analysis.metrics.retention.drivers import (
    LostRevenue,
    RetentionConcentration,
    RetentionDrivers,
    lost_revenue,
    retention_concentration,
    retention_drivers,
)
from revops_analysis.metrics.retention.movements import MrrMovements, mrr_movements
from revops_analysis.metrics.retention.quality import Plausibility, RevenueQuality, nrr_plausibility, revenue_quality
from revops_analysis.metrics.retention.rates import RateOptions, RetentionRates, retention_rates
from revops_analysis.metrics.retention.summary import PeriodMovements, last_month_of, period_movements, twelve_months_to
from revops_analysis.metrics.retention.tie_out import TieOut, tie_out
from revops_analysis.metrics.retention.worsening import CohortDeclines, worsening_cohorts

__all__ = [
    "CohortDeclines",
    "CohortTriangle",
    "LostRevenue",
    "MrrMovements",
    "PeriodMovements",
    "Plausibility",
    "RateOptions",
    "RetentionByDefinition",
    "RetentionConcentration",
    "RetentionCurves",
    "RetentionDrivers",
    "RetentionRates",
    "RevenueQuality",
    "TieOut",
    "catalogue",
    "cohort_triangle",
    "last_month_of",
    "lost_revenue",
    "mrr_movements",
    "nrr_plausibility",
    "period_movements",
    "retention_by_definition",
    "retention_concentration",
    "retention_curves",
    "retention_drivers",
    "retention_rates",
    "revenue_quality",
    "tie_out",
    "twelve_months_to",
    "worsening_cohorts",
]
