"""The workspace: the one object from which every notebook, report and command starts.

from revops_analysis import open_workspace

ws = open_workspace("sample", as_of="2026-09-30")
ws.metric("win_rate", period="2026-Q3", by=["segment"])
ws.deals.filter(ws.deals.status == "open").to_pandas()
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from revops_analysis.definitions import Definitions, load_definitions
from revops_analysis.errors import ConfigurationError
from revops_analysis.metrics.registry import also_load, compute_metric, describe_metrics
from revops_analysis.project import Project, find_project
from revops_analysis.sources.profile import SourceProfile, load_profile
from revops_analysis.tables.cut import Cut, cut_warehouse
from revops_analysis.tables.snapshot import Snapshot, parse_day
from revops_analysis.tables.store import Store, open_store
from revops_analysis.tables.warehouse import WarehouseInfo, find_warehouse, latest_warehouse

if TYPE_CHECKING:
    import pandas as pd

    from revops_analysis.metrics.menu import MetricsMenu
    from revops_analysis.metrics.registry import MetricResult
    from revops_analysis.periods import Period
    from revops_analysis.tables.menu import TablesMenu


__all__ = ["Origin", "Workspace", "describe_metrics", "open_workspace"]

also_load("revops_analysis.attribution.team_shares")


_SURVIVORS = "survivors.json"
_RESOLVABLE = ("accounts", "contacts")


@dataclass(frozen=True)
class Origin:
    """Where a workspace's data came from: the project, the source's profile and the load."""

    project: Project
    profile: SourceProfile
    info: WarehouseInfo


class Workspace(Snapshot):
    """A snapshot of a source, with the metrics of the registry on top. Made by `open_workspace`."""

    def __init__(self, store: Store, definitions: Definitions, as_of: str | dt.date, origin: Origin) -> None:
        super().__init__(store, definitions, as_of)
        self.origin = origin

    @property
    def project(self) -> Project:
        """The project in which the workspace was opened."""
        return self.origin.project

    def metric(
        self,
        name: str,
        period: str | Period | Sequence[Period] | None = None,
        by: str | Sequence[str] = (),
        where: str | None = None,
    ) -> pd.DataFrame:
        """Return a named metric as a tidy frame, a row a period and cut.

        Columns: metric, period, a column for each dimension of `by`, value, unit, low, high (95% interval), n, reason
        (why there is no value; null otherwise). `period` is by default the quarter that contains the as-of date;
        `where` filters, as in `segment = SMB and amount >= 10000`. `metrics` lists names and dimensions.

        Raises ConfigurationError, with the nearest names, for a name, dimension, column or period that is not known.
        """
        return self.metric_result(name, period, by, where).frame

    def metric_result(
        self,
        name: str,
        period: str | Period | Sequence[Period] | None = None,
        by: str | Sequence[str] = (),
        where: str | None = None,
    ) -> MetricResult:
        """Return a named metric with its definition, as key figures need it; see `metric`."""
        return compute_metric(self, name, period, by, where)

    @property
    def metrics(self) -> MetricsMenu:
        """Every metric there is, to browse: `ws.metrics.<TAB>`; `to_frame()` gives a row a metric."""
        from revops_analysis.metrics.menu import MetricsMenu

        return MetricsMenu(self)

    @property
    def tables(self) -> TablesMenu:
        """Every canonical table, to browse: `ws.tables.<TAB>`; `to_frame()` gives a row a table."""
        from revops_analysis.tables.menu import TablesMenu

        return TablesMenu(self)

    def _on(self, day: dt.date) -> Workspace:
        return Workspace(self._store, self.definitions, day, self.origin)

    def resolved(self, tables: Sequence[str] = ("accounts", "contacts")) -> Workspace:
        """Return the workspace in which duplicates of these tables count under their survivors.

        Without tables, the one that counts every row as it was loaded. Who is one with whom is found once a load, day
        and definitions, and kept beside the data. Sums are conserved; see docs/duplicates.md. `duplicates.resolve` of
        the definitions opens every workspace so.

        Raises ConfigurationError for tables that cannot be resolved.
        """
        from revops_analysis.tables.resolved import ResolvedStore

        if not set(tables) <= set(_RESOLVABLE):
            raise ConfigurationError(
                "These tables cannot be resolved.",
                expected=f"some of {', '.join(_RESOLVABLE)}",
                found=", ".join(map(repr, tables)),
                fix="name tables whose duplicates can count under a survivor",
            )
        rules = self.definitions.duplicates.model_dump() | {"resolve": tuple(tables)}
        definitions = Definitions.model_validate({**self.definitions.model_dump(mode="json"), "duplicates": rules})
        plain = Workspace(self._store.as_loaded, definitions, self.as_of, self.origin)
        if not tables:
            return plain
        found = {name: _survivors(plain, name, self) for name in tables}
        # On a connection of its own: two ways of reading one load must not share what is computed from it.
        store = ResolvedStore(open_store(self.origin.info), found)
        return Workspace(store, definitions, self.as_of, self.origin)

    @property
    def notes(self) -> tuple[str, ...]:
        """As `Snapshot.notes`, and a sentence when the source's profile was changed after this load."""
        loaded, now = self.origin.info.profile_hash, self.origin.profile.hash
        if not loaded or loaded == now:
            return self._notes
        changed = f"The profile of {self.source} was changed after this load; `revops load {self.source}` applies it."
        return (changed, *self._notes)

    def __repr__(self) -> str:
        return (
            f"Workspace({self.source}, as of {self.as_of.isoformat()}, data {self.data_hash}, "
            f"definitions {self.definitions.version} {self.definitions.hash})"
        )

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the facts and the notes, all text escaped."""
        facts = {
            "Source": self.source,
            **({"Cut": self.cut} if self.cut else {}),
            "As of": self.as_of.isoformat(),
            "Data through": self.data_through.isoformat(),
            "Data hash": self.data_hash,
            "Definitions": f"{self.definitions.version} ({self.definitions.hash})",
            "Currency": self.definitions.reporting_currency,
        }
        left = 'style="text-align:left"'  # JupyterLab sets tables to the right
        rows = "".join(
            f"<tr><th {left}>{escape(name)}</th><td {left}>{escape(text)}</td></tr>" for name, text in facts.items()
        )
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        return f"<table>{rows}</table>" + (f"<ul>{notes}</ul>" if notes else "")


def open_workspace(
    source: str | Path = "sample",
    *,
    as_of: str | dt.date,
    data_hash: str | None = None,
    cut: str | Cut | None = None,
    project: Project | Path | str | None = None,
) -> Workspace:
    """Open a source as of a day.

    `source` is the name of a profile in `params/sources/` or the path of one. `as_of` must be given and may not lie
    after the last day that the data covers. `data_hash` picks one load; by default the latest. `cut`, as
    `region = EMEA`, opens a load with the rows of that part of the company alone (see `tables.cut`), which is made
    first. `project` is the project or its folder, by default the one found from the working directory.

    The sample company is made on first use, which takes some seconds and says so on stderr. Other sources must have
    been loaded (`revops load`). Raises ConfigurationError that says what is missing and which command supplies it.
    """
    day = parse_day(as_of)
    home = project if isinstance(project, Project) else find_project(None if project is None else Path(project))
    profile = load_profile(source, home)
    info = find_warehouse(home, profile.name, data_hash) if data_hash else _latest(home, profile)
    if cut:
        info = cut_warehouse(home, info, parse_cut(cut)).warehouse
    definitions = load_definitions(profile.definitions_path(home))
    opened = Workspace(open_store(info), definitions, day, Origin(home, profile, info))
    return opened.resolved(definitions.duplicates.resolve) if definitions.duplicates.resolve else opened


def _survivors(workspace: Workspace, table: str, asked: Workspace) -> dict[str, str]:
    """Who counts under whom, read from beside the data, or found and written there.

    It is looked for by `asked`, of the same day and rules, which may have found it already.
    """
    from revops_analysis.models.kept_files import Kept, key_of, model_folder
    from revops_analysis.validation.duplicates.resolve import search_hash, survivors

    key = key_of(workspace, table=table, search=search_hash())
    kept = Kept(model_folder(workspace.project, workspace.source), "duplicates", key)
    known = kept.read([_SURVIVORS])
    if known is None:

        def say(step: str) -> None:
            print(f"Looking for duplicate {table}, once a load: {step[0].lower()}{step[1:]} …", file=sys.stderr)

        kept.write({_SURVIVORS: json.dumps(survivors(asked, table, say), sort_keys=True).encode()})
        known = kept.read([_SURVIVORS]) or {}
    found: dict[str, str] = json.loads(known[_SURVIVORS])
    return found


def parse_cut(text: str | Cut) -> Cut:
    """Read a cut, as `region = EMEA and segment = SMB`.

    Raises ConfigurationError for anything but equalities of columns by which a company can be cut.

    >>> parse_cut("region = EMEA").parts
    (('region', 'EMEA'),)
    """
    from revops_analysis.metrics.where import parse_where

    if isinstance(text, Cut):
        return text
    conditions = parse_where(text).conditions
    names = [condition.column for condition in conditions]
    if any(one.op != "=" or one.literals == (None,) for one in conditions) or len(set(names)) < len(names):
        raise ConfigurationError(
            "A cut is made of equalities, each column once.",
            expected="for example: region = EMEA and segment = SMB",
            found=text,
        )
    return Cut.of({one.column: str(one.literals[0]) for one in conditions})


def _latest(project: Project, profile: SourceProfile) -> WarehouseInfo:
    """Return the latest load; the sample company is made if it was never loaded or its profile was changed."""
    info = latest_warehouse(project, profile.name)
    is_current = info is not None and info.profile_hash in ("", profile.hash)
    if profile.kind == "sample" and not is_current:
        return _load_sample(project, profile)
    if info is None:
        raise ConfigurationError(
            f"The source {profile.name} has not been loaded.",
            expected="a load of it in the warehouse",
            where=str(profile.path),
            fix=f"revops load {profile.path if _is_elsewhere(project, profile) else profile.name}",
        )
    return info


def _load_sample(project: Project, profile: SourceProfile) -> WarehouseInfo:
    from revops_analysis.sources.load import load_source

    print(f"Making the sample company {profile.name} (once; some seconds) …", file=sys.stderr)
    return load_source(profile, project).warehouse


def _is_elsewhere(project: Project, profile: SourceProfile) -> bool:
    return profile.path is not None and profile.path.parent != (project.params / "sources").resolve()
