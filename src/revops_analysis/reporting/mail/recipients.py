"""Who gets a report: `params/recipients.yml`, typed, and the addresses and lists that a command names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from revops_analysis.errors import ConfigurationError
from revops_analysis.project import Project
from revops_analysis.reporting.mail.addresses import Person, parse_person
from revops_analysis.sources.near import near
from revops_analysis.tables.cut import Cut
from revops_analysis.workspace import parse_cut
from revops_analysis.yaml_document import Document, read_yaml

FILE = "recipients.yml"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Entry(_Strict):
    """One person of the file. `cut` limits what this person may see: `region = EMEA`, or a mapping `{region: EMEA}`."""

    name: str = Field("", description="Name as the mail's header shows it")
    address: str = Field(description="Mail address")
    lists: tuple[str, ...] = Field((), description="Lists that this person is on")
    cut: Cut | None = Field(None, description="The only part of the company this person may see, as region = EMEA")

    @model_validator(mode="after")
    def _is_a_person(self) -> Entry:
        Person(self.name, self.address)
        return self

    @field_validator("lists", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("cut", mode="before")
    @classmethod
    def _written_out(cls, value: Any) -> Any:
        """An empty cut is no cut: somebody meant to bind this person."""
        try:
            if isinstance(value, dict):
                return Cut.of({str(name): str(text) for name, text in value.items()})
            return parse_cut(str(value))
        except ConfigurationError as problem:
            raise ValueError(f"{problem.what} Expected {problem.expected}") from problem

    @property
    def person(self) -> Person:
        """Name and address, checked."""
        return Person(self.name, self.address)


class _File(_Strict):
    recipients: tuple[Entry, ...] = ()


@dataclass(frozen=True)
class Recipient:
    """Somebody who gets this mail, why, and the cut that binds what it may hold."""

    person: Person
    reason: str
    cut: Cut | None = None


def choose(project: Project, to: Sequence[str], lists: Sequence[str]) -> list[Recipient]:
    """The recipients that addresses (`Name <address>` or bare) and lists name, each once, in order of address.

    An address that stands in the file has the file's name and cut, so that naming it on the command line never shows
    more. Raises ConfigurationError for nobody, a wrong address, an unknown list, or a wrong file.
    """
    entries = load_entries(project)
    by_key = {entry.person.key: entry for entry in entries}
    chosen: dict[str, Recipient] = {}
    for name in lists:
        for entry in _members(name, entries, project):
            chosen.setdefault(entry.person.key, _listed(entry, f"you are on the list {name} of params/{FILE}"))
    for text in to:
        person = _person(text)
        known, reason = by_key.get(person.key), "it was sent to you by name"
        chosen.setdefault(person.key, _listed(known, reason) if known else Recipient(person, reason))
    if not chosen:
        raise ConfigurationError(
            "Nobody was named to get this report.",
            expected="--to ADDRESS, --list NAME or REVOPS_MAIL_RECIPIENTS",
            found=f"lists: {', '.join(_lists(entries)) or 'none'}",
            where=str(project.params / FILE),
        )
    return [chosen[key] for key in sorted(chosen)]


def load_entries(project: Project) -> tuple[Entry, ...]:
    """The people of `params/recipients.yml`; none where there is no such file.

    Raises ConfigurationError with the line of an unknown key, a wrong address, or an address that stands twice.
    """
    path = project.params / FILE
    if not path.is_file():
        return ()
    document = read_yaml(path)
    for line, what, fix in document.problems:
        raise ConfigurationError(f"{FILE} is wrong: {what}.", where=f"{path} line {line}", fix=fix)
    try:
        entries = _File.model_validate(document.values).recipients
    except ValidationError as error:
        raise _explained(error, document) from error
    _each_once(entries, document, path)
    return entries


def _explained(error: ValidationError, document: Document) -> ConfigurationError:
    first = error.errors(include_url=False)[0]
    place = [part for part in first["loc"] if isinstance(part, (str, int))]
    message = first["msg"].removeprefix("Value error, ")
    return ConfigurationError(
        f"{'.'.join(map(str, place)) or FILE}: {message}.", where=f"{document.path} line {document.line_of(place)}"
    )


def _each_once(entries: Sequence[Entry], document: Document, path: Path) -> None:
    seen: set[str] = set()
    for number, entry in enumerate(entries):
        if entry.person.key in seen:
            line = document.line_of(("recipients", number, "address"))
            raise ConfigurationError(
                f"{entry.address} stands twice.", where=f"{path} line {line}", fix="one entry, with all its lists"
            )
        seen.add(entry.person.key)


def _members(name: str, entries: Sequence[Entry], project: Project) -> list[Entry]:
    members = [entry for entry in entries if name in entry.lists]
    if not members:
        hint = near(name, _lists(entries))
        raise ConfigurationError(f"There is no list {name}{hint}", where=str(project.params / FILE))
    return members


def _lists(entries: Sequence[Entry]) -> list[str]:
    return sorted({name for entry in entries for name in entry.lists})


def _listed(entry: Entry, reason: str) -> Recipient:
    return Recipient(entry.person, reason, entry.cut)


def _person(text: str) -> Person:
    try:
        return parse_person(text)
    except ValueError as problem:
        raise ConfigurationError(f"{problem}.", found=repr(text), where="--to or REVOPS_MAIL_RECIPIENTS") from problem
