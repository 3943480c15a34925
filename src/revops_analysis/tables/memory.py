"""How much memory the engine may take: alone, or as its share of what engines side by side may hold together."""

from __future__ import annotations

import os

ALONE_MB = 2_500
"""What an engine by itself may hold; work beyond it spills to disk beside the warehouse."""

TOGETHER_MB = 2_000
"""What engines side by side may hold together: less, because each process also holds its libraries and frames."""

LEAST_MB = 500
"""No engine gets less: below it, spilling takes longer than waiting for the others would."""

VARIABLE = "REVOPS_ENGINE_MB"
"""Environment variable that tells a process its share."""


def engine_mb() -> int:
    """Return the megabytes that an engine of this process may hold: its share, or that of one alone.

    >>> engine_mb() if VARIABLE not in os.environ else ALONE_MB
    2500
    """
    return int(os.environ.get(VARIABLE, ALONE_MB))


def share_of(engines: int) -> dict[str, str]:
    """Return the environment of each of so many processes whose engines run side by side: equal shares.

    >>> share_of(4)
    {'REVOPS_ENGINE_MB': '500'}
    """
    return {VARIABLE: str(max(LEAST_MB, TOGETHER_MB // engines))}
