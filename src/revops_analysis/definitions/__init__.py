"""The one place where words get their meaning: typed form of `params/definitions.yml`.

`load_definitions` reads a file; `Definitions` is what it gives: frozen, with a version and a content hash.
"""

from revops_analysis.definitions.load import load_definitions
from revops_analysis.definitions.model import Definitions
from revops_analysis.definitions.rules import AllOf, AnyOf, Condition, Rule
from revops_analysis.definitions.words import (
    Attribution,
    Coverage,
    DuplicateRules,
    ForecastCategory,
    Leads,
    Lookback,
    Segment,
    Stage,
    Thresholds,
)

__all__ = [
    "AllOf",
    "AnyOf",
    "Attribution",
    "Condition",
    "Coverage",
    "Definitions",
    "DuplicateRules",
    "ForecastCategory",
    "Leads",
    "Lookback",
    "Rule",
    "Segment",
    "Stage",
    "Thresholds",
    "load_definitions",
]
