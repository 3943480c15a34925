"""How values read on a page: units, thousands, percent, minus signs, and what stands for "nothing"."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from numbers import Integral
from typing import Any

NOTHING = "–"
MINUS = "−"

ACRONYMS = {
    **{word: word.upper() for word in ("nrr", "grr", "mrr", "arr", "id", "cac", "crm", "wape", "roc", "auc")},
    "n": "n",
}
NUMERIC_UNITS = ("currency", "currency_per_day", "rate", "count", "days", "minutes", "ratio", "number", "score")
_DECIMALS = {
    "currency": 2,
    "currency_per_day": 2,
    "rate": 1,
    "count": 0,
    "days": 1,
    "minutes": 0,
    "ratio": 2,
    "number": 2,
}
_DECIMALS |= {"minutes": 0, "score": 4}  # scores of probabilities differ in the third decimal
_WHOLE_MONEY_FROM = 1000  # from here on cents are noise to a reader; exports keep them


def is_missing(value: Any) -> bool:
    """True for None, NaN, NaT and pandas' NA: a value that is not there, which is never the same as 0 or ''.

    >>> is_missing(None), is_missing(float("nan")), is_missing(0), is_missing("")
    (True, True, False, False)
    """
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, Decimal):
        return value.is_nan()
    try:
        return math.isnan(value)
    except (TypeError, ValueError):
        return False


def is_number(value: Any) -> bool:
    """True for a number that is there; booleans, dates and digits in a text are not numbers.

    >>> is_number(3), is_number("3"), is_number(True), is_number(None)
    (True, False, False, False)
    """
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return False
    return not is_missing(value) and (isinstance(value, (int, float, Decimal)) or hasattr(value, "__round__"))


def unit_label(unit: str, currency: str) -> str:
    """The unit as a column heading says it; empty where the values say it themselves.

    >>> unit_label("currency", "USD"), unit_label("days", "USD"), unit_label("rate", "USD")
    ('USD', 'days', '')
    """
    named = {"currency": currency, "currency_per_day": f"{currency} a day", "days": "days", "minutes": "minutes"}
    return named.get(unit, "")


_QUANTILE = re.compile(r"p\d+(_\d)?")


def heading(name: str) -> str:
    """A column's name as its heading reads.

    Quantiles read as percentages: p2_5 and p90 are 2.5% and 90%, what the value lies below with that probability.

    >>> heading("nrr_low"), heading("base_mrr"), heading("opportunity_id"), heading("n"), heading("p2_5")
    ('NRR low', 'Base MRR', 'Opportunity ID', 'n', '2.5%')
    """
    if _QUANTILE.fullmatch(name):
        return name[1:].replace("_", ".") + "%"
    first, *rest = name.split("_")
    return " ".join([ACRONYMS.get(first, first[:1].upper() + first[1:]), *(ACRONYMS.get(word, word) for word in rest)])


def decimals_for(unit: str, values: Iterable[Any]) -> int:
    """How many decimals a column shows: money is whole once any value of it reaches 1,000.

    >>> decimals_for("currency", [12.5, 7.0]), decimals_for("currency", [12.5, 70_000])
    (2, 0)
    """
    if unit in ("currency", "currency_per_day"):
        large = any(is_number(value) and abs(value) >= _WHOLE_MONEY_FROM for value in values)
        return 0 if large else 2
    return _DECIMALS.get(unit, 2)


def format_value(value: Any, unit: str = "", decimals: int | None = None) -> str:
    """One value as a reader sees it, without its currency or unit (which the heading carries) but with a % for rates.

    Missing values read `–`. Rates are shares and read as percent. `term` is one of our own words, such as the name of a
    line: `moved_out` reads "moved out". Infinities read as ∞. Negative numbers get a real
    minus sign, and what rounds to zero has no sign.

    >>> format_value(-1234567.5, "currency"), format_value(-0.5, "rate"), format_value(None, "rate")
    ('−1,234,568', '−50.0%', '–')
    >>> format_value(-0.0001, "rate"), format_value("{{7*7}}"), format_value(12, "count")
    ('0.0%', '{{7*7}}', '12')
    """
    if is_missing(value):
        return NOTHING
    if unit == "term":
        return str(value).replace("_", " ")
    if isinstance(value, datetime):
        # A frame holds days as moments at midnight.
        is_day = (value.hour, value.minute, value.second, value.microsecond) == (0, 0, 0, 0)
        return value.date().isoformat() if is_day else value.isoformat(sep=" ", timespec="minutes")
    if isinstance(value, date):
        return value.isoformat()
    if not is_number(value):
        return {"True": "yes", "False": "no"}.get(str(value), str(value)) if _is_flag(value) else str(value)
    return _format_number(value, unit, decimals_for(unit, [value]) if decimals is None else decimals)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool) or type(value).__name__ == "bool"


def _format_number(value: Any, unit: str, decimals: int) -> str:
    if unit == "" and isinstance(value, Integral):
        decimals = 0
    if isinstance(value, float) and math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    shown = value * 100 if unit == "rate" else value
    text = f"{shown:,.{decimals}f}"
    if text.startswith("-"):
        text = text[1:] if not text.strip("-0.,") else MINUS + text[1:]
    return f"{text}%" if unit == "rate" else text


def with_unit(value: Any, unit: str, currency: str) -> str:
    """A value that stands alone, so it carries its unit.

    >>> with_unit(-41_200_000, "currency", "USD"), with_unit(12.25, "days", "USD"), with_unit(None, "days", "USD")
    ('USD −41,200,000', '12.2 days', '–')
    """
    text = format_value(value, unit)
    if text == NOTHING:
        return text
    if unit in ("currency", "currency_per_day"):
        return f"{currency} {text}" + (" a day" if unit == "currency_per_day" else "")
    return f"{text} {unit}" if unit in ("days", "minutes") else text
