"""WeasyPrint in a process of its own: it loads while chapters run, and a crash in a system library ends only itself."""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from revops_analysis.errors import ConfigurationError
from revops_analysis.reporting.printing.pango import why_no_pdf

PDF = "report.pdf"
NOT_WANTED = "the report's setting is pdf: never"


@dataclass(frozen=True)
class PdfResult:
    """What became of the PDF: its `pages`, or why there is none (`reason`; empty where there is one)."""

    pages: int = 0
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """As the manifest has it."""
        return {"file": None if self.reason else PDF, "pages": self.pages or None, "reason": self.reason or None}


class Printer:
    """Makes the PDF of a run. Use as a context manager.

    `wanted` False: no process is started, and there is none. `needed`: that it cannot be made is an error, and not a
    sentence in the run.
    """

    def __init__(self, *, wanted: bool = True, needed: bool = False) -> None:
        self.wanted, self.needed = wanted, needed

    def __enter__(self) -> Printer:
        return self

    def __exit__(self, *_: object) -> None:
        if "_pool" in vars(self):
            self._pool.shutdown(wait=False, cancel_futures=True)

    @cached_property
    def _pool(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn"), initializer=_settle)

    @cached_property
    def _answer(self) -> Future[str]:
        return self._pool.submit(why_no_pdf)

    def warm_up(self) -> None:
        """Start the process and its imports, and go on."""
        if self.wanted:
            _ = self._answer

    def can_add_to(self, manifest: Path) -> bool:
        """Whether a published run lacks the PDF that can be made by now."""
        if not self.wanted or not manifest.is_file():
            return False
        is_there = json.loads(manifest.read_text(encoding="utf-8")).get("pdf", {}).get("file")
        return not is_there and not self.why_not()

    def require(self) -> None:
        """Raise ConfigurationError where a PDF is needed and this machine cannot make one."""
        if self.needed and self.why_not():
            raise ConfigurationError(
                "The PDF that was asked for cannot be made.",
                found=self.why_not(),
                fix="do that, or ask without --pdf and set pdf: auto in the report",
            )

    def why_not(self) -> str:
        """Why there will be no PDF; empty if there will be one."""
        if not self.wanted:
            return NOT_WANTED
        try:
            return self._answer.result()
        except BrokenProcessPool:
            return "the process that makes PDFs ended while it loaded its libraries"

    def print(self, make: Callable[[], str], folder: Path, identifier: str) -> PdfResult:
        """Write `report.pdf` into `folder` from the document that `make` returns.

        `identifier` is what tells this document from every other. A PDF that is needed and fails raises
        ConfigurationError; one that is not becomes a reason.
        """
        reason = self.why_not()
        if reason:
            return PdfResult(reason=reason)
        try:
            pages = self._pool.submit(write_pdf, make(), folder, identifier).result()
        except Exception as problem:
            if self.needed:
                raise ConfigurationError("The PDF could not be made.", found=_told(problem)) from problem
            return PdfResult(reason=f"making it failed: {_told(problem)}")
        return PdfResult(pages)


def _told(problem: Exception) -> str:
    return f"{type(problem).__name__}: {problem}".strip().splitlines()[0]


def _settle() -> None:
    """Dates inside fonts are those of 1970, and garbage may lie: the process lays out one document, and ends.

    To look for garbage among all the boxes of a document took a sixth of its time.
    """
    gc.disable()
    os.environ["SOURCE_DATE_EPOCH"] = "0"


def write_pdf(html: str, folder: Path, identifier: str) -> int:
    """Lay out the document and write it into `folder`; returns its number of pages.

    Pictures come from `folder` and fonts from the figure library, which brings them along, so that every machine sets
    the same lines; nothing else is opened. Equal documents give equal bytes.
    """
    import logging

    from weasyprint import HTML
    from weasyprint.text.fonts import FontConfiguration

    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    fetch = open_only_inside(folder)
    document = HTML(string=html, url_fetcher=fetch).render(font_config=FontConfiguration())
    document.write_pdf(folder / PDF, pdf_identifier=identifier.encode())
    return len(document.pages)


def open_only_inside(folder: Path) -> Any:
    """What opens `run:` files of a folder, `font:` files of the figure library, pictures carried along, and no more."""
    from weasyprint.urls import URLFetcher

    class Fetcher(URLFetcher):
        def fetch(self, url: str, headers: Any = None) -> Any:
            if url.startswith("data:"):
                return super().fetch(url, headers)
            scheme, _, name = url.partition(":")
            inside = {"run": folder, "font": fonts_folder()}.get(scheme)
            if inside is None or ".." in Path(name).parts or Path(name).is_absolute():
                raise ValueError(f"a printed report opens no {url}")
            return super().fetch((inside / name).resolve().as_uri(), headers)

    return Fetcher(allowed_protocols=("file", "data"))


def fonts_folder() -> Path:
    """Where the fonts of the figure library are; it is not imported for that."""
    spec = find_spec("matplotlib")
    assert spec is not None  # noqa: S101 - a dependency of ours
    assert spec.submodule_search_locations is not None  # noqa: S101 - it is a package
    return Path(spec.submodule_search_locations[0]) / "mpl-data" / "fonts" / "ttf"
