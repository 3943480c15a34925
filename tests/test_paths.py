"""Nothing that settings name lies outside its folder, whatever `..` or links say."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from reporting.projects import ROOT, chapter_notebook
from reporting.test_run import Quiet
from revops_analysis.errors import ConfigurationError
from revops_analysis.paths import home_of, stay_inside
from revops_analysis.project import Project
from revops_analysis.reporting.manifest import read_manifest
from revops_analysis.reporting.preparation import RunRequest, prepare
from revops_analysis.reporting.spec import load_report
from revops_analysis.sources.profile import load_profile

SECRET = "secret-Sesam"  # noqa: S105 - what must not be seen


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "outside").mkdir()
    for name in ("secret.yml", "secret.ipynb", "secret.csv"):
        (tmp_path / "outside" / name).write_text(f"title: {SECRET}\n")
    root = tmp_path / "project"
    for folder in ("params/sources", "params/reports", "notebooks"):
        (root / folder).mkdir(parents=True)
    (root / "params" / "definitions.yml").write_text((ROOT / "params" / "definitions.yml").read_text())
    deals = "kind: files\ndata_through: 2026-09-30\ntables:\n  opportunities:\n    file: deals.csv\n"
    (root / "params" / "sources" / "tiny.yml").write_text(deals)
    (root / "notebooks" / "good.ipynb").write_text(json.dumps(chapter_notebook("good")))
    return Project(root)


def test_a_place_is_judged_by_where_it_leads(tmp_path: Path) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    (inside / "file").touch()
    (tmp_path / "in2").mkdir()
    (tmp_path / "in2" / "file").touch()
    (inside / "link").symlink_to(tmp_path / "in2")
    (tmp_path / "door").symlink_to(inside)
    assert stay_inside(inside / "file", tmp_path / "door", "It") == inside / "file"
    for wrong in (inside / ".." / "in2" / "file", inside / "link" / "file", tmp_path / "in2" / "file"):
        with pytest.raises(ConfigurationError, match="It lies outside its folder"):
            stay_inside(wrong, inside, "It")


def test_home_is_the_project_else_the_files_own_folder(project: Project, tmp_path: Path) -> None:
    assert home_of(project.params / "sources" / "tiny.yml") == project.root
    assert home_of(tmp_path / "outside" / "secret.yml") == tmp_path / "outside"


@pytest.mark.parametrize("name", ["../tiny", "../../outside/secret", "/etc/passwd", "sub/tiny", "..", ".", "", "Tiny"])
def test_a_report_is_named_and_not_pathed(project: Project, name: str) -> None:
    with pytest.raises(ConfigurationError, match="no such report"):
        load_report(name, project)


@pytest.mark.parametrize("name", ["../good", "/etc/passwd", "sub/good", "good.ipynb", "../../outside/secret"])
def test_a_chapter_is_named_and_not_pathed(project: Project, name: str) -> None:
    (project.params / "reports" / "bad.yml").write_text(f"title: T\nnotebooks: [{name}]\n")
    with pytest.raises(ConfigurationError, match="is no notebook name"):
        load_report("bad", project)


@pytest.mark.parametrize("place", ["params/reports/linked.yml", "notebooks/linked.ipynb"])
def test_a_link_that_leads_out_is_not_followed(project: Project, tmp_path: Path, place: str) -> None:
    (project.root / place).symlink_to(tmp_path / "outside" / f"secret{Path(place).suffix}")
    if place.endswith(".ipynb"):
        (project.params / "reports" / "linked.yml").write_text("title: T\nnotebooks: [linked]\n")
    with pytest.raises(ConfigurationError, match="lies outside its folder") as refused:
        prepare(RunRequest("linked", "tiny", dt.date(2026, 9, 30), project.reports), project, Quiet())
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("written", ["out", "source", "data_hash", "as_of"])
def test_a_report_cannot_say_where_its_chapters_write_or_read(project: Project, written: str) -> None:
    text = f"title: T\nnotebooks: [good]\nparameters: {{{written}: ../../elsewhere}}\n"
    (project.params / "reports" / "bad.yml").write_text(text)
    with pytest.raises(ConfigurationError, match="set by the run"):
        load_report("bad", project)


@pytest.mark.parametrize("name", ["...yml", ".hidden.yml", "-x.yml"])
def test_a_profile_cannot_be_named_like_a_folder_above(project: Project, name: str) -> None:
    """`...yml` would make `..` the folder of its loads and reports."""
    path = project.params / "sources" / name
    path.write_text((project.params / "sources" / "tiny.yml").read_text())
    with pytest.raises(ConfigurationError, match="makes no name for a source"):
        load_profile(path, project)


@pytest.mark.parametrize("written", ["../../../outside/secret.yml", "OUTSIDE/secret.yml", "linked.yml"])
def test_definitions_of_a_source_lie_in_its_project(project: Project, tmp_path: Path, written: str) -> None:
    (project.params / "sources" / "linked.yml").symlink_to(tmp_path / "outside" / "secret.yml")
    written = written.replace("OUTSIDE", str(tmp_path / "outside"))
    path = project.params / "sources" / "crm.yml"
    path.write_text(f"{(project.params / 'sources' / 'tiny.yml').read_text()}definitions: {written}\n")
    with pytest.raises(ConfigurationError, match="lies outside its folder") as refused:
        load_profile("crm", project).definitions_path(project)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("name", ["../outside/secret.csv", "/etc/passwd", "a/../../x"])
def test_a_manifest_lists_files_of_its_run_only(tmp_path: Path, name: str) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"files": {name: "0" * 64}}))
    with pytest.raises(ConfigurationError, match="no rendered run"):
        read_manifest(tmp_path)
