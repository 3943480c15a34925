"""Which of the five dimensions of data quality each rule is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from revops_analysis.validation.suites import Rule

COMPLETENESS, VALIDITY, UNIQUENESS = "completeness", "validity", "uniqueness"
CONSISTENCY, TIMELINESS = "consistency", "timeliness"
DIMENSIONS = (COMPLETENESS, VALIDITY, UNIQUENESS, CONSISTENCY, TIMELINESS)
WHOLE_LOAD = "whole load"
"""Rules that judge a load as a whole: no row fails them, so they are listed and not scored."""

_BY_TYPE = {
    "expect_column_values_to_not_be_null": COMPLETENESS,
    "expect_column_values_to_be_null": CONSISTENCY,
    "expect_column_values_to_be_in_set": VALIDITY,
    "expect_column_values_to_be_between": VALIDITY,
    "expect_column_values_to_match_regex": VALIDITY,
    "expect_column_pair_values_a_to_be_greater_than_b": CONSISTENCY,
}
_BY_MEASURE = {
    "repeated_keys": UNIQUENESS,
    "deals_with_two_primaries": UNIQUENESS,
    "points_to_itself": CONSISTENCY,
    "orphans": CONSISTENCY,
    "without_rate": CONSISTENCY,
    "history_differs": CONSISTENCY,
    "history_before_creation": CONSISTENCY,
    "renewals_that_overlap": CONSISTENCY,
    "overlapping_periods": CONSISTENCY,
    "uneven_shares": CONSISTENCY,
    "without_history": COMPLETENESS,
    "share_missing_after_first_stage": COMPLETENESS,
    "quarantined_rows": COMPLETENESS,
    "share_overdue": TIMELINESS,
    "currencies_with_old_rate": TIMELINESS,
}


def dimension_of(rule: Rule) -> str:
    """The dimension that a rule is about, or `WHOLE_LOAD`."""
    if rule.measure is not None:
        return _BY_MEASURE.get(str(rule.measure["kind"]), WHOLE_LOAD)
    return _BY_TYPE[rule.type]
