"""Measures of one load against the load before it: what `drift` found, for rules to judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from revops_analysis.tables.schema import TableSchema
from revops_analysis.validation.outcomes import NotChecked, Outcome, Reading

if TYPE_CHECKING:
    from revops_analysis.validation.evidence import Evidence


def past_rows_change(evidence: Evidence, schema: TableSchema) -> Outcome:
    """Change of the number of rows dated up to the last load, as a share."""
    return _worst(evidence, schema, "past rows")


def new_rows_change(evidence: Evidence, schema: TableSchema) -> Outcome:
    """Departure of the new rows from the pace before the last load, as a share; 0 where chance alone could make it."""
    return _worst(evidence, schema, "new rows")


def missing_share_change(evidence: Evidence, schema: TableSchema) -> Outcome:
    """Largest change of a column's share of missing values, in points."""
    return _worst(evidence, schema, "missing")


def word_share_change(evidence: Evidence, schema: TableSchema) -> Outcome:
    """Largest stability index of a column of words."""
    return _worst(evidence, schema, "words")


def amount_change(evidence: Evidence, schema: TableSchema) -> Outcome:
    """Largest Kolmogorov–Smirnov distance of an amount."""
    return _worst(evidence, schema, "amounts")


def _worst(evidence: Evidence, schema: TableSchema, kind: str) -> Outcome:
    """The largest change of a kind that chance alone does not make, with what it was before and is now."""
    from revops_analysis.validation.drift.compare import DRIFT, TOO_FEW

    if evidence.drift is None:
        return NotChecked(f"No earlier load of {schema.name} to compare with.")
    found = evidence.drift.of(schema.name, kind)
    if found.empty:
        return NotChecked(f"The earlier load has no {kind} of {schema.name} to compare with.")
    compared = found[found["verdict"] != TOO_FEW]
    if compared.empty:
        return NotChecked(f"Too few rows of {schema.name}, or too few days since the last load, to compare {kind}.")
    real = compared["change"].where(compared["change"] > compared["chance"], 0.0)
    sizes = real if real.max() > 0 else compared["change"]
    largest = compared.iloc[int(sizes.to_numpy(dtype=float).argmax())]
    failed = int((compared["verdict"] == DRIFT).sum())
    return Reading(float(real.max()), str(largest["what"]), len(compared), failed)
