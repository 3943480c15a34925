"""Suggested repairs of mistyped words: found by frequency and edit distance, and never applied by themselves."""

from revops_analysis.validation.repairs.found import Repairs, find_repairs, repairs_of_load
from revops_analysis.validation.repairs.snippet import value_map_snippet

__all__ = ["Repairs", "find_repairs", "repairs_of_load", "value_map_snippet"]
