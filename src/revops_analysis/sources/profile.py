"""Source profiles: the typed form of `params/sources/*.yml`, which say where data is and what its columns mean."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from revops_analysis.errors import ConfigurationError
from revops_analysis.paths import home_of, stay_inside
from revops_analysis.project import Project
from revops_analysis.sources.near import near
from revops_analysis.sources.variables import expand
from revops_analysis.tables.schema import TABLES
from revops_analysis.yaml_document import Document, read_yaml

Text = Annotated[str, BeforeValidator(lambda value: value if value is None else _as_text(value))]
"""Text in YAML; a bare number, date or truth value is taken as it would be written in a data file."""

Names = Annotated[tuple[Text, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)]


def _as_text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_default(cls, data: Any) -> Any:
        """A profile that extends another writes null to take a setting back."""
        return {key: value for key, value in data.items() if value is not None} if isinstance(data, dict) else data


class Format(_Strict):
    """How text in a file is to be read. Each setting may stand on the profile, a table or (some) on a column.

    What is left out is detected, and detection never guesses: an order of day and month that the data does not settle,
    or an encoding that is neither UTF-8 nor marked, is an error that says which line to add.
    """

    separator: str | None = Field(default=None, description="Character between fields of a text file; `\\t` for tab.")
    encoding: str | None = Field(
        default=None, description="Encoding of a text file, such as cp1252. UTF-8 needs no line."
    )
    quote: str = Field(default='"', description="Character around fields that contain the separator.")
    header_row: int = Field(default=1, ge=1, description="Row that holds the column names; rows above it are skipped.")
    sheet: str | None = Field(default=None, description="Sheet of an Excel file; by default its only sheet.")
    nulls: Names = Field(default=("NULL", "null", "\\N", "#N/A"), description="Texts that mean missing, besides empty.")
    date_format: Names = Field(
        default=(), description="Format or formats of dates, such as '%d/%m/%Y'; epoch_s and epoch_ms for numbers."
    )
    time_zone: str | None = Field(default=None, description="Zone of moments that carry none; UTC by default.")
    decimal: Literal[".", ","] | None = Field(default=None, description="Decimal mark of numbers; a point by default.")


class ColumnMap(_Strict):
    """Where the values of one canonical column come from: exactly one of `column`, `constant`, `sql` and `key`."""

    column: Text | None = Field(default=None, description="Source column.")
    constant: Text | None = Field(default=None, description="The same value in every row.")
    sql: str | None = Field(
        default=None, description="Scalar SQL expression over the source columns (DuckDB's dialect)."
    )
    key: Names | None = Field(default=None, description="Source columns whose texts, joined by `|`, make a key.")
    value_map: dict[Text, Text | None] = Field(
        default_factory=dict, description="Source value → canonical value; null means missing."
    )
    otherwise: Text | None = Field(
        default=None, description="Canonical value of source values that the map does not name."
    )
    date_format: Names = Field(default=(), description="Format or formats of this column's dates.")
    time_zone: str | None = Field(default=None, description="Zone of this column's moments.")
    decimal: Literal[".", ","] | None = Field(default=None, description="Decimal mark of this column's numbers.")
    scale: float | None = Field(default=None, description="Factor: 0.01 turns a percentage into a share.")

    @model_validator(mode="after")
    def _one_origin(self) -> ColumnMap:
        given = [name for name in ("column", "constant", "sql", "key") if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none of them"
            raise ValueError(f"give exactly one of column, constant, sql, key; found {found}")
        return self


class Join(_Strict):
    """A look-up into a second file or table. It never drops a row and never multiplies one.

    The columns of the match are named `<join>.<column>` in the mapping. Where several rows match, `order_by` decides
    (the first wins); without it, several matches are an error.
    """

    file: str | None = Field(default=None, description="File to look up in.")
    table: str | None = Field(default=None, description="Database table to look up in.")
    on: dict[Text, Text] = Field(description="Source column of this table → column of the file looked up in.")
    where: str | None = Field(default=None, description="SQL condition on the file looked up in.")
    order_by: str | None = Field(default=None, description="SQL order that picks the first of several matches.")

    @model_validator(mode="after")
    def _one_origin(self) -> Join:
        return _exactly_one(self, ("file", "table"))


class TableMap(_Strict):
    """One canonical table, or a part of one: which file, table or query it is read from, and its columns.

    Without `columns`, source columns that bear canonical names are taken as they are.
    """

    file: str | None = Field(
        default=None, description="File, or pattern such as deals_*.csv, below the profile's root."
    )
    table: str | None = Field(default=None, description="Database table, or schema.table.")
    sql: str | None = Field(
        default=None, description="One SELECT over `inputs`, where a mapping of columns is not enough."
    )
    inputs: dict[str, str] = Field(default_factory=dict, description="Name in `sql` → file, pattern or table.")
    columns: dict[str, ColumnMap] = Field(default_factory=dict, description="Canonical column → where from.")
    join: dict[str, Join] = Field(default_factory=dict, description="Look-ups by name.")
    where: str | None = Field(default=None, description="SQL condition; rows without it are counted as filtered.")
    order_by: Names = Field(default=(), description="Source columns that order changes made in one moment.")
    optional: bool = Field(default=False, description="Skip this table, saying so, when its file or table is absent.")
    absent_columns: Literal["error", "empty"] = Field(
        default="error",
        description="`empty`: mapped source columns that the file lacks are empty, and the load says which.",
    )
    format: Format | None = Field(
        default=None, description="Reading settings of this table, in place of the profile's."
    )

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("columns"), dict):
            short = {name: _column_map(value) for name, value in data["columns"].items()}
            return {**data, "columns": short}
        return data

    @model_validator(mode="after")
    def _one_origin(self) -> TableMap:
        _exactly_one(self, ("file", "table", "sql"))
        if self.inputs and not self.sql:
            raise ValueError("inputs belong to sql; this table has none")
        return self


def _column_map(value: Any) -> Any:
    return value if isinstance(value, dict | ColumnMap) else {"column": value}


def _exactly_one(model: Any, names: tuple[str, ...]) -> Any:
    given = [name for name in names if getattr(model, name) is not None]
    if len(given) != 1:
        raise ValueError(f"give exactly one of {', '.join(names)}; found {' and '.join(given) or 'none of them'}")
    return model


Tables = Annotated[
    dict[str, tuple[TableMap, ...]],
    BeforeValidator(
        lambda value: (
            {n: part if isinstance(part, list | tuple) else [part] for n, part in value.items() if part is not None}
            if isinstance(value, dict)
            else value
        )
    ),
]


class SourceProfile(_Strict):
    """One source of data.

    `kind: sample` runs the simulation (`seed`, `scale`, `dirt`, `scenario`); `files` reads files below `root`;
    `database` reads tables of `url`. Both map source columns to canonical columns in `tables`; a table may have
    several parts. `data_through` is the last day that the data covers: no report is made as of a later day.

    Texts may contain `${NAME}` or `${NAME:-default}`, replaced by environment variables when used and never stored.
    """

    kind: Literal["sample", "files", "database"]
    description: str = Field(default="", description="What this source is, for the reader.")
    data_through: date | None = Field(default=None, description="Last day the data covers.")
    definitions: str | None = Field(default=None, description="Definitions of this source; by default the project's.")
    root: str | None = Field(default=None, description="Folder of the files; by default the profile's own.")
    url: str | None = Field(default=None, description="Ibis URL of a database, secrets as ${NAME}.")
    format: Format = Field(default=Format.model_validate({}), description="How text is read.")
    tables: Tables = Field(default_factory=dict, description="Canonical table → where from.")
    seed: int = Field(default=0, ge=0, description="Seed of the sample company.")
    scale: float = Field(default=1, gt=0, description="Size of the sample company; 1 is the default.")
    dirt: float = Field(default=1.0, ge=0, description="Amount of mess in the sample company; 0 is none.")
    scenario: str = Field(default="default", description="Scenario of the sample company.")

    _name: str = PrivateAttr("source")
    _path: Path | None = PrivateAttr(None)
    _hash: str | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _complete(self) -> SourceProfile:
        if self.kind != "sample":
            _check_mapped_source(self)
        elif self.tables or self.root or self.url:
            raise ValueError("a sample has no tables, root or url: it is simulated")
        _check_names(self.tables)
        return self

    @property
    def name(self) -> str:
        """The profile's name: its file name without ending."""
        return self._name

    @property
    def path(self) -> Path | None:
        """The file it was read from; None when it was made in memory."""
        return self._path

    @property
    def hash(self) -> str:
        """sha256 of the profile's content, secrets unresolved."""
        if self._hash is not None:
            return self._hash
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(content.encode()).hexdigest()

    def stands_for(self, other: SourceProfile) -> SourceProfile:
        """This profile under the name, place and hash of another, which it carries out."""
        self._name, self._path, self._hash = other.name, other.path, other.hash
        return self

    def definitions_path(self, project: Project) -> Path:
        """The definitions that this source's words follow: its own, else the project's."""
        if self.definitions is None:
            return project.definitions_file
        found = self._resolve(self.definitions, project, "definitions")
        if not found.is_relative_to(project.root.resolve()):
            stay_inside(found, home_of(self._path or project.definitions_file), "The definitions of a source")
        return found

    def root_folder(self, project: Project) -> Path:
        """The folder that file names are relative to.

        Raises ConfigurationError when it does not exist.
        """
        if self.root is None:
            return self._path.parent if self._path else project.root
        return self._resolve(self.root, project, "root")

    def resolved_url(self) -> str:
        """The database URL with its secrets. Never log, print or store it."""
        return expand(self.url or "", f"url of source {self.name}")

    def _resolve(self, text: str, project: Project, field: str) -> Path:
        """A path as written, looked for beside the profile first and then below the project."""
        written = Path(expand(text, f"{field} of source {self.name}")).expanduser()
        bases = [base for base in (self._path.parent if self._path else None, project.root) if base]
        candidates = [base / written for base in bases]
        for candidate in candidates:
            if candidate.exists():
                return candidate.resolve()
        raise ConfigurationError(
            f"The {field} of source {self.name} does not exist.",
            found=str(written),
            where=str(self._path or "profile"),
            fix=f"write a path relative to the profile or the project, or set the variable that {field} names",
        )


