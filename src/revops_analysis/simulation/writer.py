"""Straight to Parquet, a block at a time: memory does not grow with the scale."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.parquet as pq


class TableWriter:
    """Writes tables of a folder, each to `<name>.parquet`; every call of `write` adds one row group.

    Row groups are blocks, so the bytes depend on the options alone. Use as a context manager.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[str, pq.ParquetWriter] = {}
        self.rows: dict[str, int] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in self._writers.values():
            writer.close()

    def write(self, tables: Mapping[str, pa.Table]) -> None:
        """Append each table to its file."""
        for name, table in tables.items():
            if name not in self._writers:
                path = self._folder / f"{name}.parquet"
                self._writers[name] = pq.ParquetWriter(path, table.schema, compression="snappy")
                self.rows[name] = 0
            self._writers[name].write_table(table, row_group_size=max(table.num_rows, 1))
            self.rows[name] += table.num_rows
