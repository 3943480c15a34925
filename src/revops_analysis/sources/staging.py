"""The staging area: raw inputs as they came, in a scratch database beside the warehouse."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from revops_analysis.errors import ConfigurationError

CATALOG = "staging"
OWN_COLUMNS = ("__rid", "__file", "__row")
"""Added to every input: a number that orders all rows of a load, the number of the file, and the row in it."""

_ROWS_BITS = 40


def quoted(name: str) -> str:
    """Return `name` as a quoted SQL identifier.

    >>> quoted('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


def literal(text: object) -> str:
    """Return `text` as a quoted SQL text.

    >>> literal("it's")
    "'it''s'"
    """
    return "'" + str(text).replace("'", "''") + "'"


@dataclass(frozen=True)
class Relation:
    """One input in the engine: the SQL name of its table or view, and its columns with their types in the engine.

    `label` names it for people; `absent` are columns that the mapping names, the input lacks, and that are null here.
    """

    name: str
    columns: dict[str, str]
    label: str
    absent: tuple[str, ...] = ()


class Staging:
    """The scratch database of one load, on a DuckDB connection.

    `files` are the labels of the inputs, in the order in which they were read; the column `__file` counts from 0.
    Lines that could not be split into columns stand in the table `unreadable` (file, row, line, reason).
    """

    def __init__(self, connection: Any, folder: Path) -> None:
        self._connection = connection
        self.folder = folder
        self.files: list[str] = []
        self.notes: list[str] = []
        self._names = 0
        self.execute("SET TimeZone = 'UTC'")
        self.execute(f"ATTACH {literal(folder / 'staging.duckdb')} AS {CATALOG}")
        self.execute(
            f"CREATE TABLE {self.table('unreadable')} (file INTEGER, row BIGINT, line VARCHAR, reason VARCHAR)"
        )

    def execute(self, statement: str, values: Sequence[object] = ()) -> Any:
        """Run a statement with bound values."""
        return self._connection.execute(statement, list(values))

    def run(self, statement: str, where: str) -> None:
        """Run SQL that holds a profile's own expressions; what the engine says against it gets its place."""
        try:
            self.execute(statement)
        except duckdb.Error as error:
            said = " ".join(str(error).split("LINE 1:")[0].split())[:400]
            fails_on_a_row = isinstance(error, duckdb.ConversionException)
            raise ConfigurationError(
                "SQL of the profile failed.",
                found=said,
                where=where,
                fix="use try_cast where a value may not be readable" if fails_on_a_row else "correct the SQL",
            ) from error

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run a query and return its (few) rows."""
        found: list[tuple[Any, ...]] = self.execute(statement, values).fetchall()
        return found

    def value(self, statement: str, values: Sequence[object] = ()) -> Any:
        """Run a query and return the single value it gives."""
        return self.rows(statement, values)[0][0]

    def register(self, name: str, batches: Any) -> None:
        """Let the engine read Arrow data under `name`."""
        self._connection.register(name, batches)

    def unregister(self, name: str) -> None:
        """Forget a registered name."""
        self._connection.unregister(name)

    def table(self, name: str) -> str:
        """The quoted full name of a table of this area."""
        return f"{CATALOG}.main.{quoted(name)}"

    def new_table(self, prefix: str) -> str:
        """A quoted full name that nothing else uses."""
        self._names += 1
        return self.table(f"{prefix}_{self._names}")

    def add_file(self, label: str) -> int:
        """Enter an input and return its number."""
        self.files.append(label)
        return len(self.files) - 1

    def describe(self, relation: str) -> dict[str, str]:
        """Columns of a relation or of a query in brackets, with their types, own columns left out."""
        found = self.rows(f"DESCRIBE SELECT * FROM {relation}")
        return {name: kind for name, kind, *_ in found if name not in OWN_COLUMNS}

    def number_rows(self, source: str, label: str, row: str) -> Relation:
        """A view on `source` with the three own columns; `row` is the SQL expression of the row number."""
        file = self.add_file(label)
        view = self.new_table("input")
        self.execute(
            f"CREATE VIEW {view} AS SELECT {file}::BIGINT * {1 << _ROWS_BITS} + ({row}) AS __rid, "
            f"{file} AS __file, ({row})::BIGINT AS __row, * FROM {source}"
        )
        return Relation(view, self.describe(view), label)

    def together(self, relations: Iterable[Relation]) -> Relation:
        """One relation over several with like columns, matched by name; a column that one lacks is null there."""
        parts = list(relations)
        if len(parts) == 1:
            return parts[0]
        view = self.new_table("input")
        union = " UNION ALL BY NAME ".join(f"SELECT * FROM {part.name}" for part in parts)
        self.execute(f"CREATE VIEW {view} AS {union}")
        return Relation(view, self.describe(view), ", ".join(part.label for part in parts))

    @contextmanager
    def written_plainly(self) -> Iterator[None]:
        """While staging: write without compressing, which takes a third of the time; the warehouse is compressed."""
        self.execute("PRAGMA force_compression = 'uncompressed'")
        try:
            yield
        finally:
            self.execute("PRAGMA force_compression = 'auto'")

    def close_the_outside(self, folders: Iterable[Path]) -> None:
        """From here on the engine can reach these folders and nothing else, whatever an expression asks for."""
        allowed = ", ".join(literal(f"{folder}/") for folder in [self.folder, *folders])
        self.execute(f"SET allowed_directories = [{allowed}]")
        self.execute("SET enable_external_access = false")
