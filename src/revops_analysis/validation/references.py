"""Symbolic values in suites: a rule names a definition, and gets its value when it runs.

`{"$definition": "stages"}` stands for a list of words or a threshold of the definitions, `{"$warehouse":
"data_through"}` for a date of the data. So a stage that is added to the definitions is known to the gate at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import Any

from revops_analysis.definitions import Definitions
from revops_analysis.definitions.words import Thresholds
from revops_analysis.errors import ConfigurationError
from revops_analysis.periods import end_of_day_utc
from revops_analysis.tables.schema import DEAL_TYPES
from revops_analysis.validation.frames import moment_as_number

DEFINITION, WAREHOUSE = "$definition", "$warehouse"

_WORDS: dict[str, Callable[[Definitions], Any]] = {
    "stages": lambda words: list(words.stage_names),
    "open_stages": lambda words: list(words.open_stages),
    "segments": lambda words: list(words.segment_names),
    "forecast_categories": lambda words: list(words.category_names),
    "deal_types": lambda _: list(DEAL_TYPES),
    "reporting_currency": lambda words: words.reporting_currency,
} | {f"thresholds.{name}": lambda words, name=name: getattr(words.thresholds, name) for name in Thresholds.model_fields}

_DATES: dict[str, Callable[[date, str], float]] = {
    # A day compares with a day, so the bound is that day itself, inclusive; a moment with the instant the day ends.
    "data_through": lambda day, _: moment_as_number(datetime.combine(day, time.min)),
    "data_through_end": lambda day, zone: moment_as_number(end_of_day_utc(day, zone)),
}


def check_reference(value: Any, where: str) -> None:
    """Refuse a symbolic value that names nothing, anywhere within `value`.

    Raises ConfigurationError that names the place, what was written and what can be written.
    """
    if isinstance(value, Mapping):
        for kind, known in ((DEFINITION, _WORDS), (WAREHOUSE, _DATES)):
            if kind in value and (len(value) != 1 or value[kind] not in known):
                raise ConfigurationError(
                    "A rule refers to something that does not exist.",
                    expected=f"{kind}: {', '.join(known)}",
                    found=repr(value[kind]),
                    where=where,
                    fix="correct the name, or add the word to revops_analysis.validation.references",
                )
        for part in value.values():
            check_reference(part, where)
    elif isinstance(value, (list, tuple)):
        for part in value:
            check_reference(part, where)


def resolve(value: Any, definitions: Definitions, data_through: date) -> Any:
    """Return `value` with every symbolic value in it replaced; anything else comes back as it is.

    >>> from types import SimpleNamespace
    >>> words = SimpleNamespace(stage_names=("Open", "Won"), business_time_zone="UTC")
    >>> resolve({"value_set": {"$definition": "stages"}}, words, date(2026, 9, 30))
    {'value_set': ['Open', 'Won']}
    >>> resolve({"$warehouse": "data_through_end"}, words, date(1970, 1, 1))  # microseconds since 1970
    86400000000.0
    """
    if isinstance(value, Mapping):
        if DEFINITION in value:
            return _WORDS[value[DEFINITION]](definitions)
        if WAREHOUSE in value:
            return _DATES[value[WAREHOUSE]](data_through, definitions.business_time_zone)
        return {name: resolve(part, definitions, data_through) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [resolve(part, definitions, data_through) for part in value]
    return value


def vocabulary() -> dict[str, tuple[str, ...]]:
    """What a suite may refer to, by kind of reference."""
    return {DEFINITION: tuple(_WORDS), WAREHOUSE: tuple(_DATES)}
