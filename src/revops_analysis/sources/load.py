"""Loading: a source profile becomes a warehouse, and every row that is not in it is accounted for."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd

from revops_analysis.definitions import Definitions, load_definitions
from revops_analysis.errors import ConfigurationError
from revops_analysis.project import Project
from revops_analysis.sources import quarantine, rules
from revops_analysis.sources.convert import convert
from revops_analysis.sources.inputs import Reader, is_present, reader_of, stage_input
from revops_analysis.sources.mapping import Part, prepare_part
from revops_analysis.sources.profile import SourceProfile
from revops_analysis.sources.sample import sample_profile
from revops_analysis.sources.staging import Staging
from revops_analysis.tables.schema import TABLES
from revops_analysis.tables.warehouse import LoadRecord, WarehouseInfo, WarehouseWriter

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many steps are done, and how many there are."""


@dataclass(frozen=True)
class LoadResult:
    """What a load made.

    `counts`: table, read, loaded, collapsed, quarantined, filtered, amount_loaded, amount_quarantined, a row for each
    supplied table; read = loaded + collapsed + quarantined + filtered. Amounts are in the reporting currency at the
    latest rate, null for tables without amounts. `reasons`: table, reason, rows (that have the reason), first_rows
    (whose first reason it is; these add up to quarantined), amount. `notes`: plain sentences on what was left out.
    """

    warehouse: WarehouseInfo
    counts: pd.DataFrame
    reasons: pd.DataFrame
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Job:
    """What stays the same during one load."""

    staging: Staging
    writer: WarehouseWriter
    reader: Reader
    profile: SourceProfile
    definitions: Definitions
    progress: Progress

    @property
    def supplied(self) -> tuple[str, ...]:
        """The tables whose files or database tables are there, in the order of loading."""
        order = ["exchange_rates", *(name for name in TABLES if name != "exchange_rates")]
        return tuple(name for name in order if name in self.profile.tables and self.parts(name))

    def parts(self, name: str) -> list[int]:
        """Numbers of the parts of a table's mapping that are present or must be."""
        mappings = self.profile.tables[name]
        return [n for n, part in enumerate(mappings) if not part.optional or is_present(part, self.reader)]


def load_source(profile: SourceProfile, project: Project, *, progress: Progress | None = None) -> LoadResult:
    """Load a source into a new warehouse file.

    Rows that cannot be used are quarantined with every reason, exact duplicates collapse, rows outside a `where` are
    filtered; all are counted, so that read = loaded + collapsed + quarantined + filtered for each table. Loading equal
    content again gives the same content hash.

    Raises ConfigurationError when the profile does not fit the source: a file, table or column that is not there,
    dates or numbers that can be read in two ways, SQL that is not allowed.
    """
    tell = progress or _silent
    source = sample_profile(profile, project, tell) if profile.kind == "sample" else profile
    definitions = load_definitions(source.definitions_path(project))
    reader = reader_of(source, project)
    with _scratch(project, source.name) as folder, WarehouseWriter(project, source.name) as writer:
        staging = Staging(writer.con.con, folder)
        job = _Job(staging, writer, reader, source, definitions, tell)
        if "opportunities" not in job.supplied:
            raise _no_opportunities(source)
        staging.close_the_outside([*reader.folders, project.warehouse.resolve()])
        rules.create_ledgers(staging)
        quarantine.create_line_ledger(staging)
        tallies = [_load_table(job, name, step, folder) for step, name in enumerate(job.supplied)]
        tell("finish", len(job.supplied), len(job.supplied) + 1)
        counts, reasons = quarantine.counts_frame(tallies), quarantine.reasons_frame(tallies)
        info = writer.commit(_record(source, project, job.supplied, (counts, reasons), folder))
    tell("done", len(job.supplied) + 1, len(job.supplied) + 1)
    return LoadResult(info, counts, reasons, (*_skipped(job), *staging.notes))


def _silent(what: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


@contextmanager
def _scratch(project: Project, source: str) -> Iterator[Path]:
    """A folder beside the warehouse that is gone afterwards."""
    folder = project.warehouse / source / f".staging-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _load_table(job: _Job, name: str, step: int, folder: Path) -> quarantine.Tally:
    job.progress(name, step, len(job.supplied) + 1)
    staging = job.staging
    target = rules.create_converted(staging, name)
    first_file = len(staging.files)
    with staging.written_plainly():
        parts = [_convert_part(job, name, number, target) for number in job.parts(name)]
        quarantine.list_unreadable(staging, name, range(first_file, len(staging.files)))
        numbered = any("change_number" in part.columns for part in parts)
        view = rules.apply_rules(staging, name, job.supplied, numbered=numbered)
    job.writer.insert(name, job.writer.con.table(view, database=("staging", "main")))
    quarantine.write_quarantine(staging, name, parts, folder / "quarantine")
    return quarantine.tally(staging, name, parts, _rates(_through(job.profile)))


def _convert_part(job: _Job, name: str, number: int, target: str) -> Part:
    mapping = job.profile.tables[name][number]
    settings = job.profile.format
    if mapping.format is not None:
        settings = settings.model_copy(update=mapping.format.model_dump(exclude_unset=True))
    relation = stage_input(job.staging, mapping, job.reader, settings, f"tables.{name}")
    if relation.absent:
        staging_note = f"{name}: {relation.label} has no column {', '.join(relation.absent)}; left empty."
        job.staging.notes.append(staging_note)
    part = prepare_part(job.staging, name, mapping, settings, relation)
    convert(job.staging, part, target, job.definitions)
    return part


def _through(profile: SourceProfile) -> date:
    assert profile.data_through is not None  # noqa: S101 - the profile's own check
    return profile.data_through


def _rates(day: date) -> str:
    """Latest rate of each currency; enough for a total that shows how much lies in quarantine."""
    return (
        f"(SELECT currency, arg_max(rate_to_reporting, day) AS rate FROM {rules.WAREHOUSE}.exchange_rates "
        f"WHERE day <= DATE '{day.isoformat()}' GROUP BY currency)"
    )


def _record(
    source: SourceProfile,
    project: Project,
    supplied: Sequence[str],
    frames: tuple[pd.DataFrame, pd.DataFrame],
    folder: Path,
) -> LoadRecord:
    definitions = None
    if source.definitions is not None:
        definitions = os.path.relpath(source.definitions_path(project), project.root)
    return LoadRecord(
        data_through=_through(source),
        supplied_tables=tuple(name for name in TABLES if name in supplied),
        profile_hash=source.hash,
        definitions_file=definitions,
        counts=frames[0],
        reasons=frames[1],
        quarantine=folder / "quarantine",
    )


def _no_opportunities(source: SourceProfile) -> ConfigurationError:
    return ConfigurationError(
        "The source supplies no opportunities, and no report can be made without them.",
        where=f"source {source.name}",
        fix="map a file or table under `tables: opportunities:`",
    )


def _skipped(job: _Job) -> tuple[str, ...]:
    skipped = [
        f"{name}: {part.file or part.table or 'its query'} is not there and was left out."
        for name, parts in job.profile.tables.items()
        for number, part in enumerate(parts)
        if number not in job.parts(name)
    ]
    return tuple(skipped)
