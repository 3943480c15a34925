"""YAML from people: plain values, lines, files that extend another, and everything else refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from revops_analysis.errors import ConfigurationError
from revops_analysis.yaml_document import Document, read_yaml


@pytest.fixture
def written(tmp_path: Path) -> Any:
    def write(text: str, name: str = "own.yml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def _read(path: Path) -> Document:
    return read_yaml(path)


def test_values_are_plain_and_dates_stay_text(written: Any) -> None:
    document = _read(written("a: 1\nb: [yes, 2.5, null, 2026-09-30]\n"))
    assert document.values == {"a": 1, "b": ["yes", 2.5, None, "2026-09-30"]}


def test_lines_are_those_of_the_deepest_part_written(written: Any) -> None:
    document = _read(written("a: 1\nb:\n  - c: 2\n    d: 3\n"))
    assert document.line_of(("b", 0, "d")) == 4
    assert document.line_of(("b", 0, "Union member", "d", "absent")) == 4
    assert document.line_of(("absent",)) == 1


def test_a_key_that_stands_twice_is_a_problem(written: Any) -> None:
    assert _read(written("a: 1\na: 2\n")).problems == [(2, "a stands twice, first on line 1", "keep one of them")]


def test_tags_that_build_objects_are_a_problem_and_build_nothing(written: Any) -> None:
    document = _read(written("a: !!python/object/apply:os.system ['true']\n"))
    assert document.problems
    assert document.values == {"a": None}


def test_a_file_takes_from_the_one_it_extends_what_it_does_not_say(written: Any) -> None:
    written("a: 1\nm: {x: 1, y: 2}\nlist: [1, 2]\ngone: 5\n", "base.yml")
    document = _read(written("extends: base.yml\nm: {y: 3}\nlist: [9]\ngone: null\n"))
    assert document.values == {"a": 1, "m": {"x": 1, "y": 3}, "list": [9]}
    assert document.line_of(("a",)) == 1
    assert document.line_of(("m", "y")) == 2


def test_a_null_that_removes_nothing_stays_null(written: Any) -> None:
    written("a: 1\n", "base.yml")
    assert _read(written("extends: base.yml\nb: null\n")).values == {"a": 1, "b": None}


def test_a_circle_is_refused(written: Any) -> None:
    written("extends: own.yml\n", "base.yml")
    with pytest.raises(ConfigurationError, match="extends itself"):
        _read(written("extends: base.yml\n"))


@pytest.mark.parametrize(("content", "message"), [(b"a: [1\n", "not YAML"), (b"a: \xff\n", "not UTF-8")])
def test_what_is_no_yaml_says_so(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "own.yml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=message):
        _read(path)


def test_a_missing_file_says_which(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"Cannot read gone\.yml"):
        _read(tmp_path / "gone.yml")


@pytest.mark.parametrize("named", ["../secret.yml", "/etc/hostname", "link.yml"])
def test_a_file_extends_nothing_outside_its_folder(written: Any, tmp_path: Path, named: str) -> None:
    (tmp_path / "own").mkdir()
    written("password: hunter2\n", "secret.yml")
    (tmp_path / "own" / "link.yml").symlink_to(tmp_path / "secret.yml")
    with pytest.raises(ConfigurationError, match="lies outside its folder") as refused:
        _read(written(f"extends: {named}\n", "own/x.yml"))
    assert "hunter2" not in str(refused.value)


def test_inside_a_project_a_file_extends_any_of_its_files(written: Any, tmp_path: Path) -> None:
    (tmp_path / "params" / "sources").mkdir(parents=True)
    written("a: 1\n", "params/definitions.yml")
    assert _read(written("extends: ../definitions.yml\nb: 2\n", "params/sources/x.yml")).values == {"a": 1, "b": 2}


def test_aliases_of_aliases_do_not_fill_the_memory(written: Any) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    with pytest.raises(ConfigurationError, match="aliases"):
        _read(written("\n".join(lines)))
