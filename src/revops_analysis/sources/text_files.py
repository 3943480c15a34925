"""What must be known of a text file before the engine reads it: encoding, line ends, separator, column names."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from revops_analysis.errors import ConfigurationError
from revops_analysis.sources.near import near
from revops_analysis.sources.profile import Format

_CHUNK = 1 << 22
_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True)
class TextFile:
    """A text file that the engine can read: UTF-8 with one kind of line end."""

    path: Path
    separator: str
    columns: tuple[str, ...]


def prepare_text(path: Path, settings: Format, copy: Path) -> TextFile:
    """Find out how a text file is written; where the engine could not read it so, rewrite it as `copy`.

    Encoding: as declared, else by its byte-order mark, else UTF-8. A file that is none of these is refused, because
    the same bytes mean different letters in different encodings.

    Raises ConfigurationError for an unknown or undeclared encoding, a separator that cannot be told, an empty file.
    """
    encoding, plain = _encoding(path, settings)
    if not plain:
        _rewrite(path, encoding, copy)
        path, encoding = copy, "utf-8"
    lines = _first_records(path, encoding, settings)
    separator = _separator(path, lines[settings.header_row - 1], settings)
    header = _split(lines[settings.header_row - 1], separator, settings)
    return TextFile(path, separator, distinct_names(header))


def distinct_names(header: list[str]) -> tuple[str, ...]:
    """Column names, trimmed; blank ones are numbered, and a repeated one gets its number.

    >>> distinct_names(["Id", "", "id", "Name "])
    ('Id', 'column 2', 'id (2)', 'Name')
    """
    names: list[str] = []
    seen: set[str] = set()
    for number, written in enumerate(header, start=1):
        name = stem = written.strip() or f"column {number}"
        copy = 1
        while name.lower() in seen:
            copy += 1
            name = f"{stem} ({copy})"
        seen.add(name.lower())
        names.append(name)
    return tuple(names)


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _encoding(path: Path, settings: Format) -> tuple[str, bool]:
    """The encoding, and whether the engine can read the file as it is."""
    with _open(path) as file:
        start = file.read(4)
        if not start:
            raise ConfigurationError("The file is empty.", where=str(path), fix="export it again, with column names")
        marked = next((name for mark, name in _MARKS if start.startswith(mark)), None)
        encoding = settings.encoding or marked or "utf-8"
        if encoding.lower().replace("_", "-") not in ("utf-8", "utf8"):
            _known_encoding(encoding, path)
            return encoding, False
        return "utf-8", _is_plain_utf8(file, start, path)


def _known_encoding(encoding: str, path: Path) -> None:
    try:
        codecs.lookup(encoding)
    except LookupError as error:
        known = ("utf-8", "utf-16", "cp1252", "latin-1", "cp1250", "cp850", "mac-roman", "shift-jis", "gb18030")
        raise ConfigurationError(
            f"There is no encoding {encoding}{near(encoding, known)}.", where=str(path), fix="correct `encoding:`"
        ) from error


def _is_plain_utf8(file: IO[bytes], start: bytes, path: Path) -> bool:
    """Check that all of the file is UTF-8, and whether its lines all end alike."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines = returns = pairs = position = 0
    chunk = start + file.read(_CHUNK)
    while chunk:
        if chunk.endswith(b"\r"):
            chunk += file.read(1)
        try:
            decoder.decode(chunk)
        except UnicodeDecodeError as error:
            raise _not_utf8(path, chunk, error, lines) from error
        lines, returns, pairs = (
            lines + chunk.count(b"\n"),
            returns + chunk.count(b"\r"),
            pairs + chunk.count(b"\r\n"),
        )
        position += len(chunk)
        chunk = file.read(_CHUNK)
    return sum((lines > pairs, returns > pairs, pairs > 0)) <= 1


def _not_utf8(path: Path, chunk: bytes, error: UnicodeDecodeError, lines: int) -> ConfigurationError:
    number = lines + chunk.count(b"\n", 0, error.start) + 1
    begin = chunk.rfind(b"\n", 0, error.start) + 1
    end = chunk.find(b"\n", error.start)
    line = chunk[begin : end if end >= 0 else len(chunk)][:120]
    return ConfigurationError(
        "The file is not written in UTF-8, and nothing says in which encoding it is.",
        found=f"{line!r}, which reads {line.decode('cp1252', 'replace')!r} as cp1252",
        where=f"{path.name} line {number}",
        fix="if that is right, add `format: {encoding: cp1252}` (Windows, Western Europe) to the profile; "
        "else the encoding it was exported in",
    )


def _rewrite(path: Path, encoding: str, copy: Path) -> None:
    """Copy a text file as UTF-8 with line feeds, in bounded memory."""
    try:
        with _open(path) as raw, copy.open("w", encoding="utf-8", newline="") as target:
            # Universal newlines: every kind of line end becomes a line feed, inside quotes too.
            source = io.TextIOWrapper(raw, encoding=encoding, newline=None)
            while text := source.read(_CHUNK):
                target.write(text.removeprefix("\ufeff"))
    except UnicodeError as error:
        raise ConfigurationError(
            f"The file is not written in {encoding}.",
            found=str(error),
            where=str(path),
            fix="correct `encoding:` in the profile",
        ) from error


def _first_records(path: Path, encoding: str, settings: Format) -> list[str]:
    with _open(path) as raw:
        source = io.TextIOWrapper(raw, encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline=None)
        lines = [source.readline().rstrip("\n") for _ in range(settings.header_row)]
        # A column name may itself contain a line end: go on until its quotes are closed.
        while settings.quote and lines[-1].count(settings.quote) % 2 and (more := source.readline()):
            lines[-1] += "\n" + more.rstrip("\n")
    if not lines[-1].strip():
        raise ConfigurationError(
            f"Row {settings.header_row} should hold the column names and is empty.",
            where=str(path),
            fix="set `format: {header_row: N}` to the row that holds them",
        )
    return lines


def _separator(path: Path, header: str, settings: Format) -> str:
    """The declared separator, else the one that splits the column names; refused when two could."""
    if settings.separator is not None:
        return settings.separator.replace("\\t", "\t")
    bare = re.sub(r'"(?:[^"]|"")*"', "", header) if settings.quote == '"' else header
    counts = {mark: bare.count(mark) for mark in _SEPARATORS}
    best = max(counts.values())
    likely = [mark for mark, count in counts.items() if count == best]
    if best == 0:
        return "\t" if ".tsv" in path.name.lower() else ","
    if len(likely) > 1:
        raise ConfigurationError(
            "The separator cannot be told from the column names.",
            found=header[:200],
            where=f"{path.name} row {settings.header_row}",
            fix=" or ".join(f"`format: {{separator: {mark!r}}}` for a {_SEPARATORS[mark]}" for mark in likely),
        )
    return likely[0]


def _split(line: str, mark: str, settings: Format) -> list[str]:
    if not settings.quote:
        return next(csv.reader([line], delimiter=mark, quoting=csv.QUOTE_NONE))
    return next(csv.reader([line], delimiter=mark, quotechar=settings.quote))
