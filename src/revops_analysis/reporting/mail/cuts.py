"""A run for everybody who is chosen: the whole one, and for whoever may see a part only a run of that part alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from revops_analysis.errors import ChapterFailedError, ConfigurationError, RevopsError
from revops_analysis.project import Project
from revops_analysis.reporting.mail.recipients import Recipient
from revops_analysis.reporting.mail.run_folder import MailedRun, read_run
from revops_analysis.reporting.preparation import RunRequest, Watcher
from revops_analysis.reporting.run import run_report
from revops_analysis.tables.cut import Cut

_SAME = ("definitions", "package", "environment", "profile", "expectations")


@dataclass(frozen=True)
class Share:
    """Recipients who get the same run: all there is, or `cut` alone. Without a run, `problem` says why."""

    recipients: tuple[Recipient, ...]
    cut: Cut | None
    run: MailedRun | None = None
    problem: RevopsError | None = None


def shares_of(run: MailedRun, recipients: Sequence[Recipient], project: Project, watcher: Watcher) -> list[Share]:
    """Recipients by what they may see, each with the run made for that; a run of a cut is rendered if need be.

    It rests on the load, the day and the period of `run`, and lies beside it. A cut that cannot be made is a share
    without a run: the others still get theirs. Whoever may see everything may also get a run of a part.
    """
    cuts = {one.cut for one in recipients}
    shares = []
    for cut in sorted(cuts, key=lambda cut: cut.label if cut else ""):
        members = tuple(one for one in recipients if one.cut == cut)
        try:
            shares.append(Share(members, cut, _run_for(cut, run, project, watcher)))
        except RevopsError as problem:
            shares.append(Share(members, cut, problem=problem))
    return shares


def _run_for(cut: Cut | None, run: MailedRun, project: Project, watcher: Watcher) -> MailedRun:
    if cut in (None, run.cut):
        return run
    if run.cut is not None or cut is None:
        raise ConfigurationError(
            "The run holds another part of the company than this recipient may see.",
            expected=cut.label if cut else "",
            found=run.manifest["cut"],
            where=run.place,
            fix="send the run of the whole company: everybody gets their part of it",
        )
    watcher.say(f"Rendering {cut.label} for who may see no more")
    result = run_report(_request(cut, run), project, watcher)
    if result.failed:
        raise ChapterFailedError(
            f"The part {cut.label} of the report could not be made.",
            found="; ".join(f"{chapter}: {error}" for chapter, error in result.failed.items()),
            where=str(result.folder),
            fix="repair the chapter, or name it whole_company in the report's YAML: it is then left out of cuts",
        )
    made = read_run(result.folder)
    _require_same(made, run)
    return made


def _request(cut: Cut, run: MailedRun) -> RunRequest:
    manifest = run.manifest
    return RunRequest(
        manifest["report"],
        manifest["source"],
        dt.date.fromisoformat(manifest["as_of"]),
        run.folder.parents[4],
        manifest["period"],
        bool(manifest["inputs"].get("allow_invalid")),
        data_hash=manifest["data"]["hash"],
        cut=cut,
    )


def _require_same(made: MailedRun, run: MailedRun) -> None:
    """Two readers of one report must not get figures by different words or code."""
    differ = [name for name in _SAME if made.manifest["inputs"].get(name) != run.manifest["inputs"].get(name)]
    if differ:
        raise ConfigurationError(
            "The part would not agree with the whole report, which was rendered with other inputs.",
            found=f"changed since: {', '.join(differ)}",
            where=run.place,
            fix="render the report again, and send that",
        )
