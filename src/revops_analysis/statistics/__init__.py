"""Intervals, survival, restricted means, false-discovery control and shrinkage: deterministic, vectorised, sourced."""
