"""Personal data kept out of what is published: the schema says which columns, this finds their values anywhere.

`Chapter.table` masks columns by their names. But a cell can also print a frame, a sentence can name a person, a key can
be an email address. So, before any page is made, all that the chapters put out is searched for what the source holds
in personal columns (contacts' names, email addresses, telephone numbers; leads' email addresses) and for any other
email address, and each is replaced by dots. The company's own people and its customers' names are exempt. Pictures are
not searched. A report that needs the data says `personal_data: shown`.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from revops_analysis.reporting.chapter import PARTS
from revops_analysis.reporting.exports import MASK
from revops_analysis.tables.schema import TABLES

if TYPE_CHECKING:
    from revops_analysis.reporting.preparation import Preparation
    from revops_analysis.reporting.runner import Outcome
    from revops_analysis.tables.warehouse import WarehouseInfo

_EMAIL = re.compile(r"[\w.+'%-]+@[\w-]+(?:\.[\w-]+)+")
_PHONE = re.compile(r"\+?\(?\d[\d\s()./-]{5,}\d")
_WORD = re.compile(r"[^\W\d_](?:[\w'’.-]|&#(?:x27|39);)*")
_WORDS_IN_A_NAME = 4
_LEAST_DIGITS = 7
_TEXT_KINDS = ("tables/*.csv", f"{PARTS}/*.json", "gate.html", "gate.json")


@dataclass(frozen=True)
class PersonalData:
    """What may not be seen: names of two words and more and telephone numbers of people; `own` addresses may."""

    names: frozenset[str]
    phones: frozenset[str]
    own: frozenset[str]

    def mask(self, text: str) -> tuple[str, int]:
        """The text without personal data, and how many times something was masked.

        >>> people = PersonalData(frozenset({"ada byron"}), frozenset({"4420794612"}), frozenset({"us@acme.com"}))
        >>> people.mask("Ada Byron (ada@x.org, +44 20 794612) met us@acme.com in Adams Byrontown")
        ('••• (•••, •••) met us@acme.com in Adams Byrontown', 3)
        """
        found = 0

        def address(match: re.Match[str]) -> str:
            nonlocal found
            if match[0].lower().strip("'.") in self.own:
                return match[0]
            found += 1
            return MASK

        def number(match: re.Match[str]) -> str:
            nonlocal found
            if _digits(match[0]) not in self.phones:
                return match[0]
            found += 1
            return MASK

        text = _EMAIL.sub(address, text) if "@" in text else text
        text = _PHONE.sub(number, text) if self.phones else text
        text, names = self._without_names(text) if self.names else (text, 0)
        return text, found + names

    def _without_names(self, text: str) -> tuple[str, int]:
        words = list(_WORD.finditer(text))
        kept: list[str] = []
        end = number = found = 0
        while number < len(words):
            length = self._name_at(text, words, number)
            if length:
                kept += [text[end : words[number].start()], MASK]
                end = words[number + length - 1].end()
                found += 1
            number += length or 1
        return "".join([*kept, text[end:]]) if found else text, found

    def _name_at(self, text: str, words: Sequence[re.Match[str]], number: int) -> int:
        """How many words from here on are a person's name; the longest name counts."""
        for length in range(min(_WORDS_IN_A_NAME, len(words) - number), 1, -1):
            span = text[words[number].start() : words[number + length - 1].end()]
            if _plain(span) in self.names:
                return length
        return 0


NOBODY = PersonalData(frozenset(), frozenset(), frozenset())


def _plain(name: str) -> str:
    return " ".join(html.unescape(name).lower().split()).strip(".")


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def personal_data(info: WarehouseInfo) -> PersonalData:
    """What a load holds in its personal columns, the company's own people and its customers' names left out."""
    from revops_analysis.tables.warehouse import CATALOG, attach

    con = attach(info)
    try:

        def values(table: str, column: str) -> set[str]:
            statement = f'SELECT DISTINCT "{column}" FROM {CATALOG}.main."{table}" WHERE "{column}" IS NOT NULL'
            return {str(value) for (value,) in con.raw_sql(statement).fetchall()}

        marked = [(schema.name, column) for schema in TABLES.values() for column in schema.personal]
        held: dict[str, set[str]] = {}
        for table, column in marked:
            held.setdefault(column, set()).update(values(table, column))
        own = {_plain(name) for table in ("users", "accounts") for name in values(table, "name")}
        addresses = {address.lower() for address in values("users", "email")}
    finally:
        con.disconnect()
    names = {_plain(name) for name in held.get("name", set())}
    phones = {_digits(phone) for phone in held.get("phone", set())}
    return PersonalData(
        frozenset(name for name in names - own if " " in name),
        frozenset(phone for phone in phones if len(phone) >= _LEAST_DIGITS),
        frozenset(addresses),
    )


def hide_people(prepared: Preparation, outcomes: Sequence[Outcome], staged: Path) -> tuple[list[Outcome], int | None]:
    """The chapters' results masked, and how often; untouched, and None, where the report asks for personal data."""
    if prepared.spec.personal_data == "shown":
        return list(outcomes), None
    return mask_outcomes(outcomes, staged, personal_data(prepared.whole))


def mask_outcomes(outcomes: Sequence[Outcome], staged: Path, people: PersonalData) -> tuple[list[Outcome], int]:
    """The chapters' results and the files they wrote, masked; files are rewritten in place.

    Returns the outcomes and how many values were masked in the notebooks, the tables and the gate's answer.
    """
    total = 0
    masked = []
    for outcome in outcomes:
        for cell in outcome.notebook.cells:
            total += sum(_mask_output(output, people) for output in cell.get("outputs", ()))
        error, found = people.mask(outcome.error)
        masked.append(replace(outcome, error=error))
        total += found
    for pattern in _TEXT_KINDS:
        for path in sorted(staged.glob(pattern)):
            text, found = people.mask(path.read_bytes().decode("utf-8"))
            if found:
                path.write_bytes(text.encode())
                total += found
    return masked, total


def _mask_output(output: Any, people: PersonalData) -> int:
    """Mask one output of a cell in place."""
    total = 0
    if output.output_type == "stream":
        output.text, total = people.mask(output.text)
    elif output.output_type == "error":
        lines = [people.mask(line) for line in output.traceback]
        output.traceback = [line for line, _ in lines]
        output.evalue, total = people.mask(output.evalue)
        total += sum(found for _, found in lines)
    for kind, value in dict(output.get("data", {})).items():
        if kind.startswith("text/") and isinstance(value, str):
            output.data[kind], found = _mask_html(value, people) if kind == "text/html" else people.mask(value)
            total += found
    return total


_PICTURE = re.compile(r'(src="data:[^"]*")')


def _mask_html(text: str, people: PersonalData) -> tuple[str, int]:
    """Mask HTML; pictures that it carries are left alone, whatever their letters spell."""
    parts = [(part, 0) if part.startswith('src="data:') else people.mask(part) for part in _PICTURE.split(text)]
    return "".join(part for part, _ in parts), sum(found for _, found in parts)
