"""What is to run by itself: `params/schedule.yml`, typed, unknown keys refused with their line."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from revops_analysis.errors import ConfigurationError
from revops_analysis.periods import Grain
from revops_analysis.project import Project
from revops_analysis.reporting.mail.recipients import Recipient, choose
from revops_analysis.reporting.schedule.moments import AsOfRule, parse_cron
from revops_analysis.reporting.spec import load_report
from revops_analysis.sources.profile import load_profile
from revops_analysis.yaml_document import Document, read_yaml

FILE = "schedule.yml"
Condition = Literal["always", "if changed", "if finding at least critical", "if finding at least warning"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Readers(_Strict):
    """People: addresses, and lists of `params/recipients.yml`."""

    to: tuple[str, ...] = Field((), description="Addresses, or 'Name <address>'")
    lists: tuple[str, ...] = Field((), description="Lists of params/recipients.yml")

    @field_validator("to", "lists", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _somebody(self) -> Readers:
        if not self.to and not self.lists:
            raise ValueError("nobody is named: give to or lists")
        return self


class Entry(_Strict):
    """One report that runs by itself."""

    name: str = Field(description="Name, the key of what is remembered: a new name begins anew")
    report: str = Field(description="Report in params/reports/, without .yml")
    source: str = Field(description="Source in params/sources/, without .yml")
    cron: str = Field(description="Minute, hour, day of month, month, weekday by name")
    time_zone: str = Field(description="Zone whose wall clock the cron expression is of, as America/New_York")
    starts: date = Field(description="First day, in the zone, on which it is due; nothing before is caught up")
    as_of: AsOfRule = Field(description="Which day the report is of, seen from the day it is due")
    period: Grain | None = Field(
        None, description="Length of the fiscal period reported, the one that has that day; else the report's own"
    )
    load: bool = Field(default=True, description="Whether the source is loaded first; else its latest load is taken")
    recipients: Readers = Field(description="Who gets it")
    condition: Condition = Field("always", description="When it is sent; it is rendered in any case")
    keep_runs: int = Field(12, ge=1, description="How many of its runs stay; older ones are removed")
    failures: Readers | None = Field(None, description="Who is told when it fails, if not those of the file")
    data_owner: Readers | None = Field(None, description="Who is told when data are refused, if not those of the file")

    @field_validator("name")
    @classmethod
    def _plain(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z][a-z0-9_-]*", value):
            raise ValueError("lower-case letters, digits, - and _ make a name")
        return value

    @field_validator("cron")
    @classmethod
    def _readable(cls, value: str) -> str:
        parse_cron(value)
        return value

    @field_validator("time_zone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as problem:
            raise ValueError("no time zone of that name, such as America/New_York or UTC") from problem
        return value

    @property
    def zone(self) -> ZoneInfo:
        """The zone of the cron expression."""
        return ZoneInfo(self.time_zone)

    @property
    def begins(self) -> datetime:
        """The first moment of the day on which it starts, in UTC."""
        return datetime.combine(self.starts, time(), tzinfo=self.zone).astimezone(UTC)


class Schedule(_Strict):
    """All that runs by itself, and who is told when something does not."""

    failures: Readers = Field(description="Who is told of a failed run: chapter, error, what to do")
    data_owner: Readers = Field(description="Who is told of refused data, with the page of the checks")
    entries: tuple[Entry, ...] = Field((), description="Reports that run by themselves")

    @field_validator("entries")
    @classmethod
    def _each_once(cls, value: tuple[Entry, ...]) -> tuple[Entry, ...]:
        names = [entry.name for entry in value]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} is named twice")
        return value

    def entry(self, name: str) -> Entry | None:
        """The entry of a name; None when it is no longer there."""
        return next((entry for entry in self.entries if entry.name == name), None)

    def told_of_failure(self, entry: Entry | None) -> Readers:
        """Who hears that a run failed."""
        return (entry and entry.failures) or self.failures

    def told_of_data(self, entry: Entry | None) -> Readers:
        """Who hears that data were refused."""
        return (entry and entry.data_owner) or self.data_owner


def load_schedule(project: Project) -> Schedule:
    """Read `params/schedule.yml` and what it names.

    Raises ConfigurationError naming file, line and repair: no such file, an unknown key, a wrong value, a report,
    source or list that does not exist, somebody told of failures who may see a part of the company only.
    """
    path = project.params / FILE
    if not path.is_file():
        raise ConfigurationError(
            "Nothing is scheduled: there is no schedule.", where=str(path), fix="write one, see docs/schedule.md"
        )
    document = read_yaml(path)
    for line, what, fix in document.problems:
        raise ConfigurationError(f"{FILE} is wrong: {what}.", where=f"{path} line {line}", fix=fix)
    try:
        schedule = Schedule.model_validate(document.values)
    except ValidationError as error:
        raise _explained(error, document) from error
    for number, entry in enumerate(schedule.entries):
        _check(entry, schedule, project, f"{path} line {document.line_of(('entries', number))}")
    return schedule


def readers(of: Readers, project: Project) -> list[Recipient]:
    """The recipients that addresses and lists name."""
    return choose(project, of.to, of.lists)


def _check(entry: Entry, schedule: Schedule, project: Project, where: str) -> None:
    """Whatever is named must be there before it is due."""
    try:
        load_report(entry.report, project)
        load_profile(entry.source, project)
        readers(entry.recipients, project)
        told = [
            *readers(schedule.told_of_failure(entry), project),
            *readers(schedule.told_of_data(entry), project),
        ]
    except ConfigurationError as problem:
        raise ConfigurationError(
            f"The schedule of {entry.name} cannot run: {problem.what}",
            expected=problem.expected,
            found=problem.found,
            where=where,
            fix=problem.fix,
        ) from problem
    bound = [one.person.address for one in told if one.cut]
    if bound:
        raise ConfigurationError(
            f"{bound[0]} may see a part of the company only, and what is told of a failure may hold more.",
            where=where,
            fix="name people without a cut under failures and data_owner",
        )


def _explained(error: ValidationError, document: Document) -> ConfigurationError:
    found = error.errors(include_url=False)
    first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])  # a misspelt key is also missing
    place = [part for part in first["loc"] if isinstance(part, (str, int))]
    where = f"{document.path} line {document.line_of(place)}"
    key = ".".join(map(str, place)) or FILE
    if first["type"] == "extra_forbidden":
        model = Readers if len(place) > 1 and place[-2] in ("recipients", "failures", "data_owner") else Entry
        expected = ", ".join((Schedule if len(place) == 1 else model).model_fields)
        return ConfigurationError(f"Unknown key {place[-1]}.", expected=f"one of {expected}", where=where)
    message = first["msg"].removeprefix("Value error, ")
    given = None if isinstance(first["input"], (dict, list)) else repr(first["input"])
    return ConfigurationError(f"{key}: {message}.", found=given, where=where)
