"""How good the data is: the gate's rules, counted by table, rule, owner and week, and the money that problems touch."""

from revops_analysis.validation.quality.score import Quality, data_quality

__all__ = ["Quality", "data_quality"]
