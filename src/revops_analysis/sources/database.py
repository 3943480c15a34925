"""Tables of a database, reached through any Ibis URL, into the staging area."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from revops_analysis.errors import ConfigurationError, UnreachableError
from revops_analysis.project import Project
from revops_analysis.sources.near import near
from revops_analysis.sources.profile import Format, SourceProfile
from revops_analysis.sources.staging import Relation, Staging, literal, quoted

_BATCH = 100_000


class Database:
    """A database that tables are read from, never written to.

    `duckdb://file` is attached read-only, `sqlite://file` is read as text (its columns hold what they like), and
    everything else goes through Ibis in batches, so that a table need not fit into memory.
    """

    def __init__(self, profile: SourceProfile, project: Project) -> None:
        self._name = profile.name
        self._url = profile.resolved_url()
        self._scheme = self._url.split("://", 1)[0].lower()
        if "://" not in self._url:
            raise ConfigurationError(
                "The url of a database profile is none.",
                expected="an Ibis URL such as duckdb://crm.duckdb, sqlite://crm.db, postgres://user:${PASSWORD}@host/name",
                where=f"source {profile.name}",
                fix="correct `url:`",
            )
        self._file = self._local_file(profile, project) if self._scheme in ("duckdb", "sqlite") else None
        self._backend: Any = None
        self._attached = False

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folder that the engine must be able to reach: that of a DuckDB file."""
        return () if self._file is None else (self._file.parent,)

    def has(self, table: str) -> bool:
        """Whether the database has this table or view."""
        schema, name = _split(table)
        return name in self._tables(schema)

    def stage(self, staging: Staging, table: str, settings: Format) -> Relation:
        """Copy a table into the staging area.

        Raises ConfigurationError, with near names, for a table that does not exist.
        """
        del settings  # a database says itself how its values are written
        schema, name = _split(table)
        known = self._tables(schema)
        if name not in known:
            raise ConfigurationError(
                f"The database has no table {table}{near(name, known)}.",
                where=f"source {self._name}",
                fix="correct the name, or add `optional: true` if the table may be absent",
            )
        target = staging.new_table("table")
        if self._scheme == "duckdb":
            self._attach(staging)
            place = f"source_database.{quoted(schema or 'main')}.{quoted(name)}"
            staging.execute(f"CREATE TABLE {target} AS SELECT * FROM {place}")
        else:
            staging.register("batches", self._batches(schema, name))
            staging.execute(f"CREATE TABLE {target} AS SELECT * FROM batches")
            staging.unregister("batches")
        return staging.number_rows(target, f"table {table}", "rowid + 1")

    def _tables(self, schema: str | None) -> list[str]:
        if self._scheme == "sqlite":
            with closing(self._sqlite()) as con:
                found = con.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')").fetchall()
            return [name for (name,) in found]
        found = self._connect().list_tables(database=schema)
        if self._scheme == "duckdb":
            self._disconnect()
        return list(found)

    def _connect(self) -> Any:
        import ibis

        if self._backend is None:
            try:
                if self._file is not None:
                    self._backend = ibis.duckdb.connect(self._file, read_only=True)
                else:
                    self._backend = ibis.connect(self._url)
            except Exception as error:  # each driver raises its own kinds; none may show the secret
                raise UnreachableError(
                    "The database cannot be reached.",
                    found=self._without_secret(error),
                    where=f"source {self._name}",
                    fix="check the url and the environment variables it names",
                ) from None
        return self._backend

    def _disconnect(self) -> None:
        if self._backend is not None:
            self._backend.disconnect()
            self._backend = None

    def _without_secret(self, error: Exception) -> str:
        """What the driver said, with every part of the URL that could be a secret left out."""
        from urllib.parse import unquote, urlsplit

        text = f"{type(error).__name__}: {' '.join(str(error).split())}"
        parts = urlsplit(self._url)
        secrets = [self._url, parts.password or "", unquote(parts.password or ""), parts.query]
        for secret in sorted((secret for secret in secrets if secret), key=len, reverse=True):
            text = text.replace(secret, "…")
        return text[:300]

    def _batches(self, schema: str | None, name: str) -> Any:
        import pyarrow as pa

        if self._scheme == "sqlite":
            columns = self._sqlite_columns(name)
            layout = pa.schema([(column, pa.string()) for column in columns])
            return pa.RecordBatchReader.from_batches(layout, self._sqlite_batches(name, columns, layout))
        table = self._connect().table(name, database=schema)
        return table.to_pyarrow_batches(chunk_size=_BATCH)

    def _sqlite(self) -> sqlite3.Connection:
        return sqlite3.connect(f"{Path(str(self._file)).as_uri()}?mode=ro", uri=True)

    def _sqlite_columns(self, name: str) -> list[str]:
        with closing(self._sqlite()) as con:
            return [row[1] for row in con.execute(f"PRAGMA table_info({quoted(name)})")]

    def _sqlite_batches(self, name: str, columns: list[str], layout: Any) -> Iterator[Any]:
        """All values as text: a column of SQLite may hold text in one row and a number in the next."""
        import pyarrow as pa

        texts = ", ".join(f"CAST({quoted(column)} AS TEXT)" for column in columns)
        with closing(self._sqlite()) as con:
            cursor = con.execute(f"SELECT {texts} FROM {quoted(name)}")
            while rows := cursor.fetchmany(_BATCH):
                yield pa.RecordBatch.from_arrays(
                    [pa.array(c, pa.string()) for c in zip(*rows, strict=True)], schema=layout
                )

    def _attach(self, staging: Staging) -> None:
        if not self._attached:
            staging.execute(f"ATTACH {literal(self._file)} AS source_database (READ_ONLY)")
            self._attached = True

    def _local_file(self, profile: SourceProfile, project: Project) -> Path:
        written = Path(self._url.split("://", 1)[1].split("?", 1)[0])
        bases = [profile.path.parent if profile.path else project.root, project.root]
        for base in bases:
            if (base / written).is_file():
                return (base / written).resolve()
        raise ConfigurationError(
            "The database file does not exist.",
            found=str(written),
            where=f"source {profile.name}",
            fix="write its path relative to the profile or the project",
        )


def _split(table: str) -> tuple[str | None, str]:
    schema, _, name = table.rpartition(".")
    return schema or None, name
