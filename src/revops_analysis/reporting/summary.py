"""What a run says in short, for readers that are no page: each chapter's headline, findings and figures, as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from revops_analysis.reporting.key_figures import dump_json

SUMMARY = "summary.json"
SCHEMA = "revops.summary/1"


def write_summary(
    chapters: Sequence[Mapping[str, Any]],
    description: str,
    folder: Path,
    left_out: Sequence[Mapping[str, str]] = (),
) -> None:
    """Write `summary.json` into a run's folder.

    It holds `{schema, description, chapters, left_out}`. A chapter is `{name, title, headline, findings, figures,
    assessed}`: `headline` has rows of key figures with a title; `findings` what `Finding.to_json` gives, in order of
    rank; `figures`, in the chapter's order, `{name, title, alt, svg_path, png_path}`; `assessed` the detectors that
    could look. A chapter that did not finish has empty lists. `left_out` are `{title, reason}` of chapters that a run
    of a part of the company leaves out.
    """
    lists = ("headline", "findings", "figures", "assessed")
    listed = [
        {"name": chapter["name"], "title": chapter["title"], **{name: chapter.get(name) or [] for name in lists}}
        for chapter in chapters
    ]
    document = {"schema": SCHEMA, "description": description, "chapters": listed, "left_out": list(left_out)}
    (folder / SUMMARY).write_text(dump_json(document), encoding="utf-8")
