"""What to simulate: the seed, the size, the mess and the scenario."""

from __future__ import annotations

import math
from dataclasses import dataclass

from revops_analysis.errors import ConfigurationError

MEANINGS = {
    "default": "The company as it is: sellers differ, prices drift, some years are better; nothing is planted.",
    "null": "Nothing is wrong: sellers are alike, no seller leaves, prices and markets stand still.",
    "stalling_seller": "One Mid-Market seller's deals move at 35% of their pace from October 2025 on.",
    "segment_win_rate_drop": "The Mid-Market win rate falls by 10 points from January 2026 on.",
    "slow_stage": "Deals stay twice as long in Proposal from October 2025 on.",
    "price_rise": "Prices of new and expansion deals rise by 25% in January 2026, and one in eight more is lost.",
    "slump": "In the last two quarters a third fewer deals arrive and those there move more slowly.",
    "pull_forward": "Deals are pulled into the last three weeks of each quarter, and the weeks after it are empty.",
    "stage_split": "Half way, in October 2024, Proposal is split from Solution: no deal was in Proposal before.",
    "new_segment": "The company sells to Enterprise only from January 2025 on.",
    "reopened_deals": "15% of lost deals are opened again, instead of 2%.",
    "small_company": "About 15 new and expansion deals a quarter.",
}
"""Every scenario and what it means; `parameters.SCENARIOS` holds the one parameter that each changes."""


@dataclass(frozen=True)
class SimulationOptions:
    """What `simulate` is asked for.

    `seed`      whole number ≥ 0; the same options give the same tables, value for value.
    `scale`     size: 1 is the company of the documentation (about 10,000 deals in four years), 100 a hundred of
                them side by side. A scale that is not whole makes companies that are a little smaller.
    `dirt`      0 a clean CRM, 1 the usual mess, 2 twice as much.
    `scenario`  one of `MEANINGS`.
    `truth`     whether to write the truth files; switch off only to save time.

    Raises ConfigurationError for values outside these.

    >>> SimulationOptions(scale=2.5).blocks
    3
    """

    seed: int = 0
    scale: float = 1.0
    dirt: float = 1.0
    scenario: str = "default"
    truth: bool = True

    def __post_init__(self) -> None:
        _require(isinstance(self.seed, int) and self.seed >= 0, "seed", "a whole number from 0 on", self.seed)
        _require(0.05 <= self.scale <= 1000, "scale", "a number from 0.05 to 1000", self.scale)
        _require(0 <= self.dirt <= 3, "dirt", "a number from 0 to 3", self.dirt)
        _require(self.scenario in MEANINGS, "scenario", "one of " + ", ".join(MEANINGS), self.scenario)

    @property
    def blocks(self) -> int:
        """How many independent companies lie side by side; each fits in memory on its own."""
        return max(1, math.ceil(self.scale))

    @property
    def block_size(self) -> float:
        """The size of each of them, as a share of the documented company."""
        return self.scale / self.blocks


def _require(holds: bool, option: str, expected: str, found: object) -> None:
    if not holds:
        raise ConfigurationError(
            f"The sample company cannot be simulated with this {option}.",
            expected=expected,
            found=repr(found),
            where=f"SimulationOptions.{option}",
            fix=f"give {option} {expected}",
        )
