"""`revops email`: a rendered run sent to its readers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from revops_analysis.cli.printing import print_frame, progress, shown
from revops_analysis.cli.runs import run_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from revops_analysis.reporting.mail.dispatch import Outcome

app = typer.Typer()


@app.command(epilog="Example: revops email --latest quarterly --source sample --list board")
def email(  # noqa: PLR0913 - one argument an option of the command
    run: Annotated[Path | None, typer.Argument(help="Folder of a run, or its first page.")] = None,
    *,
    latest: Annotated[str, typer.Option("--latest", help="Report whose newest run is sent.")] = "",
    source: Annotated[str, typer.Option("--source", help="With --latest: the source of the run.")] = "",
    to: Annotated[list[str] | None, typer.Option("--to", help="Address, or 'Name <address>'; may be repeated.")] = None,
    lists: Annotated[
        list[str] | None, typer.Option("--list", help="List of params/recipients.yml; may be repeated.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write .eml files instead of sending.")] = False,
    resend: Annotated[bool, typer.Option("--resend", help="Send again to those who have it, or may have it.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the reports; by default reports/.")] = None,
) -> None:
    """Send a run by email, once to each recipient; what was sent is remembered and never sent again by itself.

    Server and sender come from the environment: REVOPS_SMTP_HOST, REVOPS_MAIL_SENDER and others, see docs/email.md.
    """
    from revops_analysis.project import find_project
    from revops_analysis.reporting.mail.send import MailRequest, require_delivered, send_run, write_messages

    project = find_project()
    reports = (out or project.reports).resolve()
    request = MailRequest(run_folder(run, latest, source, reports), tuple(to or ()), tuple(lists or ()))
    if dry_run:
        with progress() as told:
            written = write_messages(request, project, reports / "mail", told)
        for path in written:
            print(shown(path))
        return
    with progress() as told:
        outcomes = send_run(request, project, told, resend=resend)
    _print(outcomes)
    require_delivered(outcomes)


def _print(outcomes: Sequence[Outcome]) -> None:
    import pandas as pd

    rows = [
        {"address": one.address, "state": f"{one.state} before" if one.before else one.state, "note": one.note}
        for one in outcomes
    ]
    print_frame(pd.DataFrame(rows), "Mails")
