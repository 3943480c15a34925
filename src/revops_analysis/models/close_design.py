"""The columns of a regression: one for each level of an attribute against a reference, and each that cannot carry a
coefficient left out with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

NOT_SET = "not set"
"""Level of deals on which an attribute is missing."""

MINIMUM_WINS = 10
"""A level needs this many wins, and the reference too: with fewer, a coefficient is noise or runs to infinity."""


MOST_LEFT_OUT = 0.2
"""Share of the deals up to which an attribute may leave them out."""

COLLINEAR = 10.0
"""Variance inflation above which the coefficients of two attributes cannot be told apart."""


@dataclass(frozen=True)
class CaseWords:
    """What the notes call a case, several of them, those that met the event, and the events."""

    case: str = "deal"
    cases: str = "deals"
    met: str = "were won"
    events: str = "wins"


DEALS = CaseWords()


@dataclass(frozen=True, eq=False)
class Design:
    """`matrix` (row a deal: one 0/1 or numeric column a term), `terms` [term, attribute, level, reference, n, won] in
    the order of the columns (level and reference null for numbers), `kept` (rows of the deals that are in), `notes`."""

    matrix: pd.DataFrame
    terms: pd.DataFrame
    kept: pd.Series
    notes: tuple[str, ...]


def design(frame: pd.DataFrame, attributes: Sequence[str], won: pd.Series, words: CaseWords = DEALS) -> Design:
    """Columns for `attributes` of `frame`; text becomes a column a level, against the level with the most deals.

    Missing text is a level of its own, a missing number leaves the deal out. Levels with fewer than `MINIMUM_WINS`
    wins leave with their deals; where that would be more than `MOST_LEFT_OUT` of them, the attribute leaves instead.
    Attributes that then do not vary, and columns that others determine, leave alone. `notes` says what left and why.

    >>> deals = pd.DataFrame({"segment": ["SMB"] * 30 + ["Enterprise"] * 20})
    >>> design(deals, ["segment"], pd.Series([True] * 50)).terms["term"].tolist()
    ['segment: Enterprise']
    """
    kept, notes, used = pd.Series(True, index=frame.index), [], []
    for name in attributes:
        rare = _rare(frame.loc[kept, name], won[kept])
        if rare.sum() > MOST_LEFT_OUT * kept.sum():
            share = f"{int(rare.sum()):,} of {int(kept.sum()):,} {words.cases}"
            notes.append(f"{name} is left out: {share} have {_lacking(frame[name], words)}.")
            continue
        used.append(name)
        notes += _said(frame.loc[rare.index[rare], name], name, words)
        kept &= ~rare.reindex(frame.index, fill_value=False)
    parts: list[pd.Series] = []
    rows: list[dict[str, Any]] = []
    for name in used:
        columns, found = _columns(frame.loc[kept, name], won[kept], name)
        parts += columns
        rows += found
        notes += [f"{name} is left out: all {words.cases} have the same."] if kept.any() and not columns else []
    matrix = pd.concat(parts, axis=1) if parts else pd.DataFrame(index=frame.index[kept])
    terms = pd.DataFrame(rows, columns=["term", "attribute", "level", "reference", "n", "won"])
    return _independent(matrix, terms, kept, tuple(notes))


def inflation(matrix: pd.DataFrame) -> pd.Series:
    """Variance inflation of each column, 1 ÷ (1 − R²) on the others; 1 for a column that stands alone.

    Source: Belsley, Kuh & Welsch, Regression Diagnostics (1980), ch. 3. Columns must vary and be independent.
    """
    if matrix.shape[1] < 2:
        return pd.Series(1.0, index=matrix.columns)
    correlation = np.corrcoef(matrix.to_numpy(), rowvar=False)
    return pd.Series(np.diag(np.linalg.inv(correlation)), index=matrix.columns)


def distinct(
    frame: pd.DataFrame, attributes: Sequence[str], won: pd.Series, words: CaseWords = DEALS
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The attributes, in order, but for each that those before it nearly determine; and a sentence on each left out."""
    kept: list[str] = []
    notes = []
    for name in attributes:
        matrix = design(frame, [*kept, name], won, words).matrix
        worst = float(inflation(matrix).max()) if matrix.shape[1] else 1.0
        if worst <= COLLINEAR:
            kept.append(name)
        else:
            before = " and ".join(kept)
            notes.append(f"{name} is left out: {before} nearly determine it (variance inflation {worst:.0f}).")
    return tuple(kept), tuple(notes)


def _rare(values: pd.Series, won: pd.Series) -> pd.Series:
    """Which rows leave because their level has too few wins, or because a number is missing."""
    if _is_number(values):
        return values.isna()
    levels = _levels(values)
    wins = won.groupby(levels).sum()
    return levels.isin(wins.index[wins < MINIMUM_WINS])


def _lacking(values: pd.Series, words: CaseWords) -> str:
    return "no value of it" if _is_number(values) else f"one of which fewer than {MINIMUM_WINS} {words.met}"


def _said(gone: pd.Series, name: str, words: CaseWords) -> list[str]:
    """One sentence on the cases that leave because of an attribute."""
    if gone.empty:
        return []
    deals = f"1 {words.case}" if len(gone) == 1 else f"{len(gone):,} {words.cases}"
    if _is_number(gone):
        return [f"{deals} without {name} left out."]
    names = ", ".join(sorted(set(_levels(gone))))
    return [f"{deals} with {name} {names} left out: a level needs {MINIMUM_WINS} {words.events}."]


def _columns(values: pd.Series, won: pd.Series, name: str) -> tuple[list[pd.Series], list[dict[str, Any]]]:
    if _is_number(values):
        if values.nunique() < 2:
            return [], []
        row = {"term": name, "attribute": name, "level": None, "reference": None}
        return [values.astype("float64").rename(name)], [{**row, "n": len(values), "won": int(won.sum())}]
    levels = _levels(values)
    sizes = levels.value_counts()
    order = sorted(sizes.index, key=lambda level: (-sizes[level], level))
    columns, rows = [], []
    for level in order[1:]:
        inside = levels == level
        term = f"{name}: {level}"
        columns.append(inside.astype("float64").rename(term))
        facts = {"n": int(inside.sum()), "won": int(won[inside].sum())}
        rows.append({"term": term, "attribute": name, "level": level, "reference": order[0], **facts})
    return columns, rows


def _independent(matrix: pd.DataFrame, terms: pd.DataFrame, kept: pd.Series, notes: tuple[str, ...]) -> Design:
    """Leave out each column that those before it, and a constant, determine."""
    names: list[str] = []
    basis = np.ones((len(matrix), 1))
    dropped = []
    for name in matrix.columns:
        wider = np.column_stack([basis, matrix[name].to_numpy()])
        if np.linalg.matrix_rank(wider.T @ wider / max(len(matrix), 1), tol=1e-9, hermitian=True) == wider.shape[1]:
            names.append(name)
            basis = wider
        else:
            dropped.append(f"{name} is left out: the other columns determine it.")
    known = terms[terms["term"].isin(names)].reset_index(drop=True)
    return Design(matrix[names], known, kept, (*notes, *dropped))


def _levels(values: pd.Series) -> pd.Series:
    return values.astype(object).where(values.notna(), NOT_SET).astype(str)


def _is_number(values: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(values))
