"""Texts, numbers, money and truth values: the SQL that reads them from whatever the source holds."""

from __future__ import annotations

from typing import Any

from revops_analysis.sources.staging import literal

ENGINE_TYPES = {
    "text": "VARCHAR",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "money": "DECIMAL(18, 2)",
    "rate": "DECIMAL(18, 6)",
    "number": "DOUBLE",
    "integer": "BIGINT",
    "boolean": "BOOLEAN",
    "json": "VARCHAR",
}
"""Kind of a canonical column → its type in the engine."""

NUMERIC_KINDS = ("money", "rate", "number", "integer")
NAMES = {
    "date": "date",
    "timestamp": "date and time",
    "money": "amount",
    "rate": "number",
    "number": "number",
    "integer": "whole number",
    "boolean": "truth value",
    "json": "JSON text",
    "text": "text",
}
"""What a value that cannot be read is not."""

_SYMBOLS = {"USD": "$", "CAD": "$", "AUD": "$", "NZD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "CNY": "¥"}
_BLANKS = " \t\r\n\u00a0"
_HAS_BLANKS = r"^[\s\x{00A0}]|[\s\x{00A0}]$"
_TRUE = ("true", "t", "yes", "y", "1", "on")
_FALSE = ("false", "f", "no", "n", "0", "off")


def is_text(engine_type: str) -> bool:
    """Whether the engine holds a column as text."""
    return engine_type in ("VARCHAR", "JSON", "UUID") or engine_type.startswith("ENUM")


def as_text(value: str, engine_type: str, nulls: tuple[str, ...]) -> str:
    """SQL of a value as trimmed text, null where it is empty or one of the texts that mean missing.

    Whole numbers lose a `.0` that a spreadsheet or a frame has given them, because keys are texts.
    """
    if engine_type in ("DOUBLE", "FLOAT"):
        whole = f"{value} = floor({value}) AND abs({value}) < 9e15"
        plain = f"CASE WHEN isnan({value}) THEN NULL WHEN {whole} THEN CAST(CAST({value} AS BIGINT) AS VARCHAR) "
        return f"({plain} ELSE CAST({value} AS VARCHAR) END)"
    if "[" in engine_type or engine_type.startswith(("STRUCT", "MAP")):
        return f"CAST(to_json({value}) AS VARCHAR)"
    text = value if engine_type == "VARCHAR" else f"CAST({value} AS VARCHAR)"
    if not is_text(engine_type):
        return text
    missing = ", ".join(literal(word) for word in ("", *nulls))
    trimmed = f"trim({text}, {literal(_BLANKS)})"
    # Trimming costs four times as much as looking whether there is anything to trim.
    return (
        f"(CASE WHEN {text} IN ({missing}) THEN NULL WHEN regexp_matches({text}, {literal(_HAS_BLANKS)}) "
        f"THEN CASE WHEN {trimmed} IN ({missing}) THEN NULL ELSE {trimmed} END ELSE {text} END)"
    )


def read_number(value: str, kind: str, *, decimal: str, currencies: tuple[str, ...] | None) -> str:
    """SQL that reads a text as a number; null where it cannot be read.

    Grouped thousands (`1,234`), a currency sign or code, accounting brackets `(1,234)` and a trailing per cent sign
    (a number only) are understood. `currencies` are the ones whose sign may stand beside an amount; None: any.
    """
    target = "DOUBLE" if kind in ("number", "integer") else ENGINE_TYPES[kind]
    clean = f"regexp_replace({value}, {literal(_noise(currencies))}, '', 'g')"
    group, point = (",", r"\.") if decimal == "." else (r"\.", ",")
    form = rf"\(?[-+]?(\d{{1,3}}({group}\d{{3}})+|\d+)?({point}\d*)?\)?%?"
    plain = f"regexp_replace({clean}, '[()%{',' if decimal == '.' else '.'}]', '', 'g')"
    if decimal == ",":
        plain = f"replace({plain}, ',', '.')"
    sign = f"CASE WHEN starts_with({clean}, '(') THEN -1 ELSE 1 END"
    share = f" / CASE WHEN ends_with({clean}, '%') THEN 100 ELSE 1 END" if kind == "number" else ""
    percent = "" if kind == "number" else f" AND NOT contains({clean}, '%')"
    careful = (
        f"CASE WHEN regexp_full_match({clean}, {literal(form)}){percent} "
        f"THEN try_cast({plain} AS {target}) * {sign}{share} END"
    )
    straight = f"try_cast({value} AS {target})" if decimal == "." else "NULL"
    return _finished(f"coalesce({straight}, {careful})", kind)


def read_numeric(value: str, kind: str) -> str:
    """SQL that reads a column which the source holds as a number; not-a-number is missing, infinity unreadable."""
    target = "DOUBLE" if kind in ("number", "integer") else ENGINE_TYPES[kind]
    return _finished(f"try_cast({value} AS {target})", kind)


def _finished(number: str, kind: str) -> str:
    if kind == "number":
        return f"(CASE WHEN isfinite({number}) THEN {number} END)"
    if kind == "integer":
        return f"(CASE WHEN {number} = trunc({number}) AND abs({number}) < 9e15 THEN CAST({number} AS BIGINT) END)"
    return f"CAST({number} AS {ENGINE_TYPES[kind]})"


def _noise(currencies: tuple[str, ...] | None) -> str:
    """Pattern of what may stand beside a number without being part of it."""
    if currencies is None:
        signs, codes = "$€£¥", "[A-Z]{3}"
    else:
        signs = "".join(sorted({_SYMBOLS[code] for code in currencies if code in _SYMBOLS}))
        codes = "|".join(currencies) or "[^\\s\\S]"
    return rf"[\s\x{{00A0}}\x{{202F}}{signs}]|^({codes})|({codes})$"


def survey_numbers(value: str) -> list[str]:
    """Aggregates that tell how the numbers of a text column are written: comma as decimal mark, point, or open."""
    comma = r"\d,\d{1,2}\D*$|\d\.\d{3},\d+\D*$"
    point = r"\.\d{1,2}\D*$|\d,\d{3}\.\d+\D*$|\d,\d{3}\D*$|\.\d{4,}"
    either = r"^\D*\d{1,3}\.\d{3}\D*$"
    return [f"count(*) FILTER (regexp_matches({value}, {literal(shape)}))" for shape in (comma, point, either)]


def mark_is_open(counts: tuple[Any, ...], kind: str) -> bool:
    """Whether it cannot be told if a comma or a point is the decimal mark.

    >>> mark_is_open((3, 0, 0), "money"), mark_is_open((1, 50, 0), "money"), mark_is_open((0, 0, 2), "money")
    (True, False, True)
    """
    comma, point, either = counts
    return bool(comma > point or (kind == "money" and either and not point))


def read_boolean(value: str) -> str:
    """SQL that reads true, yes, y, t, 1, on and their opposites, in any case; null for anything else."""
    true, false = (", ".join(literal(word) for word in words) for words in (_TRUE, _FALSE))
    return f"(CASE WHEN lower({value}) IN ({true}) THEN true WHEN lower({value}) IN ({false}) THEN false END)"


def read_json(value: str) -> str:
    """SQL that keeps a text which is valid JSON."""
    return f"(CASE WHEN json_valid({value}) THEN {value} END)"
