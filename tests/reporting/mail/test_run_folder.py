from __future__ import annotations

import json
from pathlib import Path

import pytest

from reporting.mail.runs import chapter, make_run
from revops_analysis.errors import ConfigurationError
from revops_analysis.reporting.mail.run_folder import latest_run, read_run


def test_a_run_knows_its_place_and_key(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path))
    assert run.place == "sample/quarterly/2026-09-30/2026-Q3/10e070f6"
    assert run.key == f"sample/quarterly/2026-09-30/2026-Q3/10e070f6{'0' * 56}"


def test_the_newest_run_is_that_of_the_latest_day(tmp_path: Path) -> None:
    old = make_run(tmp_path, day="2026-06-30", run={"started_at": "2026-12-01T00:00:00+00:00"})
    new = make_run(tmp_path, day="2026-09-30")
    assert latest_run(tmp_path, "quarterly", "sample") == new.resolve()
    assert latest_run(tmp_path, "quarterly", "sample") != old.resolve()


def test_no_run_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="revops report quarterly --source acme --as-of"):
        latest_run(tmp_path, "quarterly", "acme")


@pytest.mark.parametrize("name", ["summary.json", "key_figures.json"])
def test_a_changed_document_is_refused(tmp_path: Path, name: str) -> None:
    folder = make_run(tmp_path)
    text = (folder / name).read_text()
    (folder / name).write_text(text + " ")
    with pytest.raises(ConfigurationError, match=f"{name} is changed"):
        read_run(folder)


def test_a_link_to_another_file_is_refused(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    (folder / "index.html").rename(tmp_path / "elsewhere.html")
    (folder / "index.html").symlink_to(tmp_path / "elsewhere.html")
    with pytest.raises(ConfigurationError, match=r"index\.html is missing"):
        read_run(folder).read("index.html")


def test_unfinished_chapters_are_refused(tmp_path: Path) -> None:
    failed = [{"name": "pipeline", "title": "Pipeline health", "error": "ZeroDivisionError"}]
    with pytest.raises(ConfigurationError, match="did not finish: Pipeline health"):
        read_run(make_run(tmp_path, chapters=failed))


def test_a_run_of_an_older_version_is_refused(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["files"]["summary.json"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ConfigurationError, match=r"no summary\.json"):
        read_run(folder)


@pytest.mark.parametrize("content", [None, "not JSON"])
def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, content: str | None) -> None:
    if content:
        (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(ConfigurationError, match="no rendered run"):
        read_run(tmp_path)


def test_a_summary_of_another_form_is_refused(tmp_path: Path) -> None:
    folder = make_run(tmp_path, chapter())
    manifest = json.loads((folder / "manifest.json").read_text())
    text = (folder / "summary.json").read_text().replace("summary/1", "summary/2")
    (folder / "summary.json").write_text(text)
    from revops_analysis.reporting.inputs import hash_bytes

    manifest["files"]["summary.json"] = hash_bytes(text.encode())
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ConfigurationError, match="another form"):
        read_run(folder)
