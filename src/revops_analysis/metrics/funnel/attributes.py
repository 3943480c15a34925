"""What is recorded of a lead beside its columns: the JSON of `attributes`, read in the engine.

A value is read as text; a number may be written as one or in quotes. Text that is no JSON, a list or an object inside
the attributes, and a JSON null count as missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

LOOKED_AT = 5_000
"""Leads whose attributes are looked at to learn which names there are."""

_OBJECT = r"^\s*\{.*\}\s*$"
_NUMBER = r"^\s*[-+]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][-+]?[0-9]+)?\s*$"
_NESTED = r"^\s*[\[{]"
TRUE_WORDS, FALSE_WORDS = ("true", "1", "1.0", "yes"), ("false", "0", "0.0", "no")


@ibis.udf.scalar.builtin(name="json_extract_path_text", signature=(("json", "string"), "string"))
def _text_at(document: object, key: object) -> object:
    """The value of a key as text, null where there is none; DuckDB and Postgres have it under the same name."""


def attribute_text(leads: ir.Table, name: str, con_name: str) -> ir.Value:
    """An attribute as text; null where the lead has none or it is no single value. `con_name`: the engine's."""
    text = _text_at(_document(leads.attributes, con_name), name)
    return ibis.ifelse(text.re_search(_NESTED), ibis.null("string"), text)


def attribute_number(leads: ir.Table, name: str, con_name: str) -> ir.Value:
    """An attribute as float64; null where it is no number."""
    return as_number(attribute_text(leads, name, con_name))


def as_number(text: ir.Value) -> ir.Value:
    """A text as float64; null where it is no number."""
    return ibis.ifelse(text.re_search(_NUMBER), text, ibis.null("string")).cast("float64")


def as_flag(text: ir.Value) -> ir.Value:
    """A text as a boolean; null where it is neither true nor false."""
    word = text.strip().lower()
    return ibis.cases((word.isin(TRUE_WORDS), True), (word.isin(FALSE_WORDS), False), else_=ibis.null("boolean"))


def _document(attributes: ir.Value, con_name: str) -> ir.Value:
    """The text as JSON. What is no JSON is null; on Postgres, what does not look like an object.

    A load keeps no text that is not JSON, so that on Postgres only a table written by others could stop a query.
    """
    if con_name == "duckdb":
        return attributes.try_cast("json")
    return ibis.ifelse(attributes.re_search(_OBJECT), attributes, ibis.null("string")).cast("json")


def attribute_names(snapshot: Snapshot) -> tuple[str, ...]:
    """Names of the attributes, in alphabetical order, as up to 5,000 leads of all times have them."""
    return snapshot.once("attribute names of leads", lambda: _names(snapshot))


def _names(snapshot: Snapshot) -> tuple[str, ...]:
    leads = snapshot.table("leads")
    given = leads.filter(leads.attributes.notnull())
    # The last digits of a key say nothing about its time: a sample of all of it, the same in every run.
    order = given.mutate(place=given.lead_id.reverse()).order_by(["place", "lead_id"]).limit(LOOKED_AT)
    return names_in(order.select("attributes").to_pyarrow().to_pydict()["attributes"])


def names_in(texts: Iterable[str]) -> tuple[str, ...]:
    """Keys of JSON objects, in alphabetical order; text that is no object has none.

    >>> names_in(['{"b": 1}', '{"a": 2, "b": 3}', "[1]", "{broken"])
    ('a', 'b')
    """
    found: set[str] = set()
    for text in texts:
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(document, dict):
            found.update(name for name in document if name.isidentifier() and name.isascii())
    return tuple(sorted(found))
