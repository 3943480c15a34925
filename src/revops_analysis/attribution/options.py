"""What may differ between two sets of journeys over the same tables."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from revops_analysis.errors import ConfigurationError

if TYPE_CHECKING:
    from revops_analysis.definitions import Definitions

Answered = Literal["campaigns", "all", "none"]


@dataclass(frozen=True)
class JourneyOptions:
    """How journeys are made; what is None is as the definitions say (`lookback`, `attribution`).

    - types: deals of the headline types, or all of them;
    - priced: deals at their latest amount (at booking if won), or as first priced, as `pipeline_created` has them;
    - sourced_days, influence_days: how long before a deal's creation a touch can source and influence it. If only
      `sourced_days` is given and is the larger, influence reaches back as far;
    - answered: touches that count only once answered: those of a campaign, all, or none;
    - duplicate_minutes: within how many minutes touches of one person, channel and campaign are one touch;
    - channel_from_campaign: whether a touch without channel takes its campaign's.
    """

    types: Literal["headline", "all"] = "headline"
    priced: Literal["latest", "first"] = "latest"
    sourced_days: int | None = None
    influence_days: int | None = None
    answered: Answered | None = None
    duplicate_minutes: int | None = None
    channel_from_campaign: bool | None = None

    def completed(self, definitions: Definitions) -> JourneyOptions:
        """Return the options with nothing left to the definitions.

        Raises ConfigurationError for windows that are not at least a day, or influence shorter than sourcing.
        """
        said, back = definitions.attribution, definitions.lookback
        sourced = back.sourced_days if self.sourced_days is None else self.sourced_days
        influence = max(back.influence_days, sourced) if self.influence_days is None else self.influence_days
        if not 1 <= sourced <= influence:
            raise ConfigurationError(
                "The windows of attribution do not fit together.",
                expected="1 ≤ sourced_days ≤ influence_days: a touch that can source a deal also influences it",
                found=f"sourced_days={sourced}, influence_days={influence}",
                fix="make influence_days at least as long as sourced_days",
            )
        minutes = said.duplicate_minutes if self.duplicate_minutes is None else self.duplicate_minutes
        own = said.channel_from_campaign if self.channel_from_campaign is None else self.channel_from_campaign
        return replace(
            self,
            sourced_days=sourced,
            influence_days=influence,
            answered=self.answered or said.answered,
            duplicate_minutes=minutes,
            channel_from_campaign=own,
        )
