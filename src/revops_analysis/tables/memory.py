"""How much memory the engine may take: one budget for all processes of a run, shared out by whoever starts them."""

from __future__ import annotations

import os

BUDGET_MB = 2_500
"""What the engines that run at one time may hold together; work beyond it spills to disk beside the warehouse."""

LEAST_MB = 500
"""No engine gets less: below it, spilling takes longer than waiting for the others would."""

VARIABLE = "REVOPS_ENGINE_MB"
"""Environment variable that tells a process its share."""


def engine_mb() -> int:
    """Return the megabytes that an engine of this process may hold: its share, or the whole budget.

    >>> engine_mb() if VARIABLE not in os.environ else BUDGET_MB
    2500
    """
    return int(os.environ.get(VARIABLE, BUDGET_MB))


def share_of(processes: int) -> dict[str, str]:
    """Return the environment of each of so many processes that run at one time: equal shares of what is ours.

    >>> share_of(5) if VARIABLE not in os.environ else {"REVOPS_ENGINE_MB": "500"}
    {'REVOPS_ENGINE_MB': '500'}
    """
    return {VARIABLE: str(max(LEAST_MB, engine_mb() // max(1, processes)))}
