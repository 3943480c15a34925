"""The whole way, as a newcomer walks it: the sample company, loaded, checked, rendered, twice."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from end_to_end.commands import ROOT, Answer, company_of, revops
from revops_analysis.tables.schema import TABLES

ASKED = ("--source", "sample", "--as-of", "2026-09-30")


@dataclass(frozen=True)
class Walk:
    """A project of its own, and what each command answered."""

    root: Path
    load: Answer
    report: Answer
    second: Answer

    def folder(self, out: str) -> Path:
        """The run's folder below `out`."""
        (manifest,) = (self.root / out).glob("sample/quarterly/2026-09-30/2026-Q3/[0-9a-f]*/manifest.json")
        return manifest.parent


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    """Load and render in a copy of the project, then render once more with another number of workers."""
    root = company_of(tmp_path_factory.mktemp("project"), 0.25)  # the notebooks' own tests run at full size
    answers = [
        revops(root, "load", "sample"),
        revops(root, "report", "quarterly", *ASKED, "--out", str(root / "one")),
        revops(root, "report", "quarterly", *ASKED, "--out", str(root / "two"), "--workers", "1"),
    ]
    return Walk(root, *answers)


def test_loading_counts_every_row(walk: Walk) -> None:
    assert walk.load.code == 0, walk.load.stderr
    counted = re.findall(r"│ (\w+) +│ +([\d,]+) │ +([\d,]+) │ +([\d,]+) │ +([\d,]+) │ +([\d,]+) │", walk.load.stdout)
    numbers = {name: [int(text.replace(",", "")) for text in row] for name, *row in counted}
    assert {"opportunities", "opportunity_history", "subscriptions", "touchpoints"} <= set(numbers) <= set(TABLES)
    assert all(read == sum(rest) for read, *rest in numbers.values())
    assert numbers["opportunities"][3] > 0


def test_the_report_is_published_and_its_page_is_the_last_thing_printed(walk: Walk) -> None:
    assert walk.report.code == 0, walk.report.stderr
    page = Path(walk.report.stdout.strip())
    assert page.is_file()
    text = page.read_text(encoding="utf-8")
    assert "Pipeline health" in text
    assert "did not finish" not in text
    assert "Traceback" not in walk.report.stderr


def test_a_second_run_is_the_same_bytes(walk: Walk) -> None:
    assert walk.second.code == 0, walk.second.stderr
    first, second = (_tree(walk.folder(out)) for out in ("one", "two"))
    assert sorted(first) == sorted(second)
    assert json.loads(first["manifest.json"]) == json.loads(second["manifest.json"])
    assert [name for name in first if first[name] != second[name]] == []


def _tree(folder: Path) -> dict[str, bytes]:
    """Every file's bytes, the manifest without its `run` section."""
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    manifest = json.loads(files["manifest.json"])
    del manifest["run"]
    return {**files, "manifest.json": json.dumps(manifest).encode()}


def test_the_folder_holds_what_it_promises(walk: Walk) -> None:
    folder = walk.folder("one")
    manifest = json.loads((folder / "manifest.json").read_text())
    on_disk = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert set(manifest["files"]) | {"manifest.json"} == on_disk
    for chapter in ("forecast", "pipeline_health", "attribution", "cohort_nrr"):
        assert {f"{chapter}.html", f"{chapter}.ipynb"} <= on_disk
        assert any(name.startswith(f"tables/{chapter}_") for name in on_disk)
        assert any(name.startswith(f"figures/{chapter}_") and name.endswith(".png") for name in on_disk)
    rows = manifest["data"]["rows"]["opportunities"]
    assert rows["read"] == rows["loaded"] + rows["collapsed"] + rows["quarantined"]
    metrics = {row["metric"] for row in json.loads((folder / "key_figures.json").read_text())["rows"]}
    assert {"open_pipeline", "bookings", "win_rate", "nrr", "grr"} <= metrics


def test_no_page_names_this_machine_or_the_network(walk: Walk) -> None:
    folder = walk.folder("one")
    for path in [*folder.glob("*.html"), *folder.glob("*.ipynb"), *folder.glob("*.json")]:
        text = path.read_text(encoding="utf-8")
        assert str(walk.root) not in text, path.name
        assert str(ROOT) not in text, path.name
        assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", text), path.name


def test_every_figure_has_words(walk: Walk) -> None:
    for path in walk.folder("one").glob("*.html"):
        for picture in re.findall(r"<img [^>]{0,400}", path.read_text(encoding="utf-8")):
            words = re.search(r'alt="([^"]+)"', picture)
            assert words, path.name
            assert "without description" not in words.group(1)
