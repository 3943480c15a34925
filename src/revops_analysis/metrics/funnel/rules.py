"""A lead rule as an expression of the engine: which leads it passes, from what is recorded of them.

Names are columns of leads, or else attributes, or else what the lead had done by then (see `behaviour`). Columns that
only come to be known once a lead was passed (when it was accepted, what deal it became …) are refused: a rule has to
decide before. A missing value meets only `missing`.
"""

from __future__ import annotations

import operator
from datetime import date, datetime
from functools import reduce
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.types as ir

from revops_analysis.definitions.rule_text import conditions
from revops_analysis.definitions.rules import AllOf, Condition, Rule
from revops_analysis.errors import ConfigurationError
from revops_analysis.metrics.funnel.attributes import as_flag, as_number, attribute_names, attribute_text
from revops_analysis.metrics.funnel.behaviour import PREFIX, behaviour_names
from revops_analysis.metrics.where import COMPARE, check_names
from revops_analysis.tables.schema import TABLES

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

USABLE = ("source", "campaign_id", "created_at", "email", "company", "domain")
"""Columns of leads that a rule may use beside attributes."""


def rule_names(rule: Rule) -> tuple[str, ...]:
    """Names that a rule uses, each once, in order."""
    return tuple(dict.fromkeys(condition.attribute for condition in conditions(rule)))


def rule_attributes(rule: Rule) -> tuple[str, ...]:
    """Those of a rule's names that are no columns: attributes, or behaviour."""
    return tuple(name for name in rule_names(rule) if name not in TABLES["leads"].names)


def recorded_attributes(snapshot: Snapshot, rule: Rule) -> tuple[str, ...]:
    """Those of a rule's names that are attributes: neither columns nor behaviour."""
    return tuple(name for name in rule_attributes(rule) if name not in behaviour_names(snapshot))


def require_usable(snapshot: Snapshot, rule: Rule) -> None:
    """Refuse a rule that uses what is not recorded, or what is known only after the lead was passed.

    Raises ConfigurationError: for an unknown name, with the nearest ones; for a column of a later event; and for
    attributes, where the definitions do not allow their latest values for past dates (`allowed_current_columns`).
    """
    columns = TABLES["leads"].names
    later = [name for name in rule_names(rule) if name in columns and name not in USABLE]
    if later:
        raise ConfigurationError(
            f"A lead rule cannot use {', '.join(later)}: it is not known when the rule decides.",
            expected=f"attributes, what the lead did, or one of {', '.join(USABLE)}",
            found=", ".join(later),
            where="lead rule",
            fix="use what is recorded of a lead when it arrives",
        )
    attributes = recorded_attributes(snapshot, rule)
    known = attribute_names(snapshot)
    unknown = [name for name in attributes if name not in known and not _occurs(snapshot, name)]
    check_names(unknown, [*known, *behaviour_names(snapshot), *USABLE], "attribute of leads", "lead rule")
    used = [f"leads.{name}" for name in rule_names(rule) if name in columns]
    snapshot.require_dated([*used, *(["leads.attributes"] if attributes else [])], "what a rule is replayed on")


def _occurs(snapshot: Snapshot, name: str) -> bool:
    leads = snapshot.table("leads")
    found = leads.filter(attribute_text(leads, name, snapshot.con.name).notnull()).limit(1).count()
    return bool(found.to_pyarrow().as_py())


def passes(rule: Rule, leads: ir.Table, con_name: str) -> ir.BooleanValue:
    """Whether the rule passes each lead; never null. Behaviour must be there (`behaviour.with_behaviour`)."""
    if isinstance(rule, Condition):
        return _holds(rule, leads, con_name).fill_null(False)
    parts = rule.all if isinstance(rule, AllOf) else rule.any
    joined = operator.and_ if isinstance(rule, AllOf) else operator.or_
    return reduce(joined, [passes(part, leads, con_name) for part in parts])


def _holds(condition: Condition, leads: ir.Table, con_name: str) -> ir.Value:
    value = _value(condition.attribute, leads, con_name)
    if condition.op in ("present", "missing"):
        return value.notnull() if condition.op == "present" else value.isnull()
    if isinstance(condition.value, tuple):
        among = reduce(operator.or_, [_equals(value, item, condition) for item in condition.value])
        return among if condition.op == "in" else ~among & value.notnull()
    if condition.op == "=":
        return _equals(value, condition.value, condition)
    if condition.op == "!=":
        return ~_equals(value, condition.value, condition) & value.notnull()
    return COMPARE[condition.op](*_ordered(value, condition))


def _value(name: str, leads: ir.Table, con_name: str) -> ir.Value:
    if name in TABLES["leads"].names:
        return leads[name]
    did = f"{PREFIX}{name}"
    return leads[did] if did in leads.columns else attribute_text(leads, name, con_name)


def _equals(value: ir.Value, literal: Any, condition: Condition) -> ir.Value:
    """Equality; a text that is no number is not equal to one, and does not make the answer unknown."""
    if value.type().is_timestamp():
        return value == _moment(literal, condition)
    if value.type().is_integer():
        return (value == _count(literal, condition)).fill_null(False)
    if isinstance(literal, bool):
        return (as_flag(value) == literal).fill_null(False)
    if isinstance(literal, int | float):
        return (as_number(value) == float(literal)).fill_null(False)
    return (value == ibis.literal(literal)).fill_null(False)


def _ordered(value: ir.Value, condition: Condition) -> tuple[ir.Value, Any]:
    """Both sides of a comparison: numbers as numbers, moments as moments, text (days, too) as text."""
    literal = condition.value
    if value.type().is_timestamp():
        return value, _moment(literal, condition)
    if value.type().is_integer():
        return value, _count(literal, condition)
    if isinstance(literal, int | float):
        return as_number(value), ibis.literal(float(literal))
    return value, ibis.literal(str(literal))


def _count(literal: Any, condition: Condition) -> ir.Value:
    if isinstance(literal, int | float) and not isinstance(literal, bool):
        return ibis.literal(float(literal))
    raise ConfigurationError(
        "A lead rule compares a number of touches or days with something else.",
        expected=f"a number, as {condition.attribute} >= 1",
        found=repr(literal),
        where=f"lead rule, {condition.attribute}",
    )


def _moment(literal: Any, condition: Condition) -> ir.Value:
    try:
        day = date.fromisoformat(str(literal))
        return ibis.literal(datetime(day.year, day.month, day.day), "timestamp(6)")  # noqa: DTZ001 - moments are UTC
    except ValueError:
        raise ConfigurationError(
            "A lead rule compares a moment with something else.",
            expected="a day as 2026-01-31",
            found=repr(literal),
            where=f"lead rule, {condition.attribute}",
        ) from None
