"""The `revops` command: parses, calls, prints. Results go to stdout; progress and errors go to stderr."""

from __future__ import annotations

import os
import sys

import typer

from revops_analysis.cli import (
    attribution,
    data,
    duplicates,
    findings,
    flags,
    forecasts,
    leads,
    mail,
    metrics,
    movement,
    quality,
    questions,
    renewals,
    reports,
    retention,
    schedule,
    trust,
)
from revops_analysis.errors import RevopsError

app = typer.Typer(
    name="revops",
    help="Revenue-operations figures from checked data, as of a stated day.\n\n"
    "Exit codes: 0 done, 2 wrong use or configuration, 3 data refused by the gate, 4 a chapter failed, "
    "5 a delivery failed.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for family in (
    data,
    reports,
    metrics,
    forecasts,
    attribution,
    retention,
    renewals,
    findings,
    mail,
    trust,
    flags,
    movement,
    duplicates,
    quality,
):
    app.add_typer(family.app)
app.add_typer(data.sources_app, name="sources")
app.add_typer(leads.app, name="leads")
app.add_typer(questions.app, name="question")
app.add_typer(schedule.app, name="schedule")

_UNEXPECTED = 1


def main() -> None:
    """Entry point of the `revops` command: every error is a message and an exit code."""
    try:
        app()
    except RevopsError as error:
        _fail(error, str(error), error.exit_code)
    except Exception as error:
        hint = "This is a mistake in the program. Set REVOPS_DEBUG=1 to see where it happened."
        _fail(error, f"{type(error).__name__}: {error}\n{hint}", _UNEXPECTED)


def _fail(error: Exception, text: str, code: int) -> None:
    if os.environ.get("REVOPS_DEBUG") == "1":
        raise error
    print(f"revops: {text}", file=sys.stderr)
    sys.exit(code)
