"""SQL of a profile computes with a row and reaches nothing else."""

import duckdb
import pytest

from revops_analysis.errors import ConfigurationError
from revops_analysis.sources.expressions import columns_of, scalar_expression, select_statement

COLUMNS = ("a", "b", "Opp Name", "owner.name")
INPUTS = {"deal": 'staging.main."f1"', "company": 'staging.main."f2"'}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A", "x,y"),
        ('"opp name" || owner.name', "NO"),
        ("upper(a)", "X,Y"),
        ("split_part(a, ',', 2)", "y"),
        ("CASE WHEN b = '2' THEN 'two' END", "two"),
        ("try_cast(a AS DOUBLE)", None),
        ("b::INT * 2", 4),
        ("coalesce(nullif(b, '2'), 'none')", "none"),
        ("regexp_replace(a, '[^a-z]', '')", "xy"),
        ("md5(a) = md5('x,y')", True),
        ("b IN ('1', '2') AND a NOT LIKE 'z%'", True),
        ("strftime(try_strptime('2026', '%Y'), '%Y')", "2026"),
        ("concat_ws('-', a, b)", "x,y-2"),
        ("date_diff('day', DATE '2026-01-01', DATE '2026-01-03')", 2),
        ("greatest(1, 2)", 2),
    ],
)
def test_expressions_over_a_row(text, value):
    sql = scalar_expression(text, COLUMNS, "here")
    row = "(SELECT 'x,y' AS a, '2' AS b, 'N' AS \"Opp Name\", 'O' AS \"owner.name\")"
    assert duckdb.sql(f"SELECT {sql} FROM {row}").fetchone() == (value,)


@pytest.mark.parametrize(
    "text",
    [
        "read_csv('x.csv')", "read_text('/etc/passwd')", "read_parquet('x')", "parquet_scan('x')", "glob('*')",
        "(SELECT 1)", "a FROM b", "a; DROP TABLE b", "getenv('HOME')", "current_setting('x')", "count(*)", "sum(a)",
        "row_number() OVER ()", "*", "EXISTS (SELECT 1)", "a, b", "a AS c", "query('SELECT 1')", "$1", "?", "random()",
        "now()", "current_date", "current_timestamp", "uuid()", "nextval('x')", "COLUMNS('x')", "a WHERE b",
        "a ORDER BY b", "", "((", "DISTINCT a", "a LIMIT 1", "pragma_version()", "sniff_csv('x')", "a UNION SELECT b",
    ],
)  # fmt: skip
def test_nothing_else_is_allowed(text):
    with pytest.raises(ConfigurationError):
        scalar_expression(text, COLUMNS, "here")


def test_an_unknown_column_is_named_with_the_nearest():
    with pytest.raises(ConfigurationError, match=r"no column Opp Nam; did you mean Opp Name\?"):
        scalar_expression('"Opp Nam"', COLUMNS, "here")


def test_a_text_is_data_and_stays_data():
    assert scalar_expression("'it''s; DROP TABLE x'", COLUMNS, "here") == "'it''s; DROP TABLE x'"


def test_columns_of_an_expression():
    assert columns_of("lower(a) || \"Opp Name\" || 'b'", "here") == ["Opp Name", "a"]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT d.*, c.id FROM deal d LEFT JOIN company c ON c.id = d.id",
        "WITH x AS (SELECT id, max(a) AS m FROM deal GROUP BY 1) SELECT * FROM x JOIN company USING (id)",
        "SELECT * FROM deal QUALIFY row_number() OVER (PARTITION BY id ORDER BY t DESC) = 1",
        "SELECT * FROM deal UNION ALL BY NAME SELECT * FROM company",
        "SELECT max(CASE WHEN name = 'x' THEN value END) FROM deal GROUP BY id",
        "WITH deal AS (SELECT * FROM deal) SELECT * FROM deal",
    ],
)
def test_queries_over_the_inputs(text):
    sql = select_statement(text, INPUTS, "here")
    assert 'staging.main."f1"' in sql


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM read_csv('x')", "SELECT * FROM '/etc/passwd'", "SELECT * FROM deals", "SELECT * FROM other.deal",
        "DROP TABLE deal", "COPY deal TO 'x'", "SELECT 1; SELECT 2", "ATTACH 'x'", "INSERT INTO deal VALUES (1)",
        "SELECT * INTO x FROM deal", "WITH x AS (SELECT * FROM x) SELECT * FROM x", "PRAGMA version", "SET x = 1",
        "WITH RECURSIVE x AS (SELECT 1 UNION ALL SELECT * FROM x) SELECT * FROM x", "SELECT * FROM duckdb_settings()",
        "SELECT getenv('HOME') FROM deal", "SELECT * FROM deal WHERE id = (SELECT content FROM read_text('x'))",
    ],
)  # fmt: skip
def test_queries_reach_nothing_but_the_inputs(text):
    with pytest.raises(ConfigurationError):
        select_statement(text, INPUTS, "here")
