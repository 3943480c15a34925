"""A mail's HTML in a real browser, on a phone and in a window, light and dark: it fits, reads and loads nothing."""

from __future__ import annotations

import base64
import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reporting.mail.runs import NASTY, PASSED, chapter, figure, make_run, recipient
from revops_analysis.reporting.mail.addresses import Person
from revops_analysis.reporting.mail.message import Mailing
from revops_analysis.reporting.mail.run_folder import read_run
from revops_analysis.reporting.mail.settings import Letter

pytestmark = pytest.mark.browser
LEAST_CONTRAST = 4.5  # WCAG 2.2, AA, for text of usual size

_CONTRASTS = """
() => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const light = colour => {
    const [r, g, b] = rgb(colour).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = node => {
    for (let at = node; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (rgb(colour).length === 3 || rgb(colour)[3] > 0) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const words = [...document.querySelectorAll('p, td, h1, h2, a, span, strong')]
    .filter(node => node.checkVisibility() && [...node.childNodes].some(n => n.nodeType === 3 && n.data.trim()));
  return words.map(node => {
    const [a, b] = [light(getComputedStyle(node).color), light(ground(node))].sort((x, y) => y - x);
    return [(a + 0.05) / (b + 0.05), node.textContent.slice(0, 40)];
  });
}
"""


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mail with all that can stand in one, its pictures put in as a mail program would."""
    folder = tmp_path_factory.mktemp("mail")
    wide = [figure("open_pipeline", "123456789012.00", dims={"account": "W" * 70, "seller": NASTY}, n=123456)]
    gate = {**PASSED, "passed": False, "allowed_invalid": True, "critical": 3}
    run = read_run(make_run(folder, chapter(), chapter("second", headline=wide, findings=9), gate=gate))
    letter = Letter(
        sender=Person("", "reports@example.com"), page="link", link_base=f"https://reports.example.com/{'r' * 80}"
    )
    message = Mailing(run, letter).to(recipient(), dt.datetime(2026, 10, 1, tzinfo=dt.UTC))
    body = message.get_body(("html",))
    assert body is not None
    html = body.get_content()
    for part in message.walk():
        if part["Content-ID"]:
            data = base64.b64encode(part.get_content()).decode()
            html = html.replace(f"cid:{part['Content-ID'].strip('<>')}", f"data:image/png;base64,{data}")
    path = folder / "mail.html"
    path.write_text(html, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if shutil.which("chromium") is None:
        pytest.skip("Chromium is not installed (Debian: apt install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield started
        started.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 700])
def test_a_mail_fits_reads_and_loads_nothing(browser: Any, page_file: Path, width: int, scheme: str) -> None:
    page = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme).new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(page_file.as_uri())
    assert [url for url in asked if not url.startswith("data:")] == [page_file.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    contrasts = page.evaluate(_CONTRASTS)
    assert len(contrasts) > 30
    assert [(words, round(ratio, 2)) for ratio, words in contrasts if ratio < LEAST_CONTRAST] == []
    assert page.locator("img").first.evaluate("node => node.naturalWidth") == 1200
    assert not page.get_by_text("This data did not pass its checks").first.is_visible()  # what a mailbox shows
    assert page.get_by_text("This data did not pass its checks").last.is_visible()
