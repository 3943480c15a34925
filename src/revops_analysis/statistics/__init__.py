"""Intervals, survival, restricted means, false-discovery control and shrinkage: formulas of the field, deterministic."""