def _check_mapped_source(profile: SourceProfile) -> None:
    if profile.data_through is None:
        raise ValueError("data_through is missing: add `data_through: YYYY-MM-DD`, the last day that the data covers")
    if not profile.tables:
        raise ValueError("tables is missing: map at least opportunities")
    if profile.kind == "database" and not profile.url:
        raise ValueError("url is missing: add `url: postgres://user:${PASSWORD}@host/name`")
    if profile.kind == "files" and profile.url:
        raise ValueError("url belongs to kind: database")
    wrong, right = ("table", "file") if profile.kind == "files" else ("file", "table")
    for name, parts in profile.tables.items():
        for number, part in enumerate(parts):
            if getattr(part, wrong) is not None:
                said = f"kind: {profile.kind} needs `{right}:` or `sql:` where {name} has `{wrong}:`"
                raise _misnamed(said, ("tables", name, number, wrong))


def _check_names(tables: dict[str, tuple[TableMap, ...]]) -> None:
    for name, parts in tables.items():
        if name not in TABLES:
            raise _misnamed(f"there is no canonical table {name}{near(name, TABLES)}", ("tables", name))
        names = TABLES[name].names
        for number, part in enumerate(parts):
            for column in part.columns:
                if column not in names:
                    place = ("tables", name, number, "columns", column)
                    raise _misnamed(f"{name} has no canonical column {column}{near(column, names)}", place)


