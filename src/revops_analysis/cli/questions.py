"""`revops question`: a notebook for a question, and its answer frozen as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from revops_analysis.cli.options import AsOf, SourceOption, day
from revops_analysis.cli.printing import progress, shown

app = typer.Typer(help="Questions that no report asks.", no_args_is_help=True, rich_markup_mode=None)


@app.command(epilog='Example: revops question new "Why did enterprise win rate fall in Q3?" --source sample --as-of …')
def new(title: Annotated[str, typer.Argument(help="The question.")], *, source: SourceOption, as_of: AsOf) -> None:
    """Write a notebook for a question, with metrics and findings that its words point to, and print its path."""
    from revops_analysis.project import find_project
    from revops_analysis.reporting.questions.new import QuestionRequest, new_question

    print(shown(new_question(QuestionRequest(title, source, day(as_of)), find_project())))


@app.command(epilog="Example: revops question answer notebooks/questions/2026-09-30-why-did-….ipynb")
def answer(file: Annotated[Path, typer.Argument(help="The question's notebook.")]) -> None:
    """Run a question's notebook clean from top to bottom, freeze it as a page with manifest, and print its path.

    Ends with 2 when the answer is empty, with 4 when the notebook does not run; then nothing is published.
    """
    from revops_analysis.project import find_project
    from revops_analysis.reporting.questions.answer import answer_question

    with progress() as told:
        page = answer_question(file, find_project(), told)
    print(shown(page))
