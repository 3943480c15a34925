"""The canonical tables as a menu to browse: names complete on TAB, each with its columns and what they mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from html import escape
from typing import TYPE_CHECKING

from revops_analysis.errors import ConfigurationError, UnknownNameError
from revops_analysis.tables.schema import TABLES, TableSchema

if TYPE_CHECKING:
    import ibis
    import pandas as pd

    from revops_analysis.tables.snapshot import Snapshot

_RULES = {
    "fixed": "fixed when the row is made",
    "event": "dated",
    "history": "rebuilt from changes",
    "derived": "computed as of the day",
    "current": "latest value only",
}


@dataclass(frozen=True, eq=False, repr=False)
class TableEntry:
    """One canonical table of a snapshot: read what its columns mean, or call it for the rows at the end of the day."""

    schema: TableSchema
    snapshot: Snapshot

    def __call__(self) -> ibis.Table:
        """The table as of the day, as `ws.table(name)` returns it."""
        return self.snapshot.table(self.schema.name)

    @property
    def is_supplied(self) -> bool:
        """Whether the source supplied the table, with or without rows."""
        return self.snapshot.has(self.schema.name)

    def to_frame(self) -> pd.DataFrame:
        """A row a column: column, type, known (how its past is known), personal, meaning."""
        import pandas as pd

        rows = [
            {
                "column": column.name,
                "type": column.kind,
                "known": _RULES[column.rule],
                "personal": column.personal,
                "meaning": column.description,
            }
            for column in self.schema.columns
        ]
        return pd.DataFrame(rows)

    def __repr__(self) -> str:
        return (
            f"{self.schema.name}: {self.schema.description} {_supplied(self)} Columns: {', '.join(self.schema.names)}"
        )

    def _repr_html_(self) -> str:
        schema = self.schema
        frame = self.to_frame()
        frame["personal"] = ["masked in reports" if personal else "" for personal in frame["personal"]]
        head = _html_row("th", map(str, frame.columns))
        rows = "".join(_html_row("td", (escape(str(cell)) for cell in row)) for row in frame.itertuples(index=False))
        meaning = f"a row a {escape(schema.grain)}. {escape(schema.description)} {_supplied(self)}"
        return f"<p><b>{schema.name}</b>: {meaning}</p><table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _supplied(entry: TableEntry) -> str:
    return "Supplied by this source." if entry.is_supplied else "Not supplied by this source."


class TablesMenu:
    """Every canonical table, by attribute or key; iterating gives names."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def __getattr__(self, name: str) -> TableEntry:
        if name in TABLES:
            return TableEntry(TABLES[name], self._snapshot)
        raise UnknownNameError(f"There is no table {name}{_near(name)}")

    def __getitem__(self, name: str) -> TableEntry:
        """The table called `name`; ConfigurationError with the nearest names for one that does not exist."""
        if name not in TABLES:
            raise ConfigurationError("No such table.", found=repr(name), fix=_near(name).strip("; "))
        return TableEntry(TABLES[name], self._snapshot)

    def __dir__(self) -> list[str]:
        return sorted([*TABLES, "to_frame"])

    def _ipython_key_completions_(self) -> list[str]:
        return list(TABLES)

    def __iter__(self) -> Iterator[str]:
        return iter(TABLES)

    def __len__(self) -> int:
        return len(TABLES)

    def __contains__(self, name: object) -> bool:
        return name in TABLES

    def to_frame(self) -> pd.DataFrame:
        """A row a table: table, grain, columns (how many), supplied, meaning."""
        import pandas as pd

        rows = [
            {
                "table": schema.name,
                "grain": schema.grain,
                "columns": len(schema.columns),
                "supplied": self._snapshot.has(schema.name),
                "meaning": schema.description,
            }
            for schema in TABLES.values()
        ]
        return pd.DataFrame(rows)

    def __repr__(self) -> str:
        entries = [TableEntry(schema, self._snapshot) for schema in TABLES.values()]
        return "\n".join(f"{entry.schema.name:22} {entry.schema.description} {_supplied(entry)}" for entry in entries)

    def _repr_html_(self) -> str:
        rows = [
            (
                f"<code>{schema.name}</code>",
                escape(schema.grain),
                str(len(schema.columns)),
                "yes" if self._snapshot.has(schema.name) else "no",
                escape(schema.description),
            )
            for schema in TABLES.values()
        ]
        head = _html_row("th", ("Table", "A row a", "Columns", "Supplied", "What"))
        return f"<table><thead>{head}</thead><tbody>{''.join(_html_row('td', row) for row in rows)}</tbody></table>"


def _html_row(kind: str, cells: Iterable[str]) -> str:
    """Cells of HTML, to the left: JupyterLab sets tables to the right."""
    written = "".join(f'<{kind} style="text-align:left">{cell}</{kind}>' for cell in cells)
    return f"<tr>{written}</tr>"


def _near(name: str) -> str:
    near = get_close_matches(name, TABLES, n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(near)}?" if near else f"; there are {', '.join(TABLES)}"
