"""What changed between two loads of a source: volume, missing values, words and amounts."""

from revops_analysis.validation.drift.between import drift_between, drift_since_last_load
from revops_analysis.validation.drift.compare import Drift

__all__ = ["Drift", "drift_between", "drift_since_last_load"]
