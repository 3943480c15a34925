"""Why figures moved between two runs: the data, the definitions, or the code.

Between run A and run B three things can change. With F(data, definitions, code):

- data: F(B's, A's, today) − F(A's, A's, today): what other data alone did, read in A's words. The as-of day and the
  period count as data: a later day is a day of other data;
- definitions: F(B's, B's, today) − F(B's, A's, today): what other words did to B's data;
- code: what is left of B − A: other code, libraries, notebooks and parameters of the report.

Shares are differences of published figures, taken in decimals, so data + definitions + code = B − A to the last digit.
What a run has published already is not computed again where today's code is the run's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from revops_analysis.errors import ConfigurationError
from revops_analysis.project import Project
from revops_analysis.reporting.inputs import environment_hash, package_hash
from revops_analysis.reporting.trust.comparison import FigureKey, by_name
from revops_analysis.reporting.trust.figures_only import Figures, figures_under
from revops_analysis.reporting.trust.past_run import KEY_FIGURES, PastRun, read_past_run
from revops_analysis.reporting.trust.replica import Stand, stand_of

if TYPE_CHECKING:
    import pandas as pd

    from revops_analysis.reporting.preparation import Watcher

SHARES = ("data", "definitions", "code")


@dataclass(frozen=True)
class Move:
    """One key figure in two runs: before, after, and the change by cause.

    A value is None where the run has none; `change` is None unless both runs have one, and `reason` then says why. Of
    the shares, those that could not be told apart are None, with the reason; the others still hold.
    """

    key: FigureKey
    unit: str
    before: Decimal | None
    after: Decimal | None
    change: Decimal | None
    data: Decimal | None
    definitions: Decimal | None
    code: Decimal | None
    reason: str | None = None

    @property
    def moved(self) -> bool:
        """Whether the two runs say something else."""
        return self.before != self.after


@dataclass(frozen=True)
class RunDiff:
    """Two runs, what differs in what they were made of, and every key figure that either of them has."""

    before: PastRun
    after: PastRun
    notes: tuple[str, ...]
    moves: tuple[Move, ...]

    @property
    def currency(self) -> str:
        """Currency of the later run's figures."""
        return str(json.loads((self.after.folder / KEY_FIGURES).read_text(encoding="utf-8"))["currency"])

    def to_frame(self) -> pd.DataFrame:
        """A row a key figure: metric, dims (as text), unit, before, after, change, data, definitions, code, reason."""
        import pandas as pd

        rows = [
            {
                "metric": move.key[0],
                "dims": ", ".join(f"{name} {'–' if value is None else value}" for name, value in move.key[1]),
                "unit": move.unit,
                **{name: getattr(move, name) for name in ("before", "after", "change", *SHARES)},
                "reason": move.reason,
            }
            for move in self.moves
        ]
        columns = ["metric", "dims", "unit", "before", "after", "change", *SHARES, "reason"]
        return pd.DataFrame(rows, columns=columns, dtype=object)


def diff_runs(before: Path, after: Path, project: Project, watcher: Watcher) -> RunDiff:
    """Compare the key figures of two runs of one report on one source, and share out each change.

    Raises ConfigurationError for folders that are no runs, for runs of different reports or sources, and for a run
    whose key figures were changed since it was rendered.
    """
    one, two = read_past_run(before), read_past_run(after)
    for name in ("report", "source", "cut"):
        if one.manifest.get(name, "") != two.manifest.get(name, ""):
            raise ConfigurationError(
                f"The runs are of two {name}s, so a change has no cause to look for.",
                expected=one.manifest.get(name) or "the whole company",
                found=two.manifest.get(name) or "the whole company",
                fix="give two runs of one report on one source and one part of the company",
            )
    for run in (one, two):
        if run.read(KEY_FIGURES) is None:
            raise ConfigurationError(
                "The key figures are not those that were rendered.", where=str(run.folder / KEY_FIGURES)
            )
    steps = _Steps(one, two, project, watcher)
    old, new = by_name(one.rows), by_name(two.rows)
    moves = tuple(_move(key, old.get(key), new.get(key), steps) for key in dict.fromkeys([*old, *new]))
    return RunDiff(one, two, tuple(_notes(one, two, steps)), moves)


