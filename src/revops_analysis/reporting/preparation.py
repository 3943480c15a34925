"""Everything about a run that can be known, and refused, before anything runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from revops_analysis.definitions import Definitions, load_definitions
from revops_analysis.errors import ConfigurationError
from revops_analysis.paths import stay_inside
from revops_analysis.periods import Grain, Period, parse_period, period_containing
from revops_analysis.project import Project
from revops_analysis.reporting.inputs import (
    Inputs,
    environment_hash,
    expectations_hash,
    hash_bytes,
    package_hash,
    playbook_hash,
)
from revops_analysis.reporting.spec import ReportSpec, load_report
from revops_analysis.sources.profile import SourceProfile, load_profile
from revops_analysis.tables.cut import Cut, cut_warehouse
from revops_analysis.tables.warehouse import WarehouseInfo, find_warehouse, latest_warehouse, previous_warehouse

if TYPE_CHECKING:
    from revops_analysis.sources.load import LoadResult

Say = Callable[[str], None]


class Watcher(Protocol):
    """Who is told how far the run is."""

    def say(self, text: str) -> None:
        """Begin a phase."""

    def step(self, text: str, done: int, steps: int) -> None:
        """One more step of a load is done."""

    def loaded(self, result: LoadResult) -> None:
        """The source was loaded."""

    def cell(self, chapter: str, done: int, cells: int) -> None:
        """One more cell of a chapter is done."""


@dataclass(frozen=True)
class RunRequest:
    """What was asked for: which report, on which source, as of which day.

    `period` empty: the one of the report's length (a quarter, if it says none) that contains the day. `reports`: where
    runs are published. `workers`: chapters at a time, 0 for one a core; it never changes the result. `allow_invalid`
    publishes, marked in red, what the gate refuses. `load` loads the source first; `data_hash` names a load, by default
    the latest. With `cut` nothing of the run holds more than that part of the company. `pdf` asks for a report.pdf
    whatever the report's own setting.
    """

    report: str
    source: str
    as_of: date
    reports: Path
    period: str = ""
    allow_invalid: bool = False
    workers: int = 0
    load: bool = False
    data_hash: str = ""
    cut: Cut | None = None
    pdf: bool = False


@dataclass(frozen=True)
class LeftOut:
    """A chapter that a run of a part of the company leaves out: its title, and why."""

    title: str
    reason: str


@dataclass(frozen=True)
class Preparation:
    """A checked request: everything that the run needs and the inputs that name its folder.

    `warehouse` is what the chapters see; `whole` the load that it is a cut of, or the same one; `previous` is the load
    that the gate compares volumes with, None for the first.
    """

    request: RunRequest
    spec: ReportSpec
    profile: SourceProfile
    definitions: Definitions
    warehouse: WarehouseInfo
    previous: WarehouseInfo | None
    period: Period
    notebooks: Mapping[str, bytes]
    parameters: Mapping[str, Mapping[str, Any]]
    inputs: Inputs
    whole: WarehouseInfo
    left_out: tuple[LeftOut, ...] = ()

    @property
    def title(self) -> str:
        """The report's title, with the cut where there is one."""
        return f"{self.spec.title}: {self.warehouse.cut}" if self.warehouse.cut else self.spec.title

    @property
    def folder(self) -> Path:
        """Where the run is published."""
        place = (
            self.profile.name,
            report_folder(self.spec.name, self.request.cut),
            self.request.as_of.isoformat(),
            self.period.label,
        )
        return self.request.reports.joinpath(*place, self.inputs.short)


def report_folder(report: str, cut: Cut | None) -> str:
    """Name of the folder of a report's runs; each cut has one of its own, with a `latest` of its own."""
    return f"{report}.{cut.slug}" if cut else report


def prepare(request: RunRequest, project: Project, watcher: Watcher) -> Preparation:
    """Check the request and find its data; the sample company is made on first use.

    Raises ConfigurationError for whatever is wrong with the report, the notebooks, the parameters, the source, the
    period or the day.
    """
    written = load_report(request.report, project)
    spec, left_out = _chapters(written, request.cut)
    profile = load_profile(request.source, project)
    definitions = load_definitions(profile.definitions_path(project))
    period = _period(request, spec.period, definitions)
    notebooks = {chapter.notebook: _read(chapter.notebook, project) for chapter in spec.notebooks}
    whole = _data(request, profile, project, watcher)
    _check_day(request.as_of, whole)
    warehouse = cut_warehouse(project, whole, request.cut).warehouse if request.cut else whole
    standard = {
        "source": _name_for_notebooks(profile, project),
        "as_of": request.as_of.isoformat(),
        "period": period.label,
        "data_hash": warehouse.content_hash,
        "out": ".",
    }
    parameters = _parameters(spec, notebooks, standard, _own_periods(request, spec, definitions))
    previous = previous_warehouse(project, whole)
    inputs = Inputs(
        {
            "report": written.model_dump(mode="json"),
            "source": profile.name,
            "profile": profile.hash,
            "data_hash": warehouse.content_hash,
            "previous_data_hash": previous.content_hash if previous else None,
            "cut_of": whole.content_hash if request.cut else None,
            "definitions": definitions.hash,
            "as_of": request.as_of.isoformat(),
            "period": [period.label, period.start.isoformat(), period.end.isoformat()],
            "parameters": {name: dict(values) for name, values in parameters.items()},
            "notebooks": {name: hash_bytes(content) for name, content in notebooks.items()},
            "expectations": expectations_hash(project),
            "playbook": playbook_hash(project),
            "package": package_hash(),
            "environment": environment_hash(project),
            "allow_invalid": request.allow_invalid,
            "pdf": wants_pdf(request, spec),
        }
    )
    found = (spec, profile, definitions, warehouse, previous, period, notebooks, parameters)
    return Preparation(request, *found, inputs, whole, left_out)


