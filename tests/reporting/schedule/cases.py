"""A project whose reports run by themselves: a source of two deals, a cheap report, a schedule, people."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from reporting.mail.runs import chapter, make_run
from reporting.projects import chapter_notebook, make_project
from revops_analysis.project import Project
from revops_analysis.reporting.preparation import RunRequest, Watcher
from revops_analysis.reporting.publish import point_latest, publish
from revops_analysis.reporting.run import RunResult, is_complete

RECIPIENTS = """
recipients:
  - {name: Ana, address: ana@example.com, lists: [board]}
  - {name: Bob, address: bob@example.com, lists: [board]}
  - {name: Head of EMEA, address: emea@example.com, lists: [regions], cut: region = EMEA}
"""
HEAD = "failures: {to: ops@example.com}\ndata_owner: {to: crm@example.com}\nentries:\n"
ENTRY = {
    "name": "monthly",
    "report": "tiny",
    "source": "tiny",
    "cron": "0 7 1 * *",
    "time_zone": "America/New_York",
    "starts": "2026-07-01",
    "as_of": "last complete month",
    "load": False,
    "recipients": {"lists": ["board"]},
}
COLUMNS = ("opportunity_id", "stage", "type", "created_at", "close_date", "amount")
DEALS = f"{','.join(COLUMNS)}\n1,Discovery,new,2026-01-05,2026-12-01,{{}}\n"


def write_schedule(project: Project, *entries: Mapping[str, Any], head: str = HEAD) -> None:
    """Write `params/schedule.yml`: each of `entries` is `ENTRY` with what it says changed."""
    text = "".join(f"  - {json.dumps({**ENTRY, **entry})}\n" for entry in entries or ({},))
    (project.params / "schedule.yml").write_text(head + text, encoding="utf-8")


def write_deals(project: Project, amount: int = 1000) -> None:
    """Write the file that the source `tiny` loads."""
    (project.params / "sources" / "deals.csv").write_text(DEALS.format(amount))


def make_scheduled(root: Path) -> Project:
    """The project, loaded once, with a schedule of one entry."""
    project = make_project(root, {"first": chapter_notebook("first")})
    (project.params / "recipients.yml").write_text(RECIPIENTS)
    profile = project.params / "sources" / "tiny.yml"
    profile.write_text(f"{profile.read_text()}    columns: {{{', '.join(f'{name}: {name}' for name in COLUMNS)}}}\n")
    write_deals(project)
    write_schedule(project)
    return project


def copy_of(project: Project, root: Path) -> Project:
    """The same project elsewhere, as it was made."""
    shutil.copytree(project.root, root)
    return Project(root)


def cheap_render(request: RunRequest, project: Project, watcher: Watcher) -> RunResult:
    """A run as `run_report` makes them, in no time: the same inputs, the same folder; complete or not there."""
    inputs = hashlib.sha256(f"{request.report} {request.as_of} {request.data_hash}".encode()).hexdigest()
    place = (request.source, request.report, request.as_of.isoformat(), request.period, inputs[:8])
    target = request.reports.joinpath(*place)
    if is_complete(target):
        point_latest(target)
        return RunResult(target, reused=True)
    watcher.say("Rendering")
    request.reports.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=request.reports, prefix=".writing-") as folder:
        said = {"report": request.report, "source": request.source, "period": request.period, "input_hash": inputs}
        run = make_run(
            Path(folder), chapter(findings=1), day=request.as_of.isoformat(), data={"hash": request.data_hash}, **said
        )
        publish(run, target)
    point_latest(target)
    return RunResult(target, reused=False)


def runs_in(project: Project) -> list[str]:
    """Every run that is published, by its place."""
    found = [path.parent for path in project.reports.glob("*/*/*/*/*/manifest.json") if not path.parent.is_symlink()]
    return sorted(path.relative_to(project.reports).as_posix() for path in found)


def mail_settings(port: int, ca_file: Path, user: str, password: str) -> dict[str, str]:
    """The environment of a call that sends to a server on this machine."""
    return {
        "REVOPS_SMTP_HOST": "localhost",
        "REVOPS_SMTP_PORT": str(port),
        "REVOPS_SMTP_CA_FILE": str(ca_file),
        "REVOPS_SMTP_USER": user,
        "REVOPS_SMTP_PASSWORD": password,
        "REVOPS_SMTP_FIRST_WAIT_SECONDS": "0",
        "REVOPS_SMTP_ATTEMPTS": "2",
        "REVOPS_MAIL_SENDER": "reports@example.com",
    }


class Events:
    """Counts what a process does that lasts, and kills the process just before or after the chosen one."""

    def __init__(self, fatal: int) -> None:
        self.fatal, self.count = fatal, 0

    def happen(self) -> None:
        if self.count == self.fatal:
            os.kill(os.getpid(), 9)
        self.count += 1

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            self.happen()
            answer = function(*arguments, **named)
            self.happen()
            return answer

        return counted