@dataclass
class _Steps:
    """Figures on the way from A to B, all by today's code, rendered only when they are asked for."""

    one: PastRun
    two: PastRun
    project: Project
    watcher: Watcher

    @property
    def same_question(self) -> bool:
        return _question(self.one) == _question(self.two)

    @property
    def same_words(self) -> bool:
        return bool(self.one.manifest["definitions"]["hash"] == self.two.manifest["definitions"]["hash"])

    @property
    def same_craft(self) -> bool:
        return all(_craft(self.one, name) == _craft(self.two, name) for name in _CRAFT)

    def is_todays(self, run: PastRun) -> bool:
        return _code(run) == (package_hash(), environment_hash(self.project))

    @cached_property
    def start(self) -> Figures:
        """A's data and words."""
        if self.is_todays(self.one) and self.same_craft:
            return Figures(by_name(self.one.rows))
        return self._render("the first run's data and definitions", self._asked_as_before(self._in_old_words()))

    @cached_property
    def middle(self) -> Figures:
        """B's data in A's words."""
        if self.same_question:
            return self.start
        if self.same_words:
            return self.end
        return self._render("the second run's data with the first run's definitions", self._in_old_words())

    @cached_property
    def end(self) -> Figures:
        """B's data and words."""
        if self.is_todays(self.two):
            return Figures(by_name(self.two.rows))
        return self._render("the second run's data and definitions", self._later)

    @cached_property
    def _earlier(self) -> Stand:
        return stand_of(self.one, self.project)

    @cached_property
    def _later(self) -> Stand:
        return stand_of(self.two, self.project)

    def _in_old_words(self) -> Stand:
        return replace(self._later, definitions=self._earlier.definitions)

    def _asked_as_before(self, stand: Stand) -> Stand:
        old = self._earlier
        return replace(stand, as_of=old.as_of, period=old.period, data=old.data, previous=None, profile=old.profile)

    def _render(self, what: str, stand: Stand) -> Figures:
        self.watcher.say(f"Computing {what}")
        try:
            return figures_under(replace(stand, previous=None), self.project, self.watcher)
        except ConfigurationError as problem:
            return Figures({}, f"{what} cannot be computed: {problem.what}")


def _question(run: PastRun) -> tuple[Any, ...]:
    return run.inputs["data_hash"], run.manifest["as_of"], run.manifest["period"]


_CRAFT = ("notebooks", "report", "playbook")


def _craft(run: PastRun, name: str) -> Any:
    return run.inputs.get(name)


def _code(run: PastRun) -> tuple[str, str]:
    return run.inputs["package"], run.inputs["environment"]


def _notes(one: PastRun, two: PastRun, steps: _Steps) -> list[str]:
    """What differs in what the runs were made of, a sentence each."""
    notes = []
    for name, words in (("as_of", "as-of day"), ("period", "period")):
        if one.manifest[name] != two.manifest[name]:
            notes.append(f"The {words} went from {one.manifest[name]} to {two.manifest[name]}; that counts as data.")
    if one.inputs["data_hash"] != two.inputs["data_hash"]:
        notes.append(f"The data went from {one.inputs['data_hash']} to {two.inputs['data_hash']}.")
    if not steps.same_words:
        old, new = (
            f"{run.manifest['definitions']['version']} {run.manifest['definitions']['hash']}" for run in (one, two)
        )
        notes.append(f"The definitions went from {old} to {new}.")
    if _code(one) != _code(two):
        old, new = (f"{(run.manifest['run'].get('git_commit') or 'no commit')[:12]}" for run in (one, two))
        notes.append(f"The code or its libraries went from {old} to {new}.")
    elif not steps.is_todays(one):
        notes.append("Today's code is not that of the runs: what it computes otherwise stands in the share of code.")
    changed = [name for name in _CRAFT if _craft(one, name) != _craft(two, name)]
    if changed:
        notes.append(f"Changed beside the code, and counted as code: {', '.join(changed)}.")
    return notes or ["Both runs were made of the same."]


def _move(key: FigureKey, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, steps: _Steps) -> Move:
    before, after = _value(old), _value(new)
    unit = str((new or old or {})["unit"])
    if before is None or after is None:
        why = None if before == after else _why_none(old, "first") or _why_none(new, "second")
        return Move(key, unit, before, after, None, None, None, None, why)
    change = after - before
    data = Decimal(0) if steps.same_question else _between(key, steps.start, steps.middle)
    words = Decimal(0) if steps.same_words else _between(key, steps.middle, steps.end)
    rest = None if data is None or words is None else change - data - words
    reason = _gap(steps) if None in (data, words, rest) else None
    return Move(key, unit, before, after, change, data, words, rest, reason)


def _why_none(row: Mapping[str, Any] | None, which: str) -> str | None:
    if row is None:
        return f"not in the {which} run"
    return f"{which} run: {row['reason']}" if row["value"] is None else None


def _value(row: Mapping[str, Any] | None) -> Decimal | None:
    """A published value, exactly as it is written."""
    return None if row is None or row["value"] is None else Decimal(str(row["value"]))


def _between(key: FigureKey, one: Figures, two: Figures) -> Decimal | None:
    """What a figure changed by on the way from one step to the next; None where a step has no value."""
    start, end = _value(one.rows.get(key)), _value(two.rows.get(key))
    return None if start is None or end is None else end - start


def _gap(steps: _Steps) -> str:
    """Why shares could not be told apart."""
    taken = [vars(steps)[name] for name in ("start", "middle", "end") if name in vars(steps)]
    found = dict.fromkeys(step.missing for step in taken if step.missing)
    return "; ".join(found) or "a step between the runs has no value"
