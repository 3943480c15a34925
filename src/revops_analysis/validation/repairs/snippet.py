"""The suggestions as lines for the source's profile: for somebody to read, correct and paste."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from revops_analysis.validation.repairs.found import Repairs

if TYPE_CHECKING:
    from revops_analysis.sources.profile import SourceProfile, TableMap

_HEAD = (
    "# Suggested, not applied: read every line, take out what is a word of its own, and paste the rest into the\n"
    "# source's profile. `revops load` then loads the right words.\n"
)
_SAMPLE = "# The sample company is simulated and has no mapping; this is what a profile of files would say.\n"
_WHOLE = (
    "# {tables}: the profile takes all columns by their canonical names. Once one is mapped, map every other one\n"
    "# too (`name: name`), or it stays empty.\n"
)


def value_map_snippet(repairs: Repairs, profile: SourceProfile | None = None) -> str:
    """The suggestions as YAML for a source profile: tables → columns → value_map; empty without suggestions.

    With a `profile`, each column keeps what its mapping says, words mapped before included; without, or where the
    profile maps no columns, the source column is taken to bear the canonical name.
    """
    found = repairs.by_column
    if not found:
        return ""
    tables: dict[str, Any] = {}
    whole = []
    for (table, column), words in found.items():
        mapping = _mapping(profile, table)
        if profile is not None and profile.kind != "sample" and (mapping is None or not mapping.columns):
            whole.append(table)
        lines = tables.setdefault(table, {"columns": {}})["columns"]
        lines[column] = _column(mapping, column, words)
    head = _HEAD
    if profile is not None and profile.kind == "sample":
        head += _SAMPLE
    if whole:
        head += _WHOLE.format(tables=", ".join(dict.fromkeys(whole)))
    return head + _as_yaml({"tables": tables})


def _mapping(profile: SourceProfile | None, table: str) -> TableMap | None:
    """The part of the profile that maps the table; the first, where it has several."""
    parts = profile.tables.get(table, ()) if profile is not None else ()
    return parts[0] if parts else None


def _column(mapping: TableMap | None, column: str, words: dict[str, str]) -> dict[str, Any]:
    before = mapping.columns.get(column) if mapping is not None else None
    said = {} if before is None else before.model_dump(mode="json", exclude_defaults=True)
    if not said:
        said = {"column": column}
    return said | {"value_map": {**said.get("value_map", {}), **words}}


def _as_yaml(values: dict[str, Any]) -> str:
    from ruamel.yaml import YAML

    writer = YAML()
    writer.default_flow_style = False
    writer.allow_unicode = True
    writer.width = 120
    text = io.StringIO()
    writer.dump(values, text)
    return text.getvalue()
