"""The pages in a real browser: no network, nothing on the console, no sideways scrolling, hostile names as text."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from reporting.fakes import passed_gate
from reporting.opened import complaints_of, pages_in, served
from reporting.projects import NASTY, chapter_notebook, make_project
from revops_analysis.reporting.checker import Checker
from revops_analysis.reporting.preparation import RunRequest
from revops_analysis.reporting.progress import Progress
from revops_analysis.reporting.run import run_report

pytestmark = pytest.mark.browser
PAGES = ("index.html", "wide.html", "fails.html", "gate.html")

_WIDE = """
columns = {f"a_rather_long_column_name_{n}": [1000.5 * n, -2.0, None] for n in range(12)}
wide = pd.DataFrame({"stage": ["b", "a", "c"], **columns, "reason": [None, None, "nothing closed yet"]})
chapter.table(wide, name="wide", title="A wide table", units=dict.fromkeys(columns, "currency"))
print("x" * 400)
""".strip()


@dataclass
class Opened:
    """A page, and all that it asked for or complained about."""

    page: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    if shutil.which("chromium") is None:
        pytest.skip("Chromium is not installed (Debian: apt install chromium)")
    root = tmp_path_factory.mktemp("browser")
    notebooks = {"wide": chapter_notebook("wide", _WIDE), "fails": chapter_notebook("fails", "1 / 0")}
    project = make_project(root / "project", notebooks)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checker, "validate", lambda *_: passed_gate())
        request = RunRequest("tiny", "tiny", date(2026, 9, 30), root / "reports")
        yield run_report(request, project, Progress()).folder


@pytest.fixture(scope="module")
def browser(folder: Path) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield started
        started.close()


def _open(browser: Any, path: Path | str, width: int = 360, scheme: str = "light") -> Opened:
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    opened = Opened(context.new_page())
    opened.page.on("request", lambda request: opened.requests.append(request.url))
    opened.page.on("console", lambda message: opened.complaints.append(message.text))
    opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    opened.page.on("dialog", lambda dialog: (opened.complaints.append("a dialog"), dialog.dismiss()))
    opened.page.goto(path if isinstance(path, str) else path.as_uri())
    return opened


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1600])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_quiet_and_fits(browser: Any, folder: Path, name: str, width: int, scheme: str) -> None:
    opened = _open(browser, folder / name, width, scheme)
    assert [url for url in opened.requests if not url.startswith("data:")] == [(folder / name).as_uri()]
    assert opened.complaints == []
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_list_of_runs_is_quiet_and_leads_to_the_run(browser: Any, folder: Path) -> None:
    opened = _open(browser, folder.parents[4] / "index.html")
    assert opened.complaints == []
    opened.page.click("tbody a")
    assert opened.page.title().startswith("A tiny report")
    opened.page.click("text=All reports")
    assert opened.page.title() == "Reports"


def test_hostile_names_are_text(browser: Any, folder: Path) -> None:
    page = _open(browser, folder / "wide.html").page
    assert NASTY in page.inner_text("main")
    assert page.locator("main script").count() == 0


def test_a_script_that_got_in_would_not_run(browser: Any, folder: Path, tmp_path: Path) -> None:
    text = (folder / "wide.html").read_text()
    path = tmp_path / "wide.html"
    path.write_text(
        text.replace("<main>", "<main><script>document.title = 'taken'</script><img src=x onerror=alert(1)>")
    )
    opened = _open(browser, path)
    assert opened.page.title() != "taken"
    assert any("Content Security Policy" in complaint for complaint in opened.complaints)
    assert "a dialog" not in opened.complaints


def test_tables_sort_by_number_and_by_text_with_missing_last(browser: Any, folder: Path) -> None:
    page = _open(browser, folder / "wide.html", 1600).page

    def column(number: int) -> list[str]:
        return page.locator(f"[aria-label='A wide table'] tbody tr td:nth-child({number})").all_inner_texts()

    def sort(number: int) -> None:
        page.click(f"[aria-label='A wide table'] th:nth-child({number}) button")

    assert column(1) == ["b", "a", "c"]
    sort(1)
    assert column(1) == ["a", "b", "c"]
    sort(3)
    assert column(3) == ["−2", "1,000", "–1"]
    sort(3)
    assert column(3) == ["1,000", "−2", "–1"]
    head = page.locator("[aria-label='A wide table'] th:nth-child(3)")
    assert head.get_attribute("aria-sort") == "descending"
    assert head.evaluate("node => getComputedStyle(node).textAlign") == "right"


def test_code_is_hidden_and_one_click_away(browser: Any, folder: Path) -> None:
    page = _open(browser, folder / "wide.html").page
    code = page.locator("details.rv-code pre").last
    assert not code.is_visible()
    page.locator("details.rv-code summary").last.click()
    assert code.is_visible()


def test_large_amounts_are_shown_whole(browser: Any, folder: Path) -> None:
    value = _open(browser, folder / "wide.html").page.locator(".rv-card-value").first
    assert value.inner_text() == "USD 1,234,568"
    assert value.evaluate("node => node.scrollWidth <= node.clientWidth")


def test_every_picture_has_words_and_is_there(browser: Any, folder: Path) -> None:
    page = _open(browser, folder / "wide.html").page
    pictures = page.locator("img")
    assert pictures.count() == 1
    assert pictures.first.get_attribute("alt") == "Two bars, the second twice as high."
    assert pictures.first.evaluate("node => node.naturalWidth") > 100


def test_the_contents_list_leads_to_the_sections(browser: Any, folder: Path) -> None:
    page = _open(browser, folder / "wide.html").page
    assert not page.locator(".rv-contents a").first.is_visible()  # folded away where there is no room beside the text
    page.click(".rv-contents summary")
    page.click(".rv-contents a")
    anchor = page.evaluate("location.hash.slice(1)")
    assert page.locator(f"[id='{anchor}']").inner_text() == "Detail"


def test_paper_has_no_code_and_no_contents(browser: Any, folder: Path) -> None:
    page = _open(browser, folder / "wide.html").page
    page.emulate_media(media="print")
    assert not page.locator("details.rv-code").first.is_visible()
    assert not page.locator(".rv-contents").is_visible()


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """The same reports as `revops serve` serves them."""
    with served(folder.parents[4]) as place:
        yield place


def test_no_served_page_breaks_the_policy_asks_for_anything_or_leads_nowhere(
    browser: Any, folder: Path, address: str
) -> None:
    """Each is used: every column sorted, everything that folds unfolded."""
    reports = folder.parents[4]
    assert {path.rsplit("/", 1)[-1] for path in pages_in(reports)} == set(PAGES)
    assert complaints_of(browser, reports, address) == {}


def test_a_breach_of_the_policy_and_a_dead_link_are_seen(browser: Any, folder: Path, tmp_path: Path) -> None:
    text = (folder / "gate.html").read_text()
    (tmp_path / "bad.html").write_text(
        text.replace("<main>", '<main><script>1</script><img src="https://example.com/x.png"><a href="no.html">x</a>')
    )
    with served(tmp_path) as address:
        found = complaints_of(browser, tmp_path, address)["bad.html"]
    assert {"script-src-elem inline", "img-src https://example.com/x.png", f"{address}no.html"} <= set(found)


def test_a_served_table_sorts_and_its_csv_downloads(browser: Any, folder: Path, address: str) -> None:
    page = _open(browser, f"{address}{folder.relative_to(folder.parents[4]).as_posix()}/wide.html", 1600).page
    page.click("[aria-label='A wide table'] th:nth-child(1) button")
    cells = page.locator("[aria-label='A wide table'] tbody tr td:nth-child(1)")
    assert cells.all_inner_texts() == ["a", "b", "c"]
    link = page.locator("text=All rows as CSV").last.get_attribute("href")
    answer = page.request.get(f"{page.url.rsplit('/', 1)[0]}/{link}")
    assert answer.ok
    assert answer.headers["content-type"].startswith("text/csv")
