"""The server that database tests run on."""

import ibis
import pytest


@pytest.mark.postgres
def test_the_server_answers(postgres_url):
    con = ibis.connect(postgres_url)
    con.raw_sql("CREATE TABLE probe (id integer, name text)").close()
    con.raw_sql("INSERT INTO probe VALUES (1, 'a'), (2, 'b')").close()
    assert con.table("probe").count().execute() == 2
    con.raw_sql("DROP TABLE probe").close()
    con.disconnect()
