"""Duplicates: accounts, contacts and leads that are in the CRM more than once, found without labels.

`duplicate_people(ws)`, `duplicate_accounts(ws)` and `duplicates_in(ws, table)` are the way in; docs/duplicates.md says
how it works and how well.
"""

from revops_analysis.validation.duplicates.overview import (
    Duplicates,
    duplicate_accounts,
    duplicate_people,
    duplicates_in,
)
from revops_analysis.validation.duplicates.plan_steps import MergePlan, read_merge_plan

__all__ = ["Duplicates", "MergePlan", "duplicate_accounts", "duplicate_people", "duplicates_in", "read_merge_plan"]