def _misnamed(message: str, place: tuple[str | int, ...]) -> PydanticCustomError:
    """An error that carries its own place, because the check runs on the whole profile."""
    return PydanticCustomError("misnamed", "{message}", {"message": message, "place": place})


def load_profile(name_or_path: str | Path, project: Project) -> SourceProfile:
    """Read a source profile by its name in `params/sources/` or by its path.

    Raises ConfigurationError, with file and line, for a profile that is absent or wrong.
    """
    path = _find(str(name_or_path), project)
    document = read_yaml(path)
    _refuse_unreadable(document)
    try:
        profile = SourceProfile.model_validate(document.values)
    except ValidationError as error:
        raise _explain(error, document) from error
    profile._name = _checked_name(path)
    profile._path = path
    return profile


def _checked_name(path: Path) -> str:
    """The name of a profile, which becomes a folder of the warehouse and of the reports."""
    if not path.stem[:1].isalnum():
        raise ConfigurationError(
            "A profile's file name makes no name for a source.",
            expected="a name that begins with a letter or a digit",
            found=path.name,
            where=str(path.parent),
            fix="rename the file",
        )
    return path.stem


def _refuse_unreadable(document: Document) -> None:
    for line, what, fix in document.problems:
        raise ConfigurationError(
            f"The source profile {document.path.name} is wrong: {what}.", where=f"{document.path}, line {line}", fix=fix
        )
    if not document.values:
        raise ConfigurationError(
            f"{document.path.name} is empty.", where=str(document.path), fix="copy an example and edit it"
        )


def _find(name: str, project: Project) -> Path:
    folder = project.params / "sources"
    is_path = name.endswith((".yml", ".yaml")) or "/" in name
    candidates = [Path(name), project.root / name] if is_path else [folder / f"{name}.yml", folder / f"{name}.yaml"]
    for candidate in candidates:
        if candidate.is_file():
            return candidate.resolve()
    known = sorted(path.stem for path in folder.glob("*.yml"))
    raise ConfigurationError(
        f"There is no source {name}.",
        expected=f"a profile {candidates[0]}",
        found=f"the sources {', '.join(known) or 'none'}{near(name, known) if known else ''}",
        fix="name one of these, give the path of a profile, or make one: revops sources new NAME --from FOLDER",
    )


def _explain(error: ValidationError, document: Document) -> ConfigurationError:
    """The first thing wrong, with its line; more only by number, because the first often causes the rest."""
    problems = error.errors()
    first = problems[0]
    location = first.get("ctx", {}).get("place", first["loc"])
    place = [str(part) for part in location]
    found = first.get("input")
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = f"unknown key {place[-1]!r}{near(place[-1], _fields_at(place))}"
        found = None
    more = f" ({len(problems) - 1} more)" if len(problems) > 1 else ""
    return ConfigurationError(
        f"The source profile {document.path.name} is wrong{more}: {message.rstrip('.?')}.",
        found=None if isinstance(found, dict | list) or found is None else repr(found),
        where=f"{document.path}, line {document.line_of(location)}, at {'.'.join(place) or 'top'}",
        fix="correct that line; docs/sources.md lists every key",
    )


def _fields_at(place: list[str]) -> list[str]:
    """Names allowed at a place of the profile, for suggestions."""
    models: dict[str, type[BaseModel]] = {"format": Format, "columns": ColumnMap, "join": Join, "tables": TableMap}
    for part in reversed(place[:-1]):
        if part in models:
            return list(models[part].model_fields)
    return list(SourceProfile.model_fields)
