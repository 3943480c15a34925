"""What went wrong with a slot, kept as JSON in its row, so that a crash does not silence it."""

from __future__ import annotations

import json
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from revops_analysis.errors import RevopsError
from revops_analysis.reporting.mail.dispatch import Outcome
from revops_analysis.reporting.run import RunResult
from revops_analysis.reporting.schedule.log import LAST_LINES, traceback_of


@dataclass(frozen=True)
class Problem:
    """What happened, in which chapter, what was found and where, what to do; `page` is a file that says more."""

    what: str
    fix: str = ""
    chapter: str = ""
    error: str = ""
    where: str = ""
    page: str = ""
    trace: str = ""

    @property
    def note(self) -> str:
        """The problem as it is kept; the trace goes into the log."""
        return json.dumps({name: text for name, text in asdict(self).items() if text and name != "trace"})

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What is known, by name, for a reader."""
        named = {"What": self.what, "Chapter": self.chapter, "Error": self.error, "Where": self.where}
        return [(name, text) for name, text in named.items() if text]


def problem_from(note: str) -> Problem:
    """The problem that `Problem.note` kept; an empty one for an empty note."""
    return Problem(**json.loads(note)) if note else Problem("")


def of_error(error: Exception) -> Problem:
    """An error in the words that it brings; an unexpected one with the end of its traceback."""
    if isinstance(error, RevopsError):
        found = "; ".join(part for part in (error.found, error.expected and f"expected {error.expected}") if part)
        return Problem(error.what, error.fix or "see docs/schedule.md", error=found, where=error.where or "")
    lines = "".join(traceback.format_exception(error)).splitlines()[-LAST_LINES:]
    return Problem(
        "The run ended with an error that nobody foresaw.",
        "This is a mistake in the program: keep the lines below, and report it.",
        error=f"{type(error).__name__}: {error}",
        trace="\n".join(lines),
    )


def of_refused_data(error: RevopsError) -> Problem:
    """Data that the gate refused, with its page."""
    told = of_error(error)
    return Problem(told.what, told.fix, error=told.error, where=told.where, page=error.where or "")


def of_chapters(result: RunResult) -> Problem:
    """Chapters that did not finish: the first by name, with the end of its traceback."""
    first = next(iter(result.failed))
    errors = "; ".join(f"{name}: {error}" for name, error in result.failed.items())
    return Problem(
        f"{len(result.failed)} of the report's chapters did not finish, so it was not sent.",
        f"Open {first}.ipynb in the run's folder: the cell that stopped is in it. Repair it, then: "
        "revops schedule run --at MOMENT --again NAME",
        chapter=", ".join(result.failed),
        error=errors,
        where=str(result.folder),
        trace=traceback_of(result.folder, first),
    )


def of_delivery(missing: Sequence[Outcome], folder: Path) -> Problem:
    """Who has not got a report that was rendered."""
    unknown = [one.address for one in missing if one.state == "unknown"]
    fix = "Remove the cause, then: revops schedule run --at MOMENT --again NAME. Whoever has it gets no second one."
    if unknown:
        fix += f" Ask {', '.join(unknown)} whether it arrived; if not: revops email RUN_DIR --to ADDRESS --resend."
    return Problem(
        f"{len(missing)} {'reader has' if len(missing) == 1 else 'readers have'} not got the report.",
        fix,
        error="; ".join(f"{one.address}: {one.note}" for one in missing),
        where=str(folder),
    )
