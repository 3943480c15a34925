"""Reading YAML that people write: plain values only, the line of every key, and files that extend another.

Everything in `params/` is read here, so that every complaint about it can name its line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from revops_analysis.errors import ConfigurationError
from revops_analysis.paths import home_of, stay_inside

_PREFIX = "tag:yaml.org,2002:"
_MOST_PARTS = 200_000
Place = tuple[str | int, ...]


@dataclass
class Document:
    """A YAML file as plain values, with the line of each place and the problems met while reading.

    `problems` holds (line, what is wrong, what to write instead). `parts` counts what aliases have written out.
    """

    path: Path
    values: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    problems: list[tuple[int, str, str]] = field(default_factory=list)
    parts: int = 0

    def line_of(self, place: Sequence[str | int]) -> int:
        """Line, from 1, of the deepest part of `place` that is written in the file.

        Parts that are not in the file are passed over: validators add names of union members, and the index of a
        list of one that is written as a single mapping.
        """
        known: Place = ()
        for part in place:
            if (*known, part) in self.lines:
                known = (*known, part)
        return self.lines.get(known, 1)


def read_yaml(path: Path) -> Document:
    """Read a YAML file; a key that stands twice is a problem, not a choice, and tags that build objects are refused.

    A file whose first level holds `extends: other.yml` takes from that file, found beside it, whatever it does not
    say itself: mappings are merged key by key, lists and scalars replaced, and null removes what the other says.

    Raises ConfigurationError when a file is missing, is not UTF-8, is not YAML, extends itself, or extends one that
    lies outside the project (for a file outside any project: outside its own folder).
    """
    return _read(path, above=())


def _read(path: Path, above: tuple[Path, ...]) -> Document:
    document = _parse(path)
    if not isinstance(document.values, dict) or "extends" not in document.values:
        return document
    written = str(document.values.pop("extends"))
    parent = stay_inside(path.parent / written, home_of(path), f"What {path.name} extends")
    if parent in (*above, path.resolve()):
        raise ConfigurationError(
            f"{path.name} extends itself.", where=f"{path} line {document.lines['extends',]}", fix="break the circle"
        )
    base = _read(parent, (*above, path.resolve()))
    document.values = _merged(base.values, document.values)
    # What only the parent says is reported at the line that brought it in.
    document.lines = {**dict.fromkeys(base.lines, document.lines["extends",]), **document.lines}
    document.problems += [(document.lines["extends",], f"{written}: {what}", fix) for _, what, fix in base.problems]
    return document


def _merged(base: Any, own: Any) -> Any:
    if not (isinstance(base, dict) and isinstance(own, dict)):
        return own
    both = {**base, **{key: _merged(base.get(key), value) for key, value in own.items()}}
    return {key: value for key, value in both.items() if not (value is None and key in own and key in base)}


def _parse(path: Path) -> Document:
    from ruamel.yaml.error import MarkedYAMLError
    from ruamel.yaml.reader import ReaderError

    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as problem:
        raise ConfigurationError(
            f"Cannot read {path.name}.", found=problem.strerror, where=str(path), fix="give the path of a YAML file"
        ) from problem
    except UnicodeDecodeError as problem:
        raise ConfigurationError(
            "The file is not UTF-8 text.", where=f"{path}, byte {problem.start}", fix="save it as UTF-8"
        ) from problem
    document = Document(path)
    try:
        node = _composed(text)
    except MarkedYAMLError as problem:
        line = problem.problem_mark.line + 1 if problem.problem_mark else 1
        raise ConfigurationError(
            "The file is not YAML.", found=problem.problem, where=f"{path} line {line}", fix="correct that line"
        ) from problem
    except ReaderError as problem:
        raise ConfigurationError(
            "The file is not YAML.",
            found=f"the character U+{int(problem.character):04X}",
            where=f"{path}, character {problem.position}",
            fix="remove what is no text",
        ) from problem
    document.values = {} if node is None else _plain(node, (), document, ())
    return document


@lru_cache(maxsize=64)
def _composed(text: str) -> Any:
    """The tree of a text's nodes, which nobody changes: definitions and profiles are read many times in a process."""
    from ruamel.yaml import YAML

    return YAML(typ="safe", pure=True).compose(text)


def _plain(node: Any, place: Place, document: Document, above: tuple[int, ...]) -> Any:
    """Turn a node into plain values, noting lines; an alias to something that holds it is refused."""
    document.lines.setdefault(place, node.start_mark.line + 1)
    document.parts += 1
    if document.parts > _MOST_PARTS:
        raise ConfigurationError(
            "The file is too large once its aliases are written out.",
            expected=f"at most {_MOST_PARTS:,} values",
            where=f"{document.path} line {document.lines[place]}",
            fix="write it without aliases of aliases",
        )
    if id(node) in above:
        document.problems.append((document.lines[place], "the alias points to what holds it", "write it out"))
        return None
    above = (*above, id(node))
    if node.tag == f"{_PREFIX}map":
        return _mapping(node, place, document, above)
    if node.tag == f"{_PREFIX}seq":
        return [_plain(item, (*place, i), document, above) for i, item in enumerate(node.value)]
    return _scalar(node, place, document)


def _mapping(node: Any, place: Place, document: Document, above: tuple[int, ...]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key, line = str(key_node.value), key_node.start_mark.line + 1
        if key in values:
            first = document.lines[(*place, key)]
            document.problems.append((line, f"{key} stands twice, first on line {first}", "keep one of them"))
            continue
        document.lines[(*place, key)] = line
        values[key] = _plain(value_node, (*place, key), document, above)
    return values


def _scalar(node: Any, place: Place, document: Document) -> Any:
    kind, text = node.tag.removeprefix(_PREFIX), node.value
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind == "int":
        return int(text.replace("_", ""), 0) if text.strip("+-").startswith("0") else int(text.replace("_", ""))
    if kind == "float":
        return float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
    if kind in ("str", "timestamp", "value"):
        return text
    document.problems.append((document.lines[place], f"tag {node.tag} is not allowed", "write a plain value"))
    return None
