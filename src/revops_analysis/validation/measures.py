"""Rules over more than one row or table: the engine computes one figure, an expectation judges it.

A measure either finds violations (the figure is how many keys break the rule, and must be 0) or takes a reading (a
share, an age in days: the expectation holds the bound). Where there is nothing to look at it says so, and the rule is
listed as not checked, never as passed.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from revops_analysis.errors import ConfigurationError
from revops_analysis.tables.schema import TABLES, TableSchema
from revops_analysis.validation import cross_measures, drift_measures, table_measures
from revops_analysis.validation.outcomes import Outcome

if TYPE_CHECKING:
    from revops_analysis.validation.evidence import Evidence

MEASURES: dict[str, Callable[..., Outcome]] = {
    function.__name__: function
    for function in (
        table_measures.row_count,
        table_measures.repeated_keys,
        table_measures.points_to_itself,
        table_measures.share_missing_after_first_stage,
        table_measures.share_overdue,
        table_measures.days_since_last,
        table_measures.overlapping_periods,
        table_measures.currencies_with_old_rate,
        table_measures.uneven_shares,
        table_measures.deals_with_two_primaries,
        cross_measures.orphans,
        cross_measures.without_rate,
        cross_measures.history_differs,
        cross_measures.history_before_creation,
        cross_measures.without_history,
        cross_measures.renewals_that_overlap,
        cross_measures.quarantined_rows,
        cross_measures.quarantined_amount,
        cross_measures.volume_change,
        drift_measures.past_rows_change,
        drift_measures.new_rows_change,
        drift_measures.missing_share_change,
        drift_measures.word_share_change,
        drift_measures.amount_change,
    )
}
"""Every measure a suite may name, by name."""


def measure(evidence: Evidence, table: str, call: Mapping[str, Any]) -> Outcome:
    """Compute the measure that a rule names, on its table."""
    return MEASURES[call["kind"]](evidence, TABLES[table], **_options(call))


def check_measure(schema: TableSchema, call: Mapping[str, Any], where: str) -> None:
    """Refuse a measure, an option or a column that does not exist.

    Raises ConfigurationError that names the place, what was written and what can be written.
    """
    function = MEASURES.get(str(call.get("kind")))
    if function is None:
        raise ConfigurationError(
            "A rule uses an unknown measure.",
            expected=", ".join(MEASURES),
            found=str(call.get("kind")),
            where=where,
            fix="correct the kind, or add the measure to revops_analysis.validation.measures",
        )
    options = _options(call)
    try:
        inspect.signature(function).bind(None, schema, **options)
    except TypeError as problem:
        raise ConfigurationError(
            "A measure has the wrong options.",
            expected=", ".join(list(inspect.signature(function).parameters)[2:]) or "no options",
            found=str(problem),
            where=where,
            fix="correct the options",
        ) from problem
    for name in [*options.get("columns", ()), *(options[key] for key in ("column",) if key in options)]:
        if name not in schema.names:
            raise ConfigurationError(
                "A rule uses an unknown column.",
                expected=", ".join(schema.names),
                found=str(name),
                where=where,
                fix="correct the name",
            )
    if function is cross_measures.orphans and schema.column(options["column"]).references is None:
        raise ConfigurationError(
            "The column refers to no table.",
            expected=", ".join(column.name for column in schema.columns if column.references),
            found=str(options["column"]),
            where=where,
            fix="name a column that holds the key of a table",
        )


def _options(call: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in call.items() if name != "kind"}
