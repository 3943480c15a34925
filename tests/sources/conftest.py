"""A small project in a temporary folder, and sources made of a few lines of text."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

from revops_analysis.project import Project
from revops_analysis.sources.load import LoadResult, load_source
from revops_analysis.sources.profile import load_profile
from revops_analysis.tables.warehouse import attach


class SourceLab:
    """Writes files and a profile, loads them, and looks at what came of it."""

    def __init__(self, root: Path) -> None:
        self.project = Project(root)
        self.data = root / "data"
        self.data.mkdir()
        self.profiles = root / "params" / "sources"

    def write(self, files: dict[str, str | bytes]) -> None:
        for name, content in files.items():
            path = self.data / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def profile(self, name: str = "crm", /, **settings: object) -> Path:
        settings = {"kind": "files", "root": "data", "data_through": "2026-09-30", **settings}
        path = self.profiles / f"{name}.yml"
        with path.open("w") as file:
            YAML(typ="safe", pure=True).dump({k: v for k, v in settings.items() if v is not None}, file)
        return path

    def load(self, name: str = "crm") -> LoadResult:
        return load_source(load_profile(name, self.project), self.project)

    def deals(self, text: str | bytes, /, **mapping: object) -> LoadResult:
        """Load one file of deals whose columns bear canonical names, unless `mapping` says otherwise."""
        self.write({"deals.csv": text})
        self.profile(tables={"opportunities": {"file": "deals.csv", **mapping}})
        return self.load()

    def rows(self, result: LoadResult, table: str, *columns: str) -> list[tuple[object, ...]]:
        con = attach(result.warehouse)
        try:
            picked = ", ".join(columns) or "*"
            return con.raw_sql(f"SELECT {picked} FROM warehouse.main.{table} ORDER BY ALL").fetchall()
        finally:
            con.disconnect()

    def quarantine(self, result: LoadResult, table: str) -> list[dict[str, object]]:
        folder = result.warehouse.quarantine
        path = folder / f"{table}.parquet" if folder else None
        if path is None or not path.is_file():
            return []
        rows = pq.read_table(path).to_pylist()
        return [{**row, "row": json.loads(row["row"])} for row in rows]


def counts_of(result: LoadResult, table: str) -> dict[str, int]:
    row = result.counts.set_index("table").loc[table]
    return {name: int(row[name]) for name in ("read", "loaded", "collapsed", "quarantined", "filtered")}


@pytest.fixture
def lab(tmp_path: Path, project_root: Path) -> SourceLab:
    (tmp_path / "params" / "sources").mkdir(parents=True)
    shutil.copy(project_root / "params" / "definitions.yml", tmp_path / "params" / "definitions.yml")
    return SourceLab(tmp_path)


@pytest.fixture
def counts() -> Callable[[LoadResult, str], dict[str, int]]:
    return counts_of
