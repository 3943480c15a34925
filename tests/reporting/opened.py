"""Every page below a folder of reports, opened as `revops serve` serves it: what the browser complained of, dead links.

PYTHONPATH=src:tests python -m reporting.opened reports
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag

from revops_analysis.reporting.serve import server_for

CHROMIUM = "/usr/bin/chromium"
_LISTEN = """
window.broken = [];
document.addEventListener('securitypolicyviolation', e => window.broken.push(`${e.violatedDirective} ${e.blockedURI}`));
"""
_USE = """
() => {
  document.querySelectorAll('details').forEach(one => { one.open = true; });
  document.querySelectorAll('th button').forEach(one => one.click());
  return [window.broken, [...document.querySelectorAll('a[href]')].map(one => one.href)];
}
"""


@contextmanager
def served(reports: Path) -> Iterator[str]:
    """The address of the reports while they are served."""
    with server_for(reports) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def pages_in(reports: Path) -> list[str]:
    """Every page by its path, each run once."""
    found = (path.relative_to(reports) for path in reports.rglob("*.html"))
    return sorted(
        path.as_posix() for path in found if "latest" not in path.parts and not path.as_posix().startswith(".")
    )


def complaints_of(browser: Any, reports: Path, address: str) -> dict[str, list[str]]:
    """What is wrong by page: breaches of the content policy, words on the console, requests, links that lead nowhere.

    Each page is used: everything that folds is unfolded, every column sorted.
    """
    wrong: dict[str, list[str]] = {}
    page = browser.new_context().new_page()
    page.add_init_script(_LISTEN)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url))
    for name in pages_in(reports):
        said.clear()
        page.goto(f"{address}{name}")
        broken, links = page.evaluate(_USE)
        kept = [text for text in said if not text.startswith(("data:", f"{address}{name}", f"{address}favicon"))]
        dead = [link for link in links if not _leads_somewhere(reports, link, address)]
        if found := [*broken, *kept, *dead]:
            wrong[name] = found
    return wrong


def _leads_somewhere(reports: Path, link: str, address: str) -> bool:
    place, anchor = urldefrag(link)
    if not place.startswith(address):
        return False  # nothing of ours leads out of the folder
    path = reports / (place.removeprefix(address) or "index.html")
    return path.is_file() and (not anchor or f'id="{anchor}"' in path.read_text(encoding="utf-8"))


def main() -> None:
    """Print what is wrong with the pages of a folder."""
    from playwright.sync_api import sync_playwright

    reports = Path(sys.argv[1]).resolve()
    with sync_playwright() as playwright, served(reports) as address:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        wrong = complaints_of(browser, reports, address)
        browser.close()
    print(f"{len(pages_in(reports))} pages, {len(wrong)} with complaints")
    for name, found in wrong.items():
        print(name, *found, sep="\n  ")


if __name__ == "__main__":
    main()
