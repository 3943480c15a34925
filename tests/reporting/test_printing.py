"""The PDF: what is printed of a page, the same bytes every time, and what happens without Pango."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from reporting.fakes import gate_with
from reporting.projects import chapter_notebook, make_project
from reporting.test_run import Quiet
from revops_analysis.errors import ConfigurationError
from revops_analysis.project import Project
from revops_analysis.reporting.checker import Checker
from revops_analysis.reporting.preparation import RunRequest
from revops_analysis.reporting.printing.pages_to_print import ROWS_PRINTED, printed_chapter
from revops_analysis.reporting.printing.printer import NOT_WANTED, Printer
from revops_analysis.reporting.run import run_report

HIDES_PANGO = """
import cffi

_open = cffi.FFI.dlopen

def dlopen(self, name, flags=0):
    if name and "pango" in str(name):
        raise OSError(f"cannot load library '{name}': no such file")
    return _open(self, name, flags)

cffi.FFI.dlopen = dlopen
"""


def _page(body: str) -> str:
    return f"<html><body><header></header><main>\n{body}\n</main></body></html>"


def _table(rows: int, columns: int = 2, cell: str = "x") -> str:
    cells = f'<td data-order="{cell}">{cell}</td>' * columns
    lines = f"<tr>\n{cells}</tr>" * rows
    return (
        '<p class="rv-caption">Deals</p>\n<div aria-label="Deals" class="rv-table" role="region" tabindex="0">\n'
        f'<table class="rv-sortable"><thead><tr><th scope="col">A</th></tr></thead><tbody>{lines}</tbody></table></div>'
        '\n<p class="rv-files">The first 200 of 1,234 rows. <a href="tables/c_deals.csv">All rows as CSV</a></p>'
    )


def test_code_buttons_and_key_figures_are_not_printed() -> None:
    code = '<details class="rv-code"><summary>Code</summary><pre>secret()</pre></details>'
    ending = '<h2 id="s2-key-figures">Key figures</h2><pre class="rv-out-stdout">win_rate: 33%</pre>'
    printed = printed_chapter(_page(f'{code}<h2 id="s1-detail">Detail &amp; more</h2><p>Seen</p>{ending}'), "c", ("c",))
    assert "secret" not in printed.body
    assert "win_rate" not in printed.body
    assert "Seen" in printed.body
    assert printed.sections == (("c-s1-detail", "Detail & more"),)


def test_a_long_table_is_cut_and_names_the_file_that_has_the_rest() -> None:
    body = printed_chapter(_page(_table(ROWS_PRINTED + 5)), "c", ("c",)).body
    assert body.count("<td") == 2 * ROWS_PRINTED
    assert f"The first {ROWS_PRINTED} of 1,234 rows; all of them are in tables/c_deals.csv." in body
    assert "data-order" not in body
    assert "tabindex" not in body


@pytest.mark.parametrize(("columns", "width"), [(3, "pr-normal"), (6, "pr-wide"), (12, "pr-widest")])
def test_type_and_page_follow_from_how_wide_a_table_is(columns: int, width: str) -> None:
    body = printed_chapter(_page(_table(2, columns, "a name of some length")), "c", ("c",)).body
    assert f'class="pr-table {width}"' in body
    assert ("pr-landscape" in body) == (width == "pr-widest")


def test_links_stay_inside_or_lead_to_the_web() -> None:
    links = (
        '<a href="other.html">there</a> <a href="#s1">here</a> <a href="https://example.com/">web</a> '
        '<a href="tables/x.csv">file</a> <a href="gate.html">gate</a>'
    )
    body = printed_chapter(_page(links), "c", ("c", "other")).body
    assert re.findall(r'href="([^"]*)"', body) == ["#other", "#c-s1", "https://example.com/"]
    assert "file" in body


def test_a_figure_is_its_png_and_one_without_files_stays() -> None:
    figure = (
        '<figure class="rv-figure"><img alt="Two bars" src="data:image/svg+xml;base64,AAAA"><figcaption>Bars '
        '<span class="rv-files"><a href="figures/c_bars.svg">SVG</a> <a href="figures/c_bars.png">PNG</a></span>'
        "</figcaption></figure>"
    )
    bare = re.sub(r"<span.*</span>", "", figure)
    assert 'src="run:figures/c_bars.png"' in printed_chapter(_page(figure), "c", ("c",)).body
    assert "base64,AAAA" in printed_chapter(_page(bare), "c", ("c",)).body


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_project(tmp_path_factory.mktemp("project"), {"first": chapter_notebook("first", title="Chapter")})


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(Checker, "validate", lambda *_: gate_with(""))
    return


def _request(reports: Path, *, pdf: bool) -> RunRequest:
    return RunRequest("tiny", "tiny", dt.date(2026, 9, 30), reports, pdf=pdf)


def test_a_pdf_asked_for_is_the_same_bytes_on_a_second_run(
    project: Project, passed: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []
    for number in ("1", "2"):
        monkeypatch.setenv("PYTHONHASHSEED", number)
        runs.append(run_report(_request(tmp_path / number, pdf=True), project, Quiet()))
    made = [(result.folder / "report.pdf").read_bytes() for result in runs]
    manifest = json.loads((runs[0].folder / "manifest.json").read_text())
    inside = _unpacked(made[0])
    pages = len(re.findall(rb"/Type\s*/Page\b", inside))
    assert made[0] == made[1]
    assert manifest["pdf"] == {"file": "report.pdf", "pages": pages, "reason": None}
    assert pages >= 4  # title, contents, headline, chapter
    assert "report.pdf" in manifest["files"]
    assert 'href="report.pdf"' in runs[0].page.read_text()
    assert b"revops-analysis" in inside
    assert str(tmp_path).encode() not in inside
    assert b"file:" not in inside


def _unpacked(pdf: bytes) -> bytes:
    """The bytes of a PDF and of all its compressed parts."""
    parts = [pdf]
    for packed in re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL):
        with contextlib.suppress(zlib.error):
            parts.append(zlib.decompressobj().decompress(packed))
    return b"".join(parts)


def test_without_pango_a_run_succeeds_and_says_what_to_install(
    passed: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = "title: T\nnotebooks: [first]\npdf: auto\n"
    project = make_project(tmp_path / "project", {"first": chapter_notebook("first")}, report)
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(HIDES_PANGO)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(hidden), os.environ.get("PYTHONPATH", "")]))
    watcher = Quiet()
    result = run_report(_request(tmp_path / "reports", pdf=False), project, watcher)
    told = json.loads((result.folder / "manifest.json").read_text())["pdf"]
    assert (result.failed, told["file"], told["pages"]) == ({}, None, None)
    for words in (told["reason"], result.page.read_text(), watcher.phases[-1]):
        assert "pango" in words
        assert "apt install libpango-1.0-0" in words
    with pytest.raises(ConfigurationError, match="apt install libpango") as refused:
        run_report(_request(tmp_path / "reports", pdf=True), project, Quiet())
    assert refused.value.exit_code == 2
    monkeypatch.undo()  # Pango is there again: the run that lacks its PDF is not the last word
    with Printer() as printer:
        assert printer.can_add_to(result.folder / "manifest.json")


def test_a_report_that_wants_no_pdf_starts_no_process_for_one() -> None:
    with Printer(wanted=False) as printer:
        printer.warm_up()
        assert printer.print(lambda: "", Path(), "x").reason == NOT_WANTED
        assert "_pool" not in vars(printer)


def test_only_files_of_the_run_and_fonts_are_opened(tmp_path: Path) -> None:
    pytest.importorskip("weasyprint.urls")
    from revops_analysis.reporting.printing.printer import open_only_inside

    fetch = open_only_inside(tmp_path)
    (tmp_path / "a.png").write_bytes(b"x")
    assert fetch("run:a.png").read() == b"x"
    for url in ("https://example.com/x.png", "file:///etc/passwd", "run:../secret", "run:/etc/passwd", "font:../x"):
        with pytest.raises(ValueError, match="opens no"):
            fetch(url)
