"""Who gets a report: `params/recipients.yml`, typed, and the addresses and lists that a command names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from revops_analysis.errors import ConfigurationError
from revops_analysis.project import Project
from revops_analysis.reporting.mail.addresses import Person, parse_person
from revops_analysis.sources.near import near
from revops_analysis.yaml_document import Document, read_yaml

FILE = "recipients.yml"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Entry(_Strict):
    """One person of the file. `cut` limits what this person may see, as `region: EMEA`."""

    name: str = Field("", description="Name as the mail's header shows it")
    address: str = Field(description="Mail address")
    lists: tuple[str, ...] = Field((), description="Lists that this person is on")
    cut: dict[str, str] = Field(default_factory=dict, description="The only part of the report this person may see")

    @model_validator(mode="after")
    def _is_a_person(self) -> Entry:
        Person(self.name, self.address)
        return self

    @field_validator("lists", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

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
    cut: tuple[tuple[str, str], ...] = ()


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


def refuse_cuts(recipients: Iterable[Recipient], place: str) -> None:
    """Raise ConfigurationError if somebody may see a part only: a rendered run holds all of it.

    Pages, tables, notebooks and the gate's page all hold the whole company, and nothing in a run proves that a
    parameter cut each of them; so nothing is sent to anybody rather than too much to one.
    """
    bound = [recipient for recipient in recipients if recipient.cut]
    if bound:
        cut = " and ".join(f"{name} = {value}" for name, value in bound[0].cut)
        raise ConfigurationError(
            "A recipient may see a part of the report only, and reports cannot be cut yet; nothing was sent.",
            expected=f"a run that holds {cut} alone",
            found=f"{bound[0].person.address} was chosen, and {place} holds all",
            fix="choose a list or addresses without a cut",
        )


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
    return Recipient(entry.person, reason, tuple(entry.cut.items()))


def _person(text: str) -> Person:
    try:
        return parse_person(text)
    except ValueError as problem:
        raise ConfigurationError(f"{problem}.", found=repr(text), where="--to or REVOPS_MAIL_RECIPIENTS") from problem
