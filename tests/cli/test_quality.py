"""`revops repairs` and `revops drift` on a small simulated company, as their users run them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from ruamel.yaml import YAML

from end_to_end.commands import revops

SOURCE = ("--source", "sample")


def test_repairs_in_every_format_say_the_same(home: Path) -> None:
    table = revops(home, "repairs", *SOURCE)
    assert table.code == 0, table.stderr
    assert "nothing is changed" in table.stdout
    document = json.loads(revops(home, "repairs", *SOURCE, "--format", "json").stdout)
    assert document["schema"] == "revops-repairs/1"
    rows = {(row["table"], row["column"], row["value"]): row["replacement"] for row in document["suggestions"]}
    assert len(rows) > 3
    snippet = YAML(typ="safe").load(revops(home, "repairs", *SOURCE, "--format", "yaml").stdout)
    mapped = {
        (table, column, value): right
        for table, lines in snippet["tables"].items()
        for column, said in lines["columns"].items()
        for value, right in said["value_map"].items()
    }
    assert mapped == rows
    assert all(value in table.stdout for _, _, value in rows)


def test_repairs_of_an_unknown_source_say_so(home: Path) -> None:
    answer = revops(home, "repairs", "--source", "sampel")
    assert answer.code == 2
    assert "sample" in answer.stderr


def test_drift_needs_two_loads_and_then_compares_them(home: Path, tmp_path: Path) -> None:
    first = revops(home, "drift", *SOURCE)
    assert first.code == 0, first.stderr
    assert "nothing to compare with" in first.stdout
    other = Path(shutil.copytree(home, tmp_path / "project"))  # with its first load
    profile = other / "params" / "sources" / "sample.yml"
    profile.write_text(profile.read_text().replace("dirt: 1.0", "dirt: 3.0"))
    revops(other, "load", "sample")
    table = revops(other, "drift", *SOURCE)
    assert table.code == 0, table.stderr
    assert "Volume" in table.stdout
    assert " not compared." in table.stdout
    document = json.loads(revops(other, "drift", *SOURCE, "--format", "json").stdout)
    assert document["before"] and document["before"] != document["now"]
    missing = [row for row in document["changes"] if row["kind"] == "missing"]
    assert max(row["change"] for row in missing) > 0
