"""Files into the staging area: text (CSV, TSV), Parquet and Excel. Text stays text; nothing is converted here."""

from __future__ import annotations

from dataclasses import dataclass
from glob import has_magic
from pathlib import Path, PurePosixPath

from revops_analysis.errors import ConfigurationError
from revops_analysis.paths import stay_inside
from revops_analysis.sources.near import near
from revops_analysis.sources.profile import Format
from revops_analysis.sources.staging import Relation, Staging, literal, quoted
from revops_analysis.sources.text_files import prepare_text

_TEXT = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz")
_PARQUET = (".parquet", ".pq")
_EXCEL = (".xlsx", ".xlsm")
READABLE = (*_TEXT, *_PARQUET, *_EXCEL)
"""Endings of the files that can be read."""


@dataclass(frozen=True)
class FileSource:
    """A folder from which files are read."""

    root: Path
    where: str

    def find(self, pattern: str) -> tuple[Path, ...]:
        """Files below the root that fit a name or a pattern, sorted by name; empty when there are none.

        A pattern stays below the root: an absolute one, one with `..`, or a link that leads out of the root raises
        ConfigurationError.
        """
        parts = PurePosixPath(pattern.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts:
            raise ConfigurationError(
                "A file of a profile lies outside its root.",
                expected="a name or pattern below the root, without `..`",
                found=pattern,
                where=self.where,
                fix="set `root:` to the folder that holds all files",
            )
        exact = self.root / pattern
        one = exact.is_file() or not has_magic(pattern)
        found = [exact] if one else sorted(self.root.glob(pattern))
        files = [path for path in found if path.is_file()]
        for path in files:
            stay_inside(path, self.root, f"A file of {self.where}")
        return tuple(files)

    def require(self, pattern: str) -> tuple[Path, ...]:
        """Like `find`; raises ConfigurationError, with near names, when nothing fits."""
        found = self.find(pattern)
        if not found:
            names = sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file())
            raise ConfigurationError(
                f"There is no file {pattern}{near(pattern, names)}.",
                where=f"{self.where}, root {self.root}",
                fix="correct the name, or add `optional: true` if the table may be absent",
            )
        return found


def stage_files(staging: Staging, source: FileSource, pattern: str, settings: Format) -> Relation:
    """Read all files that fit `pattern` into the staging area, as one relation.

    Rows are numbered as a spreadsheet does: the row after the column names of a text file is 2. Rows of Parquet files
    count from 1. Raises ConfigurationError for files that are absent, empty, or that cannot be read unambiguously.
    """
    files = source.require(pattern)
    return staging.together([_stage_file(staging, source, path, settings) for path in files])


def _stage_file(staging: Staging, source: FileSource, path: Path, settings: Format) -> Relation:
    label = path.relative_to(source.root).as_posix()
    name = path.name.lower()
    if name.endswith(_PARQUET):
        return _stage_parquet(staging, path, label)
    if name.endswith(_EXCEL):
        return _stage_excel(staging, path, label, settings)
    if name.endswith(_TEXT):
        return _stage_text(staging, path, label, settings)
    raise ConfigurationError(
        f"Files of this kind cannot be read: {path.name}.",
        expected=f"one of {', '.join(READABLE)}",
        where=source.where,
        fix="export it as CSV, Parquet or Excel",
    )


def _safe_name(staging: Staging, path: Path) -> str:
    """A path that the engine does not take for a pattern, for files called `deals [1].parquet`."""
    if not has_magic(str(path)):
        return literal(path)
    link = staging.folder / f"link-{len(staging.files)}{''.join(path.suffixes[-2:])}"
    link.symlink_to(path.resolve())
    return literal(link)


def _stage_parquet(staging: Staging, path: Path, label: str) -> Relation:
    source = f"read_parquet({_safe_name(staging, path)}, file_row_number = true)"
    relation = staging.number_rows(source, label, "file_row_number + 1")
    return Relation(relation.name, {k: v for k, v in relation.columns.items() if k != "file_row_number"}, label)


