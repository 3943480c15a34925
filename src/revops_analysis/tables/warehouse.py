"""The warehouse: one DuckDB file a load, written aside, named by what it holds, read by many and altered by none.

A load lands in `warehouse/<source>/<content-hash>.duckdb`. The file holds every canonical table (empty where the
source supplies none), the prepared `_opportunity_states` (see `states`), and three small tables about itself:

- `_meta` (key, value): source, content_hash, data_through, supplied_tables, profile_hash, definitions_file …
- `_load_counts` (table, read, loaded, collapsed, quarantined, filtered, amount_loaded, amount_quarantined)
- `_quarantine_reasons` (table, reason, rows, amount)

Beside it lie the quarantined rows, `<content-hash>.quarantine/<table>.parquet`. Which load is the latest is known from
`warehouse/state.sqlite`, table `load_log`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import shutil
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import ibis
import pandas as pd

from revops_analysis.errors import ConfigurationError
from revops_analysis.project import Project
from revops_analysis.tables.load_log import enter_load, load_log
from revops_analysis.tables.memory import engine_mb
from revops_analysis.tables.schema import TABLES
from revops_analysis.tables.states import STATES, opportunity_states

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend as DuckDB

CATALOG = "warehouse"
"""Name under which a warehouse file is attached to a connection."""

COUNT_TYPES = {
    "table": "string",
    "read": "int64",
    "loaded": "int64",
    "collapsed": "int64",
    "quarantined": "int64",
    "filtered": "int64",
    "amount_loaded": "decimal(38, 2)",
    "amount_quarantined": "decimal(38, 2)",
}
"""Columns of `_load_counts`, a row a table; `read` = `loaded` + `collapsed` + `quarantined` + `filtered`."""

REASON_TYPES = {"table": "string", "reason": "string", "rows": "int64", "amount": "decimal(38, 2)"}
"""Columns of `_quarantine_reasons`; a row with two reasons counts under both."""

_HASH_DIGITS = 16


@dataclass(frozen=True)
class WarehouseInfo:
    """What one load is: where it lies, what it came from and what it holds.

    `data_through` is the last day that the source covers completely: no workspace may look later. `supplied_tables`
    are the canonical tables that the source supplied, also when it supplied no rows. `definitions_file` is the
    source's own definitions, if its profile names one. `path` is None for tables that lie in another engine.
    """

    source: str
    content_hash: str
    data_through: dt.date
    supplied_tables: tuple[str, ...]
    path: Path | None = None
    profile_hash: str = ""
    definitions_file: str | None = None
    extra: tuple[tuple[str, str], ...] = ()

    @property
    def has_history(self) -> bool:
        """Whether the source supplied `opportunity_history`."""
        return "opportunity_history" in self.supplied_tables

    @property
    def cut(self) -> str:
        """Which part of the company this load holds alone, as `region = EMEA`; empty: all of it (see `cut`)."""
        return dict(self.extra).get("cut", "")

    @property
    def withheld(self) -> dict[str, str]:
        """Of a cut: tables that the source supplies and the cut leaves out, each with the reason."""
        found: dict[str, str] = json.loads(dict(self.extra).get("withheld", "{}"))
        return found

    @property
    def quarantine(self) -> Path | None:
        """Folder of the rows that could not be used, `<table>.parquet` each; it exists only if there were any."""
        return None if self.path is None else self.path.with_suffix(".quarantine")


@dataclass(frozen=True)
class LoadRecord:
    """What the writer is told about a load when it is finished.

    `counts` and `reasons` have the columns of `COUNT_TYPES` and `REASON_TYPES` (missing columns become null);
    `quarantine` is a folder of Parquet files, moved beside the warehouse. A `derived` load is made from another one:
    it is not entered in the load log, so it is never the latest, and `extra` is part of what it is.
    """

    data_through: dt.date
    supplied_tables: tuple[str, ...]
    profile_hash: str = ""
    definitions_file: str | None = None
    counts: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(COUNT_TYPES)))
    reasons: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(REASON_TYPES)))
    quarantine: Path | None = None
    extra: tuple[tuple[str, str], ...] = ()
    derived: bool = False


def connect(spill_beside: Path | None = None) -> DuckDB:
    """Return an in-memory DuckDB connection with bounded memory (see `memory`).

    What does not fit spills into a folder of this connection's own, made on demand in `spill_beside`.
    """
    # Merging nested selects is a quarter of the work of translating an expression, and the engine does it anyway.
    ibis.options.sql.fuse_selects = False
    con = ibis.duckdb.connect()
    con.raw_sql(f"SET memory_limit = '{engine_mb()}MB'")
    # Where it is off already, a notebook without ipywidgets refuses even to switch it off.
    if con.raw_sql("SELECT current_setting('enable_progress_bar')").fetchone()[0]:
        con.raw_sql("SET enable_progress_bar = false")
    if spill_beside is not None:
        spill = spill_beside / f".spill-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        con.raw_sql(f"SET temp_directory = {_quoted(str(spill))}")
    return con


def create_tables(con: Any, database: Any = None) -> None:
    """Create every canonical table, empty, on any Ibis backend."""
    for schema in TABLES.values():
        con.create_table(schema.name, schema=ibis.schema(schema.ibis_types()), database=database)


class WarehouseWriter:
    """Writes one load aside and, when all of it is there, gives it its name.

    Use it as a context manager. `con` is an in-memory DuckDB connection (Ibis) in which rows can be staged;
    `insert(table, rows)` copies into the file; `commit(record)` computes the content hash, writes what is known about
    the load, and renames. Without `commit`, or after an error, nothing remains.

    >>> import tempfile
    >>> project = Project(Path(tempfile.mkdtemp()))
    >>> with WarehouseWriter(project, "tiny") as writer:
    ...     writer.insert("users", ibis.memtable({"user_id": ["u1"], "name": ["Ada"]}))
    ...     info = writer.commit(LoadRecord(dt.date(2026, 9, 30), ("users",)))
    >>> find_warehouse(project, "tiny", info.content_hash) == latest_warehouse(project, "tiny") == info
    True
    """

    def __init__(self, project: Project, source: str) -> None:
        self.project = project
        self.source = source
        self.folder = project.warehouse / source

    def __enter__(self) -> WarehouseWriter:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._aside = self.folder / f".writing-{os.getpid()}-{uuid.uuid4().hex[:8]}.duckdb"
        self.con = connect(self.folder)
        self.con.attach(self._aside, name=CATALOG)
        create_tables(self.con, database=(CATALOG, "main"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.con.disconnect()
        for leftover in self.folder.glob(f"{self._aside.name}*"):
            leftover.unlink()

    def insert(self, name: str, rows: ibis.Table) -> None:
        """Append `rows`, an Ibis table of `con` or an `ibis.memtable`, to the canonical table `name`.

        Columns are matched by name and cast to the canonical types; columns that are not given become null.

        Raises ConfigurationError for a column that the canonical table does not have.
        """
        target = ibis.schema(TABLES[name].ibis_types())
        unknown = sorted(set(rows.columns) - set(target.names))
        if unknown:
            raise ConfigurationError(
                f"Columns that the table {name} does not have.",
                expected=", ".join(target.names),
                found=", ".join(unknown),
                fix="map them to a canonical column, or leave them out of the mapping",
            )
        shaped = rows.select(
            **{
                column: rows[column].cast(kind) if column in rows.columns else ibis.null(kind)
                for column, kind in target.items()
            }
        )
        self.con.insert(name, shaped, database=(CATALOG, "main"))

    def commit(self, record: LoadRecord) -> WarehouseInfo:
        """Finish the file, name it after its content, enter it in the load log, and return what it is."""
        where = (CATALOG, "main")
        self._write_frame("_load_counts", record.counts, COUNT_TYPES)
        self._write_frame("_quarantine_reasons", record.reasons, REASON_TYPES)
        if "opportunity_history" in record.supplied_tables:
            states = opportunity_states(self.con.table("opportunity_history", database=where))
            self.con.create_table(STATES, states, database=where)
        digest = content_hash(self.con, record)
        info = WarehouseInfo(
            source=self.source,
            content_hash=digest,
            data_through=record.data_through,
            supplied_tables=tuple(name for name in TABLES if name in record.supplied_tables),
            path=self.folder / f"{digest}.duckdb",
            profile_hash=record.profile_hash,
            definitions_file=record.definitions_file,
            extra=record.extra,
        )
        self._write_frame("_meta", _meta_frame(info), {"key": "string", "value": "string"})
        self.con.raw_sql(f"CHECKPOINT {CATALOG}")
        self.con.raw_sql(f"DETACH {CATALOG}")
        _take_place(record.quarantine, info.quarantine)
        self._aside.replace(self.folder / f"{digest}.duckdb")
        if not record.derived:
            enter_load(self.project, info.source, info.content_hash, info.data_through)
        return info

    def _write_frame(self, name: str, frame: pd.DataFrame, types: dict[str, str]) -> None:
        where = (CATALOG, "main")
        self.con.create_table(name, schema=ibis.schema(types), database=where)
        if len(frame):
            complete = frame.reindex(columns=list(types)).astype(object)
            rows = complete.where(complete.notna(), None)
            table = ibis.memtable(
                {column: [_plain(value) for value in rows[column]] for column in types},
                schema=ibis.schema(dict.fromkeys(types, "string")),
            )
            self.con.insert(name, table.cast(types).order_by(list(types)[:2]), database=where)


def content_hash(con: DuckDB, record: LoadRecord) -> str:
    """Return the hash of a load: equal for equal content, whatever the order of its rows.

    Per table: the number of rows and the sum of the first 64 bits of the MD5 of each row, written as a JSON list so
    that no two different rows read alike. Together with the day the data goes through, the supplied tables and the
    quarantine counts these are hashed with SHA-256; the first 16 hexadecimal digits name the load.
    """
    parts = [f"data_through={record.data_through.isoformat()}", f"supplied={sorted(record.supplied_tables)}"]
    parts += [f"extra={record.extra}"] if record.derived else []
    names = [*TABLES, "_load_counts", "_quarantine_reasons"]
    for name in names:
        columns = TABLES[name].names if name in TABLES else tuple(_INTERNAL[name])
        parts.append(f"{name}={_multiset_hash(con, name, columns)}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:_HASH_DIGITS]


_INTERNAL = {"_load_counts": COUNT_TYPES, "_quarantine_reasons": REASON_TYPES}


def _multiset_hash(con: DuckDB, name: str, columns: tuple[str, ...]) -> str:
    texts = ", ".join(f'"{column}"::VARCHAR' for column in columns)
    statement = f'SELECT count(*), sum(md5_number_lower(to_json([{texts}]))) FROM {CATALOG}.main."{name}"'
    found = con.raw_sql(statement).fetchone()
    return f"{found[0]}:{found[1]}"


def latest_warehouse(project: Project, source: str) -> WarehouseInfo | None:
    """Return the load of `source` that was made last and still exists; None when it was never loaded."""
    for digest in load_log(project, source):
        path = project.warehouse / source / f"{digest}.duckdb"
        if path.is_file():
            return read_info(path)
    return None


def previous_warehouse(project: Project, info: WarehouseInfo) -> WarehouseInfo | None:
    """Return the load of the same source made before `info` with other content; None when there is none.

    Loads made after `info` are no earlier ones, so a report on an old load is compared with what came before it. A load
    that is not in the log has nothing before it.
    """
    log = load_log(project, info.source)
    made = log.index(info.content_hash) if info.content_hash in log else len(log)
    for digest in log[made + 1 :]:
        path = project.warehouse / info.source / f"{digest}.duckdb"
        if digest != info.content_hash and path.is_file():
            return read_info(path)
    return None


def find_warehouse(project: Project, source: str, content_hash: str) -> WarehouseInfo:
    """Return the load of `source` whose content hash is, or begins with, `content_hash`.

    Raises ConfigurationError when there is none, or when a shortened hash fits several.
    """
    folder = project.warehouse / source
    loads = sorted(folder.glob("[!.]*.duckdb"))
    found = [path for path in loads if content_hash and path.stem.startswith(content_hash)]
    if len(found) != 1:
        known = ", ".join(path.stem for path in loads) or "none"
        raise ConfigurationError(
            f"No load of {source} is identified by the data hash {content_hash!r}."
            if not found
            else f"The data hash {content_hash!r} fits {len(found)} loads of {source}.",
            expected="the data hash of one load",
            found=f"loads that exist: {known}",
            where=f"warehouse/{source}",
            fix=f"give one of these hashes, or none for the latest load; `revops load {source}` makes a new one",
        )
    return read_info(found[0])


def read_info(path: Path) -> WarehouseInfo:
    """Read what a warehouse file says about itself.

    Raises ConfigurationError when the file is not a finished warehouse.
    """
    con = connect()
    try:
        con.attach(path, name=CATALOG, read_only=True)
        if "_meta" not in con.list_tables(database=(CATALOG, "main")):
            raise ConfigurationError(
                "Not a finished warehouse.",
                found=path.name,
                expected="a file made by `revops load`",
                fix="load the source again",
            )
        meta = dict(con.raw_sql(f"SELECT key, value FROM {CATALOG}.main._meta").fetchall())
    finally:
        con.disconnect()
    return WarehouseInfo(
        source=meta["source"],
        content_hash=meta["content_hash"],
        data_through=dt.date.fromisoformat(meta["data_through"]),
        supplied_tables=tuple(json.loads(meta["supplied_tables"])),
        path=path,
        profile_hash=meta["profile_hash"],
        definitions_file=meta["definitions_file"] or None,
        extra=tuple((key, value) for key, value in json.loads(meta["extra"])),
    )


def attach(info: WarehouseInfo) -> DuckDB:
    """Return an in-memory connection to which the load is attached, read-only, as `warehouse`."""
    if info.path is None or not info.path.is_file():
        raise ConfigurationError(
            f"The data of {info.source} is not there.",
            expected=f"a warehouse file for the data hash {info.content_hash}",
            fix=f"revops load {info.source}",
        )
    con = connect(info.path.parent)
    con.attach(info.path, name=CATALOG, read_only=True)
    return con


def load_counts(info: WarehouseInfo) -> pd.DataFrame:
    """Return the rows read, loaded, collapsed and quarantined of each table (columns of `COUNT_TYPES`)."""
    return _internal_frame(info, "_load_counts")


def quarantine_reasons(info: WarehouseInfo) -> pd.DataFrame:
    """Return how many rows were quarantined for which reason (columns of `REASON_TYPES`)."""
    return _internal_frame(info, "_quarantine_reasons")


def _internal_frame(info: WarehouseInfo, name: str) -> pd.DataFrame:
    con = attach(info)
    try:
        table = con.table(name, database=(CATALOG, "main"))
        return table.order_by(table.columns[:2]).to_pandas()
    finally:
        con.disconnect()


def _meta_frame(info: WarehouseInfo) -> pd.DataFrame:
    meta = {
        "source": info.source,
        "content_hash": info.content_hash,
        "data_through": info.data_through.isoformat(),
        "supplied_tables": json.dumps(list(info.supplied_tables)),
        "has_history": json.dumps(info.has_history),
        "profile_hash": info.profile_hash,
        "definitions_file": info.definitions_file or "",
        "extra": json.dumps([list(pair) for pair in info.extra]),
    }
    return pd.DataFrame({"key": list(meta), "value": list(meta.values())})


def _take_place(aside: Path | None, place: Path | None) -> None:
    """Put the quarantine folder where it belongs, in the place of the one of an earlier load of the same content."""
    if place is not None and place.exists():
        shutil.rmtree(place)
    if aside is not None and place is not None and aside.is_dir() and any(aside.iterdir()):
        shutil.move(aside, place)


def _plain(value: Any) -> str | None:
    if value is None:
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
