"""Verification: a run rendered again from what it was made of and compared, or what it was made of is no longer so."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from revops_analysis.errors import ConfigurationError
from revops_analysis.project import Project
from revops_analysis.reporting.inputs import environment_hash, package_hash
from revops_analysis.reporting.manifest import git_commit, library_versions, machine_mark
from revops_analysis.reporting.preparation import prepare
from revops_analysis.reporting.run import run_report
from revops_analysis.reporting.trust.comparison import Comparison, compare
from revops_analysis.reporting.trust.past_run import PastRun, read_past_run
from revops_analysis.reporting.trust.replica import replica, request_of, stand_of

if TYPE_CHECKING:
    from revops_analysis.reporting.preparation import Watcher

Verdict = Literal["identical", "equal figures", "different", "inputs differ"]
_SHORT = 12


@dataclass(frozen=True)
class Difference:
    """An input that is not what it was: its name, what the manifest says, what is there today, and what to do."""

    input: str
    then: str
    now: str
    fix: str


@dataclass(frozen=True)
class Verification:
    """The answer to whether a run can be reproduced.

    `differences` are inputs that are not what they were; then nothing was rendered and `comparison` is None. `altered`
    are files of the run's folder that are not what was rendered at the time. `same_machine`: floats must agree to the
    last bit only where the run was made.
    """

    run: PastRun
    differences: tuple[Difference, ...]
    altered: tuple[str, ...]
    same_machine: bool
    comparison: Comparison | None = None

    @property
    def verdict(self) -> Verdict:
        """identical: every byte; equal figures: key figures and tables, on another machine; else what is wrong."""
        if self.comparison is None:
            return "inputs differ"
        if self.comparison.identical:
            return "identical"
        if self.comparison.figures or self.altered or self.same_machine:
            return "different"
        return "equal figures"

    @property
    def exit_code(self) -> int:
        """0 verified; 2 cannot be rendered again as it was; 4 rendered again, and not the same."""
        return {"identical": 0, "equal figures": 0, "inputs differ": 2, "different": 4}[self.verdict]


def verify_run(place: Path, project: Project, watcher: Watcher) -> Verification:
    """Render a run again from its manifest, in a temporary place, and compare it with what was published.

    The inputs are those that the run kept: definitions, notebooks, expectations, playbook and profile may have changed
    in the project since. Data come from the load that the manifest names. Code and libraries must be the same. What
    models have kept is not used: everything is computed again.

    Raises ConfigurationError for a folder that is no run, DataRefusedError as rendering does.
    """
    run = read_past_run(place)
    same_machine = run.manifest.get("run", {}).get("machine") == machine_mark()
    try:
        stand = stand_of(run, project)
        with replica(stand, project) as made:
            request = request_of(stand, made)
            differences = tuple(_compare_inputs(run, prepare(request, made, watcher).inputs.items, project))
            if differences:
                return Verification(run, differences, run.altered, same_machine)
            watcher.say("Rendering again")
            again = run_report(request, made, watcher)
            return Verification(run, (), run.altered, same_machine, compare(run.folder, again.folder))
    except ConfigurationError as problem:
        known = {name: run.inputs.get(name) for name in run.inputs}
        code = {**known, "package": package_hash(), "environment": environment_hash(project)}
        found = (_absent(problem), *_compare_inputs(run, code, project))
        return Verification(run, found, run.altered, same_machine)


def _absent(problem: ConfigurationError) -> Difference:
    then = problem.expected or "there"
    now = " ".join(part for part in (problem.what, problem.found) if part)
    return Difference(problem.where or "inputs", then, now, problem.fix or "restore it")


def _compare_inputs(run: PastRun, today: Mapping[str, Any], project: Project) -> Iterator[Difference]:
    """Every input that is not what the manifest says."""
    for name in dict.fromkeys([*run.inputs, *today]):
        then, now = run.inputs.get(name, "not recorded"), today.get(name, "not there")
        if then == now:
            continue
        if name == "package":
            yield _code(run, project, str(now))
        elif name == "environment":
            yield from _environment(run, project)
        elif isinstance(then, Mapping) and isinstance(now, Mapping):
            yield from _parts(name, then, now)
        else:
            yield Difference(name, _short(then), _short(now), _FIXES.get(name, "restore what the run was made from"))


_FIXES = {
    "data_hash": "load the same data again, or restore the warehouse file from a backup",
    "definitions": "restore the run's inputs/definitions.json",
    "profile": "restore the source's profile as it was",
    "expectations": "restore the run's inputs/expectations",
    "playbook": "restore the run's inputs/playbook.yml",
}


def _code(run: PastRun, project: Project, now: str) -> Difference:
    then = run.manifest["run"].get("git_commit")
    old = f"version {run.manifest['package']}, commit {_short(then)}, code {_short(run.inputs['package'])}"
    today = git_commit(project)
    clean = (then or "").rstrip("+")
    fix = (
        f"git worktree add ../then {clean}, `make setup` there, verify with its revops"
        if clean
        else ("install the version that rendered the run")
    )
    if then and then.endswith("+"):
        fix += " (+: the run was rendered with changes that were not committed)"
    from importlib.metadata import version

    return Difference(
        "code", old, f"version {version('revops-analysis')}, commit {_short(today)}, code {_short(now)}", fix
    )


def _environment(run: PastRun, project: Project) -> Iterator[Difference]:
    """Libraries whose version changed, one by one; the lock itself where all that matter are the same."""
    fix = "`make setup` in a checkout of the run's commit"
    then, now = (
        {"python": run.manifest["python"], **run.manifest["libraries"]},
        {
            "python": platform.python_version(),
            **library_versions(),
        },
    )
    moved = [name for name in dict.fromkeys([*then, *now]) if then.get(name) != now.get(name)]
    for name in moved:
        yield Difference(f"library {name}", then.get(name, "not recorded"), now.get(name, "not there"), fix)
    if not moved:
        today = environment_hash(project)
        yield Difference("requirements.lock", _short(run.inputs["environment"]), _short(today), fix)


def _parts(name: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Difference]:
    for part in dict.fromkeys([*then, *now]):
        if then.get(part) != now.get(part):
            old, new = _short(then.get(part, "not there")), _short(now.get(part, "not there"))
            yield Difference(f"{name}: {part}", old, new, f"restore the run's inputs/{name}")


def _short(value: Any) -> str:
    """A value as it fits a line; of a hash or commit the first digits.

    >>> _short("0123456789abcdef0123456789abcdef"), _short(None), _short(False), _short(("a", "b"))
    ('0123456789ab', 'none', 'False', "('a', 'b')")
    """
    if value is None:
        return "none"
    text = str(value)
    is_hash = len(text) >= 16 and all(sign in "0123456789abcdef+" for sign in text)
    return text[:_SHORT] if is_hash else text[:80]
