"""The sample company: every canonical table, and the truth behind it."""

from revops_analysis.simulation.company import SimulationResult, simulate
from revops_analysis.simulation.options import MEANINGS, SimulationOptions

__all__ = ["MEANINGS", "SimulationOptions", "SimulationResult", "simulate"]