def _stage_text(staging: Staging, path: Path, label: str, settings: Format) -> Relation:
    text = prepare_text(path, settings, staging.folder / f"text-{len(staging.files)}.csv")
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in text.columns)
    options = {
        "auto_detect": "false",
        "header": "true",
        "skip": str(settings.header_row - 1),
        "delim": literal(text.separator),
        "quote": literal(settings.quote),
        "escape": literal(settings.quote),
        "columns": f"{{{columns}}}",
        "store_rejects": "true",
        "ignore_errors": "true",
        "rejects_table": "'rejected_lines'",
        "rejects_scan": "'rejected_scans'",
    }
    if path.suffix == ".gz" and text.path == path:
        options["compression"] = "'gzip'"
    table = staging.new_table("text")
    reading = f"read_csv({_safe_name(staging, text.path)}, {', '.join(f'{k} = {v}' for k, v in options.items())})"
    staging.execute(f"CREATE TABLE {table} AS SELECT * FROM {reading}")
    offsets = _take_rejects(staging, label, settings)
    if offsets is None:
        return staging.number_rows(table, label, f"rowid + {settings.header_row + 1}")
    numbered = (
        f"(SELECT t.*, t.rowid + {settings.header_row + 1} + coalesce(o.before, 0) AS __number FROM {table} t "
        f"ASOF LEFT JOIN {offsets} o ON t.rowid >= o.place)"
    )
    view = staging.new_table("text")
    staging.execute(f"CREATE TABLE {view} AS SELECT * FROM {numbered} ORDER BY __number")
    relation = staging.number_rows(view, label, "__number")
    return Relation(relation.name, {k: v for k, v in relation.columns.items() if k != "__number"}, label)


def _take_rejects(staging: Staging, label: str, settings: Format) -> str | None:
    """Keep the lines that could not be split, and return the table that says how far they shift later rows."""
    # A line with several faults is listed once for each; its number counts records, column names included.
    lines = (
        "SELECT line, any_value(csv_line) AS csv_line, string_agg(DISTINCT error_type::VARCHAR, ', ') AS kinds, "
        "row_number() OVER (ORDER BY line) AS place FROM rejected_lines GROUP BY line"
    )
    if not staging.value("SELECT count(*) FROM rejected_lines"):
        staging.execute("DROP TABLE rejected_lines; DROP TABLE rejected_scans")
        return None
    _refuse_open_quote(staging, label, settings)
    file = len(staging.files)
    staging.execute(
        f"INSERT INTO {staging.table('unreadable')} SELECT {file}, line, trim(csv_line, E'\\r\\n'), "
        f"'line: ' || replace(lower(kinds), '_', ' ') FROM ({lines})"
    )
    offsets = staging.new_table("offsets")
    staging.execute(
        f"CREATE TABLE {offsets} AS SELECT line - {settings.header_row} - place AS place, max(place) AS before "
        f"FROM ({lines}) l GROUP BY 1"
    )
    staging.execute("DROP TABLE rejected_lines; DROP TABLE rejected_scans")
    return offsets


def _refuse_open_quote(staging: Staging, label: str, settings: Format) -> None:
    """A quote that is opened and never closed swallows the rows after it: nobody knows how many are lost."""
    found = staging.rows(
        "SELECT line, csv_line FROM rejected_lines WHERE error_type = 'UNQUOTED VALUE' "
        "AND contains(trim(csv_line, E'\\r\\n'), E'\\n') ORDER BY line LIMIT 1"
    )
    if found:
        line, text = found[0]
        raise ConfigurationError(
            "A quote is opened and not closed, so that rows run into each other.",
            found=str(text).strip().splitlines()[0][:120],
            where=f"{label} row {line}",
            fix=f"correct the quote {settings.quote} in that row, or, where quotes are plain characters in this file, "
            'add `format: {quote: ""}` to the table',
        )


def _stage_excel(staging: Staging, path: Path, label: str, settings: Format) -> Relation:
    import pyarrow as pa

    from revops_analysis.sources.excel import read_sheet

    frame = read_sheet(path, settings)
    columns = {name: pa.array(frame[name].tolist(), type=pa.string()) for name in frame.columns}
    staging.register("sheet", pa.table(columns))
    table = staging.new_table("sheet")
    names = ", ".join(quoted(name) for name in frame.columns)
    staging.execute(f"CREATE TABLE {table} AS SELECT {names} FROM sheet")
    staging.unregister("sheet")
    return staging.number_rows(table, label, f"rowid + {settings.header_row + 1}")