def wants_pdf(request: RunRequest, spec: ReportSpec) -> bool:
    """Whether the run is to have a PDF, if one can be made."""
    return request.pdf or spec.pdf != "never"


def _chapters(spec: ReportSpec, cut: Cut | None) -> tuple[ReportSpec, tuple[LeftOut, ...]]:
    """The report with the chapters that can be made of the cut, and what is left out of it."""
    kept = tuple(chapter for chapter in spec.notebooks if not (cut and chapter.whole_company))
    left_out = tuple(
        LeftOut(chapter.notebook.replace("_", " ").capitalize(), chapter.whole_company)
        for chapter in spec.notebooks
        if chapter not in kept
    )
    if cut and not kept:
        raise ConfigurationError(
            f"The report {spec.name} has no chapter that can be made for a part of the company.",
            expected=f"a report with chapters for {cut.label}",
            found="; ".join(f"{one.title}: {one.reason}" for one in left_out),
            where=f"params/reports/{spec.name}.yml",
            fix="render it without the cut, for those who may see the whole company",
        )
    return spec.model_copy(update={"notebooks": kept}), left_out


def _data(request: RunRequest, profile: SourceProfile, project: Project, watcher: Watcher) -> WarehouseInfo:
    """The whole load that the run rests on."""
    if request.data_hash:
        return find_warehouse(project, profile.name, request.data_hash)
    return load_data(profile, project, watcher) if request.load else find_data(profile, project, watcher.say)


def load_data(profile: SourceProfile, project: Project, watcher: Watcher) -> WarehouseInfo:
    """Load the source, and tell the watcher what became of its rows."""
    from revops_analysis.sources.load import load_source

    watcher.say(f"Loading {profile.name}")
    result = load_source(profile, project, progress=watcher.step)
    watcher.loaded(result)
    return result.warehouse


def find_data(profile: SourceProfile, project: Project, say: Say) -> WarehouseInfo:
    """The latest load of the source; the sample company is made when it was never loaded or its profile was changed.

    Raises ConfigurationError, naming the command, for any other source that was never loaded.
    """
    found = latest_warehouse(project, profile.name)
    if found is not None and (profile.kind != "sample" or found.profile_hash in ("", profile.hash)):
        return found
    if profile.kind != "sample":
        raise ConfigurationError(
            f"The source {profile.name} has not been loaded.",
            where=f"warehouse/{profile.name}",
            fix=f"run `revops load {profile.path or profile.name}` first",
        )
    from revops_analysis.sources.load import load_source

    say("Making the sample company")
    return load_source(profile, project).warehouse


def _check_day(day: date, warehouse: WarehouseInfo) -> None:
    if day > warehouse.data_through:
        raise ConfigurationError(
            "The as-of date lies after what the data cover.",
            expected=f"a day up to {warehouse.data_through.isoformat()}",
            found=day.isoformat(),
            where=f"load {warehouse.content_hash} of {warehouse.source}",
            fix="give an earlier day, or load newer data and set data_through in the source's profile",
        )


def _period(request: RunRequest, grain: Grain, definitions: Definitions) -> Period:
    calendar = definitions.fiscal_calendar
    if request.period:
        return parse_period(request.period, calendar)
    return period_containing(request.as_of, calendar, grain)


def _own_periods(request: RunRequest, spec: ReportSpec, definitions: Definitions) -> dict[str, str]:
    """The period of each chapter that has one of its own: that in which the day lies, whatever --period says."""
    calendar = definitions.fiscal_calendar
    return {
        chapter.notebook: period_containing(request.as_of, calendar, chapter.period).label
        for chapter in spec.notebooks
        if chapter.period != "report"
    }


def _read(name: str, project: Project) -> bytes:
    path = stay_inside(project.notebooks / f"{name}.ipynb", project.notebooks, "A chapter's notebook")
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in project.notebooks.glob("*.ipynb")))
        raise ConfigurationError(
            "A chapter's notebook does not exist.",
            expected=f"one of {known or 'none yet'}",
            found=name,
            where="notebooks/",
        )
    return path.read_bytes()


def _name_for_notebooks(profile: SourceProfile, project: Project) -> str:
    """What a chapter opens: a profile's name, or its path, below the project where it lies there."""
    path = profile.path
    if path is None or path.parent == (project.params / "sources").resolve():
        return profile.name
    root = project.root.resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _parameters(
    spec: ReportSpec, notebooks: Mapping[str, bytes], standard: Mapping[str, Any], periods: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    from revops_analysis.reporting.parameters import check_parameters

    checked = {}
    for chapter in spec.notebooks:
        own = {"period": periods[chapter.notebook]} if chapter.notebook in periods else {}
        values = {**standard, **own, **spec.parameters_of(chapter)}
        checked[chapter.notebook] = check_parameters(json.loads(notebooks[chapter.notebook]), chapter.notebook, values)
    return checked
