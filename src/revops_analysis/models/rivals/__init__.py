"""The rivals: simple rules that every company could forecast with, and that a model must beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from revops_analysis.models.rivals.bookings_rules import LastPeriod, SamePeriodLastYear
from revops_analysis.models.rivals.conversion import StageWeekConversion
from revops_analysis.models.rivals.pipeline_rules import CategoryRollUp, CrmWeighted
from revops_analysis.models.rivals.stage_shares import StageWeighted
from revops_analysis.models.rivals.submissions import Submissions

if TYPE_CHECKING:
    from revops_analysis.definitions import Definitions
    from revops_analysis.models.rivals.rule import Rival

__all__ = ["rivals"]


def rivals(definitions: Definitions) -> tuple[Rival, ...]:
    """Every rival, with the company's words for what is committed and the chances that it sets for its stages.

    >>> from revops_analysis.definitions import load_definitions
    >>> from revops_analysis.project import find_project
    >>> [rival.name for rival in rivals(load_definitions(find_project().definitions_file))][:3]
    ['last_period', 'same_period_last_year', 'category_roll_up']
    """
    commit = definitions.categories_of("commit")
    chances = tuple((stage.name, stage.probability) for stage in definitions.stages if stage.probability is not None)
    return (
        LastPeriod(),
        SamePeriodLastYear(),
        CategoryRollUp(commit),
        CrmWeighted(chances),
        StageWeighted(),
        StageWeekConversion(),
        Submissions(commit),
    )
