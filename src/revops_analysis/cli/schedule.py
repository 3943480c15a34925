"""`revops schedule`: reports that run by themselves."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from revops_analysis.cli.printing import print_frame, progress

if TYPE_CHECKING:
    from datetime import datetime

    from revops_analysis.project import Project
    from revops_analysis.reporting.schedule.state import Slot

app = typer.Typer(help="Reports that run by themselves: params/schedule.yml.", no_args_is_help=True)

At = Annotated[str, typer.Option("--at", help="A moment with its offset, as 2026-10-01T07:00-04:00 or …T11:00Z.")]
_EXIT_CODES = {"failed": 4, "refused": 3, "undelivered": 5}


@app.command("list")
def list_entries() -> None:
    """List the entries: what, when, to whom, and what became of the last one that was due."""
    project = _project()
    from revops_analysis.reporting.schedule.entries import load_schedule
    from revops_analysis.reporting.schedule.state import read_slots

    last = {slot.name: slot for slot in read_slots(project.state_file)}
    rows = []
    for entry in load_schedule(project).entries:
        rows.append(
            {
                "name": entry.name,
                "report": entry.report,
                "source": entry.source,
                "cron": entry.cron,
                "time_zone": entry.time_zone,
                "as_of": entry.as_of,
                "to": ", ".join((*entry.recipients.lists, *entry.recipients.to)),
                "condition": entry.condition,
                "last": _became(last.get(entry.name)),
            }
        )
    _print(rows, "Schedule")


@app.command("next", epilog='Example: revops schedule next --at "$(date -u +%Y-%m-%dT%H:%MZ)"')
def next_due(
    *, at: At, count: Annotated[int, typer.Option("--count", min=1, help="How many of each entry.")] = 3
) -> None:
    """Show what is due next after a moment, and which day and period each is of."""
    project, moment = _project(), _moment(at)
    from datetime import timedelta

    from revops_analysis.definitions import load_definitions
    from revops_analysis.periods import period_containing
    from revops_analysis.reporting.schedule.entries import load_schedule
    from revops_analysis.reporting.schedule.moments import logical_date, next_moment
    from revops_analysis.reporting.spec import load_report
    from revops_analysis.sources.profile import load_profile

    found = []
    for entry in load_schedule(project).entries:
        calendar = load_definitions(load_profile(entry.source, project).definitions_path(project)).fiscal_calendar
        due = next_moment(entry.cron, entry.zone, max(moment, entry.begins - timedelta(seconds=1)))
        for _ in range(count):
            if due is None:
                break
            day = logical_date(entry.as_of, due, entry.zone, calendar)
            grain = entry.period or load_report(entry.report, project).period
            period = period_containing(day, calendar, grain).label
            local = due.astimezone(entry.zone).strftime("%Y-%m-%d %H:%M %Z")
            found.append((due, {"due": local, "name": entry.name, "as_of": day.isoformat(), "period": period}))
            due = next_moment(entry.cron, entry.zone, due)
    _print([row for _, row in sorted(found, key=lambda pair: (pair[0], pair[1]["name"]))], "Next")


@app.command(epilog='Example: revops schedule run --at "$(date -u +%Y-%m-%dT%H:%MZ)"')
def run(
    *,
    at: At,
    again: Annotated[
        list[str] | None, typer.Option("--again", help="Entry whose failed runs are done again; may be repeated.")
    ] = None,
) -> None:
    """Do what was due up to a moment: once each, in order, what was missed with the day that was its own.

    Exit code 0 when nothing failed; else that of the worst: 3 data refused, 4 failed, 5 not delivered.
    """
    project, moment = _project(), _moment(at)
    from revops_analysis.reporting.schedule.runner import Tools, run_due

    with progress() as told:
        slots = run_due(project, moment, Tools(told, again=tuple(again or ())))
    if not slots:
        print("Nothing was due.")
        return
    rows = [
        {
            "name": slot.name,
            "due": slot.due.strftime("%Y-%m-%d %H:%M UTC"),
            "as_of": slot.as_of.isoformat(),
            "result": _became(slot),
            "run": slot.folder,
        }
        for slot in slots
    ]
    _print(rows, "Done")
    failed = dict.fromkeys(slot.name for slot in slots if slot.state in _EXIT_CODES)
    for name in failed:
        print(f"When the cause is gone: revops schedule run --at MOMENT --again {name}", file=sys.stderr)
    code = max((_EXIT_CODES.get(slot.state, 0) for slot in slots), default=0)
    if code:
        raise typer.Exit(code)


@app.command()
def service(
    *, every: Annotated[float, typer.Option("--every", min=1, help="Seconds between two looks at what is due.")] = 60
) -> None:
    """Do what is due as it comes due, until stopped (SIGTERM); warehouse/schedule_health.json says how it is."""
    project = _project()
    from revops_analysis.reporting.schedule.entries import load_schedule
    from revops_analysis.reporting.schedule.service import Service, health_file

    load_schedule(project)  # a wrong schedule is said here and now
    print(f"==> The schedule runs; {health_file(project)} says how it is. Stop it with Ctrl-C.", file=sys.stderr)
    with progress() as told:
        Service(project, told, every).run()


@app.command()
def export(
    *,
    cron: Annotated[bool, typer.Option("--cron", help="A line for crontab.")] = False,
    systemd: Annotated[bool, typer.Option("--systemd", help="A unit for systemd.")] = False,
) -> None:
    """Write the entry for a scheduler that is there already."""
    from revops_analysis.errors import ConfigurationError
    from revops_analysis.reporting.schedule.export import cron_entry, systemd_units

    if cron == systemd:
        raise ConfigurationError("Say for which scheduler.", expected="--cron or --systemd")
    print(cron_entry(_project()) if cron else systemd_units(_project()), end="")


def _project() -> Project:
    from revops_analysis.project import find_project

    return find_project()


def _moment(text: str) -> datetime:
    from revops_analysis.errors import ConfigurationError
    from revops_analysis.reporting.schedule.moments import parse_moment

    try:
        return parse_moment(text)
    except ValueError as problem:
        raise ConfigurationError(
            f"--at is no moment: {problem}.", expected="as 2026-10-01T07:00-04:00 or 2026-10-01T11:00Z", found=text
        ) from problem


def _became(slot: Slot | None) -> str:
    """What became of a slot, in words."""
    from revops_analysis.reporting.schedule.problems import problem_from

    if slot is None:
        return "–"
    words = [slot.state, problem_from(slot.note).what.rstrip(".")]
    again = f"again from {slot.next_try:%Y-%m-%d %H:%M} UTC" if slot.next_try is not None and slot.is_open else ""
    if slot.state in _EXIT_CODES:  # it has ended: what is tried again is to tell of it
        words += [] if slot.told else ["nobody could be told yet", again and f"tried {again}"]
    else:
        words.append(again)
    return "; ".join(word for word in words if word)


def _print(rows: Sequence[dict[str, Any]], title: str) -> None:
    import pandas as pd

    print_frame(pd.DataFrame(rows), title)
