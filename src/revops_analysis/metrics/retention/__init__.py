"""Retention: recurring revenue by month, how it moved, and how much of it stays."""

from revops_analysis.metrics.retention import catalogue
from revops_analysis.metrics.retention.cohorts import CohortTriangle, cohort_triangle
from revops_analysis.metrics.retention.movements import MrrMovements, mrr_movements
from revops_analysis.metrics.retention.rates import RetentionRates, retention_rates
from revops_analysis.metrics.retention.summary import PeriodMovements, period_movements

__all__ = [
    "CohortTriangle",
    "MrrMovements",
    "PeriodMovements",
    "RetentionRates",
    "catalogue",
    "cohort_triangle",
    "mrr_movements",
    "period_movements",
    "retention_rates",
]
