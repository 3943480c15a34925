"""Funnel and hand-off: leads on their way to a won deal, how fast they are answered, and how a rule passes them."""

from revops_analysis.metrics.funnel import catalogue
from revops_analysis.metrics.funnel.leads import SIDES, STAGES, lead_table, records_answers, undated_leads
from revops_analysis.metrics.funnel.rules import passes, require_usable
from revops_analysis.metrics.funnel.speed import SpeedToLead, speed_to_lead
from revops_analysis.metrics.funnel.steps import OUTCOMES, STEPS, step_table
from revops_analysis.metrics.funnel.summary import Funnel, funnel

__all__ = [
    "OUTCOMES",
    "SIDES",
    "STAGES",
    "STEPS",
    "Funnel",
    "SpeedToLead",
    "catalogue",
    "funnel",
    "lead_table",
    "passes",
    "records_answers",
    "require_usable",
    "speed_to_lead",
    "step_table",
    "undated_leads",
]
