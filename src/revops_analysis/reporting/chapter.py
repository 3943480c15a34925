"""What a chapter's notebook calls: open, show, publish. The page, the files and the key figures come from one place."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from revops_analysis.errors import ConfigurationError
from revops_analysis.reporting import exports, fragments
from revops_analysis.reporting.key_figures import Facts, KeyFigures, collect_rows, dump_json

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from revops_analysis.findings.finding import Detection
    from revops_analysis.findings.scorecard_actions import Action
    from revops_analysis.models.scorecard import Scorecard

PARTS = ".chapters"
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Chapter:
    """One chapter of a report, as its notebook sees it.

    `workspace` supplies source, data hash, as-of date and definitions. `out` is the run's folder: figures go to
    `figures/<chapter>_<name>.svg|png`, tables to `tables/<chapter>_<name>.csv`. With `out=""` (a notebook run by hand)
    everything is shown and nothing is written. Methods show their result in the notebook and return None.
    """

    def __init__(self, name: str, workspace: Any, *, period: Any = "", out: str = "", seed: int = 0) -> None:
        self.name = _checked_name(name)
        self.facts = facts_of(workspace, str(getattr(period, "label", period)), seed)
        self._workspace = workspace
        self._out = Path(out) if out else None
        self._headline: list[dict[str, Any]] = []
        self._findings: list[dict[str, Any]] = []
        self._assessed: list[str] = []
        self._figures: list[dict[str, str]] = []
        self._used: set[str] = set()

    def opening(self) -> None:
        """Show what the chapter rests on: as-of day, period, source, data, definitions, and what is missing.

        What the gate found stands on the page's head: it is known only when all chapters have run.
        """
        used = latest_values_note(self._workspace.used_current_columns)
        _show(fragments.render("opening.html.j2", facts=self.facts, notes=self.facts.warnings + used))

    def headline(self, figures: Any) -> None:
        """Show what to read first, as cards, also on the first page of the run; takes what `key_figures` does."""
        rows = collect_rows(figures, self.facts.period)
        self._headline += [row.as_json() | {"title": row.shown_name} for row in rows]
        _show(fragments.render_headline(rows, self.facts.currency))

    def figure(self, figure: Figure, *, name: str, title: str, alt: str) -> None:
        """Show a figure and write it as SVG and PNG.

        `alt` says in a sentence what the picture shows, for whoever cannot see it; an empty one is refused.
        """
        from revops_analysis.reporting import figures

        if not alt.strip() or not title.strip():
            raise ConfigurationError(
                "A figure without words.", expected="a title and an alternative text", where=f"{self.name}, {name}"
            )
        stem = self._stem("figure", name)
        svg = figures.as_svg(figure)
        paths = {}
        if self._out:
            paths = {"svg_path": f"figures/{stem}.svg", "png_path": f"figures/{stem}.png"}
            _write(self._out / paths["svg_path"], svg.encode())
            _write(self._out / paths["png_path"], figures.as_png(figure))
            self._figures.append({"name": name, "title": title, "alt": alt, **paths})
        figures.close(figure)
        _show(fragments.render_figure(svg, fragments.FigureSpec(title, alt, **paths)))

    def table(
        self,
        frame: pd.DataFrame,
        *,
        name: str,
        title: str,
        units: Mapping[str, str] | None = None,
        personal: Sequence[str] = (),
        muted: Sequence[bool] = (),
    ) -> None:
        """Show a frame as a sortable table, in its own order, and write it as CSV, ordered by its key.

        `units`: column → currency (of the report), currency_per_day, rate, count, days, minutes, ratio, number, score.
        Personal columns are masked in both, unless the report says `personal_data: shown`; `personal` names columns
        that the schema does not know to be so. A column `reason` explains the row's missing values. `muted` greys out
        rows, one truth value a row.
        """
        units = dict(units or {})
        unknown = sorted(set(units) - set(map(str, frame.columns)))
        if unknown:
            raise ConfigurationError(
                "Units for columns that the table does not have.",
                expected=f"some of {', '.join(map(str, frame.columns))}",
                found=", ".join(unknown),
                where=f"{self.name}, table {name}",
            )
        stem = self._stem("table", name)
        masked = exports.mask_personal(frame, personal) if exports.masks_people(os.environ) else frame
        path = f"tables/{stem}.csv" if self._out else ""
        if self._out:
            _write(self._out / path, exports.to_csv(exports.order_by_key(masked), units).encode())
        _show(
            fragments.render_table(
                masked, fragments.TableSpec(title, units, self.facts.currency, path, muted=tuple(muted))
            )
        )

    def scorecard(self, card: Scorecard, actions: Mapping[str, Action], pictures: Mapping[str, Figure]) -> None:
        """Show the company on one page, a row a measure, and write it as CSV.

        `actions` are what to do, and `pictures` the small trends, both by measure.
        """
        from revops_analysis.reporting import figures
        from revops_analysis.reporting.scorecard_table import NUMBERS, render_scorecard

        svgs = {}
        for measure, picture in pictures.items():
            svgs[measure] = figures.as_svg(picture)
            figures.close(picture)
        path = f"tables/{self._stem('table', 'scorecard')}.csv" if self._out else ""
        if self._out:
            units: dict[str, Any] = {name: list(card.lines["unit"]) for name in NUMBERS}
            _write(self._out / path, exports.to_csv(card.lines, units).encode())
        _show(render_scorecard(card, actions, svgs, path))

    def findings(self, detection: Detection) -> None:
        """Show findings in order of rank: what, evidence, money, confidence, owner and the proposed fix.

        What was looked for and not found, and what could not be looked for, is said below them.
        """
        self._findings += [finding.to_json() for finding in detection.findings]
        self._assessed += detection.assessed
        _show(fragments.render_detection(detection))

    def key_figures(self, figures: Any) -> None:
        """Publish the chapter's figures: print them, a stable line each, and write them for the run's merged file.

        Always the notebook's last cell, tagged `keep_output`. Takes a metric result, a tidy frame, a row, or a list.
        """
        published = KeyFigures(self.facts, collect_rows(figures, self.facts.period))
        if self._out:
            part = published.as_json(f"chapter {self.name}")
            used = list(self._workspace.used_current_columns)
            part |= {"headline": self._headline, "findings": self._findings, "figures": self._figures}
            part |= {"latest_values_of": used, "assessed": self._assessed}
            _write(self._out / PARTS / f"{self.name}.json", dump_json(part).encode())
        print(published.as_text())  # the output that nbval compares

    def _stem(self, kind: str, name: str) -> str:
        """The file name for a figure or table; a name used twice would overwrite the first and is refused."""
        if f"{kind} {name}" in self._used:
            raise ConfigurationError(f"Two {kind}s of one name.", found=_checked_name(name), where=self.name)
        self._used.add(f"{kind} {name}")
        return f"{self.name}_{_checked_name(name)}"


def facts_of(workspace: Any, period: str, seed: int = 0) -> Facts:
    """What every page and document says about the numbers of a workspace."""
    definitions = workspace.definitions
    return Facts(
        source=str(workspace.source),
        data_hash=str(workspace.data_hash),
        as_of=str(workspace.as_of)[:10],
        period=period,
        definitions_version=str(definitions.version),
        definitions_hash=str(definitions.hash),
        currency=str(definitions.reporting_currency),
        seed=seed,
        warnings=tuple(workspace.notes),
        cut=str(getattr(workspace, "cut", "")),
    )


def latest_values_note(columns: Iterable[str]) -> tuple[str, ...]:
    """One sentence on columns whose past is not known, where any were used."""
    listed = ", ".join(sorted(set(columns)))
    sentence = "Of these columns only the latest values are known, which may differ from those of the day: "
    return (f"{sentence}{listed}.",) if listed else ()


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            "A name that cannot be a file's.", expected="lower-case letters, digits and _", found=repr(name)
        )
    return name


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _show(html: str) -> None:
    """Show HTML where a notebook runs; in a plain script there is nothing to show it in."""
    from IPython import get_ipython
    from IPython.display import HTML, display

    if get_ipython() is not None:
        display(HTML(html))
