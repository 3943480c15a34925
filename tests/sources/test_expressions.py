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
        # files, settings and secrets, wherever in an expression they hide
        "read_blob('/etc/passwd')", "read_json('x')", "read_csv_auto('x')", "getvariable('x')", "a || getenv('HOME')",
        "upper(getenv('HOME'))", "CASE WHEN true THEN getenv('X') END", "[getenv(x) for x in ['HOME']]",
        "list_transform([1], x -> getenv('HOME'))", "{'a': getenv('HOME')}", "struct_pack(a := getenv('X'))",
        '"getenv"(\'HOME\')', "GetEnv ('HOME')", "main.getenv('HOME')", "'HOME'.getenv()", "a.getenv()",
        "/* upper */ getenv('HOME')", "system('ls')", "load_extension('x')", "query_table('x')", "duckdb_secrets()",
        "which_secret('x', 's3')", "json_execute_serialized_sql('x')", "http_get('x')", "current_user", "version()",
        # queries in disguise
        "(VALUES (1))", "(TABLE deal)", "(FROM deal)", "a IN (SELECT 1)", "a = ANY(SELECT 1)", "a INTO b",
        "a -- \n; DROP TABLE x",
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
        # files
        "SELECT * FROM glob('*')", "SELECT * FROM read_blob('x')", 'SELECT * FROM "/etc/passwd"', "FROM read_csv('x')",
        "SELECT * FROM deal, read_csv('x')", "SELECT * FROM deal POSITIONAL JOIN read_csv('x')",
        "SELECT unnest(glob('*')) FROM deal", "SELECT * FROM (PIVOT 'x.csv' ON a)",
        "SELECT * FROM sqlite_scan('a', 'b')",
        # other schemas, from every place where a query may stand
        "SELECT * FROM information_schema.tables", "SELECT * FROM main.deal", "SELECT * FROM warehouse.main.accounts",
        "SELECT (SELECT max(name) FROM warehouse.main.accounts) FROM deal",
        "SELECT * FROM deal WHERE id IN (SELECT id FROM staging.main.f2)",
        "SELECT * FROM deal WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_tables)",
        "WITH x AS (SELECT * FROM warehouse.main.contacts) SELECT * FROM x",
        "SELECT * FROM deal JOIN LATERAL (SELECT * FROM warehouse.main.contacts) ON true",
        "SELECT * FROM deal UNION ALL SELECT * FROM warehouse.main.contacts",
        "SELECT * FROM deal EXCEPT (FROM warehouse.main.contacts)",
        "SELECT a FROM deal LIMIT (SELECT max(x) FROM warehouse.main.accounts)",
        "SELECT * FROM duckdb_tables", "SELECT * FROM query('SELECT 1')", "SELECT * FROM query_table('deal')",
        # a function that is not let through, from every clause
        "SELECT a FROM deal GROUP BY getenv('H')", "SELECT a FROM deal ORDER BY getenv('H')",
        "SELECT a FROM deal QUALIFY getenv('H') = 'x'", "SELECT * REPLACE (getenv('H') AS a) FROM deal",
        "SELECT a FROM deal WINDOW w AS (PARTITION BY getenv('H'))", "SELECT * FROM deal d, d.getenv('x')",
        "SELECT COLUMNS('x') FROM deal", "SELECT $x FROM deal", "SELECT * FROM generate_series(1, 1000000000)",
        # statements
        "COPY (SELECT * FROM deal) TO 'x'", "COPY deal FROM 'x'", "EXPORT DATABASE 'x'", "INSTALL httpfs",
        "LOAD httpfs", "ATTACH 'x.db' AS y", "DETACH staging", "PRAGMA database_list", "CALL pragma_version()",
        "CREATE TABLE x AS SELECT * FROM deal", "CREATE MACRO f(a) AS a", "UPDATE deal SET a = 1", "DELETE FROM deal",
        "ALTER TABLE deal ADD COLUMN x INT", "VACUUM", "CHECKPOINT", "USE other", "RESET ALL", "DESCRIBE deal",
        "SUMMARIZE deal", "SHOW TABLES", "EXPLAIN ANALYZE SELECT 1", "PREPARE v AS SELECT 1", "EXECUTE v",
        "WITH x AS (INSERT INTO deal VALUES (1) RETURNING *) SELECT * FROM x", "SELECT * FROM deal; ATTACH 'x'",
        # other rows every time
        "SELECT a FROM deal TABLESAMPLE 10%", "SELECT a FROM deal ORDER BY random()",
    ],
)  # fmt: skip
def test_queries_reach_nothing_but_the_inputs(text):
    with pytest.raises(ConfigurationError):
        select_statement(text, INPUTS, "here")
