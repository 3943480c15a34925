"""SQL written in a profile: parsed, held to what a mapping needs, and written out again from the parsed tree.

A profile may come from somebody else. Its expressions can compute with the columns of a row and nothing more: no
files, no settings, no other tables, no statements. Only functions on a list of known harmless ones are let through,
and the engine runs with access outside the source's folder switched off besides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sqlglot
from sqlglot import exp

from revops_analysis.errors import ConfigurationError
from revops_analysis.sources.near import near

_SCALAR_NAMES = """
abs and array array_concat array_contains between bool_and case cast ceil ceiling chr coalesce concat
concat_ws contains date date_add date_diff date_part date_sub date_trunc datediff datetrunc day dayofweek
dayofyear distinct ends_with epoch epoch_ms exp extract floor format from_hex greatest hash hex if ifnull in
initcap instr isfinite isnan isnull json_extract json_extract_scalar json_extract_string last_day lcase least
left length levenshtein like date_from_parts timestamp_from_parts j_s_o_n_object j_s_o_n_array struct
list_contains ln log lower lpad ltrim make_date make_time make_timestamp md5 month monthname nullif nvl2 or
pad position power printf quarter regexp_extract regexp_full_match regexp_i_like regexp_like regexp_matches
regexp_replace regexp_split repeat replace reverse right round rpad rtrim sha256 sign split split_part sqrt
starts_with strftime string_split strip_accents strlen strpos strptime str_position str_to_time substr
substring time_to_str to_base64 to_json to_timestamp trim try_cast try_strptime ts_or_ds_add ts_or_ds_to_date
ucase upper timestamp_add timestamp_diff timestamp_sub timestamp_trunc trunc unicode upper week xor year
yearweek unix_to_time str_to_date timezone at_time_zone
"""
_SCALAR = frozenset(_SCALAR_NAMES.split())

_AGGREGATE_NAMES = """
any_value arg_max arg_min array_agg avg bit_and bit_or count count_if first first_value lag last last_value
lead list exists unnest logical_and logical_or bool_or max median min max_by min_by ntile rank dense_rank
row_number string_agg group_concat sum argmax argmin percentile_cont quantile mode
"""
_AGGREGATE = frozenset(_AGGREGATE_NAMES.split())

_STATEMENTS = (exp.Command, exp.DDL, exp.DML, exp.Into, exp.Parameter, exp.Placeholder, exp.Pragma, exp.Set)


def scalar_expression(text: str, columns: Iterable[str], where: str) -> str:
    """Check an expression over the columns of one row, and return it as quoted DuckDB SQL.

    Column names are matched regardless of case; one with spaces is written in double quotes. Columns of a join are
    written `join.column`. Raises ConfigurationError, naming what is not allowed or the column that does not exist.

    >>> scalar_expression("coalesce(amount, 0) * 2", ["Amount"], "deals")
    'COALESCE("Amount", 0) * 2'
    """
    tree = _parse(f"SELECT {text}", where, text)
    if not isinstance(tree, exp.Select) or set(_parts(tree)) != {"expressions"} or len(tree.expressions) != 1:
        raise _refused("one expression over the columns of a row", text, where)
    body = tree.expressions[0]
    if isinstance(body, exp.Alias):
        raise _refused("an expression without a name; the mapping names it", text, where)
    if body.find(exp.Query, exp.Table, exp.Star, exp.Window, exp.AggFunc, *_STATEMENTS):
        raise _refused("one expression over the columns of a row, without queries, tables, * or sums", text, where)
    _check_functions(body, _SCALAR, text, where)
    names = {name.lower(): name for name in columns}
    return str(body.transform(lambda node: _quoted_column(node, names, where)).sql(dialect="duckdb"))


def columns_of(text: str, where: str) -> list[str]:
    """The column names that an expression uses, as they are written.

    >>> columns_of("coalesce(amount, owner.quota)", "deals")
    ['amount', 'owner.quota']
    """
    found = _parse(f"SELECT {text}", where, text).find_all(exp.Column)
    return sorted({".".join(part.name for part in column.parts) for column in found})


def select_statement(text: str, inputs: Mapping[str, str], where: str) -> str:
    """Check a query over the declared inputs, and return it with each input replaced by its relation.

    `inputs` maps the names that the query uses to relations of the engine. Raises ConfigurationError for anything but
    one SELECT over these names and its own WITH parts.
    """
    tree = _parse(text, where, text)
    recursive = any(part.args.get("recursive") for part in tree.find_all(exp.With))
    if not isinstance(tree, exp.Query) or recursive or tree.find(*_STATEMENTS, exp.TableSample):
        raise _refused("one SELECT, which gives the same rows every time", text, where)
    _check_functions(tree, _SCALAR | _AGGREGATE, text, where)
    own = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    known = {name.lower(): relation for name, relation in inputs.items()}
    for table in list(tree.find_all(exp.Table)):
        _replace_input(table, own, known, text, where)
    return tree.sql(dialect="duckdb")


def _replace_input(table: exp.Table, own: set[str], known: dict[str, str], text: str, where: str) -> None:
    name = table.name.lower()
    if not isinstance(table.this, exp.Identifier) or table.args.get("db") or table.args.get("catalog"):
        raise _refused("only inputs by their names after FROM and JOIN", text, where)
    if name in own and not _within_own_cte(table):
        return
    if name not in known:
        raise ConfigurationError(
            f"The query names {table.name}, which is not an input{near(table.name, known)}.",
            where=where,
            fix=f"declare it: inputs: {{{table.name}: FILE}}",
        )
    relation = sqlglot.parse_one(f"SELECT 1 FROM {known[name]}", dialect="duckdb").find(exp.Table)
    assert relation is not None  # noqa: S101 - relations are made by this package
    alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(table.name, quoted=True))
    table.set("this", relation.this.copy())
    table.set("db", relation.args.get("db"))
    table.set("catalog", relation.args.get("catalog"))
    table.set("alias", alias)


def _within_own_cte(table: exp.Table) -> bool:
    """Whether the table stands in the body of a WITH part of the same name, where that part is not yet known."""
    part = table.find_ancestor(exp.CTE)
    while part is not None:
        if part.alias.lower() == table.name.lower():
            return True
        part = part.find_ancestor(exp.CTE)
    return False


def _parse(statement: str, where: str, text: str) -> exp.Expr:
    try:
        trees = sqlglot.parse(statement, dialect="duckdb")
    except sqlglot.errors.SqlglotError as error:
        raise ConfigurationError(
            "An SQL expression of the profile cannot be read.",
            found=f"{text}: {str(error).splitlines()[0]}",
            where=where,
            fix="write it in DuckDB's SQL; names with spaces in double quotes, texts in single quotes",
        ) from error
    if len(trees) != 1 or trees[0] is None:
        raise _refused("one expression, without semicolons", text, where)
    return trees[0]


def _parts(tree: exp.Select) -> list[str]:
    return [name for name, value in tree.args.items() if value]


def _check_functions(tree: exp.Expr, allowed: frozenset[str], text: str, where: str) -> None:
    for function in tree.find_all(exp.Func):
        names = _function_names(function)
        if not names & allowed:
            raise ConfigurationError(
                f"The function {sorted(names)[0]} is not allowed in a profile.",
                expected="a function that computes with the values of a row",
                found=text,
                where=where,
                fix="prepare the column outside, or use one of the functions that docs/sources.md lists",
            )


def _function_names(function: exp.Func) -> set[str]:
    if isinstance(function, exp.Anonymous):
        return {function.name.lower()}
    return {name.lower() for name in function.sql_names()}


def _quoted_column(node: exp.Expr, names: Mapping[str, str], where: str) -> exp.Expr:
    if not isinstance(node, exp.Column):
        return node
    written = ".".join(part.name for part in node.parts)
    found = names.get(written.lower())
    if found is None:
        raise ConfigurationError(
            f"There is no column {written}{near(written, names.values())}.",
            where=where,
            fix="correct the name; texts stand in single quotes, names with spaces in double quotes",
        )
    return exp.column(exp.to_identifier(found, quoted=True))


def _refused(expected: str, text: str, where: str) -> ConfigurationError:
    return ConfigurationError(
        "This SQL is not allowed in a profile.",
        expected=expected,
        found=" ".join(text.split()),
        where=where,
        fix="write a plain expression, or prepare the data outside",
    )
