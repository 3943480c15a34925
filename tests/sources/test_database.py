"""Databases: DuckDB, SQLite and a real PostgreSQL server."""

import sqlite3

import duckdb
import ibis
import pytest

from revops_analysis.errors import ConfigurationError
from revops_analysis.sources.load import load_source
from revops_analysis.sources.profile import load_profile

TABLES = {
    "opportunities": {
        "table": "deals",
        "columns": {
            "opportunity_id": "id",
            "stage": "phase",
            "amount": "amount",
            "close_date": "closes",
            "created_at": "made",
        },
        "where": "phase <> 'Deleted'",
    }
}
EXPECTED = [("1", "Closed Won", "1234.50", "2026-04-03", "2026-01-01 05:30:00"), ("2", "Discovery", None, None, None)]
COLUMNS = ("opportunity_id", "stage", "amount::VARCHAR", "close_date::VARCHAR", "created_at::VARCHAR")


def load_database(lab, url, **settings):
    lab.profile(kind="database", root=None, url=url, tables={**TABLES, **settings})
    return lab.load()


def check(lab, counts, result):
    assert lab.rows(result, "opportunities", *COLUMNS) == EXPECTED
    assert counts(result, "opportunities") == {"read": 4, "loaded": 2, "collapsed": 0, "quarantined": 1, "filtered": 1}
    (bad,) = lab.quarantine(result, "opportunities")
    assert bad["reasons"] == ["stage: unknown (Nonsense)"]
    assert bad["source_file"] == "table deals"
    assert bad["row"]["phase"] == "Nonsense"


def test_duckdb(lab, counts):
    with duckdb.connect(str(lab.data / "crm.duckdb")) as con:
        con.execute("CREATE TABLE deals (id BIGINT, phase TEXT, amount DECIMAL(10,3), closes DATE, made TIMESTAMPTZ)")
        con.execute(
            "INSERT INTO deals VALUES (1, 'Closed Won', 1234.5, '2026-04-03', '2026-01-01 05:30:00+00'), "
            "(2, 'Discovery', NULL, NULL, NULL), (3, 'Nonsense', 1, NULL, NULL), (4, 'Deleted', 1, NULL, NULL)"
        )
    check(lab, counts, load_database(lab, "duckdb://data/crm.duckdb"))


def test_sqlite_whose_columns_hold_what_they_like(lab, counts):
    con = sqlite3.connect(lab.data / "crm.db")
    con.execute("CREATE TABLE deals (id INTEGER, phase TEXT, amount NUMERIC, closes DATE, made TEXT)")
    con.executemany(
        "INSERT INTO deals VALUES (?, ?, ?, ?, ?)",
        [(1, "Closed Won", "$1,234.50", "2026-04-03", "2026-01-01T05:30:00Z"), (2, "Discovery", None, None, ""),
         (3, "Nonsense", 1, None, None), ("4", "Deleted", b"1", None, None)],
    )  # fmt: skip
    con.commit()
    con.close()
    check(lab, counts, load_database(lab, "sqlite://data/crm.db"))


@pytest.mark.postgres
def test_postgres(lab, counts, postgres_url):
    con = ibis.connect(postgres_url)
    con.raw_sql("CREATE SCHEMA crm").close()
    con.raw_sql(
        "CREATE TABLE crm.deals "
        "(id integer, phase text, amount numeric(12,3), closes date, made timestamptz, extra jsonb)"
    ).close()
    con.raw_sql(
        "INSERT INTO crm.deals VALUES (1, 'Closed Won', 1234.5, '2026-04-03', '2026-01-01 05:30+00', '{\"a\": 1}'), "
        "(2, 'Discovery', NULL, NULL, NULL, NULL), (3, 'Nonsense', 1, NULL, NULL, NULL), "
        "(4, 'Deleted', 1, NULL, NULL, NULL)"
    ).close()
    con.raw_sql("CREATE VIEW deals AS SELECT * FROM crm.deals").close()
    con.disconnect()
    check(lab, counts, load_database(lab, postgres_url))
    lab.profile(
        kind="database",
        root=None,
        url=postgres_url,
        tables={"opportunities": {**TABLES["opportunities"], "table": "crm.deals"}},
    )
    assert lab.rows(lab.load(), "opportunities", *COLUMNS) == EXPECTED
    with pytest.raises(ConfigurationError, match="did you mean deals"):
        load_database(lab, postgres_url, accounts={"table": "crm.deal"})


def test_an_absent_table_is_named_with_the_nearest_or_left_out_if_optional(lab):
    con = sqlite3.connect(lab.data / "crm.db")
    con.execute("CREATE TABLE deals (id, phase, amount, closes, made)")
    con.commit()
    con.close()
    with pytest.raises(ConfigurationError, match="did you mean deals"):
        load_database(lab, "sqlite://data/crm.db", accounts={"table": "deal"})
    result = load_database(lab, "sqlite://data/crm.db", accounts={"table": "companies", "optional": True})
    assert result.notes == ("accounts: companies is not there and was left out.",)


@pytest.mark.parametrize("url", ["duckdb://data/none.duckdb", "sqlite://data/none.db", "nonsense"])
def test_a_database_that_is_not_there_is_refused(lab, url):
    with pytest.raises(ConfigurationError, match=r"does not exist|is none"):
        load_database(lab, url)


def test_a_secret_is_never_shown(lab, monkeypatch):
    monkeypatch.setenv("CRM_SECRET", "hunter2%21")
    lab.profile(kind="database", root=None, url="postgres://u:${CRM_SECRET}@127.0.0.1:9/db", tables=TABLES)
    with pytest.raises(ConfigurationError) as caught:
        load_source(load_profile("crm", lab.project), lab.project)
    shown = str(caught.value)
    assert "cannot be reached" in shown
    assert "hunter2" not in shown
    assert caught.value.__cause__ is None
    assert not [path for path in lab.project.warehouse.rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()]


def test_the_source_is_never_written_to(lab):
    path = lab.data / "crm.duckdb"
    with duckdb.connect(str(path)) as con:
        con.execute(
            "CREATE TABLE deals AS SELECT 1 AS id, 'Discovery' AS phase, 1 AS amount, NULL AS closes, NULL AS made"
        )
    before = path.read_bytes()
    load_database(lab, "duckdb://data/crm.duckdb")
    assert path.read_bytes() == before
