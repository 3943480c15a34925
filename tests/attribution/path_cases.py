"""Paths for tests: drawn by hypothesis, and the public set with known figures."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from hypothesis import strategies as st

from revops_analysis.attribution.paths import Outcomes, Paths, paths_from_text

Row = tuple[list[str], int, int, int]
"""Steps, conversions, value a conversion, nulls."""


def rows(max_length: int = 6, names: str = "abcde") -> st.SearchStrategy[list[Row]]:
    """Up to a dozen rows, some of which neither convert nor end."""
    row = st.tuples(
        st.lists(st.sampled_from(names), min_size=1, max_size=max_length),
        st.integers(0, 3),
        st.integers(0, 1000),
        st.integers(0, 3),
    )
    return st.lists(row, min_size=1, max_size=12)


def made(drawn: list[Row]) -> Paths:
    """The paths of drawn rows."""
    return paths_from_text([" > ".join(steps) for steps, *_ in drawn], outcomes(drawn))


def outcomes(drawn: list[Row]) -> Outcomes:
    return Outcomes([c for _, c, _, _ in drawn], [c * v for _, c, v, _ in drawn], [n for *_, n in drawn])


def path_data(folder: Path) -> Paths:
    """The 10,000 public paths (`channelattribution_pathdata`)."""
    file = folder / "channelattribution_pathdata" / "Data.csv"
    frame = pd.read_csv(file, sep=";")
    told = Outcomes(frame["total_conversions"], frame["total_conversion_value"], frame["total_null"])
    return paths_from_text(frame["path"], told)
